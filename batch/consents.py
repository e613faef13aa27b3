"""The consent object of a message as columns of Segment's warehouse, which has one for each category."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from .warehouse import segment

CATEGORIES = 64
"""Categories that get a column, besides the required ones: anybody may send a new name."""

Columns = dict[str, bool | str]
"""Column -> value, of one row."""


class Consents:
    """Reads consent objects.

    Args:
        required: names of the categories that must have a column.
        discarded: `consent` counts categories that have got none.
    """

    def __init__(self, required: tuple[str, ...], discarded: Counter[str]) -> None:
        self._required = frozenset(filter(None, map(segment.consent_column, required)))
        self._others: set[str] = set()
        self._discarded = discarded

    def read(self, message: dict[str, Any]) -> Columns:
        """What a message says about consent; nothing when it says nothing.

        Anything but true denies a category. An object in which no category can be read still says something.
        """
        context = message.get("context")
        said = context.get("consent") if isinstance(context, dict) else None
        if said is None:
            return {}
        preferences = said.get("categoryPreferences") if isinstance(said, dict) else None
        found: Columns = {}
        for category, value in preferences.items() if isinstance(preferences, dict) else ():
            column = segment.consent_column(category)
            if column is None or not self._has_room(column):
                self._discarded["consent"] += 1
                continue
            found[column] = value is True and found.get(column, True)
        return found or {segment.CONSENT: orjson.dumps(said).decode()}

    def _has_room(self, column: str) -> bool:
        if column not in self._required and column not in self._others:
            if len(self._others) == CATEGORIES:
                return False
            self._others.add(column)
        return True
