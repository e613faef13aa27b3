"""Small worlds of Segment messages with every trap in them, and what they mean by the core's own definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from hypothesis import strategies as st
from tests.property import oracle
from tests.property.fold import Fold

from varde import events
from varde.events import IdentityLink, Mapping
from varde.history import DAY_MS, Limits, Signal

DAY = 20_454  # 2026-01-01
AS_OF = DAY * DAY_MS + 3_600_000
RECEIVED = AS_OF + 3 * DAY_MS
WINDOW_DAYS = 2
START = (DAY - WINDOW_DAYS) * DAY_MS

Message = dict[str, Any]

users = st.sampled_from([None, "u1", None, "u2", "u3", 4, ""])
anonymous = st.sampled_from(["a1", "a2", "u1", "a1", None])
times = st.one_of(
    st.sampled_from([START - 1, START, START + 1, AS_OF - 1, AS_OF, AS_OF + 1, AS_OF - DAY_MS]),
    st.integers(START, AS_OF),
    st.integers(AS_OF - 5, AS_OF),
)
plain = st.sampled_from(["a", "b", "c", "Z"])
odd = st.sampled_from(["a", "b", "Z", "å", "c", "7", 7, 8, 2**53, "", None, 9.5, True, "x" * 257, "n\0", '"', "null"])
ids = st.one_of(plain, plain, plain, odd)
product = st.fixed_dictionaries({}, optional={"product_id": ids, "sku": ids, "variant": ids})
listed = st.fixed_dictionaries({}, optional={"product_id": ids, "sku": ids, "id": ids, "variant": ids})
products: st.SearchStrategy[Any] = st.one_of(
    st.lists(st.one_of(listed, listed, listed, st.sampled_from([None, 5, "text", []])), max_size=4),
    st.lists(listed, max_size=4).map(lambda found: orjson.dumps(found).decode()),
    listed,
    listed.map(lambda found: orjson.dumps(found).decode()),
    st.sampled_from([None, "", "[507f1, 505bd]", '[{"sku": "a"}, {"sk', "null", '"a"', 7]),
)


@st.composite
def message(draw: st.DrawFn) -> Message:
    kind = draw(
        st.sampled_from(
            ["view", "view", "view", "order", "order", "order", "cart", "call", "call", "alias", "delete", "delete"]
        )
    )
    said: Message = {"userId": draw(users), "anonymousId": draw(anonymous), "timestamp": draw(times)}
    if kind == "view":
        said |= {"type": "track", "event": draw(st.sampled_from(["Product Viewed", "viewed product", "Trail Opened"]))}
        said["properties"] = draw(product)
    elif kind == "cart":
        said |= {"type": "track", "event": "Product Added", "properties": draw(product)}
    elif kind == "order":
        said |= {"type": "track", "event": draw(st.sampled_from(["Order Completed", "Completed Order"]))}
        said["properties"] = {"products": draw(products)}
    elif kind == "call":
        said["type"] = draw(st.sampled_from(["identify", "page", "screen", "group", "track", "nonsense"]))
    elif kind == "alias":
        said |= {"type": "alias", "previousId": draw(st.one_of(anonymous, users))}
    else:
        said |= {"type": "delete", "userId": draw(st.sampled_from(["u1", "u2", "u1", 4, None]))}
    return said


@st.composite
def world(draw: st.DrawFn) -> list[tuple[bytes, int]]:
    """(message, time of the queue), some of them several times, in any order."""
    found = draw(st.lists(message(), min_size=3, max_size=25))
    once = [orjson.dumps(said | {"messageId": f"m{n}"}) for n, said in enumerate(found)]
    again = draw(st.lists(st.sampled_from(once), max_size=4))
    return [(data, RECEIVED + n) for n, data in enumerate(draw(st.permutations(once + again)))]


MAPPING = Mapping(custom_events=(("Trail Opened", Signal.VIEW),))


def meanings(messages: Iterable[tuple[bytes, int]], mapping: Mapping) -> list[events.Event]:
    """What the parser makes of the messages, up to AS_OF, ordered by event time (and links by user id)."""
    found: list[events.Event] = []
    for data, received_at in messages:
        parsed = events.parse(data, received_at, mapping)
        if isinstance(parsed, events.Rejected):
            found += [parsed.link] if parsed.link else []
        else:
            found += parsed
    kept = [event for event in found if event.time <= AS_OF]
    return sorted(kept, key=lambda e: (e.time, e.user_id if isinstance(e, IdentityLink) else ""))


def brute_force(found: Sequence[events.Event], limits: Limits) -> oracle.Totals:
    """The definition, by event time alone."""
    return oracle.warehouse(found, limits, AS_OF)


def stream_fold(found: Sequence[events.Event], limits: Limits) -> oracle.Totals:
    """The stream's transitions, one event after another."""
    return Fold(limits, AS_OF).play(found).total.totals()
