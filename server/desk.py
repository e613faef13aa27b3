"""Where lists are handed out: a finished answer is given again while nothing it is made of has changed."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import cast

from aiohttp.http_parser import RawRequestMessage

from . import answers, plain
from .answers import Answer, Content
from .asked import Asked
from .experiments import Trials
from .lists import PAIRS, Memory
from .observe import HEADER_LINES
from .written import Dates, Reply

ANSWERS = 20_000
"""Finished answers in memory."""
AGE_S = 60.0
"""An answer that is all made of pairs is used this long, seconds; its rows say earlier when it is no longer good."""
QUERIES = 1_000
FALLBACK_S = 1.0
"""The same for an answer with popular items: nothing says when these change."""


class Door:
    """Tells what comes again from what comes once, which would push out what comes often (Einziger 2017, TinyLFU).

    It holds a byte for each of many hashes, so now and then what is new is taken for known: that costs a little room.
    """

    def __init__(self, size: int = 1 << 18) -> None:
        """Of a power of two of places, at most half of which count as filled."""
        self._marks, self._mask, self._most = bytearray(size), size - 1, size // 4
        self._turn, self._asked = 2, 0

    def known(self, target: str) -> bool:
        """Whether it has come before, among the last `size` / 4 others or a few more."""
        return self._marks[hash(target) & self._mask] >= self._turn - 1

    def note(self, target: str) -> None:
        """From now on it has."""
        self._asked += 1
        if self._asked == self._most:
            self._asked, self._turn = 0, self._turn + 1
            if self._turn == 256:
                self._marks[:] = bytes(len(self._marks))
                self._turn = 2
        self._marks[hash(target) & self._mask] = self._turn


class Desk:
    """Finished answers by request target, and how each is made."""

    def __init__(
        self, memory: Memory, trials: Trials, clock: Callable[[], float] = time.monotonic, most: int = ANSWERS
    ) -> None:
        """Over the server's memory.

        Args:
            memory: lists are made of it.
            trials: who gets which variation.
            clock: seconds, monotonic.
            most: answers kept.
        """
        self.memory, self._trials, self._clock, self._most = memory, trials, clock, most
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._dates, self._door = Dates(), Door()
        self.queries: dict[str, Asked] = {}
        """Query strings of `similar` as they were read last."""
        self.hits = self.misses = self.stale = 0

    def __len__(self) -> int:
        return len(self._answers)

    def known(self, target: str) -> Answer | None:
        """The answer to a request target, while it is good."""
        answer, now = self._answers.get(target), self._clock()
        if answer is None or answer.epoch != self.memory.shelf.epoch or answer.until < now:
            return None
        if not self.memory.hot.fresh:
            return None
        for row in answer.rows:
            if not row.current:
                return None
        self.hits += 1
        self._answers.move_to_end(target)
        return answer

    def quick(self, target: str, asked: Asked, item: str | None, seeds: tuple[str, ...]) -> Answer | None:
        """The answer to a plain request whose rows are in memory; else None, then it takes the usual way.

        The parameters are those of `answer`.
        """
        if not asked.plain:
            return None
        again = target in self._answers or self._door.known(target)
        content = plain.content(self.memory, asked, item, seeds, rows=again)
        if content is None:
            return None
        self.misses += 1
        ready = cast("plain.Ready", asked.ready)
        answer = answers.answer(content, ready.cache, ready.epoch, self._clock() + AGE_S)
        self._door.note(target)
        if again:
            self._keep(target, answer)
        return answer

    async def answer(
        self, target: str, asked: Asked, item: str | None, client: str = "", seeds: tuple[str, ...] | None = None
    ) -> Answer:
        """The answer to a request, made anew, and kept when it is for everybody.

        Args:
            target: the request's.
            asked: its parameters.
            item: the seed of `similar`.
            client: whose key it shows; looked at only for one customer, since what is kept is for all clients.
            seeds: instead of those among the parameters.
        """
        self.misses += 1
        shelf = self.memory.shelf
        epoch = shelf.epoch
        if item is not None:
            seeds = (item,)
        elif seeds is None:
            seeds = asked.seeds
        look = await self._trials.read(self.memory, asked, seeds, client if asked.personal else "")
        listed = self._trials.compose(self.memory, look)
        asked, list_ = listed.asked, listed.made
        # Without `fill` no lower rung was looked at.
        whole = list_.rung == PAIRS and (not asked.fill or all(pick.rung == PAIRS for pick in list_.picks))
        until = self._clock() + (AGE_S if whole else FALLBACK_S)
        content = Content(answers.body(shelf, listed, item), list_.rung, len(list_.picks), list_.rows)
        cache = b"no-store" if list_.stale else answers.cache_control(self.memory.config, asked)
        answer = answers.answer(content, cache, epoch, until, None if listed.trial is None else listed)
        self.stale += list_.stale
        if not (asked.personal or list_.stale):
            if target in self._answers or self._door.known(target):
                self._keep(target, answer)
            self._door.note(target)
        return answer

    def _keep(self, target: str, answer: Answer) -> None:
        """Remember an answer that is for everybody, and asked for again."""
        self._answers[target] = answer
        self._answers.move_to_end(target)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)

    def keep(self, query: str, asked: Asked) -> None:
        """Remember what a query string of `similar` means."""
        if len(self.queries) >= QUERIES:  # callers choose them
            self.queries.clear()
        self.queries[query] = asked

    def reply(self, message: RawRequestMessage, request_id: str, answer: Answer, cors: bytes) -> Reply:
        """The response: 304 when the client has this answer already.

        Args:
            message: for its If-None-Match.
            request_id: stands in the body and in a header.
            answer: to be sent.
            cors: header lines that say which page may read it.
        """
        same = message.headers.get("If-None-Match")
        # Weak comparison (RFC 9110, 13.1.2): W/ says nothing here.
        status = 304 if same is not None and (same == "*" or answer.etag in same) else 200
        name = request_id.encode()
        length = b"\r\nContent-Length: %d\r\n" % (len(answers.OPENING) + len(name) + len(answer.body))
        lines = (HEADER_LINES, answer.head, cors, b"X-Request-Id: ", name, length, self._dates.line())
        return Reply(status, lines, (answers.OPENING, name, answer.body))
