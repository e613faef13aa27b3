import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import timestamps
from varde.demo.messages import Message, delivered, encode, iso, last_time, shift
from varde.events import Interaction, Mapping, parse

NOON = 1_785_672_000_000


def test_a_message_has_what_segment_adds() -> None:
    body = {"type": "track", "event": "Product Viewed", "userId": "u", "properties": {"product_id": "p"}}
    message = delivered(body, "m-1", NOON)
    assert message["timestamp"] == "2026-08-02T12:00:00.000Z"
    assert message["receivedAt"] == "2026-08-02T12:00:00.180Z"
    (event,) = parse(encode(message, NOON).data, 0, Mapping())  # type: ignore[misc]
    assert isinstance(event, Interaction)
    assert (event.items, event.time) == (("p",), NOON)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_times_survive_writing_and_reading(ms: int) -> None:
    assert timestamps.read(iso(ms)) == ms


@given(st.integers(0, 4_000_000_000_000), st.integers(-(10**11), 10**11))
def test_shifting_moves_every_time_by_the_same_and_nothing_else(time: int, by: int) -> None:
    body = {"type": "track", "event": "E", "userId": "u", "properties": {"timestamp": "untouched"}}
    before = delivered(body, "m", time)
    (after,) = shift([encode(before, time)], by)
    moved = orjson.loads(after.data)
    for name in ("timestamp", "originalTimestamp", "sentAt", "receivedAt"):
        assert timestamps.read(moved.pop(name)) == (timestamps.read(before.pop(name)) or 0) + by
    assert moved == before
    assert after.time == time + by


@given(st.binary())
def test_what_is_not_a_message_is_shifted_unchanged(data: bytes) -> None:
    assert next(shift([Message(data, 5)], 10)) == Message(data, 15)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (1_700_000_000_000, 1_700_000_090_500),
        (1_700_000_000, 1_700_000_090.5),
        (1_700_000_000.25, 1_700_000_090.75),
        (1_700_000_000.5, 1_700_000_091),
        (1_700_000_000_000.9, 1_700_000_090_500),
        ("1700000000", "2023-11-14T22:14:50.500Z"),
        ("1700000000000", "2023-11-14T22:14:50.500Z"),
        ("2023-11-14 22:13:20 +0000 UTC", "2023-11-14T22:14:50.500Z"),
        ("2023-1-4", "2023-01-04T00:01:30.500Z"),
        (99_999_999_999, "5138-11-16T09:48:09.500Z"),  # as a number of seconds it would be read as milliseconds
    ],
)
def test_every_form_of_a_time_is_shifted_in_kind(before: object, after: object) -> None:
    data = orjson.dumps({"timestamp": before, "receivedAt": "2023-11-14T23:00:00.000Z", "sentAt": None})
    moved = orjson.loads(next(shift([Message(data, 0)], 90_500)).data)
    assert moved == {"timestamp": after, "receivedAt": "2023-11-14T23:01:30.500Z", "sentAt": None}


@given(
    st.one_of(st.integers(-(10**17), 10**17), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30)),
    st.integers(-(10**11), 10**11),
)
def test_what_the_stream_reads_it_reads_later_by_the_shift(value: object, by: int) -> None:
    (moved,) = shift([Message(orjson.dumps({"timestamp": value}), 0)], by)
    before, after = timestamps.read(value), timestamps.read(orjson.loads(moved.data)["timestamp"])
    assert after == (None if before is None else before + by) or (after == before and not _in_calendar(before, by))


def _in_calendar(ms: int | None, by: int) -> bool:
    return ms is None or -62_135_596_800_000 <= ms + by <= 253_402_300_799_999


def test_a_time_that_would_leave_the_calendar_stays() -> None:
    data = b'{"timestamp":"9999-12-31T23:59:59Z"}'
    assert next(shift([Message(data, 0)], 10**9)).data == data


def test_the_last_time() -> None:
    assert last_time([]) is None
    assert last_time([Message(b"", 3), Message(b"", 9), Message(b"", 4)]) == 9
