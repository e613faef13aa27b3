"""docs/redis.md and keys.py name the same key families, the same keys and the same scripts."""

import inspect
import re
from pathlib import Path

from varde import keys
from varde.settings import Settings
from varde.store import scripts
from varde.store.patch import TOMBSTONE_S

PAGE = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
HELPERS = {"shard_of", "shard_of_number", "customer_key"}
SAMPLE = {"customer": "f00d", "run": "r"}


def families():
    """name -> (key pattern, type) from the table under "Key families"."""
    table = PAGE.split("## Key families")[1].split("\n### ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| `")
    ]
    return {row[0].strip("`"): (row[1].split("`")[1], row[2]) for row in rows}


def functions():
    members = inspect.getmembers(keys, inspect.isfunction)
    return {name: make for name, make in members if not name.startswith("_") and name not in HELPERS}


def test_the_page_lists_exactly_the_families_of_keys():
    assert set(families()) == set(functions())


def test_the_page_shows_the_keys_as_they_are_made():
    for name, make in functions().items():
        arguments = {p: SAMPLE.get(p, 7) for p in inspect.signature(make).parameters}
        key = make(**arguments)
        pattern = families()[name][0]
        named = {
            "number": 7,
            "relation": 7,
            "universe": 7,
            "signal": 7,
            "day": 7,
            "lane": 7,
            "block": 7,
            "part": 7,
            "run": "r",
        }
        assert re.fullmatch(r"varde:1:\{(\d+|cf00d)\}:" + re.escape(pattern.format(**named)), key), (name, key)


def test_the_page_states_each_type_as_keys_does():
    for name, make in functions().items():
        assert make.__doc__.lower().startswith(families()[name][1].split(" ")[0]), name


def test_the_page_lists_exactly_the_scripts():
    table = PAGE.split("## Writing")[1]
    assert set(re.findall(r"^\| `(\w+)\.lua`", table, re.MULTILINE)) == {script.name for script in scripts.ALL}


def test_the_page_quotes_the_defaults():
    defaults = Settings()
    for text in (
        f"`VARDE_LIVE_DAYS` ({defaults.live_days})",
        f"`VARDE_TOKEN_DAYS` ({defaults.token_days})",
        f"`VARDE_RECENT_ITEMS` ({defaults.recent_items})",
        f"`VARDE_CART_HOURS` ({defaults.cart_hours})",
        f"of orders 2 × M ({defaults.latest_kept[2]},",
        f"`VARDE_WINDOW_DAYS` ({defaults.window_days})",
        f"28 + 12 × `VARDE_CANDIDATES` bytes: {28 + 12 * defaults.candidates:,}",
        f"28 + 5 n: {28 + 5 * defaults.candidates:,}",
        f"{keys.TOKEN_BLOCK:,} a key",
        f"`crc32(item id) % {keys.SHARDS}`",
    ):
        assert text in PAGE, text
    assert TOMBSTONE_S == 3600
    assert "1 hour" in PAGE
