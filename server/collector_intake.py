"""What the routes that take messages share: who sends, the way to Pub/Sub, and answers that SDKs understand."""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from varde import addresses
from varde.collecting import Collector, Sender, Taken

from .access import PREFLIGHT_S, lines
from .collector_body import RETRY_S, Bodies, busy
from .collector_post import FullError, Post
from .errors import ApiError, PublishError
from .observe import failed
from .parts import PARTS, REQUEST_ID, Parts

logger = logging.getLogger("varde.server")

PUBLISHED_WITHIN_S = 3.0
"""Time of a call to Pub/Sub. With the wait before it, it is less than the five seconds that Segment's webhook has."""
_LONGEST_AGENT = 1_024
REFUSED = "refused"
"""Why a message is dropped that Pub/Sub will never take."""


@dataclass(slots=True)
class Intake:
    """Of a process: the bodies it holds, and what is on its way to the topic; without a topic nothing is taken."""

    bodies: Bodies = field(default_factory=Bodies)
    post: Post | None = None


INTAKE: web.AppKey[Intake] = web.AppKey("intake", Intake)


async def open_intake(app: web.Application) -> AsyncIterator[None]:
    """The intake, from the start of an application to its end."""
    parts = app[PARTS]
    intake = app[INTAKE] = Intake()
    if not parts.settings.topic:
        yield
        return
    from .publish import Publisher  # Google's client costs a second and 40 MB: only where there is a topic

    publisher = Publisher(parts.settings.topic, PUBLISHED_WITHIN_S)
    collected = parts.metrics.collected
    post = intake.post = Post(publisher.publish_all, parts.settings.collector_queue, collected.called)
    collected.waiting = post.__len__
    post.start()
    yield
    await post.stop()
    await publisher.close()


def switched_on(request: web.Request) -> Collector:
    """The collector's configuration.

    Raises:
        ApiError: 404 it is off.
    """
    config = request.app[PARTS].config.collector
    if not config.write_keys:
        raise ApiError(404, "collector_off", "the collector is off: the configuration has no write keys")
    return config


def post_of(request: web.Request) -> Post:
    """The way to the topic.

    Raises:
        ApiError: 503 there is none.
    """
    post = request.app[INTAKE].post
    if post is None:
        raise ApiError(503, "no_topic", "the server has no VARDE_TOPIC", headers={"Retry-After": str(RETRY_S)})
    return post


def sender(request: web.Request, *, browser: bool) -> Sender:
    """What is known of a request; `browser`: it comes from a customer's own device."""
    parts = request.app[PARTS]
    config = parts.config.collector
    numbers = itertools.count()
    return Sender(
        parts.clock(),
        lambda: f"varde-{request[REQUEST_ID]}-{next(numbers)}",
        addresses.asked_from(request.remote, ",".join(request.headers.getall("X-Forwarded-For", ())), config.proxies),
        _text(request.headers.get("User-Agent", ""))[:_LONGEST_AGENT],
        browser,
        config.ip,
    )


def _text(header: str) -> str:
    """A header without the bytes that are no UTF-8, which aiohttp hands on as surrogates."""
    return header.encode("utf-8", "replace").decode()


async def deliver(request: web.Request, source: str, taken: Taken) -> None:
    """Return when Pub/Sub has every message; what was left out is counted.

    Raises:
        ApiError: 429 no room, 503 not taken: the request is to come again as it is.
    """
    collected = request.app[PARTS].metrics.collected
    n = len(taken.messages)
    try:
        refused = await post_of(request).deliver(taken.messages)
    except FullError:
        collected.not_taken(source, "busy", n)
        raise busy("too many messages wait for Pub/Sub") from None
    except PublishError:
        collected.not_taken(source, "not_published", n)
        message = "Pub/Sub did not take the messages; send them again"
        raise ApiError(503, "not_published", message, headers={"Retry-After": str(RETRY_S)}) from None
    if refused:
        taken.dropped[REFUSED] += refused
    collected.took(source, n - refused)
    collected.dropped(source, taken.dropped)
    if taken.dropped:
        logger.warning("request %s: messages left out: %s", request[REQUEST_ID], dict(taken.dropped))


def success() -> web.Response:
    """The answer to a request whose messages were taken."""
    return web.Response(
        body=b'{"success":true}', content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def answered(handler: Handler, source: str, *, pages: bool = True) -> Handler:
    """The handler with errors as Segment's SDKs read them, beside the form that all errors of the server have.

    Args:
        handler: may raise ApiError.
        source: of the messages, for metrics.
        pages: scripts of pages may read the answer.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Exception as error:  # noqa: BLE001 - every one has an answer
            response = _refusal(error, request, source)
        if pages:
            response.headers.update(_cross(request.app[PARTS], request))
        return response

    return answer


def _refusal(error: Exception, request: web.Request, source: str) -> web.Response:
    response = failed(error, request[REQUEST_ID])
    assert isinstance(response.body, bytes), "every error is JSON"
    body = orjson.loads(response.body)
    told = body["error"]
    request.app[PARTS].metrics.collected.refused(source, told["code"])
    response.body = orjson.dumps({"success": False, "code": told["code"], "message": told["message"], **body})
    return response


def _cross(parts: Parts, request: web.Request) -> dict[str, str]:
    headers = lines(parts.guard.cors(request._message))
    if "Access-Control-Allow-Origin" in headers:
        headers["Access-Control-Expose-Headers"] = "Retry-After"
    return headers


def preflight(*methods: str) -> Handler:
    """A handler for a browser's question whether a page may send: Segment's SDK asks before every message."""
    allowed = ", ".join(sorted((*methods, "OPTIONS")))

    async def answer(request: web.Request) -> web.StreamResponse:
        headers = _cross(request.app[PARTS], request)
        if "Access-Control-Allow-Origin" in headers:
            headers |= {
                "Access-Control-Allow-Methods": allowed,
                # Named, because `*` does not stand for Authorization.
                "Access-Control-Allow-Headers": "authorization, content-type, x-retry-count",
                "Access-Control-Max-Age": str(PREFLIGHT_S),
            }
        return web.Response(status=204, headers={"Allow": allowed, **headers})

    return answer
