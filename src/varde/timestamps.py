"""Segment's dates, read leniently, and the one rule that gives a message its time. Pure; never raises.

The rule is stated in docs/events.md and written again in SQL for the warehouse: a change belongs in all three.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from math import floor, isfinite
from typing import Any, Final

from varde.history import DAY_MS

EARLIEST: Final = 946_684_800_000
"""2000-01-01, ms: no event of a shop is older, so an older date is a fault of the sender's clock or code."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_MS_FROM = 10**11
"""Numbers from here on are milliseconds (1973 on), smaller ones are seconds (up to the year 5138)."""

_MAX_TEXT = 80
_NUMBER = re.compile(r"(-?[0-9]{1,17})(?:\.([0-9]+))?")
_LENIENT = re.compile(
    r"""\s*(\d{4})-(\d{1,2})-(\d{1,2})                        # 2015-2-02
    (?:(?:T|\s+)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d+))?)?  # time of day, any number of decimals
    \s*(?:Z|UTC|GMT|([+-])(\d{2}):?(\d{2})?                   # offset; none means UTC
    (?:\s+[A-Z+-][A-Z0-9+-]*)?(?:\s+m=[+-][\d.]+)?)?          # Go adds the zone's name and its monotonic clock
    )?\s*""",
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)


def read(value: Any) -> int | None:
    """A date as Segment's producers write it -> ms since the epoch, rounded down, or None when it is unreadable.

    Accepts ISO 8601 (any offset, up to nanoseconds, one-digit months, a blank for the T), Go's `time.String()`, and
    seconds or milliseconds since the epoch as number or text. A date without an offset is UTC.
    """
    if isinstance(value, str):
        if len(value) > _MAX_TEXT:
            return None
        if value[10:11] == "T":  # nearly all: what datetime reads by itself, four times as fast as the rest
            try:
                then = datetime.fromisoformat(value)
            except ValueError:
                return _read_lenient(value)
            since = (then if then.tzinfo is not None else then.replace(tzinfo=UTC)) - _EPOCH
            return since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000
        if number := _NUMBER.fullmatch(value):
            return _read_number_text(number[1], number[2] or "")
        return _read_lenient(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _read_number(value)
    return None


def in_seconds(value: float) -> bool:
    """Whether a number is read as seconds since the epoch; else it is milliseconds."""
    return abs(value) < _MS_FROM


def _read_number(value: int | float) -> int | None:
    if not isfinite(value) or abs(value) >= 10**17:
        return None
    if not in_seconds(value):
        return floor(value)
    # A float of seconds is exact to about .2 µs: round to µs first, or 1.001 s would become 1000 ms.
    return value * 1000 if isinstance(value, int) else round(value * 1_000_000) // 1000


def _read_number_text(whole: str, decimals: str) -> int:
    number = int(whole)
    return number if abs(number) >= _MS_FROM else number * 1000 + _thousandths(decimals)


def _thousandths(decimals: str) -> int:
    return int(decimals[:3].ljust(3, "0"))


def _read_lenient(text: str) -> int | None:
    if (match := _LENIENT.fullmatch(text)) is None:
        return None
    *day, hour, minute, second, decimals, sign, off_hours, off_minutes = match.groups(default="0")
    try:
        days = date(*map(int, day)).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        return None
    hours, minutes, seconds = int(hour), int(minute), int(second)
    ahead = int(off_hours) * 60 + int(off_minutes)
    if hours > 24 or minutes > 59 or seconds > 60 or ahead >= 24 * 60:  # 24:00 and leap seconds exist
        return None
    minutes += hours * 60 + (ahead if sign == "-" else -ahead)
    return days * DAY_MS + (minutes * 60 + seconds) * 1000 + _thousandths(decimals)


def _believed(message: dict[str, Any], received_at: int) -> int | None:
    said = read(message.get("receivedAt"))
    if said is None or said < EARLIEST or (said > received_at + DAY_MS and received_at >= EARLIEST):
        return None
    return said


def received_time(message: dict[str, Any], received_at: int) -> int:
    """When Segment took the message, ms: its `receivedAt`, else `received_at`, the moment the queue took it.

    A `receivedAt` before EARLIEST or more than a day after `received_at` is not believed: as everything is clamped to
    it, one forged year 9999 would otherwise stay the latest item of a history for ever. (A `received_at` that is
    itself before EARLIEST says that the queue's time is not known, and judges nothing.)
    """
    said = _believed(message, received_at)
    return received_at if said is None else said


WISH_SLACK_MS = 31 * 86_400_000
"""How much older than its receipt a wish to be forgotten may say to be."""


def wish_time(message: dict[str, Any], received_at: int) -> int:
    """Up to when a person wants to be forgotten, ms: the time of the request, which is not dropped for its date.

    A date before EARLIEST, or WISH_SLACK_MS before the receipt, would forget little or nothing: the receipt stands
    for it.
    """
    time, _ = event_time(message, received_at)
    received = received_time(message, received_at)
    return received if time < max(EARLIEST, received - WISH_SLACK_MS) else time


def event_time(message: dict[str, Any], received_at: int) -> tuple[int, str]:
    """When it happened, ms, never later than it was received; and the field that said so.

    `timestamp`; else `originalTimestamp`, put right by the sender's clock error when `sentAt` and `receivedAt` are
    known; else the time of receipt. The result may be absurd (before EARLIEST): the caller decides what then.
    """
    time, received, said_by = claimed_time(message, received_at)
    return min(time, received), said_by


def claimed_time(message: dict[str, Any], received_at: int) -> tuple[int, int, str]:
    """As `event_time`, but as said: it may be later than the receipt, which comes second."""
    said = _believed(message, received_at)
    received = received_at if said is None else said
    if (time := read(message.get("timestamp"))) is not None:
        return time, received, "timestamp"
    if (original := read(message.get("originalTimestamp"))) is None:
        return received, received, "receivedAt"
    if said is not None and (sent := read(message.get("sentAt"))) is not None:
        original = said - (sent - original)
    return original, received, "originalTimestamp"
