"""`varde erase`: forget customers. It publishes Segment's own delete message for each, and the stream does the rest."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import orjson
from redis.exceptions import RedisError

from varde import keys
from varde.settings import Settings, from_env, option
from varde.store.aio import Store

from .erase_message import Erasure, UserIdError, checked_user_id, erasure
from .errors import PublishError
from .publish import Publisher

TOGETHER = 500
"""Messages under way at once."""
WAIT_S = 60
POLL_S = 0.5

_DESCRIPTION = """\
Forget customers for good: their counts, latest items and histories go, whatever comes late stays out, and the anonymous
ids that were linked to them are included. Sends Segment's own message for it, {"type":"delete","userId":...}, to the
topic that `varde stream` reads; docs/erasure.md says what is reached and what is not. Safe to repeat.
"""
_EPILOG = """\
Prints one JSON line per customer, in the order given: `customer` (the keyed hash that stands for the customer in Redis;
it needs the stream's VARDE_ID_SECRET), `message_id` and `erased_up_to`; with --wait also `done`; or, when it failed,
`customer` and `error`.

exit codes: 0 all were sent (with --wait: and carried out); 1 at least one was not; 2 wrong use, and nothing was sent

  varde erase --user jane@example.org --topic projects/my-shop/topics/segment-events
  varde erase --user - --wait < ids.txt
"""


def _arguments(settings: Settings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde erase",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--user", required=True, metavar="ID", help="Segment's userId; - reads ids from standard input, one a line"
    )
    parser.add_argument(
        "--topic",
        type=option("topic"),
        default=settings.topic,
        help="topic with Segment's messages, projects/PROJECT/topics/NAME (VARDE_TOPIC)",
    )
    parser.add_argument(
        "--wait",
        nargs="?",
        type=_seconds,
        const=WAIT_S,
        metavar="SECONDS",
        help=f"look into VARDE_REDIS_URL until the stream has done it, at most so long ({WAIT_S}); default: no look",
    )
    return parser


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= 86_400):
        msg = f"must be a whole number from 1 to 86400, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def command(argv: Sequence[str]) -> int:
    """`varde erase` with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    settings = from_env(os.environ)
    parser = _arguments(settings)
    given = parser.parse_args(argv)
    if not given.topic:
        parser.error("no topic: give --topic projects/PROJECT/topics/NAME, or set VARDE_TOPIC")
    try:
        users = _users(sys.stdin.buffer.read()) if given.user == "-" else [checked_user_id(given.user)]
    except UserIdError as error:
        parser.error(f"--user: {error}")
    if not users:
        parser.error("--user: standard input holds no id")
    return asyncio.run(_run(users, settings, given.topic, given.wait))


def _users(data: bytes) -> list[str]:
    """The ids of lines; a line without anything is skipped."""
    users = []
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            text = line.removesuffix(b"\r").decode()
            if text:
                users.append(checked_user_id(text))
        except UnicodeDecodeError:
            msg = f"line {number} is not UTF-8"
            raise UserIdError(msg) from None
        except UserIdError as error:
            msg = f"line {number} {error}"
            raise UserIdError(msg) from None
    return users


class Outcome(NamedTuple):
    """What came of one id: the line that is printed, and up to when it erases (ms), None when it was not sent."""

    line: dict[str, Any]
    time: int | None = None


async def _run(users: Sequence[str], settings: Settings, topic: str, wait_s: int | None) -> int:
    publisher = Publisher(topic)
    outcomes = []
    try:
        async for outcome in _sent(users, settings.id_secret.encode(), publisher):
            outcomes.append(outcome)
            if wait_s is None:
                _print(outcome.line)
    finally:
        await publisher.close()
    carried_out = wait_s is None or await _seen(outcomes, settings, wait_s)
    return 0 if carried_out and all(outcome.time is not None for outcome in outcomes) else 1


async def _sent(users: Sequence[str], secret: bytes, publisher: Publisher) -> AsyncIterator[Outcome]:
    """In the order of the ids, once Pub/Sub has answered. After a failure no more are sent: they would fail, too."""
    broken = False
    for start in range(0, len(users), TOGETHER):
        some = users[start : start + TOGETHER]
        now = time.time_ns() // 1_000_000
        asked = [erasure(user, f"varde-erase-{uuid.uuid4().hex}", now) for user in some]
        if broken:
            errors: list[str | None] = ["not sent: one before it failed"] * len(some)
        else:
            errors = await asyncio.gather(*(_error_of(publisher, one) for one in asked))
        for user, one, error in zip(some, asked, errors, strict=True):
            line = {"customer": keys.customer_key(user, None, secret)}
            if error is None:
                yield Outcome({**line, "message_id": one.message_id, "erased_up_to": one.up_to}, now)
            else:
                broken = True
                yield Outcome({**line, "error": error})


async def _error_of(publisher: Publisher, asked: Erasure) -> str | None:
    try:
        await publisher.publish(asked.data)
    except PublishError as error:
        return str(error)
    return None


async def _seen(outcomes: Sequence[Outcome], settings: Settings, wait_s: int) -> bool:
    """Print each line when the customer's tombstone is in Redis, or when the time is up; whether all were there."""
    deadline = time.monotonic() + wait_s
    complete = True
    async with contextlib.aclosing(_Tombstones(settings)) as tombstones:
        for line, at in outcomes:
            if at is not None:
                line["done"] = await tombstones.seen(line["customer"], at, deadline)
                complete = complete and line["done"]
            _print(line)
        if not complete:
            sys.stderr.write(f"varde erase: not done within {wait_s} s{tombstones.trouble}; is the stream running?\n")
    return complete


class _Tombstones:
    """The erased customers in Redis, read again every POLL_S seconds while somebody waits."""

    def __init__(self, settings: Settings) -> None:
        self._store = Store.from_settings(settings)
        self._known: dict[str, int] = {}
        self.trouble = ""

    async def aclose(self) -> None:
        """Release the connections."""
        await self._store.close()

    async def seen(self, customer: str, time_ms: int, deadline: float) -> bool:
        """Whether `customer` is erased up to `time_ms` or later before the monotonic `deadline`."""
        while self._known.get(customer, -1) < time_ms:
            try:
                self._known = await self._store.tombstones()
                self.trouble = ""
            except RedisError as error:
                self.trouble = f" (Redis: {type(error).__name__})"
            if self._known.get(customer, -1) < time_ms:
                if time.monotonic() >= deadline:
                    return False
                await asyncio.sleep(POLL_S)
        return True


def _print(line: dict[str, Any]) -> None:
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()
