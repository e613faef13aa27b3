"""Answers as bytes: the parts of an item that never change are joined, not serialised again. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import orjson

from .asked import Asked
from .experiments import Listed, said_of
from .heads import said
from .hot import HotRow
from .rules import Pick
from .shelf import Shelf

_STALE = (b"false", b"true")


class Answer(NamedTuple):
    """A finished answer but for its request id, which comes between `{"request_id":"` and `body`.

    It is good while `epoch` is the shelf's, `rows` are current and `until` (seconds, monotonic) is not past.
    head: the header lines that are always the same, each with its line end.
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


def answer(listed: Listed, body: bytes, cache_control: str, epoch: int, until: float) -> Answer:
    """A finished answer.

    Args:
        listed: the list.
        body: what follows the request id.
        cache_control: the header's value.
        epoch: the shelf's before the list was made.
        until: when it is no longer to be used.
    """
    etag = f'W/"{zlib.crc32(body):08x}{len(body):x}"'
    head = f"Content-Type: application/json; charset=utf-8\r\nCache-Control: {cache_control}\r\nETag: {etag}\r\n"
    made, shown = listed.made, None if listed.trial is None else listed
    return Answer(body, head.encode(), etag, made.rung, len(made.picks), made.rows, epoch, until, shown)


def body(shelf: Shelf, listed: Listed, item: str | None) -> bytes:
    """A list's answer after its request id (docs/http-api.md).

    Args:
        shelf: what is known of the items.
        listed: the list.
        item: the seed of `similar`, which the answer repeats.
    """
    echo = b"" if item is None else b'"item":' + orjson.dumps(item) + b","
    return b'",' + echo + listing(shelf, listed, because=item is None) + b"}"


def listing(shelf: Shelf, listed: Listed, *, because: bool) -> bytes:
    """A list's fields, without braces."""
    asked, made = listed.asked, listed.made
    head = _kind(asked.placement.name, asked.relation.label, asked.ranking.name, made.rung)
    shown = items(shelf, asked, made.picks, made.rung, because=because, teams=listed.teams)
    return b"".join((head, b'"stale":', _STALE[made.stale], b",", said_of(listed), b'"items":[', shown, b"]"))


@lru_cache(maxsize=1024)
def _kind(placement: str, relation: str, ranking: str, rung: str) -> bytes:
    names = f'"placement":{_text(placement)},"relation":"{relation}","ranking":{_text(ranking)},"rung":"{rung}",'
    return names.encode()


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
    out: list[str] = []
    reasons: dict[int | None, str] = {}
    for slot, score, customers, seed, of, label, words in picks:
        shown = fragments[slot] if fragments is not None else fragment(slot, lang, currency)
        if words is None:
            words = (
                f'{{"score":{_number(score)},"customers":null,'
                if score is None or customers is None
                else said(score, customers)
            )
        if because:
            reason = reasons.get(seed)
            if reason is None:
                reason = reasons[seed] = f'"because":{_text(None if seed is None else shelf.ids[seed])},'
            words += reason
        if of != rung:
            words += f'"rung":"{of}",'
        if label is not None:
            words += f'"label":"{label}",'
        if teams is not None:
            words += f'"team":{_text(teams[len(out) // 3])},'
        out.append(words)
        out.append(shown)
        out.append("},")
    return "".join(out)[:-1].encode()


def _number(value: float | None) -> str:
    return "null" if value is None else f"{value:.9g}"


def _text(value: str | None) -> str:
    return orjson.dumps(value).decode()
