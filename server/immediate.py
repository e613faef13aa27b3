"""Answers at the moment their request has been read, before aiohttp makes a request and a task of it.

On a list from memory that is most of the time it takes. What has to wait, every error and whatever is in any way
unusual is left to the usual way, so answers are the same on both.
"""

from __future__ import annotations

import time

from aiohttp.http_parser import RawRequestMessage

from . import at_once
from .access import READ
from .observe import note
from .parts import Parts
from .shortcut import RECOMMENDATIONS, SIMILAR, to_recommendations, to_similar
from .written import joined


class Immediate:
    """The routes of lists, by request target."""

    def __init__(self, parts: Parts) -> None:
        """Of an application."""
        self._parts = parts

    def __call__(self, message: RawRequestMessage) -> bytes | None:
        """The whole response; None where the usual way has to make it.

        Args:
            message: a GET of HTTP/1.1 without a body, whose connection is kept.
        """
        started = time.perf_counter()
        parts, target = self._parts, message.path
        if parts.open is None or parts.open.draining:
            return None
        try:
            if to_similar(target):
                label, answer = SIMILAR, at_once.similar(parts, target)
            elif to_recommendations(target):
                label, answer = RECOMMENDATIONS, at_once.recommendations(parts, target)
            else:
                return None
            if answer is None or not parts.guard.passes(message, READ):
                return None
            request_id = parts.new_id()
            reply = parts.desk.reply(message, request_id, answer, parts.guard.cors(message))
            note(parts, message, label, reply.status, answer.rung, request_id, started)
        except Exception:  # noqa: BLE001 - it is met again on the usual way, which has an answer to every one
            return None
        return joined(reply)
