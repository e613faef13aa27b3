"""A collector for tests: its configuration, messages for it, and what arrived at a real Pub/Sub emulator."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from contextlib import contextmanager

import orjson

from varde.config import read
from varde.demo import pubsub
from varde.settings import Settings

KEY, OTHER = "storefront", "backend_2"
TOML = f'[access]\npublic = ["read", "explain"]\n[collector]\nwrite_keys = ["{KEY}", "{OTHER}"]\n'
CONFIG = read(TOML, ("llr",))
NO_REDIS = Settings(redis_url="redis://127.0.0.1:1/0")
WITHIN_S = 30.0
NUMBERS = itertools.count()


def config(more=""):
    return read(TOML + more, ("llr",))


@contextmanager
def watched_topic(host):
    """A topic of its own: (full name, `await arrived(n)`: the next n messages or more, as bytes, `await rest()`)."""
    number = next(NUMBERS)
    names = pubsub.Names(topic_id=f"collected-{number}", subscription_id=f"looks-{number}")
    with pubsub.clients(host) as (publisher, subscriber):
        pubsub.ensure_topic(publisher, names.topic)
        pubsub.ensure_subscription(subscriber, names.subscription, names.topic)

        async def arrived(n):
            found = []
            deadline = time.monotonic() + WITHIN_S
            while len(found) < n and time.monotonic() < deadline:
                found += await asyncio.to_thread(pubsub.pull, subscriber, names.subscription)
            return found

        async def rest():
            """What there is, until nothing comes any more."""
            return await asyncio.to_thread(lambda: list(pubsub.drain(subscriber, names.subscription, quiet_s=0.3)))

        yield names.topic, arrived, rest


def basic(user, password="", colon=True):
    text = f"{user}:{password}" if colon else user
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


def track(n=0, **more):
    return {"type": "track", "event": "Product Viewed", "userId": f"u-{n}", "messageId": f"m-{n}", **more}


def body_of(messages, key=KEY, **more):
    return orjson.dumps({"batch": messages, "writeKey": key, **more})
