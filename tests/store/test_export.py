"""`varde export` and `varde import` on real servers: what comes back, and what is refused."""

from __future__ import annotations

import dataclasses
import io
import json
import random
import stat
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from varde import keys
from varde.cli import main
from varde.delivery import Leave, Recent
from varde.rows import decode
from varde.store import export_file, exported
from varde.store.connection import connect
from varde.store.export_file import ExportError, Reader, Record, Writer, read_whole
from varde.store.exported import Exporter
from varde.store.families import FAMILIES, Fate, family_of
from varde.store.imported import Importer, RefusedError
from varde.store.night import NightStore
from varde.store.schema import SchemaError, SchemaStore

from . import world
from .backup import DAY, adorn, contents, customer, family, fill, now, of

EVENTS = [(who, signal, (f"item {who}", "tent", f"item {who + 1}"), who) for who in range(5) for signal in (0, 1, 2)]


@contextmanager
def opened(server):
    with closing(connect(server.url, lambda: None, server.cluster)) as client:
        yield client


def export(ours, clock=now):
    out = io.BytesIO()
    with closing(Exporter.from_settings(ours, clock)) as exporter:
        return out, exporter.write(out)


def take(ours, file, **more):
    with closing(Importer.from_settings(ours)) as importer:
        return importer.take(file, **more)


def empty(server):
    with server.client() as client:
        client.flushall()


def exported_part(held):
    return {key: value for key, value in held.items() if FAMILIES[family(key)].fate is Fate.EXPORT}


def rows(held):
    """Key of a serving row -> its candidates with counts and supports."""
    packed = {key: decode(value[0]) for key, value in held.items() if family(key) == "row"}
    return {
        key: (row.items.tolist(), row.counts.tolist(), row.supports.tolist(), row.support, row.total)
        for key, row in packed.items()
        if len(row)
    }


def refreshed(ours):
    """Every row with the supports of now: those that are served may be older (docs/redis.md)."""
    with closing(NightStore.from_settings(ours)) as store:
        store._table.refresh()
        numbers = store.all_items().values()
        store._patch({(relation, number): None for relation in range(3) for number in numbers})


def test_everything_comes_back_and_what_is_left_out_does_not(every_redis_and_cluster):
    server = every_redis_and_cluster
    ours = of(server)
    fill(ours, [*EVENTS, (3, "erase", (), 0.5)])
    adorn(ours)
    with opened(server) as client:
        SchemaStore(client).check()
        refreshed(ours)
        before = contents(client)
        present = {family(key) for key in before}
        assert present >= set(FAMILIES) - {"lock", "successor", "followers", "loads"}
        file, trailer = export(ours)
        assert trailer["quiet"]
        empty(server)
        done = take(ours, file)
        after = contents(client)
    assert exported_part(after) == exported_part(before)
    assert rows(after) == rows(before) != {}
    assert done["keys"] == len(exported_part(before))
    made = {"row", "touched", "schema", "changes"}
    assert {family(key) for key in after} == {name for name in present if FAMILIES[name].fate is Fate.EXPORT} | made


@given(world.events(days=13.0, ids=(*"abcd", *world.HOSTILE)))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_store_comes_back_key_by_key(redis_server, events):
    empty(redis_server)
    ours = of(redis_server, cap=3)
    fill(ours, events)
    with opened(redis_server) as client:
        refreshed(ours)
        before = contents(client)
        file, _ = export(ours)
        empty(redis_server)
        take(ours, file)
        after = contents(client)
        assert exported_part(after) == exported_part(before)
        assert rows(after) == rows(before)
        again, _ = export(ours)
        assert records(again) == records(file)


def records(file):
    """key -> its values, of a file; times to live apart."""
    found = {}
    for block in Reader(file).records():
        for record in block:
            found.setdefault(record.key, []).extend(zip(record.values[::2], record.values[1::2], strict=False))
    return {key: sorted(values) for key, values in found.items()}


def test_the_stream_goes_on_after_an_import_as_before(redis_server):
    """Numbers that were given stay, new ones are new, and a batch that was applied is known."""
    ours = of(redis_server)
    fill(ours, EVENTS)
    file, _ = export(ours)
    empty(redis_server)
    take(ours, file)
    with closing(NightStore.from_settings(ours)) as store:
        known = store.all_items()
        fresh = store.intern(["never seen"])
        assert fresh[0] not in known.values()
        counts = store.counts(0, "tent")
    with pytest.raises(AssertionError):  # `apply` says False: the tokens came back
        fill(ours, EVENTS)
    fill(ours, EVENTS, run="another")
    with closing(NightStore.from_settings(ours)) as store:
        assert store.counts(0, "tent") == {item: 2 * n for item, n in counts.items()}


