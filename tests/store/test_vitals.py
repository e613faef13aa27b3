"""Redis' memory and the last nights as the server reads them for its metrics."""

from contextlib import closing

import redis

from varde.history import DAY_MS
from varde.settings import Settings
from varde.store.night import NightStore, Reconciled
from varde.store.serving import ServingStore
from varde.store.vitals import Vitals


def settings_of(server):
    return Settings(redis_url=server.url, redis_cluster="yes" if server.cluster else "no")


async def read(settings):
    store = ServingStore.from_settings(settings)
    try:
        return await store.vitals()
    finally:
        await store.close()


async def test_what_there_is(every_redis_and_cluster):
    server = every_redis_and_cluster
    settings = settings_of(server)
    empty = await read(settings)
    assert empty == Vitals(memory=empty.memory)
    assert len(empty.memory) == (3 if server.cluster else 1)
    assert all(memory.used > 100_000 for memory in empty.memory.values())
    with closing(NightStore.from_settings(settings)) as store:
        store.finish(Reconciled(20_000, "run"), [], 20_000)
        store.note_night(123, 2, {"also_viewed": 0.25, "support any": 0.0})
        store.note_night(456, 0, {"also_viewed": 1e-7, "support any": 0.0})
    found = await read(settings)
    assert (found.reconciled_until, found.ended, found.refusals) == (20_000 * DAY_MS, 456, 0)
    assert found.drift == {"also_viewed": 1e-7, "support any": 0.0}


async def test_the_bound_and_a_user_who_may_not_ask(redis_server):
    settings = settings_of(redis_server)
    with redis.Redis.from_url(redis_server.url) as client:
        client.config_set("maxmemory", 50_000_000)
        try:
            (memory,) = (await read(settings)).memory.values()
            assert memory.bound == 50_000_000
            client.execute_command("ACL", "SETUSER", "default", "-info")
            assert (await read(settings)).memory == {}, "and no error"
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+info")
            client.config_set("maxmemory", 0)
