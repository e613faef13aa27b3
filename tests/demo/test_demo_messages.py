import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.demo.messages import Message, delivered, encode, iso, last_time, milliseconds, shift
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
    assert milliseconds(iso(ms)) == ms


@pytest.mark.parametrize("bad", [None, 7, "", "yesterday", "2026-13-01T00:00:00Z", {}])
def test_what_is_no_time_is_none(bad: object) -> None:
    assert milliseconds(bad) is None


@given(st.integers(0, 4_000_000_000_000), st.integers(-(10**11), 10**11))
def test_shifting_moves_every_time_by_the_same_and_nothing_else(time: int, by: int) -> None:
    body = {"type": "track", "event": "E", "userId": "u", "properties": {"timestamp": "untouched"}}
    before = delivered(body, "m", time)
    (after,) = shift([encode(before, time)], by)
    moved = orjson.loads(after.data)
    for name in ("timestamp", "originalTimestamp", "sentAt", "receivedAt"):
        assert milliseconds(moved.pop(name)) == (milliseconds(before.pop(name)) or 0) + by
    assert moved == before
    assert after.time == time + by


@given(st.binary())
def test_what_is_not_a_message_is_shifted_unchanged(data: bytes) -> None:
    assert next(shift([Message(data, 5)], 10)) == Message(data, 15)


def test_a_time_that_would_leave_the_calendar_stays() -> None:
    data = b'{"timestamp":"9999-12-31T23:59:59Z"}'
    assert next(shift([Message(data, 0)], 10**9)).data == data


def test_the_last_time() -> None:
    assert last_time([]) is None
    assert last_time([Message(b"", 3), Message(b"", 9), Message(b"", 4)]) == 9
