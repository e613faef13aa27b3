import asyncio
import dataclasses
import itertools

import pytest
from tests.conftest import redis_binary, running_redis

from varde import keys
from varde.server.app import create_app
from varde.server.main import connected
from varde.server.parts import PARTS
from varde.settings import Settings
from varde.store.sync import Store

from .world import COUNTERS, ITEMS, NOW, customers, fill

VERSION = "7" if redis_binary("7") else "6.2"


@pytest.fixture(scope="session")
def everyone():
    return customers(400, ITEMS)


@pytest.fixture(scope="session")
def filled(everyone):
    """A Redis that holds the world and that no test changes."""
    with running_redis(VERSION) as server:
        store = Store.from_settings(Settings(redis_url=server.url), clock=lambda: NOW)
        recents = {
            keys.customer_key("jane", None): {"stove": NOW - 5, "tent": NOW - 1},
            keys.customer_key(None, "device-1"): {"rope": NOW},
        }
        fill(store, everyone, "world", recents, stats=COUNTERS)
        store.close()
        yield server


@pytest.fixture
def frail():
    """A Redis of this test alone, empty, that it may stop and kill."""
    with running_redis(VERSION) as server:
        yield server


@pytest.fixture
def settings(filled):
    return Settings(redis_url=filled.url, deadline_ms=5000)  # a busy machine must not look like a slow Redis


@pytest.fixture
def serve(aiohttp_client):
    """settings -> a client of a server with those settings, the tests' clock and counted request ids."""

    async def start(settings, *, wait=True, config=None, **changes):
        settings = dataclasses.replace(settings, **changes)
        ids = (f"request-{n}" for n in itertools.count(1))
        app = create_app(
            settings, lambda: connected(settings), clock=lambda: NOW, new_id=lambda: next(ids), config=config
        )
        client = await aiohttp_client(app)
        if wait:
            async with asyncio.timeout(20):
                await app[PARTS].running.loaded.wait()
        return client

    return start
