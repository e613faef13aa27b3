"""Which item each slot of a mailing shows to a customer: frozen when it is first asked for, so that a click on the
picture leads to what the picture showed, and every render of a mail says the same.

A customer is a key from `keys.customer_key`. A send is a name from `send_key`. Slots are numbered from 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgpack

from varde import keys
from varde.delivery import Leave, Recent
from varde.ecommerce import too_long
from varde.history import Signal
from varde.store.reads import Reading
from varde.store.scripts import FREEZE, Argument, Command, call, command

MOST_SENDS = 64
"""Sends that are kept of a customer; those that end first go."""
MOST_SLOT = 100
"""The highest number of a slot."""
MOST_NOTE_BYTES = 256


class Frozen(NamedTuple):
    """What is frozen of a send: item ids by slot, and the note that the first freeze left."""

    by_slot: Mapping[int, str]
    note: str = ""


NOTHING = Frozen({})


def send_key(send_id: str, placement: str) -> str:
    """The name of a send in Redis: 16 bytes of a hash, in hexadecimal digits."""
    send, where = (part.encode("utf-8", "surrogatepass") for part in (send_id, placement))
    text = b"%d:%b%b" % (len(send), send, where)
    return hashlib.blake2b(text, digest_size=16, person=b"varde send").hexdigest()


def freeze_call(
    customer: str,
    send: str,
    candidates: Sequence[str],
    slots: Sequence[int],
    now: int,
    keep_s: int,
    barred: Collection[str] = (),
    note: str = "",
) -> Command:
    """The call of freeze.lua; `ServingStore.freeze` says what each argument is.

    Raises:
        ValueError: a slot, the time to keep, a note or an item is out of its bounds.
    """
    if any(not 1 <= slot <= MOST_SLOT for slot in slots):
        msg = f"slots are numbered from 1 to {MOST_SLOT}"
        raise ValueError(msg)
    if keep_s < 1 or len(note.encode()) > MOST_NOTE_BYTES:
        msg = f"kept for less than a second, or a note of more than {MOST_NOTE_BYTES} bytes"
        raise ValueError(msg)
    if any(not item or too_long(item) for item in candidates):
        msg = "a candidate is no item id"
        raise ValueError(msg)
    args: list[Argument] = [send, now, keep_s, MOST_SENDS, note, len(slots), len(barred), *slots, *barred, *candidates]
    return call(FREEZE, [keys.frozen(customer), keys.recents(customer, Signal.VIEW)], args)


def frozen(customer: str, send: str, now: int) -> Reading[Frozen]:
    """What is frozen of a send now, ms. One round trip."""
    (reply,) = yield [command("HGET", keys.frozen(customer), send)]
    if reply is None or int.from_bytes(reply[:4], "big") <= now // 1000:
        return NOTHING
    note, *flat = msgpack.unpackb(reply[4:], raw=True)
    by_slot = {slot: item.decode() for slot, item in zip(flat[::2], flat[1::2], strict=True)}
    return Frozen(by_slot, note.decode())


def forget_commands(recents: Iterable[Recent]) -> list[Command]:
    """The commands that forget what was frozen for everybody who was erased or has withdrawn consent.

    Not for those whose items moved to another key (Leave.MARK): mails to the device are still in its mailbox, and
    their links still have to lead to what was shown.
    """
    return [
        command("DEL", keys.frozen(recent.customer))
        for recent in recents
        if recent.erased_at >= 0 and recent.leave != Leave.MARK
    ]
