"""Rules of the parser that need computed messages; the rest is in golden/events and in the properties."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from varde import ecommerce, timestamps
from varde.events import MAX_BYTES, REASONS, Erasure, IdentityLink, Interaction, Mapping, Rejected, parse
from varde.history import DAY_MS, Signal

NOW = 1_772_359_200_000  # 2026-03-01T10:00:00Z
SHOP = Mapping()


def message(**changes: Any) -> dict[str, Any]:
    """A Product Viewed of u at NOW, with changes."""
    view = {"type": "track", "event": "Product Viewed", "userId": "u", "properties": {"product_id": "P1"}}
    return {**view, "timestamp": NOW, **changes}


def parsed(mapping: Mapping = SHOP, received_at: int = NOW, **changes: Any) -> Any:
    return parse(orjson.dumps(message(**changes)), received_at, mapping)


def order(products: Any, **properties: Any) -> Any:
    return parsed(event="Order Completed", properties={"products": products, **properties})


def padded(size: int) -> bytes:
    """A valid message of exactly `size` bytes."""
    bare = orjson.dumps(message(context={"page": {"title": ""}}))
    return bare.replace(b'"title":""', b'"title":"' + b"x" * (size - len(bare)) + b'"')


def test_32_kb_are_read_and_one_byte_more_is_not() -> None:
    assert len(padded(MAX_BYTES)) == 32 * 1024
    assert isinstance(parse(padded(MAX_BYTES), NOW, SHOP), tuple)
    assert parse(padded(MAX_BYTES + 1), NOW, SHOP) == Rejected("too_large")


def test_a_large_message_is_not_parsed_first() -> None:
    assert parse(b"\xff" * (MAX_BYTES + 1), NOW, SHOP) == Rejected("too_large")


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf{}", b"\xff\xfe", b"NaN", b"[" * 32_000, b'{"a":"\\ud800"}'])
def test_not_json(data: bytes) -> None:
    assert parse(data, NOW, SHOP) == Rejected("not_json")


@pytest.mark.parametrize("field", ["userId", "anonymousId"])
@pytest.mark.parametrize(("text", "ok"), [("x" * 256, True), ("x" * 257, False), ("é" * 128, True), ("🏕" * 65, False)])
def test_ids_have_at_most_256_bytes(field: str, text: str, ok: bool) -> None:
    result = parse(orjson.dumps(message() | {field: text}), NOW, SHOP)
    assert isinstance(result, tuple) if ok else result == Rejected("id_too_long", field)


@pytest.mark.parametrize("value", [True, False, 1.0, [], ["u"], {}, {"id": "u"}])
@pytest.mark.parametrize("field", ["userId", "anonymousId"])
def test_ids_of_wrong_types(field: str, value: Any) -> None:
    assert parsed(**{field: value}) == Rejected("bad_id", field)


@pytest.mark.parametrize(("text", "ok"), [("x" * 256, True), ("x" * 257, False), ("é" * 129, False)])
def test_item_ids_have_at_most_256_bytes(text: str, ok: bool) -> None:
    result = parsed(properties={"product_id": text})
    assert isinstance(result, tuple) if ok else result == Rejected("item_id_too_long", "properties.product_id")


def test_a_too_long_item_field_gives_way_to_the_next() -> None:
    (view,) = parsed(properties={"product_id": "x" * 10_000, "sku": "S1"})
    assert view.items == ("S1",)


def test_an_order_of_1000_products_keeps_order_and_collapses_repeats() -> None:
    products = [{"product_id": f"P{n % 700}"} for n in range(1_000)]
    (done,) = order(products)
    assert done.items == tuple(f"P{n}" for n in range(700))
    assert order(orjson.dumps(products).decode()) == (done,)


def test_a_number_and_its_digits_are_one_item() -> None:
    (done,) = order([{"product_id": 7}, {"product_id": "7"}])
    assert done.items == ("7",)


@pytest.mark.parametrize("name", sorted(ecommerce.COUNTED))
def test_counted_names_in_any_case(name: str) -> None:
    for spelled in (name, name.lower(), name.upper()):
        (done,) = parsed(event=spelled, properties={"product_id": "P1", "products": [{"product_id": "P1"}]})
        assert done.signal is ecommerce.COUNTED[name]


@pytest.mark.parametrize("name", sorted(ecommerce.NOT_COUNTED))
def test_known_names_that_are_not_counted(name: str) -> None:
    for spelled in (name, name.lower()):
        assert parsed(event=spelled) == Rejected("not_counted", name)
    assert not Rejected("not_counted").dead_letter


def test_own_names_go_before_standard_ones_and_exact_before_any_case() -> None:
    mapping = Mapping(custom_events=(("product viewed", Signal.CART), ("Order Refunded", Signal.VIEW)))
    assert parsed(mapping, event="Product Viewed")[0].signal is Signal.VIEW
    assert parsed(mapping, event="product viewed")[0].signal is Signal.CART
    assert parsed(mapping, event="PRODUCT VIEWED")[0].signal is Signal.CART
    assert parsed(mapping, event="Order Refunded")[0].signal is Signal.VIEW


def test_the_link_comes_before_the_interaction() -> None:
    assert parsed(anonymousId="a") == (
        IdentityLink("a", "u", NOW),
        Interaction("u", "a", Signal.VIEW, ("P1",), NOW),
    )


@pytest.mark.parametrize("kind", ["identify", "page", "screen", "group"])
def test_other_calls_link_or_are_not_counted(kind: str) -> None:
    assert parsed(type=kind, anonymousId="a") == (IdentityLink("a", "u", NOW),)
    assert parsed(type=kind) == Rejected("not_counted", kind)


def test_a_faulty_interaction_keeps_its_link_and_does_not_show_it() -> None:
    rejected = parsed(anonymousId="secret", properties=[])
    assert rejected == Rejected("bad_properties", "properties", IdentityLink("secret", "u", NOW))
    assert rejected.dead_letter
    assert "secret" not in repr(rejected)


def test_a_bad_time_leaves_nothing() -> None:
    bad_time = Rejected("bad_time", "timestamp")
    assert parsed(anonymousId="a", timestamp=0) == bad_time
    assert parsed(anonymousId="a", timestamp=0, event="Order Updated") == bad_time
    assert parsed(timestamp=0, event="Order Refunded", properties={"order_id": "o"}) == bad_time
    assert parsed(anonymousId="a", timestamp=0, type="page") == bad_time
    assert parsed(anonymousId="a", timestamp=0, properties=[]) == Rejected("bad_properties", "properties")


def test_what_is_not_counted_needs_no_time() -> None:
    assert parsed(event="Order Updated", timestamp=0) == Rejected("not_counted", "Order Updated")


def test_an_alias_links_the_previous_id_only() -> None:
    assert parsed(type="alias", previousId="old", anonymousId="a") == (IdentityLink("old", "u", NOW),)


@pytest.mark.parametrize("extra", [{"context": None, "integrations": None}, {"context": [], "integrations": []}])
def test_delete(extra: dict[str, Any]) -> None:
    assert parsed(type="delete", **extra) == (Erasure("u", NOW),)


@pytest.mark.parametrize("date", [None, "", "soon", -1, 0, {}, True, "0001-01-01T00:00:00Z", 1e300, "1999-12-31"])
def test_a_delete_is_never_dropped_for_its_date(date: Any) -> None:
    assert parsed(type="delete", timestamp=date) == (Erasure("u", NOW),)


@pytest.mark.parametrize(("before", "holds"), [(31 * DAY_MS, True), (31 * DAY_MS + 1, False), (9000 * DAY_MS, False)])
def test_a_delete_of_long_before_its_receipt_is_as_of_the_receipt(before: int, holds: bool) -> None:
    """Or a wrong clock would leave everything counted."""
    assert parsed(type="delete", timestamp=NOW - before) == (Erasure("u", NOW - before if holds else NOW),)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-03-01T10:00:00.123Z", NOW + 123),
        ("2026-03-01T10:00:00.123456+00:00", NOW + 123),
        ("2026-03-01T10:00:00.999999999Z", NOW + 999),
        ("2026-03-01T05:30:00-04:30", NOW),
        ("2026-03-01t10:00:00z", NOW),
        ("2026-03-01T10:00:00", NOW),
        ("2026-3-1T10:00:00Z", NOW),
        ("2026-03-01T10:00Z", NOW),
        ("2026-03-01 10:00:00", NOW),
        ("2026-03-01 10:00:00 UTC", NOW),
        ("2026-03-01 10:00:00,5+00", NOW + 500),
        ("2026-03-01 12:00:00.000000001 +0200 CEST m=-0.5", NOW),
        ("2026-03-01 06:30:00 -0330 -0330", NOW),
        ("2026-03-01", NOW - 36_000_000),
        ("2026-02-28T24:00:00Z", NOW - 36_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2020-05-09 23:54:49.209808489 +0000 UTC m=+70366.298768264", 1_589_068_489_209),
        (NOW, NOW),
        (NOW // 1000, NOW),
        (NOW / 1000 + 0.001, NOW + 1),
        (NOW + 0.9, NOW),
        (str(NOW), NOW),
        (str(NOW // 1000), NOW),
        (f"{NOW // 1000}.1239", NOW + 123),
        (f"{NOW}.9", NOW),
        (0, 0),
        ("0", 0),
        (-1, -1000),
        ("0001-01-01T00:00:00+23:59", -62_135_683_140_000),
        ("9999-12-31T23:59:59.999-23:59", 253_402_387_139_999),
    ],
)
def test_readable_dates(date: Any, expected: int) -> None:
    assert timestamps.read(date) == expected


@pytest.mark.parametrize(
    "date",
    [None, "", " ", "now", True, False, [], {}, 1e17, -1e300, float("nan"), float("inf"), "1e9", "2026-13-01",
     "2026-02-30T10:00:00Z", "2026-03-01T25:00:00Z", "2026-03-01T10:60:00Z", "2026-03-01T10:00:00+24:00",
     "2026-03-01 10:00:00 +9999", "2026-03-01 10:00:00 PDT", "Sun, 01 Mar 2026 10:00:00 GMT", "٢٠٢٦-03-01",
     "0000-01-01", "1" * 18, "2026-03-01T10:00:00Z" + " " * 80, "2026-03-01\n10"],
)  # fmt: skip
def test_unreadable_dates(date: Any) -> None:
    assert timestamps.read(date) is None


def test_two_thousand_is_the_edge() -> None:
    (view,) = parsed(timestamp="2000-01-01T00:00:00.000Z")
    assert view.time == timestamps.EARLIEST
    assert parsed(timestamp="1999-12-31T23:59:59.999Z") == Rejected("bad_time", "timestamp")


def test_a_received_at_is_believed_up_to_a_day_after_the_queue() -> None:
    far = NOW + 30 * DAY_MS
    for ahead, expected in ((DAY_MS, NOW + DAY_MS), (DAY_MS + 1, NOW)):
        (view,) = parsed(timestamp=far, receivedAt=NOW + ahead)
        assert view.time == expected


def test_a_received_at_before_2000_is_not_believed() -> None:
    (view,) = parsed(timestamp=NOW - 5, receivedAt="1999-12-31T23:59:59Z")
    assert view.time == NOW - 5


def test_without_the_queues_time_the_messages_own_is_believed() -> None:
    (view,) = parsed(received_at=0, timestamp=NOW, receivedAt=NOW + 1)
    assert view.time == NOW
    assert parsed(received_at=0) == Rejected("bad_time", "timestamp")


def test_no_reason_shows_a_value() -> None:
    faults: list[dict[str, Any]] = [
        {"userId": "secret" * 99},
        {"userId": ["secret"]},
        {"type": "secret"},
        {"event": "secret"},
        {"properties": "secret"},
        {"properties": {"product_id": "secret" * 99}},
        {"event": "Order Completed", "properties": {"products": "secret"}},
        {"event": "Order Refunded", "properties": {"order_id": ["secret"]}},
    ]
    for fault in faults:
        rejected = parsed(**fault)
        assert rejected.reason in REASONS
        assert "secret" not in repr(rejected)
