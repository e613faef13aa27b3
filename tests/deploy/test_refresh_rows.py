"""What deploy/refresh copies (sql/refresh.sql): counts as those of the sample by brute force, nobody's name, nobody
who does not want to be there.

A world becomes production's warehouse, its night is run, and what the query gives is loaded as development's archive,
whose night is run in turn.
"""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.batch.test_night import totals
from tests.batch.worlds import (
    AS_OF,
    CATEGORIES,
    MAPPING,
    RECEIVED,
    SECRET,
    START,
    WINDOW_DAYS,
    loaded,
    world,
    write_raw,
)
from tests.property.oracle import Totals

from varde.batch import nightly
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import event_tables
from varde.counts import count
from varde.history import Limits, Signal
from varde.pairs import Histories

KEY = "5eed" * 16
HALF = "80000000"
ALL = "g"
AGREED = orjson.dumps({"categoryPreferences": {CATEGORIES[0]: True}}).decode()
Rows = list[dict[str, Any]]


def digest(name: str) -> str:
    """The keyed hash of `u:` and a userId, `a:` and an anonymousId, `o:` and an order."""
    inner = hashlib.sha256((KEY + name).encode()).hexdigest()
    return hashlib.sha256((KEY + inner).encode()).hexdigest()


def copied(production: DuckDBWarehouse, share: str, least: int = 1) -> Rows:
    """The rows of the query, in the order of their names."""
    if not production.columns("varde.pseudonym_key"):
        production.load("varde.pseudonym_key", pa.table({"key": [KEY]}))
    found = production.query("refresh", {"share": share, "least": least, "consent": AGREED}).to_pylist()
    assert len({row["message_id"] for row in found}) == len(found), "a name is that of one row"
    return sorted(found, key=lambda row: str(row["message_id"]))


def development(rows: Rows, limits: Limits) -> tuple[Totals, Rows]:
    """The night of an archive with these rows: its counts, and its histories."""
    tables = event_tables(MAPPING.custom_events, MAPPING.consent, MAPPING.consent_default, "raw_messages")
    with DuckDBWarehouse(None, tables, threads=1) as warehouse:
        write_raw(warehouse, "segment.raw_messages", [(row["data"].encode(), row["time"]) for row in rows])
        night = nightly.build(warehouse, AS_OF, limits, MAPPING, b"another secret")
        return totals(night), warehouse.read("varde.histories").to_pylist()


def brute(histories: Rows, share: str, least: int) -> Totals:
    """Counts of the sampled customers of production's histories, one customer at a time."""
    held: dict[str, list[dict[str, int]]] = defaultdict(lambda: [{} for _ in Signal])
    for row in histories:
        held[row["customer"]][row["signal"]][row["item"]] = row["time"]
    having: dict[str, set[str]] = defaultdict(set)
    for row in histories:
        having[row["item"]].add(row["customer"])
    common = {item for item, customers in having.items() if len(customers) >= least}
    sampled = [
        Histories(*({item: time for item, time in one.items() if item in common} for one in every))
        for customer, every in held.items()
        if digest(customer)[56:] < share
    ]
    return count([one for one in sampled if one]).totals()


