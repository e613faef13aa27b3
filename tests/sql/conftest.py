from __future__ import annotations

import pytest

from .googlesql import GoogleSql


@pytest.fixture(scope="session")
def google() -> GoogleSql:
    """Google's engine; the test is skipped where its wheel is not installed."""
    return GoogleSql()
