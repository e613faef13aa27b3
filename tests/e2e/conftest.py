"""What the end-to-end tests share: an environment without settings, and seeds that are told."""

from __future__ import annotations

import os
import random
import secrets

import pytest


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes inherit no VARDE_ variable of whoever runs the tests."""
    for name in os.environ:
        if name.startswith("VARDE_"):
            monkeypatch.delenv(name)


@pytest.fixture
def rng() -> random.Random:
    """Another one each time; its seed is shown when a test fails, and FAULT_SEED repeats it."""
    seed = int(os.environ.get("FAULT_SEED") or secrets.randbits(32))
    print(f"FAULT_SEED={seed}")
    return random.Random(seed)
