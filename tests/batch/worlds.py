"""Small worlds of Segment messages with every trap in them, and what they mean by the core's own definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import orjson
import pyarrow as pa
from hypothesis import strategies as st
from tests.property import oracle
from tests.property.fold import Fold

from varde import consent, events
from varde.batch.loader import Loader
from varde.batch.warehouse import Warehouse
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.batch.warehouse.segment import TIMESTAMP, event_tables
from varde.events import IdentityLink, Interaction, Mapping, Return, Withdrawal
from varde.history import DAY_MS, Limits, Signal

DAY = 20_454  # 2026-01-01
AS_OF = DAY * DAY_MS + 3_600_000
RECEIVED = AS_OF + 3 * DAY_MS
WINDOW_DAYS = 2
START = (DAY - WINDOW_DAYS) * DAY_MS

Message = dict[str, Any]

users = st.sampled_from([None, "u1", "u1", "u2", None, "u1", 4, ""])
anonymous = st.sampled_from([None, "a1", None, "u1", "a2", "a1"])
times = st.one_of(
    st.sampled_from([START - 1, START, START + 1, AS_OF - 1, AS_OF, AS_OF + 1, AS_OF - DAY_MS]),
    st.integers(START, AS_OF),
    st.integers(AS_OF - 5, AS_OF),
)
plain = st.sampled_from(["a", "b", "c", "Z"])
odd = st.sampled_from(["a", "b", "Z", "å", "c", "7", 7, 8, 2**53, "", None, 9.5, True, "x" * 257, "n\0", '"', "null"])
ids = st.one_of(plain, plain, plain, odd)
usable = plain.map(lambda item: dict.fromkeys(("product_id", "sku", "variant"), item))
product = st.one_of(usable, usable, st.fixed_dictionaries({}, optional={"product_id": ids, "sku": ids, "variant": ids}))
listed = st.fixed_dictionaries({}, optional={"product_id": ids, "sku": ids, "id": ids, "variant": ids})
some_products = st.lists(usable, min_size=1, max_size=3)
products: st.SearchStrategy[Any] = st.one_of(
    some_products,
    some_products,
    some_products,
    st.lists(st.one_of(listed, listed, listed, st.sampled_from([None, 5, "text", []])), max_size=4),
    st.lists(listed, max_size=4).map(lambda found: orjson.dumps(found).decode()),
    listed,
    listed.map(lambda found: orjson.dumps(found).decode()),
    st.sampled_from([None, "", "[507f1, 505bd]", '[{"sku": "a"}, {"sk', "null", '"a"', 7]),
)


orders = st.sampled_from(["o1", "o1", "o2", 7])
odd_orders = st.one_of(orders, orders, orders, st.sampled_from([None, "", "x" * 257, True, 1.5, []]))
order = st.one_of(
    st.fixed_dictionaries({"order_id": orders}),
    st.fixed_dictionaries({"order_id": odd_orders}, optional={"orderId": orders}),
)
returned: st.SearchStrategy[Any] = st.one_of(st.sampled_from([None, [], "", None]), some_products, products)
order_events = st.sampled_from(["Order Completed", "Completed Order"])
return_events = st.sampled_from(["Order Refunded", "Order Cancelled", "order refunded"])

CATEGORIES = ("Analytics", "DataSharing")
preferences = st.dictionaries(
    st.sampled_from([*CATEGORIES, *CATEGORIES, "Ads", "同意"]),
    st.sampled_from([True, True, True, True, False, None, "true"]),
)
consents: st.SearchStrategy[Any] = st.one_of(
    st.just({"categoryPreferences": dict.fromkeys(CATEGORIES, True)}),
    preferences.map(lambda said: {"categoryPreferences": said}),
    st.sampled_from([None, {}, "yes", {"categoryPreferences": ["Analytics"]}, {"given": True}]),
)
denied = st.just({"categoryPreferences": dict.fromkeys(CATEGORIES, False)})
agents = st.sampled_from(
    [
        "Mozilla/5.0 Firefox/140.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1)",
        "bingbot/2.0",
        "x" * 600 + "Googlebot/2.1",
        "",
        7,
        None,
    ]
)
contexts = st.one_of(
    st.none(),
    st.none(),
    st.just({"consent": {"categoryPreferences": dict.fromkeys(CATEGORIES, True)}}),
    st.fixed_dictionaries({}, optional={"consent": consents, "userAgent": agents}),
    agents.map(lambda agent: {"userAgent": agent}),
)
KINDS = (
    ["view"] * 4
    + ["order"] * 5
    + ["return"] * 3
    + ["cart", "cart", "call", "call", "alias", "delete", "delete", "consent", "consent"]
)
# Made once: making a strategy takes hypothesis longer than drawing from it.
kinds = st.sampled_from(KINDS)
call_types = st.sampled_from(["identify", "page", "screen", "group", "track", "nonsense"])
previous = st.one_of(anonymous, users)
forgotten = st.sampled_from(["u1", "u2", "u1", 4, None])
changed = st.one_of(denied, denied, consents)


@cache
def _tracked(kind: str) -> st.SearchStrategy[tuple[str, Any]]:
    """(event, properties) of a track call."""
    if kind == "view":
        return st.tuples(st.sampled_from(["Product Viewed", "viewed product", "Trail Opened"]), product)
    if kind == "cart":
        return st.tuples(st.just("Product Added"), product)
    if kind == "consent":
        return st.tuples(st.sampled_from([consent.CHANGED, consent.CHANGED.lower()]), st.none())
    events, held = (order_events, products) if kind == "order" else (return_events, returned)
    return st.tuples(events, st.builds(lambda of, what: {**of, "products": what}, order, held))


@st.composite
def message(draw: st.DrawFn) -> Message:
    kind = draw(kinds)
    said: Message = {"userId": draw(users), "anonymousId": draw(anonymous), "timestamp": draw(times)}
    if (context := draw(contexts)) is not None:
        said["context"] = context
    if kind == "call":
        said["type"] = draw(call_types)
    elif kind == "alias":
        said |= {"type": "alias", "previousId": draw(previous)}
    elif kind == "delete":
        said |= {"type": "delete", "userId": draw(forgotten)}
    else:
        event, properties = draw(_tracked(kind))
        said |= {"type": "track", "event": event, "properties": properties}
    if kind == "consent":
        said["context"] = {**said.get("context", {}), "consent": draw(changed)}
    return said


@cache
def _messages(least: int, most: int) -> st.SearchStrategy[list[Message]]:
    return st.lists(message(), min_size=least, max_size=most)


@st.composite
def world(draw: st.DrawFn, least: int = 8, most: int = 25) -> list[tuple[bytes, int]]:
    """(message, time of the queue), some of them several times, in any order."""
    found = draw(_messages(least, most))
    kept = [said for said in found if said.get("event") in ("Order Completed", "Completed Order")]
    for said in found:
        if kept and said.get("event", "").lower() in ("order refunded", "order cancelled") and draw(st.integers(0, 3)):
            bought = draw(st.sampled_from(kept))  # by chance alone a return rarely meets its order
            said |= {name: bought[name] for name in ("userId", "anonymousId")}
            said["properties"] |= {"order_id": bought["properties"].get("order_id")}
    once = [orjson.dumps(said | {"messageId": f"m{n}"}) for n, said in enumerate(found)]
    again = draw(st.lists(st.sampled_from(once), max_size=4))
    return [(data, RECEIVED + n) for n, data in enumerate(draw(st.permutations(once + again)))]


MAPPING = Mapping(custom_events=(("Trail Opened", Signal.VIEW),), consent=CATEGORIES[:1])
"""A mapping under which everything in a world means something."""
SECRET = b"of the tests"

key_orders = st.permutations(["product_id", "sku", "variant"]).flatmap(
    lambda keys: st.integers(1, 3).map(lambda n: (*keys[:n], "id"))
)
mappings = st.builds(
    lambda keys, required, default, robots: Mapping(keys, MAPPING.custom_events, required, default, robots),
    key_orders,
    st.sampled_from([(), CATEGORIES[:1], CATEGORIES[:1], CATEGORIES]),
    st.sampled_from([True, True, False]),
    st.sampled_from([False, False, True]),
)


def loaded(messages: Iterable[tuple[bytes, int]], mapping: Mapping) -> DuckDBWarehouse:
    """A warehouse in memory with these messages."""
    tables = event_tables(mapping.custom_events, mapping.consent, mapping.consent_default)
    warehouse = DuckDBWarehouse(None, tables, threads=1)
    loader = Loader(warehouse, mapping, batch_rows=10, secret=SECRET)
    for data, received_at in messages:
        loader.add(data, received_at)
    loader.flush()
    return warehouse


def write_raw(warehouse: Warehouse, table: str, messages: Iterable[tuple[bytes, int]]) -> None:
    """What a subscription of Pub/Sub's that writes to the warehouse makes of these messages."""
    said = list(messages)
    moments = pa.array([at for _, at in said], pa.timestamp("ms", tz="UTC")).cast(TIMESTAMP)
    columns = {
        "data": pa.array([data.decode(errors="replace") for data, _ in said], pa.string()),
        "publish_time": moments,
        "message_id": pa.array([str(n) for n in range(len(said))], pa.string()),
        "attributes": pa.nulls(len(said), pa.string()),
    }
    warehouse.load(table, pa.table(columns))


