"""Answers as bytes: the parts of an item that never change are joined, not serialised again. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import orjson

from varde.config import Config

from .asked import Asked
from .experiments import Listed, said_of
from .hot_row import HotRow
from .rules import Pick
from .shelf import Shelf

_STALE = (b"false", b"true")


class Answer(NamedTuple):
    """A finished answer but for its request id, which comes between `{"request_id":"` and `body`.

    It is good while `epoch` is the shelf's, `rows` are current and `until` (seconds, monotonic) is not past.
    head: the header lines that are always the same, each with its line end. etag: without the W/ of a weak one.
    """

    body: bytes
    head: bytes
    etag: str
    rung: str
    items: int
    rows: tuple[HotRow, ...]
    epoch: int
    until: float
    listed: Listed | None = None
    """The list, where an experiment is about it: for the exposure."""


OPENING = b'{"request_id":"'


class Content(NamedTuple):
    """What is answered. body: what follows the request id; rows: what the list is made of."""

    body: bytes
    rung: str
    items: int
    rows: tuple[HotRow, ...]


def answer(content: Content, cache_control: bytes, epoch: int, until: float, listed: Listed | None = None) -> Answer:
    """A finished answer.

    Args:
        content: its content.
        cache_control: the header's value.
        epoch: the shelf's before the list was made.
        until: when it is no longer to be used.
        listed: the list, where an experiment is about it.
    """
    body = content.body
    etag = b'W/"%08x%x"' % (zlib.crc32(body), len(body))
    head = b"Content-Type: application/json; charset=utf-8\r\nCache-Control: %b\r\nETag: %b\r\n" % (cache_control, etag)
    return Answer(body, head, etag[2:].decode(), content.rung, content.items, content.rows, epoch, until, listed)


def cache_control(config: Config, asked: Asked) -> bytes:
    """Who may keep an answer, and how long."""
    if asked.personal or "read" not in config.access.public:
        return b"private, no-cache"
    max_age = asked.placement.max_age
    return b"public, max-age=%d" % max_age if max_age else b"public, no-cache"


def body(shelf: Shelf, listed: Listed, item: str | None) -> bytes:
    """A list's answer after its request id (docs/http-api.md).

    Args:
        shelf: what is known of the items.
        listed: the list.
        item: the seed of `similar`, which the answer repeats.
    """
    return b"".join((b'",', echo(item), listing(shelf, listed, because=item is None), b"}"))


def echo(item: str | None) -> bytes:
    """The seed of `similar` as a field; nothing for other routes."""
    return b"" if item is None else b'"item":%b,' % orjson.dumps(item)


def listing(shelf: Shelf, listed: Listed, *, because: bool) -> bytes:
    """A list's fields, without braces."""
    asked, made = listed.asked, listed.made
    head = kind(asked.placement.name, asked.relation.label, asked.ranking.name, made.rung)
    shown = items(shelf, asked, made.picks, made.rung, because=because, teams=listed.teams)
    return b"".join((head, b'"stale":', _STALE[made.stale], b",", said_of(listed), b'"items":[', shown, b"]"))


@lru_cache(maxsize=1024)
def kind(placement: str, relation: str, ranking: str, rung: str) -> bytes:
    """The first fields of a list."""
    names = {"placement": placement, "relation": relation, "ranking": ranking, "rung": rung}
    return orjson.dumps(names)[1:-1] + b","


def items(
    shelf: Shelf,
    asked: Asked,
    picks: Sequence[Pick],
    rung: str,
    *,
    because: bool,
    teams: Sequence[str | None] | None = None,
) -> bytes:
    """The items as JSON objects, separated by commas; with the team of each in a draft."""
    lang, currency, fragment = asked.lang, asked.currency, shelf.fragment
    fragments = None if lang or currency else shelf.fragments
    out: list[bytes] = []
    reasons: dict[int | None, bytes] = {}
    for slot, score, customers, seed, of, label in picks:
        shown = fragments[slot] if fragments is not None else fragment(slot, lang, currency)
        words = (
            b'{"score":%b,"customers":null,' % _number(score)
            if score is None or customers is None
            # Nine significant digits: more say nothing about customers.
            else b'{"score":%.9g,"customers":%d,' % (score, customers)
        )
        if because:
            reason = reasons.get(seed)
            if reason is None:
                reason = reasons[seed] = because_of(None if seed is None else shelf.ids[seed])
            words += reason
        if of != rung:
            words += b'"rung":"%b",' % of.encode()
        if label is not None:
            words += b'"label":"%b",' % label.encode()
        if teams is not None:
            words += b'"team":%b,' % orjson.dumps(teams[len(out) // 3])
        out.append(words)
        out.append(shown)
        out.append(b"},")
    return b"".join(out)[:-1]


def because_of(seed: str | None) -> bytes:
    """The field that says which seed an item is there for."""
    return b'"because":%b,' % orjson.dumps(seed)


def _number(value: float | None) -> bytes:
    return b"null" if value is None else b"%.9g" % value