@settings(max_examples=settings().max_examples // 50, deadline=None)
@given(world(12, 40), st.integers(2, 5), st.sampled_from([ALL, HALF]))
def test_any_world_counts_as_its_sampled_customers_do(messages: list[tuple[bytes, int]], cap: int, share: str) -> None:
    limits = Limits(cap, WINDOW_DAYS)
    with loaded(messages, MAPPING) as production:
        nightly.build(production, AS_OF, limits, MAPPING, SECRET)
        rows = copied(production, share)
        assert rows == copied(production, share), "again the same"
        expected = brute(production.read("varde.histories").to_pylist(), share, 1)
    found, _ = development(rows, limits)
    assert found == expected


# A shop with names that must not be found again

PEOPLE = 40
"""Of them 7 withdraws a consent, 8 is erased, and 9 is and comes back."""


def person(n: int) -> dict[str, str]:
    """Ids and what else is personal, each value a word that stands nowhere else."""
    return {
        "userId": f"jane-{n}@shop.example",
        "anonymousId": f"phone-of-{n}",
        "order_id": f"ORDER/2026/{n}",
        "name": f"Jane {n} Doe",
        "ip": f"203.0.113.{n}",
        "agent": f"Browser of {n}",
        "url": f"https://shop.example/account/{n}",
    }


def told(n: int, event: str, at: int, items: list[str], *, known: bool, linked: bool = False) -> bytes:
    who = person(n)
    products = [{"product_id": item, "name": who["name"]} for item in items]
    said: dict[str, Any] = {
        "type": "track",
        "event": event,
        "timestamp": at,
        "messageId": f"message-{n}-{at}-{known}-{linked}",
        "context": {
            "ip": who["ip"],
            "userAgent": who["agent"],
            "page": {"url": who["url"]},
            "traits": {"email": who["userId"]},
            "consent": {"categoryPreferences": {CATEGORIES[0]: True}},
        },
        "properties": products[0] if len(products) == 1 and "Order" not in event else {"products": products},
    }
    if "Order" in event:
        said["properties"]["order_id"] = who["order_id"]
    if known or linked:
        said["userId"] = who["userId"]
    if not known or linked:
        said["anonymousId"] = who["anonymousId"]
    return orjson.dumps(said)


def shop(seed: int) -> list[tuple[bytes, int]]:
    """People who look round unknown, log in, and buy; one has withdrawn, one was erased, one came back after that."""
    chance = random.Random(seed)
    messages: list[bytes] = []
    wishes: list[bytes] = []
    for n in range(PEOPLE):
        items = ["entrance", *(f"item-{chance.randrange(8)}" for _ in range(4))]
        at = START + 1_000_000 + n * 1000
        messages += [told(n, "Product Viewed", at + 60_000 * k, [item], known=False) for k, item in enumerate(items)]
        messages.append(told(n, "Product Viewed", at + 300_000, items[1:2], known=True, linked=True))
        messages.append(told(n, "Product Added", at + 400_000, [f"engraved for {n}"], known=True))
        messages.append(told(n, "Order Completed", at + 500_000, items[1:3], known=True))
        if n % 5 == 0:
            messages.append(told(n, "Order Refunded", at + 600_000, items[1:2], known=True))
    end = START + 5_000_000
    for n, kind in ((7, "consent"), (8, "delete"), (9, "delete")):
        said: dict[str, Any] = {"type": "delete", "userId": person(n)["userId"], "timestamp": end}
        if kind == "consent":
            said |= {"type": "track", "event": "Segment Consent Preference Updated"}
            said["context"] = {"consent": {"categoryPreferences": {CATEGORIES[0]: False}}}
        wishes.append(orjson.dumps(said | {"messageId": f"wish-{n}"}))
    back = [told(9, "Product Viewed", end + 60_000, ["item-1"], known=True)]
    return [(data, RECEIVED) for data in messages + wishes + back]


@pytest.fixture(scope="module")
def production() -> Any:
    """The warehouse of that shop after its night."""
    with loaded(shop(1), MAPPING) as warehouse:
        nightly.build(warehouse, AS_OF, Limits(64, WINDOW_DAYS), MAPPING, SECRET)
        yield warehouse


def sender(row: dict[str, Any], kind: str) -> str:
    return str(orjson.loads(row["data"]).get(kind, ""))


def test_nobodys_name_is_in_it(production: DuckDBWarehouse) -> None:
    rows = copied(production, ALL, least=2)
    text = "\n".join(str(value) for row in rows for value in row.values())
    for n in range(PEOPLE):
        for value in (*person(n).values(), f"engraved for {n}", f"message-{n}-"):
            assert value not in text
    assert KEY not in text
    fields = {
        (kind, *said) for row in rows for kind, said in [(orjson.loads(row["data"])["type"], orjson.loads(row["data"]))]
    }
    assert fields == {
        ("track", "type", "event", "userId", "timestamp", "context", "properties"),
        ("track", "type", "event", "anonymousId", "timestamp", "context", "properties"),
        ("identify", "type", "userId", "anonymousId", "timestamp", "context"),
    }
    assert all(row["time"] % 60_000 == 0 for row in rows)


def test_who_wants_to_be_forgotten_is_not_in_it(production: DuckDBWarehouse) -> None:
    found = {sender(row, kind) for row in copied(production, ALL) for kind in ("userId", "anonymousId")}
    for n in range(PEOPLE):
        here = {digest(f"u:{person(n)['userId']}")[:32] in found, digest(f"a:{person(n)['anonymousId']}")[:32] in found}
        assert here == {n not in (7, 8, 9)} or n == 9
    (back,) = (
        row for row in copied(production, ALL) if sender(row, "userId") == digest(f"u:{person(9)['userId']}")[:32]
    )
    assert "item-1" in back["data"], "only what was done since"


def test_ids_of_one_person_are_linked_and_the_sample_is_whole_people(production: DuckDBWarehouse) -> None:
    everybody, half = copied(production, ALL), copied(production, HALF)
    assert {row["message_id"] for row in half} < {row["message_id"] for row in everybody}
    links = {sender(row, "anonymousId"): sender(row, "userId") for row in half if '"identify"' in row["data"]}
    sampled = {n for n in range(PEOPLE) if n not in (7, 8, 9) and digest(f"u:{person(n)['userId']}")[56:] < HALF}
    assert 5 < len(sampled) < PEOPLE - 5
    assert links == {
        digest(f"a:{person(n)['anonymousId']}")[:32]: digest(f"u:{person(n)['userId']}")[:32] for n in sampled
    }
    _, histories = development(half, Limits(64, WINDOW_DAYS))
    customers = {row["customer"] for row in histories} - {"u:" + digest(f"u:{person(9)['userId']}")[:32]}
    assert customers == {f"u:{digest('u:' + person(n)['userId'])[:32]}" for n in sampled}, "nobody is left anonymous"


def test_what_few_customers_have_is_left_out_and_all_else_counts(production: DuckDBWarehouse) -> None:
    histories = production.read("varde.histories").to_pylist()
    for least in (2, 5, 12):
        found, _ = development(copied(production, HALF, least), Limits(64, WINDOW_DAYS))
        assert found == brute(histories, HALF, least)
        assert found[0]


def test_with_another_key_everybody_is_somebody_else(production: DuckDBWarehouse) -> None:
    before = copied(production, ALL)
    production.replace("varde.pseudonym_key", pa.table({"key": ["f00d" * 16]}))
    after = copied(production, ALL)
    production.replace("varde.pseudonym_key", pa.table({"key": [KEY]}))
    assert len(after) == len(before)
    names = [
        {sender(row, kind) for row in rows for kind in ("userId", "anonymousId")} - {""} for rows in (before, after)
    ]
    assert names[0].isdisjoint(names[1])