def meanings(messages: Iterable[tuple[bytes, int]], mapping: Mapping) -> list[events.Event]:
    """What the parser makes of the messages, up to AS_OF, ordered by event time.

    At one time links come by user id, and a withdrawal, which covers its own moment, last.
    """
    found: list[events.Event] = []
    for data, received_at in messages:
        parsed = events.parse(data, received_at, mapping)
        if isinstance(parsed, events.Rejected):
            found += [parsed.link] if parsed.link else []
        else:
            found += parsed
    kept = [event for event in found if event.time <= AS_OF]
    return sorted(
        kept, key=lambda e: (e.time, isinstance(e, Withdrawal), e.user_id if isinstance(e, IdentityLink) else "")
    )


def order_matters_not(found: Sequence[events.Event], cap: int) -> bool:
    """Whether the stream, which meets these events in order of time, must agree with the definition by time alone.

    A withdrawal under an anonymousId reaches whoever it is linked to by then, which later links change; and beyond the
    bounds of varde.orders the stream may have let go of a purchase that a return uncovers.
    """
    bought = {item for e in found if isinstance(e, Interaction) and e.signal == Signal.PURCHASE for item in e.items}
    bounded = len(bought) <= 2 * cap or not any(isinstance(e, Return) for e in found)
    return bounded and not any(isinstance(e, Withdrawal) and e.anonymous_id is not None for e in found)


def brute_force(found: Sequence[events.Event], limits: Limits) -> oracle.Totals:
    """The definition, by event time alone."""
    return oracle.warehouse(found, limits, AS_OF)


def stream_fold(found: Sequence[events.Event], limits: Limits) -> oracle.Totals:
    """The stream's transitions, one event after another."""
    return Fold(limits, AS_OF).play(found).total.totals()
