"""Which item a slot of somebody's mail shows: the frozen one, else one that is frozen now."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from varde import keys, mailing
from varde.catalogue import Entry
from varde.store.frozen import MOST_SLOT, NOTHING, Frozen, send_key

from . import tokens
from .email import POST
from .errors import StoreError
from .mail_asked import Mail, mail
from .mailroom import Made
from .parts import PARTS, Parts
from .tokens import Link, TokenError

PICTURE = "/v1/email/slot/{slot}.png"
HEAD, PREFETCH = "head", "prefetch"
_PURPOSES = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_AHEAD = ("prefetch", "preview", "prerender")


class NoItemError(Exception):
    """There is nothing that the slot could show; `reason` is a label of the metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Slot(NamedTuple):
    """A slot of somebody's mail. customer, send: its names in Redis."""

    link: Link
    n: int
    customer: str
    send: str


def slot(request: web.Request, parts: Parts) -> Slot:
    """The slot that a request is about.

    Mail tools add parameters of their own to every link: what is not known is not looked at.

    Raises:
        TokenError: it shows no token of ours.
    """
    link = tokens.read(parts.settings.link_secret, request.rel_url.query.get("t"), parts.clock())
    n = request.match_info["slot"]
    if not (n.isascii() and n.isdigit() and len(n) <= 3 and 1 <= int(n) <= MOST_SLOT):
        raise TokenError("slot")
    customer = keys.customer_key(link.uid, link.aid, parts.settings.id_secret.encode())
    return Slot(link, int(n), customer, send_key(mailing.sending(link.send_id, ()), link.placement))


def ahead(request: web.Request) -> str | None:
    """HEAD or PREFETCH for a request behind which nobody looks at anything yet."""
    if request.method == "HEAD":
        return HEAD
    said = (request.headers.get(name, "").lower() for name in _PURPOSES)
    return PREFETCH if any(word in one for one in said for word in _AHEAD) else None


async def frozen(parts: Parts, slot: Slot) -> Frozen:
    """What is frozen of the mail.

    Raises:
        StoreError: Redis does not say.
    """
    if parts.running.circuit.open:
        raise StoreError("open")
    return await parts.read(parts.store.frozen(slot.customer, slot.send, parts.clock()))


async def shown(request: web.Request, slot: Slot) -> tuple[str, Frozen]:
    """The item that the slot shows, and what is frozen of the mail. A HEAD and a prefetch freeze nothing.

    Raises:
        StoreError: Redis does not say.
        NoItemError: there is none.
        ApiError: the placement is not configured any more.
    """
    started = time.perf_counter()
    parts = request.app[PARTS]
    known = await frozen(parts, slot)
    item = known.by_slot.get(slot.n)
    wanted = _wanted(parts, slot)
    if item is not None and _may_be_shown(parts, item, wanted):
        return item, known
    early = ahead(request)
    if early == HEAD:
        raise NoItemError(HEAD)
    until = asyncio.get_running_loop().time() + parts.config.email.deadline_ms / 1000
    made = await request.app[POST].room.made(wanted, "", until, early is None)
    if early is not None:
        picks = made.listed.made.picks
        if len(picks) < slot.n:
            raise NoItemError("short")
        return parts.running.memory.shelf.ids[picks[slot.n - 1].slot], NOTHING
    if not made.fixed:  # Redis has failed in between
        raise StoreError("unfrozen")
    if not known.by_slot:
        _expose(parts, made, started)
    known = await frozen(parts, slot)  # by place: a list closes the gaps of places that have no item any more
    item = known.by_slot.get(slot.n)
    if item is None or not _may_be_shown(parts, item, wanted):
        raise NoItemError("short")
    return item, known


def entry(parts: Parts, item: str) -> tuple[int, Entry] | None:
    """An item's slot on the shelf and what the catalogue says of it; None for one that it hides or does not have."""
    shelf = parts.running.memory.shelf
    at = shelf.slots.get(item)
    if at is None or not shelf.shown[at]:
        return None
    found = shelf.entries[at]
    return None if found is None else (at, found)


def _wanted(parts: Parts, slot: Slot) -> Mail:
    """What a tool would ask for at send time; with at least as many items as the slot's number.

    Raises:
        ApiError: the placement is not configured any more.
    """
    link = slot.link
    fields = {
        "uid": link.uid,
        "aid": link.aid,
        "placement": link.placement,
        "send_id": link.send_id,
        "campaign": link.campaign,
        "lang": link.lang,
        "currency": link.currency,
    }
    placement = parts.config.placements.get(link.placement)
    fields["n"] = str(max(slot.n, placement.n if placement else 0))
    query = urlencode({name: value for name, value in fields.items() if value})
    return mail(query, parts.config, parts.settings.min_customers)


def _may_be_shown(parts: Parts, item: str, wanted: Mail) -> bool:
    found = entry(parts, item)
    return found is not None and not (wanted.asked.in_stock and found[1].sold_out)


def _expose(parts: Parts, made: Made, started: float) -> None:
    """Note the list for its experiment, once for a mail.

    Without the User-Agent: it is that of a mail provider's proxy, which fetches for people.
    """
    trial, display = made.listed.trial, parts.shown
    if display is None or trial is None or not trial.assignment.counts:
        return
    try:
        display.stickiness.note(trial)
        latency_ms = (time.perf_counter() - started) * 1000
        display.exposures.put(made.listed, trial, PICTURE, made.name or "", latency_ms, None)
    except Exception as error:  # noqa: BLE001 - an experiment must not cost a mail its picture
        display.trials.failed("exposure", error)
