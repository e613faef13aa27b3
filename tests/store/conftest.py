import inspect
from contextlib import asynccontextmanager, contextmanager

import pytest

from varde.settings import Settings
from varde.store import aio, sync
from varde.store.connection import connect
from varde.store.names import Names

from .world import clock

SETTINGS = Settings()


@contextmanager
def sync_store(server, settings=SETTINGS, **options):
    """A store over a client as production has it, with a cache and a clock of the test's."""
    names = options.pop("names", None) or Names()
    client = connect(server.url, names.clear, server.cluster)
    store = sync.Store(client, settings, options.pop("clock", clock), names, **options)
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def async_store(server):
    store = aio.Store.from_settings(Settings(redis_url=server.url, redis_cluster="yes" if server.cluster else "no"))
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def store(redis_server):
    with sync_store(redis_server) as store:
        yield store


@pytest.fixture
def writer(every_redis_and_cluster):
    """A store to write with, on every server in turn."""
    with sync_store(every_redis_and_cluster) as store:
        yield store


@pytest.fixture(params=["sync", "asyncio"])
async def ask(request, every_redis_and_cluster):
    """Calls a reading by name on either side, with a cache of its own: `await ask("counts", relation, item)`."""
    if request.param == "sync":
        with sync_store(every_redis_and_cluster) as store:

            async def asked(name, *args):
                return getattr(store, name)(*args)

            yield asked
    else:
        async with async_store(every_redis_and_cluster) as store:

            async def asked(name, *args):
                reply = getattr(store, name)(*args)
                assert inspect.isawaitable(reply)
                return await reply

            yield asked
