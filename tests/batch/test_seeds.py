"""`varde seeds`: what it writes counts as the night does, and a stream that begins with it goes on from there."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.fold import Fold
from tests.property.oracle import Totals

from varde import cli, events, seed
from varde.batch import nightly, seeds
from varde.batch.loader import Loader
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.counts import count
from varde.events import Erasure, Event, Mapping
from varde.history import DAY_MS, Limits
from varde.keys import customer_key
from varde.orders import order_key
from varde.profile import NEVER
from varde.settings import Settings, SettingsError

from .test_night import totals
from .worlds import (
    AS_OF,
    SECRET,
    WINDOW_DAYS,
    loaded,
    mappings,
    meanings,
    order_matters_not,
    world,
)

EXAMPLES = settings().max_examples


def written(warehouse: DuckDBWarehouse, as_of: int, limits: Limits, mapping: Mapping) -> list[seed.Seed]:
    """The seeds of a night as a stream reads them."""
    made = seeds.seeds(warehouse, nightly.plan(as_of, limits, mapping, SECRET))
    return [seed.decode(seed.encode(one), limits.cap) for one in made]


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES * 3 // 10, deadline=None)
@given(world(), st.integers(2, 5), mappings)
def test_they_count_as_the_night(messages: list[tuple[bytes, int]], cap: int, mapping: Mapping) -> None:
    limits = Limits(cap, WINDOW_DAYS)
    with loaded(messages, mapping) as warehouse:
        night = nightly.build(warehouse, AS_OF, limits, mapping, SECRET)
        found = written(warehouse, AS_OF, limits, mapping)
    assert count(one.profile.histories for one in found).totals() == totals(night)
    customers = [one.customer for one in found]
    assert customers == sorted(set(customers)), "one line a customer"
    erased: dict[str, int] = {}
    for event in meanings(messages, mapping):
        if isinstance(event, Erasure) and event.time >= night.window_start:
            key = customer_key(event.user_id, None, SECRET)
            erased[key] = max(event.time, erased.get(key, NEVER))
    assert {one.customer: one.profile.erased_at for one in found if one.profile.erased_at != NEVER} == erased
    for one in found:
        if one.profile.linked is not None:
            assert one.kind == seed.ANONYMOUS
            assert not any(one.profile.histories)
            assert not one.profile.orders
        assert one.profile.erased_at == NEVER or one.kind == seed.KNOWN


def keyed(event: Event) -> Event:
    """The event as the stream knows it, with customer keys for ids."""
    if isinstance(event, Erasure):
        return replace(event, user_id=customer_key(event.user_id, None, SECRET))
    if isinstance(event, events.Impersonal):
        return event
    user_id, anonymous_id = event.user_id, event.anonymous_id
    known: dict[str, Any] = {} if user_id is None else {"user_id": customer_key(user_id, None, SECRET)}
    if anonymous_id is not None:
        known["anonymous_id"] = customer_key(None, anonymous_id, SECRET)
    return replace(event, **known)


def together(one: Totals, other: Totals) -> Totals:
    """The sum of two counts, without zeros."""
    pairs = {key: one[0].get(key, 0) + other[0].get(key, 0) for key in one[0] | other[0]}
    supports = {key: one[1].get(key, 0) + other[1].get(key, 0) for key in one[1] | other[1]}
    return {key: n for key, n in pairs.items() if n}, {key: n for key, n in supports.items() if n}


@pytest.mark.timeout(3600)
@settings(max_examples=EXAMPLES * 3 // 10, deadline=None)
@given(
    world(),
    st.integers(2, 5),
    mappings,
    st.one_of(st.integers(AS_OF - 5, AS_OF), st.integers(AS_OF - 3_600_000, AS_OF)),
)
def test_a_stream_goes_on_from_them(
    messages: list[tuple[bytes, int]], cap: int, mapping: Mapping, stopped: int
) -> None:
    limits = Limits(cap, WINDOW_DAYS)
    found = [keyed(event) for event in meanings(messages, mapping)]
    if not order_matters_not(meanings(messages, mapping), cap):
        return
    with loaded(messages, mapping) as warehouse:
        night = nightly.build(warehouse, stopped, limits, mapping, SECRET)
        pasts = written(warehouse, stopped, limits, mapping)
    stream = Fold(limits, AS_OF)
    for past in pasts:
        stream.seed(past.kind, past.customer, past.profile)
    assert stream.total.totals() == ({}, {}), "what is counted already is not counted again"
    stream.play(event for event in found if event.time > stopped)
    assert together(totals(night), stream.total.totals()) == Fold(limits, AS_OF).play(found).total.totals()


NOW = 1_767_225_600_000
SAID: list[dict[str, Any]] = [
    {"type": "track", "event": "Product Viewed", "anonymousId": "device-1", "properties": {"sku": "a"}},
    {"type": "identify", "anonymousId": "device-1", "userId": "somebody"},
    {"type": "track", "event": "Order Completed", "userId": "somebody",
     "properties": {"order_id": "order-1", "products": [{"sku": "a"}, {"sku": "b"}]}},
    {"type": "track", "event": "Order Refunded", "userId": "somebody",
     "properties": {"order_id": "order-1", "products": [{"sku": "b"}]}},
    {"type": "track", "event": "Product Added", "anonymousId": "device-2", "properties": {"sku": "å"}},
    {"type": "delete", "userId": "gone"},
]  # fmt: skip


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with DuckDBWarehouse(path) as opened:
        loader = Loader(opened, secret=SECRET)
        for n, said in enumerate(SAID):
            loader.add(orjson.dumps(said), NOW + n)
        loader.flush()
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [orjson.loads(line) for line in data.splitlines()]


def test_command(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VARDE_ID_SECRET", SECRET.decode())
    for name in ("seeds.jsonl", "seeds.jsonl.gz", "again.jsonl.gz"):
        assert cli.main(["seeds", "--warehouse", str(warehouse), "--out", str(tmp_path / name)]) == 0
    out, progress = capsys.readouterr()
    figures = {"as_of": NOW + 4, "known": 1, "anonymous": 1, "linked": 1, "erased": 0}
    assert orjson.loads(out.splitlines()[-1]) == figures
    assert "histories" in progress
    found = lines(tmp_path / "seeds.jsonl")
    assert found == lines(tmp_path / "seeds.jsonl.gz")
    assert (tmp_path / "seeds.jsonl.gz").read_bytes() == (tmp_path / "again.jsonl.gz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "again.jsonl.gz", "seeds.jsonl", "seeds.jsonl.gz", "warehouse.duckdb",
    ]  # fmt: skip
    order = order_key("order-1").hex()
    known: dict[str, Any] = {
        "kind": "known", "customer": customer_key("somebody", None, SECRET), "view": {"a": NOW},
        "lines": {"a": {order: NOW + 2}, "b": {order: NOW + 2}}, "returns": {order: {"b": NOW + 3}},
    }  # fmt: skip
    anonymous = {"kind": "anonymous", "customer": customer_key(None, "device-2", SECRET), "cart": {"å": NOW + 4}}
    linked = {
        "kind": "anonymous", "customer": customer_key(None, "device-1", SECRET), "linked": known["customer"],
        "linked_at": NOW + 1,
    }  # fmt: skip
    assert found == sorted([known, anonymous, linked], key=lambda fields: str(fields["customer"]))
    at = f"{NOW + DAY_MS}"
    assert cli.main(["seeds", "--warehouse", str(warehouse), "--out", str(tmp_path / "later"), "--as-of", at]) == 0
    assert {"kind": "known", "customer": customer_key("gone", None, SECRET), "erased_at": NOW + 5} in lines(
        tmp_path / "later"
    )


def test_command_says_what_is_wrong(
    warehouse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "seeds"

    def says(*words: str) -> str:
        assert seeds.command(words) == 2
        return capsys.readouterr().err.splitlines()[-1]

    assert "no such file" in says("--warehouse", str(tmp_path / "none"), "--out", str(out))
    DuckDBWarehouse(tmp_path / "empty").close()
    assert "holds no messages" in says("--warehouse", str(tmp_path / "empty"), "--out", str(out))
    missing = tmp_path / "no" / "folder"
    assert (
        says("--warehouse", str(warehouse), "--out", str(missing))
        == f"varde seeds: {missing}: No such file or directory"
    )
    monkeypatch.setenv("VARDE_CONSENT_CATEGORIES", "Data Sharing,DataSharing")
    with pytest.raises(SettingsError, match=r"^VARDE_CONSENT_CATEGORIES: .*'DataSharing'"):
        seeds.command(["--warehouse", str(warehouse), "--out", str(out)])
    assert not out.exists()


def test_a_file_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    out = tmp_path / "seeds.gz"
    out.write_bytes(b"as it was")
    with pytest.raises(RuntimeError, match="half way"), seeds.replaced(out) as file:
        file.write(b"half")
        raise RuntimeError("half way")
    assert out.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [out]


def test_the_secret_names_the_customers(warehouse: Path, tmp_path: Path) -> None:
    with DuckDBWarehouse(warehouse) as opened:
        seeds.write(opened, Settings(id_secret="another"), tmp_path / "seeds")
    text = (tmp_path / "seeds").read_text()
    assert customer_key("somebody", None, b"another") in text
    assert not any(word in text for word in ("somebody", "device-1", "order-1"))
