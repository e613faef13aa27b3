"""`varde simulate`: an endless stream of Segment messages from shoppers with tastes. Deterministic by its arguments."""

from __future__ import annotations

import argparse
import contextlib
import heapq
import itertools
import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from varde.events import MAX_BYTES
from varde.settings import from_env

from .arguments import address, moment, part, positive, whole, whole_from
from .messages import LATENCY_MS, Message, delivered, encode
from .progress import Meter
from .replay import add_output_arguments, failed, send
from .shoppers import Ask, Shopper, Step, Visit, shopper
from .storefront import PLACEMENT, Storefront

THINK_S = 8.0
"""Mean time between two messages of one visit."""
POPULATION = 2000
FEWEST = 4
"""A quarter of the people may be in the shop at once, and that must be somebody."""
MEAN_DELAY_S = 60.0
MAX_DELAY_S = 900.0


@dataclass(frozen=True, slots=True)
class Noise:
    """Parts (0 to 1) of messages that are trouble.

    duplicates: come a second time, byte for byte. late: arrive seconds to minutes after they happened.
    malformed: cannot be used, each in one of many ways. erasures: part of visits after which the shopper's account is
    deleted; a new shopper takes their place.
    """

    duplicates: float = 0.01
    late: float = 0.01
    malformed: float = 0.002
    erasures: float = 0.02

    def __post_init__(self) -> None:
        for name in ("duplicates", "late", "malformed", "erasures"):
            if not 0 <= getattr(self, name) <= 1:
                msg = f"{name} must be between 0 and 1"
                raise ValueError(msg)
        if self.duplicates + self.late >= 1:
            msg = "duplicates and late must leave room for others"
            raise ValueError(msg)


def shoppers(
    seed: int, start: int, rate: float, population: int = POPULATION, noise: Noise | None = None, ask: Ask | None = None
) -> Iterator[Message]:
    """Messages in the order in which they arrive: the n-th (from 0) arrives at start + n / rate seconds.

    Args:
        seed: the same arguments give the same bytes; a seed also stands for the same people, whatever the start.
        start: when the first message arrives, ms.
        rate: messages per second of simulated time.
        population: how many shoppers there are.
        noise: the trouble in it; the defaults of Noise unless given.
        ask: for the lists on product pages; there are none unless given. It is asked as the messages are made.

    Yields:
        Without end; `time` is the event's time. Only late messages are out of time order.
    """
    noise = noise or Noise()
    rng = random.Random(f"{seed}:noise:{start}")  # noqa: S311 - reproducible on purpose
    story = steps_of(seed, start, rate, population, noise.erasures, ask)
    waiting: list[tuple[int, Message]] = []
    made = 0
    for slot in itertools.count():
        now = _time(start, rate, slot)
        while not (waiting and waiting[0][0] <= slot):
            if rng.random() < noise.malformed:
                yield Message(_malformed(rng), now)
                break
            step, made = next(story), made + 1
            fate = rng.random()
            later = slot + 1 + int(rate * min(rng.expovariate(1 / MEAN_DELAY_S), MAX_DELAY_S))
            arrival = _time(start, rate, later) if fate < noise.late else now
            body = delivered(step.body, f"sim-{seed}-{start}-{made}", now, arrival + LATENCY_MS, server=step.server)
            message = encode(body, now)
            if fate < noise.late + noise.duplicates:
                heapq.heappush(waiting, (later, message))
            if fate >= noise.late:
                yield message
                break
        else:
            yield heapq.heappop(waiting)[1]


def _time(start: int, rate: float, slot: int) -> int:
    return start + int(slot * 1000 / rate)


def as_they_happen(
    seed: int, start: int, rate: float, population: int, ask: Ask, clock: Callable[[], int]
) -> Iterator[Message]:
    """Messages of visits without end whose events happen when they are made: a click is later than its list.

    Args:
        seed: the same people as those of `shoppers`.
        start: makes visits, ids of messages and of orders other than those of another start.
        rate: how many visits are under way at once: those of so many messages per second.
        population: how many shoppers there are.
        ask: for the lists on product pages.
        clock: ms since the epoch.
    """
    story = steps_of(seed, start, rate, population, Noise().erasures, ask)
    for number, step in enumerate(story):
        now = clock()
        yield encode(delivered(step.body, f"visit-{seed}-{start}-{number}", now, server=step.server), now)


