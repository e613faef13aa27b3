"""Which variations customers stay in: read with whatever else is read of them, written and forgotten by customer.

A customer is a key from `keys.customer_key`. A field is what `varde.assignment` names an experiment's version by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from varde import keys
from varde.delivery import Leave, Recent
from varde.history import Signal
from varde.store.reads import Reading, flat
from varde.store.scripts import STICK, Argument, Command, call, command

T = TypeVar("T")
Sticky = Mapping[str, str]
"""Field -> variation."""

KEPT_S = 180 * 86_400
"""How long the variations of a customer are kept after the last one was noted, seconds."""
MOST_FIELDS = 64
"""Variations that are kept of a customer."""


class Stuck(NamedTuple):
    """Variations that a customer is to stay in. at: the time of the earliest request that said so, ms."""

    customer: str
    variations: Sticky
    at: int


def with_sticky(reading: Reading[T], customers: Sequence[str]) -> Reading[tuple[T, list[dict[str, str]]]]:
    """A reading and, in its first round trip, the variations of customers; {} for one without any.

    The reading has at least one round trip, unless there are no customers.
    """
    if not customers:
        return (yield from reading), []
    documents: list[dict[str, str]] | None = None
    replies: list[object] | None = None
    while True:
        try:
            commands = next(reading) if replies is None else reading.send(replies)
        except StopIteration as stop:
            result: T = stop.value
            return result, documents or [{} for _ in customers]
        if documents is None:
            asks = [command("HGETALL", keys.sticky(customer)) for customer in customers]
            replies = yield [*commands, *asks]
            documents = [_document(reply) for reply in replies[len(commands) :]]
            replies = replies[: len(commands)]
        else:
            replies = yield commands


def _document(reply: object) -> dict[str, str]:
    parts = flat(reply)
    return {field.decode(): variation.decode() for field, variation in zip(parts[::2], parts[1::2], strict=True)}


def stick_call(stuck: Stuck) -> Command:
    """The call that notes variations, unless the customer was erased since."""
    args: list[Argument] = [KEPT_S, MOST_FIELDS, stuck.at]
    for field, variation in stuck.variations.items():
        args += field, variation
    return call(STICK, [keys.sticky(stuck.customer), keys.recents(stuck.customer, Signal.VIEW)], args)


def drop_command(customer: str, fields: Sequence[str]) -> Command:
    """The command that drops fields which another of the person's keys has taken over."""
    return command("HDEL", keys.sticky(customer), *fields)


def forget_commands(recents: Iterable[Recent]) -> list[Command]:
    """The commands that forget the variations of everybody who was erased or has withdrawn consent.

    Not of those whose items moved to another key (Leave.MARK): an anonymous visitor who is known from now on stays in
    the variation that was given to the device.
    """
    return [
        command("DEL", keys.sticky(recent.customer))
        for recent in recents
        if recent.erased_at >= 0 and recent.leave != Leave.MARK
    ]
