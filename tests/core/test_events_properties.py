"""Properties of the parser: any input gives events or a known reason, and what comes out keeps its promises."""

from __future__ import annotations

import math
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from varde import consent, ecommerce, timestamps
from varde.events import (
    REASONS,
    Erasure,
    IdentityLink,
    Impersonal,
    Interaction,
    Mapping,
    Rejected,
    Return,
    Withdrawal,
    parse,
)
from varde.history import DAY_MS, Signal

NOW = 1_772_359_200_000
SHOP = Mapping()

whole = st.integers(-(2**63), 2**64 - 1)
# A named alphabet: Hypothesis needs seconds to build its table of all characters in a fresh clone.
text = st.text("aZ09 _-+.:,T{}[]*/\\\"'\0\n\r\x7fß\u0660é\u2028\ufeff\uffff🏕", max_size=12)
scalars = st.none() | st.booleans() | whole | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4), max_leaves=12
)

hostile = st.sampled_from(
    ["\0", "a\nb", "{a}:b", "*", "🏕", " ", "null", "x" * 256, "x" * 257, "🏕" * 64, "🏕" * 65, "é" * 10_000]
)
ids = st.one_of(text, hostile, whole, st.none(), scalars)
dates = st.one_of(
    st.datetimes().map(lambda when: when.isoformat() + "Z"),
    st.datetimes(timezones=st.timezones()).map(str),
    st.integers(NOW - 400 * DAY_MS, NOW + 400 * DAY_MS),
    st.floats(0, 2e9),
    whole,
    st.builds(
        "{:04}-{}-{} {:02}:{:02}:{:02}.{}".format,
        st.integers(1998, 2030), st.integers(0, 13), st.integers(0, 32),
        st.integers(0, 25), st.integers(0, 61), st.integers(0, 61), st.integers(0),
    ),
    scalars,
)  # fmt: skip
products = st.dictionaries(st.sampled_from(["product_id", "sku", "id", "variant", "name"]), ids | values, max_size=4)
baskets = st.one_of(st.lists(products | values, max_size=6), products, values)
properties = st.fixed_dictionaries(
    {},
    optional={
        "product_id": ids, "sku": ids, "id": ids, "order_id": ids, "orderId": ids,
        "products": st.one_of(baskets, baskets.map(lambda basket: orjson.dumps(basket).decode())),
    },
)  # fmt: skip
names = st.one_of(
    *(st.sampled_from(sorted(known)) for known in (ecommerce.COUNTED, ecommerce.RETURNED, ecommerce.NOT_COUNTED)),
    st.sampled_from([consent.CHANGED, consent.CHANGED.lower()]),
    text,
    values,
)
choices = st.dictionaries(st.sampled_from("AB"), st.booleans() | values)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "consent": st.fixed_dictionaries({}, optional={"categoryPreferences": choices | values}) | values,
        "userAgent": st.sampled_from(["", "Mozilla/5.0 (X11; Linux x86_64)", "Googlebot/2.1"]) | values,
    },
)
calls = ["track", "identify", "page", "screen", "group", "alias", "delete"]
messages = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from([*calls, "track", "track"]), scalars)},
    optional={
        "event": names, "userId": ids, "anonymousId": ids, "previousId": ids, "properties": properties | values,
        "timestamp": dates, "originalTimestamp": dates, "sentAt": dates, "receivedAt": dates,
        "context": contexts | values,
    },
)  # fmt: skip
mappings = st.builds(
    Mapping,
    item_keys=st.lists(st.sampled_from(["product_id", "sku", "id", "variant"]), min_size=1, unique=True).map(tuple),
    custom_events=st.lists(st.tuples(text, st.sampled_from(Signal)), max_size=3).map(tuple),
    consent=st.lists(st.sampled_from("AB"), max_size=2, unique=True).map(tuple),
    consent_default=st.booleans(),
    robots=st.booleans(),
)


def check(data: bytes, mapping: Mapping = SHOP, received_at: int = NOW) -> None:
    result = parse(data, received_at, mapping)
    assert result == parse(data, received_at, mapping)
    if isinstance(result, Rejected):
        assert result.reason in REASONS
        assert len(result.detail) < 64
        if result.link is not None:
            assert result.dead_letter
            check_link(result.link, received_at)
        return
    assert result
    kinds = [type(event) for event in result]
    alone = [[kind] for kind in (Interaction, Return, IdentityLink, Erasure, Impersonal, Withdrawal)]
    assert kinds in [*alone, [IdentityLink, Interaction], [IdentityLink, Return]]
    for event in result:
        assert timestamps.EARLIEST <= event.time <= received_at + DAY_MS
        if isinstance(event, Interaction | Return | Impersonal):
            assert event.items or isinstance(event, Return)
            assert len(set(event.items)) == len(event.items)
            assert all(0 < len(item.encode()) <= 256 for item in event.items)
        if isinstance(event, Interaction | Return | Withdrawal):
            assert event.user_id or event.anonymous_id
        if isinstance(event, Interaction):
            assert event.order_id is None or event.signal is Signal.PURCHASE
        elif isinstance(event, Return):
            assert 0 < len(event.order_id.encode()) <= 256
        elif isinstance(event, IdentityLink):
            check_link(event, received_at)
        elif isinstance(event, Erasure):
            assert 0 < len(event.user_id.encode()) <= 256
        else:
            assert mapping.consent, "it is asked for, or everything is granted"


