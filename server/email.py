"""GET /v1/email/recs: a list for one mail, ready to be printed. docs/email.md is for those who write the templates."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from varde.config import Config

from . import tokens
from .errors import ApiError
from .mail_asked import Mail, mail
from .mail_body import Value, body, media
from .mail_items import Printer, Where
from .mailroom import FREEZING, Made, Mailroom, falls_back, said
from .observe import HEADER_LINES
from .parts import PARTS, REQUEST_ID, RUNG, Parts, Running
from .shelf import Shelf
from .trips import Trips
from .written import Dates, Reply, Written

ROUTE = "/v1/email/recs"
CLICK = "/v1/email/slot/{n}/click"
KEPT_S = 300
"""How long a tool may keep an answer that every render of a sending gets."""
MOST_FREEZES = 2_000
"""Lists that may wait to be frozen."""
PERSONAL, FALLBACK, TOO_FEW = "personal", "fallback", "too_few"
"""What became of a look-up, for the metrics."""


class Post:
    """What look-ups of email tools need in a server process."""

    def __init__(self, parts: Parts, running: Running) -> None:
        settings = parts.settings
        wait_s = settings.deadline_ms / 1000

        def trips(send: Callable[[Sequence[Any]], Any]) -> Trips[Any, Any]:
            deadline_s = wait_s * FREEZING
            return Trips(
                send, running.circuit, deadline_s, MOST_FREEZES, lambda why: parts.metrics.failures.labels(why).inc()
            )

        store, secret = running.stores.requests, settings.id_secret.encode()
        self.room = Mailroom(running.memory, parts.trials, store, trips, secret, parts.clock, wait_s)
        self.dates = Dates()
        self._printer: tuple[Config, Printer] | None = None

    def printer(self, config: Config) -> Printer:
        """What prints items under a configuration."""
        if self._printer is None or self._printer[0] is not config:
            self._printer = config, Printer(config.email)
        return self._printer[1]


POST: web.AppKey[Post] = web.AppKey("post", Post)


async def open_post(app: web.Application) -> AsyncIterator[None]:
    """Be ready for look-ups while the stores are open."""
    app[POST] = Post(app[PARTS], app[PARTS].running)
    yield


async def recs(request: web.Request) -> web.StreamResponse:
    """GET /v1/email/recs."""
    started, loop = time.perf_counter(), asyncio.get_running_loop()
    parts, post = request.app[PARTS], request.app[POST]
    wanted = mail(request._message.path.partition("?")[2], parts.config, parts.settings.min_customers)
    until = loop.time() + parts.config.email.deadline_ms / 1000
    renders = request.method == "GET"
    made = await post.room.made(wanted, parts.guard.client(request._message), until, renders)
    listed = made.listed
    request[RUNG] = listed.made.rung
    if listed.made.stale:
        parts.metrics.stale.inc()
    enough = len(listed.made.picks) >= wanted.min_items
    parts.metrics.mailed(TOO_FEW if not enough else FALLBACK if falls_back(listed) else PERSONAL)
    if not enough and wanted.short.too_few != "empty":
        return _nothing(wanted)
    name = made.name or request[REQUEST_ID]
    if enough and renders and parts.shown is not None:
        parts.shown.note(request, ROUTE, name, listed, started)
    content = _content(parts, post, wanted, made, name, enough)
    cache = f"private, max-age={KEPT_S}" if made.fixed else "no-store" if listed.made.stale else "private, no-cache"
    lines = (
        HEADER_LINES,
        f"Content-Type: {media(wanted.format.shape)}\r\nCache-Control: {cache}\r\n".encode(),
        f"X-Request-Id: {request[REQUEST_ID]}\r\nContent-Length: {len(content)}\r\n".encode(),
        post.dates.line(),
    )
    return Written(Reply(200, lines, (content,)))


def _nothing(wanted: Mail) -> web.StreamResponse:
    """What a tool that leaves a mail out on it is answered."""
    if wanted.short.too_few == "404":
        raise ApiError(404, "too_few_items", f"there are fewer than {wanted.min_items} items for this recipient")
    return web.Response(status=204, headers={"Cache-Control": "no-store"})


def _content(parts: Parts, post: Post, wanted: Mail, made: Made, name: str, enough: bool) -> bytes:
    listed, asked = made.listed, wanted.asked
    experiment, variation = said(listed)
    where = Where(asked.campaign or "", asked.send_id or "", asked.placement.name, experiment, variation)
    token = _token(parts, wanted) if enough else ""
    items: Sequence[Mapping[str, str]] = ()
    if enough:
        shelf, printer = parts.running.memory.shelf, post.printer(asked.config)
        items = list(_items(shelf, printer, wanted, made, where, token))
    head: dict[str, Value] = {
        "request_id": name,
        "ok": enough,
        "fallback": falls_back(listed),
        "stale": listed.made.stale,
        "count": len(items),
        "placement": where.placement,
        "rung": listed.made.rung,
        "experiment": experiment,
        "variation": variation,
        "campaign": where.campaign,
        "send_id": where.send_id,
        "generated_at": rfc3339(parts.clock()),
        "token": token,
        "ignored": list(wanted.ignored),
    }
    return body(head, items, wanted.format)


def _items(
    shelf: Shelf, printer: Printer, wanted: Mail, made: Made, where: Where, token: str
) -> Iterator[Mapping[str, str]]:
    asked, public = wanted.asked, wanted.asked.config.email.public_url.rstrip("/")
    picks = made.listed.made.picks
    for place, pick in zip(made.places or range(1, len(picks) + 1), picks, strict=True):
        ready = printer.item(shelf, pick.slot, asked.lang, asked.currency)
        url = printer.link(ready["url"], ready["id"], place, where)
        click = f"{public}{CLICK.replace('{n}', str(place))}?t={token}" if token else url
        yield {**ready, "position": str(place), "url": url, "click_url": click, "rung": pick.rung}


def _token(parts: Parts, wanted: Mail) -> str:
    """What links of this mail say whose it is with; empty where they lead to the shop itself.

    A list that starts from given items is not what a link could make again.
    """
    asked, secrets, email = wanted.asked, parts.settings.link_secret, parts.config.email
    one = asked.uid is not None or asked.aid is not None
    if not (secrets and email.public_url and asked.send_id and one) or asked.seeds:
        return ""
    link = tokens.Link(
        uid=asked.uid,
        aid=None if asked.uid is not None else asked.aid,
        send_id=asked.send_id,
        placement=asked.placement.name,
        campaign=asked.campaign,
        lang=asked.lang,
        currency=asked.currency,
        expires=tokens.expiry(parts.clock()),
    )
    return tokens.make(secrets, link)


def rfc3339(ms: int) -> str:
    """A time, ms since the epoch, to the second."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
