import itertools
import subprocess
import sys
from collections import Counter

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from varde import timestamps
from varde.demo import catalogue
from varde.demo.messages import Message
from varde.demo.simulate import MALFORMED, Noise, shoppers
from varde.events import Erasure, Event, IdentityLink, Interaction, Mapping, Rejected, Return, parse
from varde.history import Signal

START = 1_785_672_000_000
CLEAN = Noise(0, 0, 0, 0)
NOISY = Noise(duplicates=0.05, late=0.05, malformed=0.05, erasures=0.05)


def take(n: int, seed: int = 1, rate: float = 50, noise: Noise | None = None, population: int = 200) -> list[Message]:
    return list(itertools.islice(shoppers(seed, START, rate, population, noise), n))


def parsed(messages: list[Message]) -> list[tuple[Event, ...] | Rejected]:
    return [parse(message.data, message.time, Mapping()) for message in messages]


@settings(max_examples=10)
@given(st.integers(), st.floats(0.1, 1000))
def test_the_same_arguments_give_the_same_bytes(seed: int, rate: float) -> None:
    assert take(300, seed, rate, NOISY) == take(300, seed, rate, NOISY)


def test_the_same_in_another_process() -> None:
    code = (
        "import itertools, sys; from varde.demo.simulate import shoppers\n"
        f"for m in itertools.islice(shoppers(3, {START}, 50.0, 200), 500): sys.stdout.buffer.write(m.data + b'\\n')"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert other.splitlines() == [message.data for message in take(500, 3)]


def test_another_seed_gives_other_people() -> None:
    first, second = (
        {orjson.loads(m.data).get("anonymousId") for m in take(300, seed, noise=CLEAN)} - {None} for seed in (1, 2)
    )
    assert first
    assert not first & second


def test_a_later_start_has_the_same_people_and_new_messages() -> None:
    later = list(itertools.islice(shoppers(1, START + 10**9, 50, 200, CLEAN), 2_000))
    first, second = ([orjson.loads(m.data) for m in messages] for messages in (take(2_000, noise=CLEAN), later))
    people = [{body.get("anonymousId") for body in bodies} - {None} for bodies in (first, second)]
    assert len(people[0] & people[1]) > 0.3 * len(people[0])
    assert not {body["messageId"] for body in first} & {body["messageId"] for body in second}


def test_every_message_is_of_use_or_known_not_to_be_counted() -> None:
    refused = [event for event in parsed(take(5_000, noise=CLEAN)) if isinstance(event, Rejected) and event.dead_letter]
    assert refused == []


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_messages_are_dead_letters(data: bytes) -> None:
    result = parse(data, START, Mapping())
    assert isinstance(result, Rejected)
    assert result.dead_letter
    assert b"\n" not in data


def test_all_kinds_of_events_occur() -> None:
    messages = take(20_000, population=600, noise=Noise(erasures=0.05))
    bodies = [body for message in messages if isinstance(body := _object(message.data), dict)]
    assert {"track", "identify", "page", "screen", "group", "alias", "delete"} <= {b["type"] for b in bodies}
    assert len({body["event"] for body in bodies if "event" in body}) >= 25
    kinds: Counter[str] = Counter()
    for events in parsed(messages):
        for event in () if isinstance(events, Rejected) else events:
            kinds[event.signal.name if isinstance(event, Interaction) else type(event).__name__] += 1
    assert set(kinds) == {*Signal.__members__, IdentityLink.__name__, Erasure.__name__, Return.__name__}
    assert kinds["VIEW"] > kinds["CART"] > kinds["PURCHASE"] > 100


def test_accounts_are_deleted_unless_told_otherwise() -> None:
    def erasures(noise: Noise | None) -> int:
        kinds = parsed(list(itertools.islice(shoppers(1, START, 20, noise=noise), 30_000)))
        return sum(isinstance(event, Erasure) for events in kinds if isinstance(events, tuple) for event in events)

    assert erasures(None) > 5
    assert erasures(CLEAN) == 0


def _object(data: bytes) -> object:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None


@pytest.mark.parametrize("seed", range(3))
def test_a_device_belongs_to_one_account_only(seed: int) -> None:
    accounts: dict[str, set[str]] = {}
    for events in parsed(take(6_000, seed, noise=NOISY)):
        for event in () if isinstance(events, Rejected) else events:
            if isinstance(event, IdentityLink):
                accounts.setdefault(event.anonymous_id, set()).add(event.user_id)
    assert len(accounts) > 20
    assert all(len(users) == 1 for users in accounts.values())


def test_visitors_become_known_and_come_back() -> None:
    known: dict[str, list[bool]] = {}
    for message in take(10_000, noise=CLEAN):
        body = orjson.loads(message.data)
        if {"anonymousId", "userId"} <= set(body):  # from the browser, which says null for what it does not know
            known.setdefault(body["anonymousId"], []).append(body["userId"] is not None)
    became = [flags for flags in known.values() if True in flags and False in flags]
    assert len(became) > 20
    assert all(flags == sorted(flags) for flags in became)  # never unknown again


def test_orders_are_distinct_and_hold_what_was_put_in_the_cart() -> None:
    orders = Counter[str]()
    added: set[str] = set()
    for events in parsed(take(10_000, noise=CLEAN)):
        for event in () if isinstance(events, Rejected) else events:
            if isinstance(event, Interaction) and event.signal is Signal.CART:
                added.update(event.items)
            if isinstance(event, Interaction) and event.signal is Signal.PURCHASE:
                orders[event.order_id or ""] += 1
                assert set(event.items) <= added
    assert len(orders) > 50
    assert set(orders.values()) == {1}


def test_arrivals_keep_the_rate_exactly() -> None:
    messages = take(1_000, rate=40, noise=CLEAN)
    assert [m.time for m in messages] == [START + n * 25 for n in range(1_000)]
    assert all(timestamps.read(orjson.loads(m.data)["timestamp"]) == m.time for m in messages)


def test_the_trouble_that_was_asked_for() -> None:
    messages = take(10_000, noise=NOISY)
    duplicates = len(messages) - len({m.data for m in messages if m.data not in MALFORMED})
    malformed = sum(m.data in MALFORMED for m in messages)
    times = [m.time for m in messages]
    highest = list(itertools.accumulate(times, max))
    behind = sum(time < high for time, high in zip(times, highest, strict=True))
    assert 350 < malformed < 650
    assert 650 < duplicates < 1_150  # those that come twice, and malformed ones
    assert 600 < behind < 1_100  # late ones, and second comings
    lateness = [
        (timestamps.read(body["receivedAt"]) or 0) - (timestamps.read(body["timestamp"]) or 0)
        for m in messages
        if m.data not in MALFORMED and isinstance(body := _object(m.data), dict)
    ]
    assert min(lateness) >= 0
    assert max(lateness) > 60_000


@pytest.mark.parametrize("bad", [{"late": 1.5}, {"malformed": -0.1}, {"late": 0.5, "duplicates": 0.5}])
def test_noise_that_makes_no_sense(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"late|malformed"):
        Noise(**bad)


def test_neighbours_mean_something() -> None:
    views: dict[str, list[str]] = {}
    for events in parsed(take(10_000, noise=CLEAN)):
        for event in () if isinstance(events, Rejected) else events:
            if isinstance(event, Interaction) and event.signal is Signal.VIEW:
                views.setdefault(event.user_id or event.anonymous_id or "", []).append(event.items[0])
    shelf = {item: catalogue.BY_SLUG[product.category] for item, product in catalogue.products().items()}
    near = total = 0
    for items in views.values():
        for a, b in itertools.pairwise(items):
            near += shelf[b].slug in (shelf[a].slug, *shelf[a].related)
            total += 1
    assert near / total > 0.55  # by chance it would be about 4 of 22


def test_the_catalogue_is_sound() -> None:
    products = catalogue.products()
    assert len(products) == len(catalogue.CATEGORIES) * catalogue.PER_CATEGORY == 440
    assert len({product.name for product in products.values()}) > 430
    assert all(product.price > 0 for product in products.values())
    assert {slug for c in catalogue.CATEGORIES for slug in c.related} <= set(catalogue.BY_SLUG)
    assert all(c.slug not in c.related and len(c.related) >= 2 for c in catalogue.CATEGORIES)