def steps_of(
    seed: int, start: int, rate: float, population: int, erasures: float, ask: Ask | None = None
) -> Iterator[Step]:
    """The steps of all visits, merged as they happen; arguments as for `shoppers`. Nobody is in two visits at once."""
    rng = random.Random(f"{seed}:story:{start}")  # noqa: S311 - reproducible on purpose
    people: dict[int, Shopper] = {}
    visiting: set[int] = set()
    replaced: dict[int, int] = {}
    visits: list[tuple[float, int, int, Iterator[Step]]] = []
    numbers = itertools.count()

    def enter(at: float) -> None:
        place = _somebody(rng, population, visiting)
        visiting.add(place)
        who = people.setdefault(place, shopper(seed, place + population * replaced.get(place, 0)))
        number = next(numbers)
        chance = random.Random(f"{seed}:{start}:{number}")  # noqa: S311 - reproducible on purpose
        steps = Visit(who, chance, f"order-{seed}-{start}-{number}", ask).steps()
        heapq.heappush(visits, (at + rng.expovariate(1 / THINK_S), number, place, steps))

    for _ in range(max(1, min(population // 4, round(rate * THINK_S)))):
        enter(0.0)
    while True:
        at, number, place, steps = heapq.heappop(visits)
        step = next(steps, None)
        if step is not None:
            yield step
            heapq.heappush(visits, (at + rng.expovariate(1 / THINK_S), number, place, steps))
            continue
        visiting.discard(place)
        user_id = people[place].user_id
        if user_id is not None and people[place].known and rng.random() < erasures:
            yield Step({"type": "delete", "userId": user_id}, server=True)
            replaced[place] = replaced.get(place, 0) + 1
            del people[place]
        enter(at)


def _somebody(rng: random.Random, population: int, visiting: set[int]) -> int:
    while True:
        place = int(population * rng.random() ** 1.5)  # some come more often than others
        if place not in visiting:
            return place


def _malformed(rng: random.Random) -> bytes:
    return rng.choice(MALFORMED)


MALFORMED = (
    b'{"type":"track","event":"Product Viewed","anonymousId":"a-1","properties":{"product_id":',
    b"not json at all",
    b"\xff\xfe\x00binary",
    b"[]",
    b'"text"',
    b'{"type":"purchase","userId":"u-1"}',
    b'{"type":"track","event":"Product Viewed","properties":{"product_id":"tent-001"}}',
    b'{"type":"track","userId":"u-1","properties":{"product_id":"tent-001"}}',
    b'{"type":"track","event":"Product Viewed","userId":"u-1","properties":{}}',
    b'{"type":"track","event":"Product Viewed","userId":"u-1","properties":"tent-001"}',
    b'{"type":"track","event":"Product Viewed","userId":{"id":1},"properties":{"product_id":"tent-001"}}',
    b'{"type":"track","event":"Product Viewed","userId":"u-1","properties":{"product_id":["tent-001"]}}',
    b'{"type":"track","event":"Order Completed","userId":"u-1","properties":{"order_id":"1","products":"two tents"}}',
    b'{"type":"track","event":"Order Completed","userId":"u-1","properties":{"order_id":"1","products":[]}}',
    b'{"type":"track","event":"Product Viewed","userId":"u-1","properties":{"product_id":"%s"}}' % (b"x" * 10_000),
    b'{"type":"track","event":"Product Viewed","userId":"%s","properties":{"product_id":"tent-001"}}' % (b"u" * 1_000),
    b'{"type":"track","event":"Product Viewed","userId":"u-1","properties":{"note":"%s"}}' % (b"x" * MAX_BYTES),
)
"""Messages that nobody can use; every one belongs into the dead letters."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `varde simulate`."""
    default = Noise()
    parser.add_argument("--seed", type=whole, default=1, help="the same seed gives the same people (%(default)s)")
    parser.add_argument("--rate", type=positive, default=20.0, help="messages per second (%(default)s)")
    parser.add_argument("--limit", type=whole_from(1), help="end after so many messages")
    parser.add_argument("--duration", type=positive, help="end after so many simulated seconds")
    parser.add_argument("--shoppers", type=whole_from(FEWEST), default=POPULATION, help="how many people (%(default)s)")
    parser.add_argument("--start", type=moment, help="time of the first event, ISO 8601 (now)")
    parser.add_argument("--fast", action="store_true", help="do not wait: event times run ahead of the clock")
    for name, meaning in (
        ("duplicates", "part of messages that come twice"),
        ("late", "part that arrives seconds to minutes late"),
        ("malformed", "part that nobody can use"),
        ("erasures", "part of visits after which the account is deleted"),
    ):
        parser.add_argument(f"--{name}", type=part, default=getattr(default, name), help=f"{meaning} (%(default)s)")
    parser.add_argument("--server", type=address, help="look at the lists of this server, http://…, and click")
    parser.add_argument("--placement", default=PLACEMENT, help="the list beside a product, with --server (%(default)s)")
    add_output_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """`varde simulate`; the exit code."""
    start = int(time.time() * 1000) if options.start is None else options.start
    try:
        noise = Noise(options.duplicates, options.late, options.malformed, options.erasures)
    except ValueError as error:
        return failed(f"varde simulate: {error}")
    ends = [options.limit, None if options.duration is None else round(options.duration * options.rate)]
    limit = min((end for end in ends if end is not None), default=None)
    with Meter("simulate") as meter, contextlib.ExitStack() as stack:
        ask = None
        if options.server:
            ask = stack.enter_context(contextlib.closing(Storefront(options.server, options.placement))).ask
        stream = shoppers(options.seed, start, options.rate, options.shoppers, noise, ask)
        return send(itertools.islice(stream, limit), options, meter, None if options.fast else options.rate)


def command(argv: Sequence[str] | None = None) -> int:
    """`varde simulate` with its own arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="varde simulate", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args(argv)
    from_env(os.environ)  # an unknown VARDE_ variable stops every command
    return run(options)
