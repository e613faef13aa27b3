"""Redis' memory and the last nights in /metrics."""

from contextlib import closing

from varde.settings import Settings
from varde.store.night import NightStore, Reconciled

from .test_ops import samples

DAY = 20_000


async def test_the_last_nights_and_the_memory(serve, frail):
    settings = Settings(redis_url=frail.url, deadline_ms=5000)
    client = await serve(settings)
    found = await samples(client)
    assert found["varde_redis_memory_bytes", ("node", "0")] > 100_000
    assert found["varde_redis_memory_bound_bytes", ("node", "0")] == 0
    assert not {name for name, *_ in found} & {"varde_reconciled_until_seconds", "varde_drift_ratio"}
    with closing(NightStore.from_settings(settings)) as store:
        store.finish(Reconciled(DAY, "run"), [], DAY)
        store.note_night(1_800_000_000_000, 1, {"also_viewed": 0.125})
    found = await samples(client)
    assert found["varde_reconciled_until_seconds",] == DAY * 86_400
    assert found["varde_nightly_ended_seconds",] == 1_800_000_000
    assert found["varde_nightly_refusals",] == 1
    assert found["varde_drift_ratio", ("of", "also_viewed")] == 0.125


async def test_without_redis_there_is_none(serve):
    client = await serve(Settings(redis_url="redis://127.0.0.1:1/0"), wait=False)
    found = await samples(client)
    assert found["varde_store_up",] == 0
    assert not [name for name, *_ in found if name.startswith(("varde_redis", "varde_drift"))]
