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
        if to_similar(target):
            label, made = SIMILAR, at_once.similar
        elif to_recommendations(target):
            label, made = RECOMMENDATIONS, at_once.recommendations
        else:
            return None
        bucket = None
        try:
            bucket = parts.guard.passes(message, READ)
            if bucket is None:
                return None
            # One that is kept is for nobody in particular, so it is no exposure of an experiment.
            answer = made(parts, target)
            if answer is not None:
                request_id = parts.new_id()
                reply = parts.desk.reply(message, request_id, answer, parts.guard.cors(message))
                note(parts, message, label, reply.status, answer.rung, request_id, started)
                return joined(reply)
        except Exception:  # noqa: BLE001, S110 - it is met again on the usual way, which has an answer to every one
            pass
        if bucket is not None:
            bucket.put_back()
        return None
