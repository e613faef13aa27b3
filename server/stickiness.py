"""Noting which variations customers stay in: after the answers, together, and never in their way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from redis.exceptions import RedisError

from varde import keys
from varde.store.sticky import Stuck

from .experiments import Trial

MOST = 10_000
"""Customers that may wait to be noted."""
GATHER_S = 0.05
AT_ONCE = 500
FLUSH_S = 2.0
WRITTEN, FAILED, DROPPED = "written", "failed", "dropped"

Moved = tuple[str, Sequence[str]]
"""A customer, and the fields that another of the person's keys has taken over."""


class Stickiness:
    """What is still to be noted, by customer. What is lost is noted at the customer's next request."""

    def __init__(
        self,
        stick: Callable[[Sequence[Stuck], Sequence[Moved]], Awaitable[None]],
        secret: bytes,
        counted: Callable[[str, int], None],
        most: int = MOST,
    ) -> None:
        """Nothing yet.

        Args:
            stick: writes to Redis (`ServingStore.stick`).
            secret: VARDE_ID_SECRET.
            counted: told (written, failed or dropped; how many customers).
            most: customers that may wait.
        """
        self._stick, self._secret, self._counted, self._most = stick, secret, counted, most
        self._waiting: dict[str, Stuck] = {}
        self._moved: dict[str, list[str]] = {}
        self._some, self._closing = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, trial: Trial) -> None:
        """Note the variation of a list that was shown, if the customer's document does not say so already."""
        assignment, request, known = trial.assignment, trial.request, trial.remembered
        if known is None or not assignment.to_remember:
            return
        field, variation = assignment.experiment.sticky_field, assignment.variation.key
        known_user = assignment.unit_kind == "uid"
        moves = known_user and assignment.experiment.fallback == "aid" and field in known.get("aid", {})
        if known.get(assignment.unit_kind, {}).get(field) == variation and not moves:
            return
        customer = self._key(assignment.unit_kind, assignment.unit)
        before = self._waiting.get(customer)
        if before is None and len(self._waiting) >= self._most:
            self._counted(DROPPED, 1)
            return
        variations = {**(before.variations if before else {}), field: variation}
        self._waiting[customer] = Stuck(customer, variations, min(before.at if before else request.now, request.now))
        if moves and request.aid:
            self._moved.setdefault(self._key("aid", request.aid), []).append(field)
        self._some.set()

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self, within_s: float = FLUSH_S) -> None:
        """Write what waits, for at most so many seconds."""
        self._closing.set()
        self._some.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=within_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._waiting:
            self._counted(DROPPED, len(self._waiting))

    def _key(self, kind: str, unit: str) -> str:
        user, device = (unit, None) if kind == "uid" else (None, unit)
        return keys.customer_key(user, device, self._secret)

    async def _run(self) -> None:
        while self._waiting or not self._closing.is_set():
            await self._some.wait()
            if not self._closing.is_set():
                await asyncio.sleep(GATHER_S)
            self._some.clear()
            while self._waiting:
                await self._write()

    async def _write(self) -> None:
        some = [self._waiting.pop(customer) for customer in list(self._waiting)[:AT_ONCE]]
        moved, self._moved = self._moved, {}
        try:
            await self._stick(some, [(customer, sorted({*fields})) for customer, fields in moved.items()])
        except (RedisError, OSError, TimeoutError):
            self._counted(FAILED, len(some))
        else:
            self._counted(WRITTEN, len(some))
