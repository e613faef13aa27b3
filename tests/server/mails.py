"""A shop that sends mails: a catalogue, a configuration with keys, and a Redis that the tests write to."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager

from tests.conftest import running_redis

from varde import keys
from varde.catalogue import Entry, Text
from varde.config import read
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

from .world import ITEMS, NOW, fill

RANKINGS = ("llr", "cosine", "count")
KEY, READER = "key-of-the-email-tool", "key-of-somebody-else"
HEADERS = {"Authorization": f"Bearer {KEY}"}
SHOP, PUBLIC = "https://shop.example/se", "https://r.shop.example"
HIDDEN, SOLD_OUT = "nul\0", "mug"


def digest(key):
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


CONFIG = f"""
static = ["lamp"]
[[clients]]
name = "tool"
keys = ["{digest(KEY)}"]
scopes = ["email"]
[[clients]]
name = "reader"
keys = ["{digest(READER)}"]
scopes = ["read", "explain", "catalogue"]
[placements.default]
[placements.mail]
source = "recommendations"
n = 4
[placements.best]
source = "popular"
[placements.strict]
source = "recommendations"
n = 4
[placements.gone]
source = "recommendations"
n = 4
[email]
public_url = "{PUBLIC}"
shop_url = "{SHOP}"
deadline_ms = 2000
utm = {{ utm_source = "varde", utm_campaign = "{{campaign}}", utm_content = "{{variation}}{{position}}" }}
[email.placements.strict]
min_items = 3
too_few = "204"
[email.placements.gone]
too_few = "404"
[email.formats.mine]
items = "products"
fields = {{ Name = "title", Link = "click_url", Nothing = "" }}
[feeds.best]
placement = "best"
n = 5
title = "Best sellers"
[feeds.shop-se]
placement = "best"
format = "voyado"
lang = "sv"
currency = "SEK"
"""


def catalogue():
    """Entries for all items of the world, one hidden, one sold out, one that says little."""
    for place, item in enumerate(ITEMS):
        if item == "rope":
            yield Entry(item, title="Rope")
            continue
        yield Entry(
            item,
            title=f"Title <{place}> & \N{SNOWMAN} {item}",
            url=f"/p/{place}?a=1#top" if place % 2 else f"p/{place}",
            image=f"/i/{place}.webp" if place % 2 else f"https://cdn.example/{place}.jpg",
            price=1000.0 + place,
            currency="EUR",
            stock=0 if item == SOLD_OUT else 9,
            categories=("Outdoor", "Camping"),
            brand="Nord",
            hidden=item == HIDDEN,
            texts={"sv": Text(f"En titel {place}", f"/sv/{place}")},
            prices={"SEK": 1299.5},
        )


@contextmanager
def shop(version, everyone):
    """A Redis with customers, the newest views of jane and of a device, and the catalogue."""
    with running_redis(version) as server:
        settings = Settings(redis_url=server.url)
        store = Store.from_settings(settings, clock=lambda: NOW)
        recents = {
            keys.customer_key("jane", None): {"stove": NOW - 5, "tent": NOW - 1},
            keys.customer_key("john", None): {"map": NOW - 5},
            keys.customer_key(None, "device-1"): {"boots": NOW},
        }
        fill(store, everyone, "mails", recents)
        store.close()
        entries = CatalogueStore.from_settings(settings)
        entries.put_entries(catalogue(), NOW, complete=True)
        entries.close()
        yield server


def config(more=""):
    return read(CONFIG + more, RANKINGS)


def ids(body):
    return [item["id"] for item in body["items"]]
