"""Answers as bytes: the parts of an item that never change are joined, not serialised again. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from .asked import Asked
from .hot import HotRow
from .lists import Made
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


OPENING = b'{"request_id":"'


def answer(made: Made, body: bytes, cache_control: str, epoch: int, until: float) -> Answer:
    """A finished answer.

    Args:
        made: the list.
        body: what follows the request id.
        cache_control: the header's value.
        epoch: the shelf's before the list was made.
        until: when it is no longer to be used.
    """
    etag = f'W/"{zlib.crc32(body):08x}{len(body):x}"'
    head = f"Content-Type: application/json; charset=utf-8\r\nCache-Control: {cache_control}\r\nETag: {etag}\r\n"
    return Answer(body, head.encode(), etag, made.rung, len(made.picks), made.rows, epoch, until)


def body(shelf: Shelf, asked: Asked, made: Made, item: str | None) -> bytes:
    """A list's answer after its request id (docs/http-api.md).

    Args:
        shelf: what is known of the items.
        asked: the request.
        made: its list.
        item: the seed of `similar`, which the answer repeats.
    """
    echo = b"" if item is None else b'"item":' + orjson.dumps(item) + b","
    return b'",' + echo + listing(shelf, asked, made, because=item is None) + b"}"


def listing(shelf: Shelf, asked: Asked, made: Made, *, because: bool) -> bytes:
    """A list's fields, without braces."""
    head = (
        f'"placement":{_text(asked.placement.name)},"relation":"{asked.relation.label}",'
        f'"ranking":{_text(asked.ranking.name)},"rung":"{made.rung}",'
    )
    parts = (head.encode(), b'"stale":', _STALE[made.stale], b',"experiment":null,"variation":null,"items":[')
    return b"".join(parts) + items(shelf, asked, made.picks, made.rung, because=because) + b"]"


def items(shelf: Shelf, asked: Asked, picks: Sequence[Pick], rung: str, *, because: bool) -> bytes:
    """The items as JSON objects, separated by commas."""
    lang, currency, fragment = asked.lang, asked.currency, shelf.fragment
    fragments = None if lang or currency else shelf.fragments
    out = []
    for slot, score, customers, seed, of, label in picks:
        shown = fragments[slot] if fragments is not None else fragment(slot, lang, currency)
        if not because and of == rung and label is None and score is not None and customers is not None:
            # The usual case, made quickly.
            out.append('{"score":%.9g,"customers":%d,%s}' % (score, customers, shown))  # noqa: UP031 - half the time
            continue
        extra = ""
        if because:
            extra = f'"because":{_text(None if seed is None else shelf.ids[seed])},'
        if of != rung:
            extra += f'"rung":"{of}",'
        if label is not None:
            extra += f'"label":"{label}",'
        counted = "null" if customers is None else customers
        out.append(f'{{"score":{_number(score)},"customers":{counted},{extra}{shown}}}')
    return ",".join(out).encode()


def _number(value: float | None) -> str:
    """Nine significant digits: more say nothing about customers."""
    return "null" if value is None else f"{value:.9g}"


def _text(value: str | None) -> str:
    return orjson.dumps(value).decode()
