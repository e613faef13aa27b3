"""Parameters and an empty store for the tests that play messages through the graph."""

from __future__ import annotations

import pytest

from varde.settings import Settings
from varde.store.sync import Store
from varde.streaming import write
from varde.streaming.options import StreamParameters


@pytest.fixture
def parameters(redis_url):
    write._store.cache_clear()  # the server was emptied: numbers of items that a store remembers are gone
    settings = Settings(redis_url=redis_url, cap=8, window_days=10)
    return StreamParameters(settings=settings, run_id="testrun", lanes=3, batch_updates=50)


@pytest.fixture
def store(parameters):
    with_store = Store.from_settings(parameters.settings)
    yield with_store
    with_store.close()
