"""GET /v1/email/slot/{slot}.png and …/click: what a mail shows when it is opened, and where that leads.

Both always answer: with the fallback card, or with the shop, whatever fails. docs/email.md says what is frozen when.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from varde import mailing, robots
from varde.mailing import noted
from varde.store.frozen import Frozen
from varde.store.opened import Opened

from . import slot_items
from .cards import Card
from .clicks import Click, Clicks
from .email import POST
from .errors import ApiError, StoreError
from .gallery import Gallery
from .mail_items import Where
from .outbox import Outbox
from .parts import PARTS, REQUEST_ID, Parts
from .pictures import Pictures
from .slot_items import PICTURE, NoItemError, Slot, ahead
from .tokens import Link, TokenError

logger = logging.getLogger("varde.server")

CLICK = "/v1/email/slot/{slot}/click"
CARD, FALLBACK = "card", "fallback"
UNCOUNTED, ROBOT, LOST, RETRIED = "uncounted", "robot", "lost", "retried"
PUBLISHED_WITHIN_S = 5.0
_ENDED = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Not there any more</title>'
    "<p>What this link led to is not there any more.</p></html>"
)
__all__ = ["CLICK", "PICTURE", "click", "open_slots", "picture"]


class Slots(NamedTuple):
    """What pictures and links of mails need in a server process."""

    gallery: Gallery
    clicks: Clicks


SLOTS: web.AppKey[Slots] = web.AppKey("slots", Slots)


async def open_slots(app: web.Application) -> AsyncIterator[None]:
    """Be ready for mails that are opened while the stores are open; sends the last clicks before the process ends."""
    parts = app[PARTS]
    settings, told = parts.settings, parts.metrics.slotted
    pictures = Pictures(lambda: parts.config.cards)
    gallery = Gallery(lambda: parts.config.cards, pictures, told.carded, told.without_picture)
    publisher = outbox = None
    if settings.topic:
        from .publish import Publisher  # Google's client costs a second and 40 MB: only where there is a topic

        publisher = Publisher(settings.topic, PUBLISHED_WITHIN_S)
        outbox = Outbox(publisher.publish_all, settings.exposures_queue, told.clicked, lambda: told.clicked(RETRIED))
    tasks = parts.running.stores.tasks
    clicks = Clicks(tasks, outbox, lambda: parts.config.cards, parts.clock, told.clicked, settings.item_keys[0])
    clicks.start()
    app[SLOTS] = Slots(gallery, clicks)
    yield
    await clicks.stop()
    await gallery.close()
    if publisher is not None:
        await publisher.close()


async def picture(request: web.Request) -> web.StreamResponse:
    """GET and HEAD /v1/email/slot/{slot}.png: always a picture."""
    parts, gallery = request.app[PARTS], request.app[SLOTS].gallery
    png, why = None, "not_drawn"
    try:
        slot = slot_items.slot(request, parts)
        item, _ = await slot_items.shown(request, slot)
        png = await gallery.card(_card(request, parts, item, slot.link))
    except (TokenError, NoItemError, StoreError) as error:
        why = error.reason
    except ApiError:
        why = "placement"
    except Exception as error:
        why = "fault"
        logger.error("request %s failed", request[REQUEST_ID], exc_info=error)
    parts.metrics.slotted.showed(*((FALLBACK, why) if png is None else (CARD, "")))
    headers = {
        # Proxies of mail providers keep it all the same: that is why the pick is frozen.
        "Cache-Control": "private, no-cache, max-age=0" if ahead(request) is None else "no-store",
        "Cross-Origin-Resource-Policy": "cross-origin",
    }
    return web.Response(body=png or await gallery.fallback(), content_type="image/png", headers=headers)


async def click(request: web.Request) -> web.StreamResponse:
    """GET and HEAD /v1/email/slot/{slot}/click: to what the slot's picture showed, else to the shop."""
    parts = request.app[PARTS]
    target = parts.config.email.shop_url
    try:
        slot = slot_items.slot(request, parts)
        known = await slot_items.frozen(parts, slot)
        item = known.by_slot.get(slot.n)
        if item is None:  # nobody has asked for the mail's pictures
            item, known = await slot_items.shown(request, slot)
        target = _target(request, parts, slot, item, known)
        _count(request, parts, slot, item, known)
    except (TokenError, NoItemError, StoreError) as error:
        parts.metrics.slotted.clicked(LOST, error.reason)
    except ApiError:
        parts.metrics.slotted.clicked(LOST, "placement")
    except Exception as error:
        parts.metrics.slotted.clicked(LOST, "fault")
        logger.error("request %s failed", request[REQUEST_ID], exc_info=error)
    headers = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}
    if not target:
        return web.Response(text=_ENDED, content_type="text/html", headers=headers)
    return web.Response(status=302, content_type="text/html", headers={**headers, "Location": target})


def _card(request: web.Request, parts: Parts, item: str, link: Link) -> Card:
    """Raises NoItemError for one that the catalogue does not have."""
    found = slot_items.entry(parts, item)
    if found is None:
        raise NoItemError("catalogue")
    printer = request.app[POST].printer(parts.config)
    said = printer.item(parts.running.memory.shelf, found[0], link.lang, link.currency)
    lang = link.lang or parts.config.email.lang
    return Card(said["title"], said["brand"], said["price_formatted"], said["image_url"], lang)


def _target(request: web.Request, parts: Parts, slot: Slot, item: str, known: Frozen) -> str:
    """Where an item's link leads: to an address of the catalogue, or to the shop; never to what a request says."""
    email, link = parts.config.email, slot.link
    printer = request.app[POST].printer(parts.config)
    _, experiment, variation = noted(known.note)
    where = Where(link.campaign or "", link.send_id, link.placement, experiment, variation)
    found = slot_items.entry(parts, item)
    address = ""
    if found is not None:
        address = printer.item(parts.running.memory.shelf, found[0], link.lang, link.currency)["url"]
    if not _of_the_web(address):
        address = email.shop_url
    return printer.link(address, item, slot.n, where)


def _of_the_web(address: str) -> bool:
    """Whether it is a whole address of http or https that fits into a header."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and address.isprintable() and " " not in address


def _count(request: web.Request, parts: Parts, slot: Slot, item: str, known: Frozen) -> None:
    """Hold the click back, unless nobody can have made it."""
    told = parts.metrics.slotted
    if (early := ahead(request)) is not None:
        told.clicked(UNCOUNTED, early)
        return
    if robots.is_robot(request.headers.get("User-Agent", "")[: robots.LONGEST]):
        told.clicked(UNCOUNTED, ROBOT)
        return
    name, experiment, variation = noted(known.note)
    if not name:
        name = mailing.list_name(slot.customer, slot.link.send_id, slot.link.placement, ())
    opened = Opened(slot.customer, slot.send, slot.n, parts.clock())
    message_id = f"varde-click-{request[REQUEST_ID]}"
    request.app[SLOTS].clicks.note(Click(opened, slot.link, item, name, experiment, variation, message_id))
