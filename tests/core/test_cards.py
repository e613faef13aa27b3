"""`[cards]`: which hosts are meant, and what makes no sense."""

from __future__ import annotations

from typing import Any

import pytest

from varde.cards import Cards, read
from varde.config import ConfigError
from varde.config import read as read_config
from varde.tables import TableError


def test_nothing_is_fetched_unless_it_is_said() -> None:
    assert read({}) == Cards()
    assert not Cards().allows("cdn.example", None)


@pytest.mark.parametrize(
    ("host", "name", "port", "allowed"),
    [
        ("cdn.example", "cdn.example", None, True),
        ("cdn.example", "cdn.example", 8080, False),
        ("cdn.example", "a.cdn.example", None, False),
        ("cdn.example:8080", "cdn.example", 8080, True),
        ("cdn.example:8080", "cdn.example", None, False),
        ("*.example.org", "a.example.org", None, True),
        ("*.example.org", "a.b.example.org", None, True),
        ("*.example.org", "example.org", None, False),
        ("*.example.org", "evilexample.org", None, False),
        ("*.example.org:81", "a.example.org", 81, True),
        ("localhost:9000", "localhost", 9000, True),
        ("127.0.0.1:9000", "127.0.0.1", 9000, True),
        ("[::1]:9000", "[::1]", 9000, True),
        ("[::1]", "[::1]", None, True),
    ],
)
def test_a_host_is_what_it_says(host: str, name: str, port: int | None, allowed: bool) -> None:
    cards = read({"hosts": [host], "private_hosts": [host]})
    assert cards.allows(name, port) is allowed
    assert cards.may_be_private(name) is (allowed or host.partition(":")[0] == name)


@pytest.mark.parametrize(
    "table",
    [
        {"hosts": ["https://cdn.example"]},
        {"hosts": ["cdn.example/path"]},
        {"hosts": ["*"]},
        {"hosts": ["*.example"]},
        {"hosts": ["CDN.example"]},
        {"hosts": ["user@cdn.example"]},
        {"hosts": ["[::1"]},
        {"hosts": ["[1:2]"]},
        {"hosts": [""]},
        {"hosts": ["a" * 254]},
        {"hosts": ["cdn.example"], "private_hosts": ["other.example"]},
        {"background": "white"},
        {"background": "#fff"},
        {"width": 10},
        {"width": True},
        {"font": 3},
        {"font": "a\0b"},
        {"fallback": ""},
        {"scanner_seconds": 0},
        {"colour": "#ffffff"},
    ],
)
def test_what_makes_no_sense_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(TableError):
        read(table)


def test_the_line_is_said() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config('[cards]\nhosts = ["a.example"]\nprivate_hosts = [\n"a.example",\n"b.example"]\n', ("llr",))
    assert "cards.private_hosts[2]" in str(caught.value)
    assert caught.value.line == 3