@pytest.fixture(scope="module")
def small(_redis_7):
    """A small file, and the settings that it was written under."""
    with _redis_7.client() as client:
        client.flushall()
    ours = of(_redis_7)
    fill(ours, EVENTS[:3])
    adorn(ours)
    return export(ours)[0].getvalue(), ours


def test_a_file_that_was_cut_anywhere_is_refused(small):
    data, _ = small
    for end in range(0, len(data), 7):
        with pytest.raises(ExportError):
            read_whole(io.BytesIO(data[:end]))
    with pytest.raises(ExportError):
        read_whole(io.BytesIO(data[:-1]))


def test_a_file_with_any_byte_changed_is_refused(small):
    data, _ = small
    rng = random.Random(0)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 1 << rng.randrange(8)
        with pytest.raises(ExportError):
            read_whole(io.BytesIO(changed))


def test_nothing_may_follow_and_no_frame_may_be_missing(small):
    data, _ = small
    with pytest.raises(ExportError, match="trailer"):
        read_whole(io.BytesIO(data + b"\0"))
    frames, at = [], len(export_file.MAGIC)
    while at < len(data):
        _, length, _ = export_file._FRAME.unpack_from(data, at)
        frames.append(data[at : at + export_file._FRAME.size + length])
        at += len(frames[-1])
    head, *blocks, trailer = frames
    for some in ([head, trailer], [head, *blocks, *blocks, trailer], [head, *blocks], [*blocks, trailer]):
        with pytest.raises(ExportError):
            read_whole(io.BytesIO(export_file.MAGIC + b"".join(some)))


@pytest.mark.parametrize(
    "record",
    [
        Record(b"varde:1:{0}:lock", 0, 0, [b"token"]),
        Record(b"varde:1:{0}:row:0:64", 0, 0, [b"x"]),
        Record(b"varde:1:{64}:numbers", 0, 0, [b"a", b"1"]),
        Record(b"session:7", 0, 0, [b"a", b"1"]),
        Record(b"varde:2:{0}:numbers", 0, 0, [b"a", b"1"]),
        Record(b"varde:1:{0}:numbers", 0, 0, [b"a"]),
        Record(b"varde:1:{0}:numbers", 0, -5, [b"a", b"1"]),
        Record(b"varde:1:{0}:popular:0", 0, 0, [b"1", b"much"]),
        Record(b"varde:1:{0}:numbers", 0, 0, []),
    ],
)
def test_a_record_of_what_no_export_has_is_refused_however_sound_its_checksums(record, monkeypatch):
    monkeypatch.setattr(export_file, "_sound", lambda _: True)
    out = io.BytesIO()
    writer = Writer(out, {})
    writer._record(record)
    writer.keys["numbers"] += 1
    writer.close({})
    monkeypatch.undo()
    with pytest.raises(ExportError, match="family"):
        read_whole(out)


def test_a_refused_file_writes_nothing(small, redis_server):
    """Whatever is wrong with it, and wherever: Redis stays as it was."""
    data, ours = small
    ours = dataclasses.replace(ours, redis_url=redis_server.url)
    changed = bytearray(data)
    changed[len(data) - 40] ^= 1
    bad = [
        (io.BytesIO(changed), ours, ExportError),
        (io.BytesIO(data), dataclasses.replace(ours, cap=32), RefusedError),
        (io.BytesIO(data), dataclasses.replace(ours, window_days=30), RefusedError),
        (io.BytesIO(data), dataclasses.replace(ours, id_secret="another"), RefusedError),
        (io.BytesIO(data), dataclasses.replace(ours, item_keys=("sku",)), RefusedError),
    ]
    for file, settings_, error in bad:
        with pytest.raises(error):
            take(settings_, file)
    with pytest.raises(RefusedError, match="days old"):
        take(ours, io.BytesIO(data), max_age_days=1e-9)
    with redis_server.client() as client:
        assert client.dbsize() == 0


def test_another_schema_is_refused(small, redis_server, monkeypatch):
    data, ours = small
    monkeypatch.setattr(keys, "SCHEMA", keys.SCHEMA + 1)
    with pytest.raises(RefusedError, match="schema"):
        take(dataclasses.replace(ours, redis_url=redis_server.url), io.BytesIO(data))