def check_link(link: IdentityLink, received_at: int) -> None:
    assert 0 < len(link.anonymous_id.encode()) <= 256
    assert 0 < len(link.user_id.encode()) <= 256
    assert timestamps.EARLIEST <= link.time <= received_at + DAY_MS


@given(st.binary(max_size=200))
@example(b'{"type":"track"\x00}')
@example(b"\xed\xa0\x80")
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(values)
def test_any_json_value(value: Any) -> None:
    check(orjson.dumps(value))


@given(messages, mappings)
def test_near_valid_messages(message: dict[str, Any], mapping: Mapping) -> None:
    check(orjson.dumps(message), mapping)


@given(messages, mappings)
def test_without_consent_nothing_tells_who_it_was(message: dict[str, Any], mapping: Mapping) -> None:
    """Not even a dead letter, but for a withdrawal whose ids are at fault, what is no call and says nothing, and what
    is too large to be read."""
    if consent.given(message, mapping.consent, mapping.consent_default) or message["type"] == "delete":
        return
    result = parse(orjson.dumps(message), NOW, mapping)
    if isinstance(result, Rejected):
        withdrawn = str(message.get("event")).lower() == consent.CHANGED.lower()
        no_call = result.reason == "unknown_type" and consent.given(message, mapping.consent, default=True)
        assert result.link is None
        assert not result.dead_letter or withdrawn or no_call or result.reason == "too_large"
    else:
        assert isinstance(result[0], Impersonal | Withdrawal)
        assert len(result) == 1


@given(messages, st.data())
def test_damaged_messages(message: dict[str, Any], data: st.DataObject) -> None:
    whole = bytearray(orjson.dumps(message))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    check(bytes(whole))
    check(bytes(whole[:at]))


@given(dates, dates, dates, dates, st.sampled_from(["track", "delete", "alias"]))
def test_nothing_happens_after_it_was_received(
    timestamp: Any, original: Any, sent: Any, received: Any, kind: str
) -> None:
    dated = {"timestamp": timestamp, "originalTimestamp": original, "sentAt": sent, "receivedAt": received}
    message = {
        "type": kind,
        "userId": "u",
        "previousId": "p",
        "event": "Product Viewed",
        "properties": {"sku": "S"},
        **dated,
    }
    result = parse(orjson.dumps(message), NOW, SHOP)
    if isinstance(result, Rejected):
        assert result.reason == "bad_time"
        assert kind != "delete"
        return
    (event,) = result
    assert event.time <= timestamps.received_time(message, NOW)


@given(st.one_of(dates, values, text))
def test_any_date_is_a_whole_number_or_unreadable(value: Any) -> None:
    read = timestamps.read(value)
    assert read is None or (type(read) is int and math.isfinite(read))


@given(st.integers(timestamps.EARLIEST, 4 * timestamps.EARLIEST))
def test_seconds_with_decimals_keep_their_milliseconds(time: int) -> None:
    assert timestamps.read(time / 1000) == timestamps.read(f"{time // 1000}.{time % 1000:03}") == time


@given(st.datetimes(timezones=st.timezones()))
def test_the_fast_and_the_lenient_way_agree(when: Any) -> None:
    iso = when.isoformat()
    if when.utcoffset().total_seconds() % 60:  # local mean time of the 19th century
        return
    assert timestamps.read(iso) == timestamps.read(iso.replace("T", " ")) == timestamps.read(iso.replace("T", "t"))


@given(st.lists(st.one_of(text, hostile, whole), min_size=1, max_size=30))
def test_an_order_holds_its_usable_items_in_order(wanted: list[Any]) -> None:
    usable = [str(item) for item in wanted if item != "" and len(str(item).encode()) <= 256]
    basket = [{"product_id": item} for item in wanted]
    message = {"type": "track", "event": "Order Completed", "userId": "u", "properties": {"products": basket}}
    data = orjson.dumps(message)
    if len(data) > 32 * 1024:
        return
    result = parse(data, NOW, SHOP)
    if not usable:
        assert result == Rejected("no_item_id", "properties.products")
        return
    assert isinstance(result, tuple)
    assert isinstance(result[0], Interaction)
    assert result[0].items == tuple(dict.fromkeys(usable))


@given(ids, ids)
def test_ids_are_opaque(user_id: Any, anonymous_id: Any) -> None:
    message = {"type": "page", "userId": user_id, "anonymousId": anonymous_id, "timestamp": NOW}
    result = parse(orjson.dumps(message), NOW, SHOP)
    sound = [
        type(value) is int or (isinstance(value, str) and 0 < len(value.encode()) <= 256)
        for value in (user_id, anonymous_id)
    ]
    if all(sound):
        assert result == (IdentityLink(str(anonymous_id), str(user_id), NOW),)
    else:
        assert isinstance(result, Rejected)
