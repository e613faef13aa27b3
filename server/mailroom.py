"""The lists of mails: within a deadline, and for one recipient of one sending always the same.

Whatever fails, there is a list: what a customer's own cannot be made of in time is made of what is in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from redis.exceptions import ResponseError

from varde import keys, mailing
from varde.store.frozen import freeze_call, send_key
from varde.store.scripts import Command
from varde.store.serving import ServingStore

from .errors import StoreError
from .experiments import Listed, Look, Trials
from .lists import PAIRS, POPULAR, TRENDING, Memory, Read, rules
from .mail_asked import Mail
from .people import NOBODY
from .rules import MUST_INCLUDE, Pick, Rules
from .shelf import slots_of
from .trips import Trips, reason_of

AT_ONCE = 200
"""Look-ups that read Redis at once; the next ones wait for their turn, so that a burst is not shed."""
FROZEN = "frozen"
"""Rung of an item that a render before this one has shown, and that today's list does not have."""
DAY_S = 86_400
FREEZING = 2 / 3
"""The time to freeze a list, as a part of the time to read what it is made of."""


class Made(NamedTuple):
    """A mail's list.

    fixed: every render of this sending shows it. name: its request id, where renders share one. places: of the items,
    from 1; None where each follows the one before: an item that may not be shown any more leaves a gap when there is
    none to take its place, since links to the others name theirs.
    """

    listed: Listed
    fixed: bool
    name: str | None
    places: tuple[int, ...] | None = None


class Mailroom:
    """Makes the lists of mails in a server process."""

    def __init__(
        self,
        memory: Memory,
        trials: Trials,
        store: ServingStore,
        trips: Callable[[Callable[[Sequence[Command]], object]], Trips[Command, list[str | None]]],
        secret: bytes,
        clock: Callable[[], int],
        wait_s: float,
    ) -> None:
        """Over the server's memory.

        Args:
            memory: lists are made of it.
            trials: who gets which variation.
            store: freezes.
            trips: makes the coalescer of freezes, given how a batch is sent.
            secret: VARDE_ID_SECRET.
            clock: ms since the epoch.
            wait_s: how long a read of Redis may take (VARDE_DEADLINE_MS).
        """
        self._memory, self._trials, self._store = memory, trials, store
        self._secret, self._clock, self._wait_s = secret, clock, wait_s
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._trips = trips(self._send)

    async def made(self, mail: Mail, client: str, until: float, freezes: bool) -> Made:
        """The list of a look-up. Never fails.

        Args:
            mail: the look-up.
            client: whose key it shows.
            until: when it has to be done, by the event loop's clock.
            freezes: whether this is a render that others must agree with.
        """
        asked = mail.asked
        try:
            listed = await self._personal(mail, client, until)
        except (TimeoutError, StoreError):
            listed = None
        except Exception as error:  # noqa: BLE001 - a fault of ours must not cost anybody a mail
            reason_of(error)
            listed = None
        if listed is None:
            read = Read(NOBODY, asked.seeds, (), True)
            listed = self._trials.compose(self._memory, Look(asked, None, (read,)))
        customer = self._customer(mail)
        if customer is None or not asked.send_id:
            return Made(listed, False, None)
        name = mailing.list_name(customer, asked.send_id, asked.placement.name, asked.seeds)
        if listed.made.stale or not freezes:  # what a poor moment has made must not stay
            return Made(listed, False, name)
        try:
            fixed, places = await self._fixed(listed, customer, mail, name)
            return Made(fixed, True, name, places)
        except StoreError:
            return Made(listed._replace(made=listed.made._replace(stale=True)), False, name)

    def _customer(self, mail: Mail) -> str | None:
        uid, aid = mail.asked.uid, mail.asked.aid
        return None if uid is None and aid is None else keys.customer_key(uid, aid, self._secret)

    async def _personal(self, mail: Mail, client: str, until: float) -> Listed:
        """Raises TimeoutError when the turn does not come early enough to read in time."""
        if self._turns.locked():
            async with asyncio.timeout_at(until - self._wait_s * (1 + FREEZING)):
                await self._turns.acquire()
        else:
            await self._turns.acquire()
        try:
            look = await self._trials.read(self._memory, mail.asked, mail.asked.seeds, client)
        finally:
            self._turns.release()
        return self._trials.compose(self._memory, look)

    async def _fixed(self, listed: Listed, customer: str, mail: Mail, name: str) -> tuple[Listed, tuple[int, ...]]:
        """The list with each place's item as the first render has left it, and the places.

        An item that may not be shown any more gives its place to another.
        """
        asked, shelf = mail.asked, self._memory.shelf
        send = send_key(mailing.sending(asked.send_id or "", asked.seeds), asked.placement.name)
        candidates = [shelf.ids[pick.slot] for pick in listed.made.picks]
        barred: set[str] = set()
        ruled = rules(self._memory, listed.asked, slots_of(shelf, listed.made.seeds))
        keep_s = asked.config.email.freeze_days * DAY_S
        note = mailing.note(name, *said(listed))
        while True:
            places = range(1, asked.n + 1)
            call = freeze_call(customer, send, candidates, places, self._clock(), keep_s, tuple(barred), note)
            items = await self._trips.wish(call)
            bad = {item for item in items if item is not None and not self._allowed(item, ruled)} - barred
            if not bad:
                held = {
                    place: item
                    for place, item in zip(places, items, strict=True)
                    if item is not None and item not in barred
                }
                return _placed(listed, shelf.slots, held.values()), tuple(held)
            barred |= bad

    def _allowed(self, item: str, ruled: Rules) -> bool:
        shelf = self._memory.shelf
        slot = shelf.slots.get(item)
        if slot is None or slot in ruled.excluded or (ruled.listed_only and not shelf.listed[slot]):
            return False
        return bool(shelf.buyable[slot] if ruled.in_stock else shelf.shown[slot])

    async def _send(self, calls: Sequence[Command]) -> list[list[str | None] | StoreError]:
        try:
            return list(await self._store.freeze_all(calls))
        except (ResponseError, ValueError):  # of one of them: nobody else's loss
            return [await self._one(call) for call in calls]

    async def _one(self, call: Command) -> list[str | None] | StoreError:
        try:
            return (await self._store.freeze_all([call]))[0]
        except (ResponseError, ValueError):
            return StoreError("answer")


def said(listed: Listed) -> tuple[str, str]:
    """Experiment and variation of a list; empty where it is part of none."""
    trial = listed.trial
    if trial is None or not trial.assignment.counts:
        return "", ""
    return trial.assignment.experiment.key, trial.assignment.variation.key


def falls_back(listed: Listed) -> bool:
    """Whether a list is not, or not all, what its placement is for."""
    source = listed.asked.placement.source
    meant = {PAIRS, MUST_INCLUDE, FROZEN, TRENDING}
    if source == "popular":
        meant.add(POPULAR)
    return listed.made.stale or not listed.made.picks or any(pick.rung not in meant for pick in listed.made.picks)


def _placed(listed: Listed, slots: dict[str, int], items: Iterable[str]) -> Listed:
    """The list with other items: those that it has as they are in it."""
    picks, teams = listed.made.picks, listed.teams
    of = {pick.slot: at for at, pick in enumerate(picks)}
    out: list[Pick] = []
    sides: list[str | None] = []
    for item in items:
        at = of.get(slot := slots[item])
        out.append(Pick(slot, None, None, None, FROZEN, None) if at is None else picks[at])
        sides.append(None if teams is None or at is None else teams[at])
    return listed._replace(made=listed.made._replace(picks=out), teams=None if teams is None else tuple(sides))
