"""Answers of lists from what is in memory, without waiting: what almost every request gets."""

from __future__ import annotations

import re

from .answers import Answer
from .asked import COMMON, SEEDS, Asked, asked
from .desk import Desk
from .errors import ApiError, bad_parameter
from .params import ITEM_BYTES, MOST_FIELDS, MOST_SEEDS, Query, item_in_path
from .parts import Parts
from .shortcut import SIMILAR

_SEEDED = tuple(f"{name}=" for name in SEEDS)
_LISTED = f"{SEEDS[0]}="
_OF_ONE = "id="
"""In every query that names a customer as `uid` or `aid`: of these nothing is kept, and something is to be read."""
_BEFORE_ITEM = len(SIMILAR) - len("{item}")
_PLAIN = re.compile(r"[\w.:,-]+", re.ASCII).fullmatch
"""Ids that stand for themselves in a query string, with commas between them."""


def similar(parts: Parts, target: str) -> Answer | None:
    """The answer to a request of `similar`; None where it has to be made by Desk.answer.

    Raises:
        ApiError: a parameter is wrong.
    """
    desk = parts.desk
    answer = desk.known(target)
    if answer is not None:
        return answer
    path, _, query = target.partition("?")
    if _OF_ONE in query:
        return None
    item = item_of(path)
    return desk.quick(target, asked_before(desk, parts, query), item, (item,))


def item_of(path: str) -> str:
    """The item id in a path of `similar`.

    Raises:
        ApiError: it is none.
    """
    item = path[_BEFORE_ITEM:]
    return item if _PLAIN(item) and len(item) <= ITEM_BYTES else item_in_path(path, 3, "item")


def asked_before(desk: Desk, parts: Parts, query: str) -> Asked:
    """The parameters of `similar`; few shops use more than a handful of query strings, so they are kept as read.

    Raises:
        ApiError: one is wrong.
    """
    wanted = desk.queries.get(query)
    if wanted is None or wanted.config is not parts.config:
        wanted = _asked(parts, query, COMMON, ())
        if not wanted.personal:
            desk.keep(query, wanted)
    return wanted


def recommendations(parts: Parts, target: str) -> Answer | None:
    """The answer to a request of `recommendations`; None where it has to be made by Desk.answer.

    Raises:
        ApiError: a parameter is wrong.
    """
    desk = parts.desk
    answer = desk.known(target)
    if answer is not None:
        return answer
    query = target.partition("?")[2]
    answer = _of_known(desk, parts, target, query)
    if answer is not None or _OF_ONE in query:
        return answer
    wanted, seeds = seeded(desk, parts, query)
    return desk.quick(target, wanted, None, seeds)


def _of_known(desk: Desk, parts: Parts, target: str, raw: str) -> Answer | None:
    """The answer to a request with nothing but seeds, of items that are all known as they are written."""
    if not raw.startswith(_LISTED) or not raw.isascii() or "&" in raw or "%" in raw or "+" in raw:
        return None
    names = raw[len(_LISTED) :].split(",")
    if len(names) > MOST_SEEDS:
        return None
    return desk.quick(target, asked_before(desk, parts, ""), None, tuple(dict.fromkeys(names)))


def seeded(desk: Desk, parts: Parts, raw: str) -> tuple[Asked, tuple[str, ...]]:
    """The parameters of `recommendations` and its seeds: every request has others, while the rest seldom changes.

    Raises:
        ApiError: one is wrong, or nothing says whom or what the list is for.
    """
    wanted, seeds = _seeded(desk, parts, raw)
    if not seeds and not wanted.personal and wanted.placement.source not in ("trending", "popular"):
        raise bad_parameter("items", "give items, item, uid or aid")
    return wanted, seeds


def _seeded(desk: Desk, parts: Parts, raw: str) -> tuple[Asked, tuple[str, ...]]:
    if raw.startswith(_LISTED) and _PLAIN(raw, len(_LISTED)):
        names = raw[len(_LISTED) :].split(",")
        if len(names) <= MOST_SEEDS and "" not in names and len(max(names, key=len)) <= ITEM_BYTES:
            return asked_before(desk, parts, ""), tuple(dict.fromkeys(names))
    fields = raw.split("&")
    rest = "&".join([field for field in fields if not field.startswith(_SEEDED)])
    try:
        wanted = asked_before(desk, parts, rest) if "%" not in rest and len(fields) <= MOST_FIELDS else None
    except ApiError:  # to be said of the whole request
        wanted = None
    if wanted is None:  # a name may be written in many ways
        wanted = _asked(parts, raw, (*COMMON, *SEEDS), None)
        return wanted, wanted.seeds
    return wanted, Query("&".join([field for field in fields if field.startswith(_SEEDED)]), SEEDS).items(*SEEDS)


def _asked(parts: Parts, raw: str, allowed: tuple[str, ...], seeds: tuple[str, ...] | None) -> Asked:
    query = Query(raw, allowed)
    found = query.items(*SEEDS) if seeds is None else seeds
    return asked(query, parts.config, parts.settings.min_customers, found)
