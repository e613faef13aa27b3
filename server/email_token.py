"""GET /v1/email/token: the links of one mail, for tools that ask at send time for links and show pictures later."""

from __future__ import annotations

from aiohttp import web

from . import tokens
from .asked import asked
from .email import rfc3339
from .errors import bad_parameter
from .params import Query
from .parts import PARTS, Parts, json_answer
from .slots import CLICK, PICTURE
from .tokens import Link

ROUTE = "/v1/email/token"
FIELDS = ("uid", "aid", "send_id", "placement", "campaign", "lang", "currency", "n")
_KEY = "key"
"""Shows a key; whoever guards the route has looked at it."""


async def token(request: web.Request) -> web.StreamResponse:
    """GET /v1/email/token."""
    parts = request.app[PARTS]
    query = Query(request.rel_url.raw_query_string, (*FIELDS, _KEY))
    link, n = _link(query, parts)
    made = tokens.make(parts.settings.link_secret, link)
    body = {
        "token": made,
        "expires_at": rfc3339(link.expires * 1000),
        "slots": [
            {"position": str(place), "image_url": image, "click_url": click}
            for place, (image, click) in enumerate(urls(parts.config.email.public_url, made, n), 1)
        ],
    }
    return json_answer(body)


def urls(public_url: str, made: str, n: int) -> list[tuple[str, str]]:
    """The addresses of the pictures and the links of n slots; without an address of the server paths of it."""
    base = public_url.rstrip("/")
    return [
        (f"{base}{PICTURE.format(slot=place)}?t={made}", f"{base}{CLICK.format(slot=place)}?t={made}")
        for place in range(1, n + 1)
    ]


def _link(query: Query, parts: Parts) -> tuple[Link, int]:
    """The link, and how many slots are wanted."""
    wanted = asked(query, parts.config, parts.settings.min_customers, ())
    if (wanted.uid is None) == (wanted.aid is None):
        raise bad_parameter("uid", "give one of uid and aid")
    if wanted.send_id is None:
        raise bad_parameter("send_id", "is needed: what a slot shows is frozen for each sending")
    if len(wanted.lang) > tokens.LANG_CHARACTERS:
        raise bad_parameter("lang", f"must have at most {tokens.LANG_CHARACTERS} characters")
    link = Link(
        wanted.uid,
        wanted.aid,
        wanted.send_id,
        wanted.placement.name,
        wanted.campaign,
        wanted.lang,
        wanted.currency,
        tokens.expiry(parts.clock()),
    )
    return link, wanted.n
