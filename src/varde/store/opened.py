"""Which slots of mails a customer has opened in the last moments, over all server processes: scanners open many.

A customer is a key from `keys.customer_key`, a send a name from `frozen.send_key`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from varde import keys
from varde.store.reads import Reading
from varde.store.scripts import Command, command


class Opened(NamedTuple):
    """A slot that was opened. at: when, ms."""

    customer: str
    send: str
    slot: int
    at: int


def open_commands(some: Sequence[Opened], keep_s: int) -> list[Command]:
    """The commands that note opened slots, and forget those of more than `keep_s` seconds before."""
    out: list[Command] = []
    for one in some:
        key = keys.opened(one.customer)
        out += (
            command("ZADD", key, one.at, f"{one.send}:{one.slot}"),
            command("ZREMRANGEBYSCORE", key, "-inf", one.at - keep_s * 1000),
            command("EXPIRE", key, keep_s),
        )
    return out


def opened(some: Sequence[Opened], within_s: int) -> Reading[list[int]]:
    """Of each: how many slots the customer opened at most so many seconds before or after. One round trip."""
    reach = within_s * 1000
    replies = yield [command("ZCOUNT", keys.opened(one.customer), one.at - reach, one.at + reach) for one in some]
    return [int(n) for n in replies]