def test_a_redis_that_holds_something_is_left_alone_unless_told(redis_server):
    ours = of(redis_server)
    fill(ours, EVENTS)
    file, _ = export(ours)
    fill(ours, [(9, 0, ("later", "tent"), 0.0)], run="later")
    with redis_server.client() as client:
        client.set("somebody else's", "kept")
    with opened(redis_server) as client:
        before = contents(client)
        with pytest.raises(RefusedError, match="--replace"):
            take(ours, file)
        assert contents(client) == before
        take(ours, file, replace=True)
        assert exported_part(contents(client)) != exported_part(before)
    with redis_server.client() as client:
        assert client.get("somebody else's") == b"kept"
    with closing(NightStore.from_settings(ours)) as store:
        assert "later" not in store.all_items()


def test_an_import_that_died_lets_nobody_begin_until_it_is_repeated(redis_server, monkeypatch):
    ours = of(redis_server)
    fill(ours, EVENTS)
    adorn(ours)
    file, _ = export(ours)
    with opened(redis_server) as client:
        before = exported_part(contents(client))
        empty(redis_server)
        blocks = Importer._send_all

        def dies(importer, commands):
            blocks(importer, commands[: len(commands) // 2])
            raise KeyboardInterrupt

        monkeypatch.setattr(Importer, "_send_all", dies)
        with pytest.raises(KeyboardInterrupt):
            take(ours, file)
        monkeypatch.undo()
        assert 0 < len(exported_part(contents(client))) < len(before)
        with pytest.raises(SchemaError, match="import"):
            SchemaStore(client).check()
        with pytest.raises(SchemaError, match="import"):
            export(ours)
        with pytest.raises(RefusedError):
            take(ours, file)
        take(ours, file, replace=True)
        SchemaStore(client).check()
        assert exported_part(contents(client)) == before


def test_who_is_erased_while_a_file_is_written_is_not_in_what_comes_back(redis_server, monkeypatch):
    """The customer's items are in the file already when the deletion comes; the counts are the night's to mend."""
    ours = of(redis_server)
    fill(ours, EVENTS)
    adorn(ours)
    plain = Exporter._plainly
    erased = []

    def late(exporter, found):
        if not erased and found[0] == keys.reconciled().encode():  # all customers have been read
            erased.append(customer(1))
            with closing(NightStore.from_settings(ours)) as store:
                store.remember([Recent(customer(1), erased_at=now(), leave=Leave.TOMBSTONE)])
        return plain(exporter, found)

    monkeypatch.setattr(Exporter, "_plainly", late)
    file, trailer = export(ours)
    assert list(trailer["erased"]) == erased
    assert keys.sticky(customer(1)).encode() in records(file)
    empty(redis_server)
    take(ours, file)
    with closing(NightStore.from_settings(ours)) as store:
        assert customer(1) in store.tombstones()
        assert store.recents(customer(1)) == []
        assert store.recents(customer(2)) != []
    with redis_server.client() as client:
        assert client.exists(keys.sticky(customer(1)), keys.frozen(customer(1))) == 0


def test_what_is_counted_beside_an_export_is_told(redis_server, monkeypatch):
    ours = of(redis_server)
    fill(ours, EVENTS)
    plain, done = Exporter._plainly, []

    def counting(exporter, found):
        if not done:
            done.append(True)
            fill(ours, [(9, 0, ("tent", "later"), 0.0)], run="later")
        return plain(exporter, found)

    monkeypatch.setattr(Exporter, "_plainly", counting)
    file, trailer = export(ours)
    assert not trailer["quiet"]
    numbers = {value for key, held in records(file).items() if family(key) == "names" for value, _ in held}
    counted = {column for key, held in records(file).items() if family(key) == "pairs" for column, _ in held}
    assert counted <= numbers, "whatever is counted has a name"


def test_a_night_that_is_under_way_is_waited_for(redis_server):
    ours = of(redis_server)
    with closing(NightStore.from_settings(ours)) as store:
        store.take_lock("host:1", 60_000)
    with pytest.raises(SchemaError, match="nightly"):
        export(ours)


def test_large_keys_are_divided(redis_server, monkeypatch):
    ours = of(redis_server)
    many = tuple(f"item {n}" for n in range(60))
    fill(ours, [(1, 0, many, 0.0), (2, 0, many[:30], 0.0)])
    monkeypatch.setattr(export_file, "BLOCK_BYTES", 100)
    with opened(redis_server) as client:
        refreshed(ours)
        before = contents(client)
        file, _ = export(ours)
        assert any(record.part for block in Reader(file).records() for record in block)
        empty(redis_server)
        take(ours, file)
        after = contents(client)
    assert exported_part(after) == exported_part(before)
    assert rows(after) == rows(before)


def test_days_of_longer_settings_are_exported_too(redis_server):
    wide = of(redis_server, live_days=60)
    fill(wide, [(1, 0, ("a", "b"), 40.0), (2, 0, ("a", "b"), 1.0)])
    with opened(redis_server) as client:
        before = exported_part(contents(client))
        file, _ = export(of(redis_server))
    assert {key for key in before if family(key).endswith("_day")} <= records(file).keys()


def test_what_has_ended_since_stays_away(redis_server):
    ours = of(redis_server)
    fill(ours, EVENTS)
    file, _ = export(ours)
    empty(redis_server)
    with closing(Importer.from_settings(ours, lambda: now() + 200 * DAY)) as importer:
        done = importer.take(file, max_age_days=1000)
    assert done["ended"] > 0
    with opened(redis_server) as client:
        assert {family(key) for key in contents(client)} & {"recents", "pairs_day", "applied"} == set()


def test_the_commands(redis_server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VARDE_REDIS_URL", redis_server.url)
    file = tmp_path / "varde.export"
    fill(of(redis_server), EVENTS)
    assert main(["export", str(file)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["quiet"] and told["bytes"] == file.stat().st_size
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [file.name]
    assert main(["import", str(file)]) == 3
    assert "--replace" in capsys.readouterr().err
    assert main(["import", str(file), "--check"]) == 0
    assert json.loads(capsys.readouterr().out)["header"]["settings"]["cap"] == 64
    assert main(["import", str(file), "--replace"]) == 0
    assert json.loads(capsys.readouterr().out)["keys"] == sum(told["keys"].values())
    assert main(["import", str(tmp_path / "none")]) == 2
    assert main(["export", str(tmp_path / "none" / "file")]) == 2
    file.write_bytes(file.read_bytes()[:-3])
    assert main(["import", str(file), "--check"]) == 3
    monkeypatch.setenv("VARDE_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("varde.store.connection.RETRIES", 0)
    assert main(["export", str(file)]) == 4


def test_an_export_that_fails_leaves_the_last_one(redis_server, tmp_path, monkeypatch):
    monkeypatch.setenv("VARDE_REDIS_URL", redis_server.url)
    file = tmp_path / "varde.export"
    fill(of(redis_server), EVENTS)
    assert main(["export", str(file)]) == 0
    before = file.read_bytes()
    moved = iter(range(10))
    monkeypatch.setattr(Exporter, "_moved", lambda _: next(moved))
    assert main(["export", str(file), "--require-quiet"]) == 4
    assert file.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


def test_the_header_holds_no_secret(redis_server):
    ours = of(redis_server, id_secret="a secret of some length")
    told = exported.describe(ours, 0)
    assert "a secret" not in json.dumps(told)
    assert told["id_secret"] != exported.describe(of(redis_server), 0)["id_secret"]


def test_every_family_is_decided_in_the_code_and_in_the_page():
    from .test_docs import functions

    assert list(FAMILIES) and set(FAMILIES) == set(functions())
    page = (Path(__file__).parents[2] / "docs" / "redis.md").read_text()
    table = page.split("### What a backup holds")[1].split("\n## ")[0]
    told = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            names, fate, reason = (cell.strip() for cell in line.strip("| ").split(" | "))
            assert reason
            told |= {name.strip("` "): fate for name in names.split(",")}
    assert told == {name: str(one.fate) for name, one in FAMILIES.items()}


def test_every_key_is_known_by_its_family():
    for name, make in _makers().items():
        for _ in range(3):
            key = make()
            found = family_of(key.encode())
            assert found is not None and found.family.name == name, key
    for stranger in (b"varde:1:{0}:pairs", b"varde:1:{cf00d}:numbers", b"varde:1:{0}:recents:0", b"varde:1:{99}:stats"):
        assert family_of(stranger) is None


def _makers():
    import inspect

    from .test_docs import functions

    sample = {"customer": customer(1), "run": "r:1".replace(":", "-")}

    def maker(make):
        names = inspect.signature(make).parameters
        return lambda: make(**{name: sample.get(name, random.randrange(64)) for name in names})

    return {name: maker(make) for name, make in functions().items()}
