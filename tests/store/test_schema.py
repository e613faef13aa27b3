"""Which schema the data have: who may begin, what an empty or an unnoted Redis is, and the way from one to the next."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from varde import keys
from varde.cli import main
from varde.delivery import Recent
from varde.settings import Settings
from varde.store import migrate_command, migrating, scanning
from varde.store.catalogue_sync import CatalogueStore
from varde.store.connection import connect
from varde.store.migrating import Migration, Migrator, MisfitError, StillWritingError
from varde.store.schema import SchemaError, SchemaStore, State, check, look
from varde.store.sync import Store
from varde.streaming import catalogue as stream_catalogue
from varde.streaming import write

from .backup import adorn, customer, fill, now, of
from .old_recents import MIGRATION, VERSION, OldRecents, old_key

NEWER, OLDER = keys.SCHEMA + 1, keys.SCHEMA - 1


@contextmanager
def opened(server):
    with closing(connect(server.url, lambda: None, server.cluster)) as client:
        yield SchemaStore(client)


def noted(server):
    with server.client() as client:
        return {name.decode(): value.decode() for name, value in client.hgetall(keys.schema()).items()}


def note(server, **fields):
    with server.client() as client:
        client.hset(keys.schema(), mapping=fields)


def test_an_empty_redis_gets_the_version_of_who_writes_first(every_redis_and_cluster):
    server = every_redis_and_cluster
    with opened(server) as schema:
        assert schema.state() == State(None, "", True)
        schema.check()
        assert noted(server) == {"version": str(keys.SCHEMA)}
        schema.check()
        with pytest.raises(SchemaError, match="migrate --apply"):
            schema.check(NEWER)
        assert noted(server) == {"version": str(keys.SCHEMA)}


@pytest.mark.parametrize("what", ["counts", "catalogue", "erasure"])
def test_data_without_a_note_are_of_the_first_version(redis_server, what):
    """Also for a program of a later one, which must not take them for its own."""
    ours = of(redis_server)
    if what == "counts":
        fill(ours, [(1, 0, ("a", "b"), 0.0)])
    elif what == "catalogue":
        adorn(ours)
        with redis_server.client() as client:
            client.delete(keys.reconciled())
    else:
        fill(ours, [(1, "erase", (), 0.0)])
    with opened(redis_server) as schema:
        assert schema.state() == State(None, "", False)
        with pytest.raises(SchemaError, match="version 1, this program needs 2"):
            schema.check(2)
        assert noted(redis_server) == {}
        schema.check(1)
        assert noted(redis_server) == {"version": "1"}


def test_what_only_servers_write_is_no_data(redis_server):
    """A Redis that was lost, and in which a server has noted a variation since, is empty."""
    with redis_server.client() as client:
        client.hset(keys.sticky(customer(1)), "test__1", "a")
    with opened(redis_server) as schema:
        assert schema.state().empty


WRITERS = {
    "stream": lambda ours: write._store(ours, now),
    "stream, catalogue": stream_catalogue._store,
    "nightly": lambda ours: check(Store.from_settings(ours)),
    "catalogue": lambda ours: check(CatalogueStore.from_settings(ours)),
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(("fields", "advice"), [({"version": str(NEWER)}, "install"), ({"version": "x"}, "install")])
def test_no_writer_begins_on_what_it_does_not_know(writer, fields, advice, redis_server):
    note(redis_server, **fields)
    write._store.cache_clear()
    stream_catalogue._store.cache_clear()
    with pytest.raises(SchemaError, match=advice):
        WRITERS[writer](of(redis_server))


COMMANDS = {
    "serve": ["serve", "--port", "0"],
    "stream": ["stream", "--project=project", "--input_subscription=projects/project/subscriptions/sub"],
    "reconcile": ["reconcile", "--warehouse", "FILE"],
    "catalogue": ["catalogue", "show", "tent"],
    "export": ["export", "OUT"],
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("under_way", ["", "import of 0123", "migration to version 9"])
def test_a_command_ends_with_2_and_says_what_to_do(name, under_way, redis_server, tmp_path, monkeypatch, capsys):
    from varde.batch.warehouse.duckdb_file import DuckDBWarehouse

    monkeypatch.setenv("VARDE_REDIS_URL", redis_server.url)
    note(redis_server, version=str(keys.SCHEMA if under_way else NEWER), under_way=under_way)
    warehouse = tmp_path / "warehouse.duckdb"
    if name == "reconcile":
        DuckDBWarehouse(warehouse).close()
    words = [{"FILE": str(warehouse), "OUT": str(tmp_path / "out")}.get(word, word) for word in COMMANDS[name]]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert f"varde {name}: VARDE_REDIS_URL: " in told
    advice = {"": "install the version", "i": "import FILE --replace", "m": "migrate --apply"}[under_way[:1]]
    assert advice in told
    assert not (tmp_path / "out").exists()


def test_who_can_begin_without_redis_does(caplog):
    told = []
    look(Settings(redis_url="redis://127.0.0.1:1/0"), told.append, note=True)
    look(Settings(redis_url="redis://127.0.0.1:1/0", redis_cluster="yes"), told.append)
    assert len(told) == 2
    assert all("ConnectionError" in one for one in told)


def test_a_look_notes_only_when_told_to(every_redis_and_cluster):
    server = every_redis_and_cluster
    look(of(server), pytest.fail)
    assert noted(server) == {}
    look(of(server), pytest.fail, note=True)
    assert noted(server) == {"version": str(keys.SCHEMA)}


# Migrations


def old(server, customers):
    """Views of customers as they once were; of every third there are newer ones of the new kind as well."""
    ours = of(server)
    with closing(Store.from_settings(ours)) as store, server.client() as client:
        for number in range(customers):
            client.zadd(old_key(customer(number)), {f"item {number}": 1000, "tent": 2000})
        store.remember(Recent(customer(number), {"tent": 3000}) for number in range(0, customers, 3))
        store.intern(["tent"])


def migrated(server, customers):
    """Whether all is as it must be."""
    with closing(Store.from_settings(of(server))) as store:
        for number in range(customers):
            expected = [("tent", 2000 if number % 3 else 3000), (f"item {number}", 1000)]
            assert store.recents(customer(number)) == expected
    with server.client() as client:
        assert not client.exists(*[old_key(customer(1))])


@contextmanager
def migrator(server):
    with closing(connect(server.url, lambda: None, server.cluster)) as client:
        yield OldRecents(client)


def test_a_migration_from_a_format_that_once_was(every_redis_and_cluster):
    server = every_redis_and_cluster
    old(server, 100)
    with migrator(server) as one:
        assert one.wanted() == [MIGRATION]
        assert one.count(MIGRATION) == 100
        assert one.run(MIGRATION) == 100
        assert one.wanted() == []
        one.check(VERSION)
    migrated(server, 100)
    assert noted(server) == {"version": str(VERSION)}
    with opened(server) as schema, pytest.raises(SchemaError, match="install"):
        schema.check()


def test_a_migration_that_is_killed_again_and_again_goes_on_where_it_was(every_redis_and_cluster, monkeypatch):
    """By SIGKILL, in other processes; meanwhile no program begins, and what was done is not looked at again."""
    server, customers = every_redis_and_cluster, 60
    monkeypatch.setattr(scanning, "COUNT", 5)
    old(server, customers)
    command = [sys.executable, "-c", SLOWLY, server.url, "yes" if server.cluster else "no"]
    for kill_after in (7, 11):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(kill_after):
            assert process.stdout.readline() == b"one\n"
        process.kill()
        process.communicate()
        with opened(server) as schema, pytest.raises(SchemaError, match="migration to version"):
            schema.check(VERSION)
        assert any(name.startswith("at:") for name in noted(server))
    seen = []
    with migrator(server) as one:
        left = one.count(MIGRATION)
        assert 0 < left < customers - 7
        changed = one.run(Migration(VERSION, "", MIGRATION.match, MIGRATION.step), seen.append)
        assert changed == left
        assert one.wanted() == []
    migrated(server, customers)


SLOWLY = """
import sys
from varde.store import scanning
scanning.COUNT = 5
from tests.store import old_recents
old_recents.main(*sys.argv[1:])
"""


def test_a_server_that_was_started_again_is_gone_through_from_its_beginning(redis_server):
    """Its cursors mean other places now."""
    old(redis_server, 20)
    with redis_server.client() as client:
        client.hset(keys.schema(), mapping={"version": OLDER + 1, "under_way": "migration to version 2", "at:dead": 0})
    with migrator(redis_server) as one:
        assert one.run(MIGRATION) == 20
    assert noted(redis_server) == {"version": str(VERSION)}


def test_a_writer_of_the_old_version_keeps_a_migration_from_ending(redis_server):
    old(redis_server, 3)

    def restless(found):
        changed = yield from MIGRATION.step(found)
        with redis_server.client() as client:  # somebody writes as before
            client.zadd(old_key(customer(2)), {"late": 4000})
        return changed

    with migrator(redis_server) as one, pytest.raises(StillWritingError, match="end every stream"):
        one.run(Migration(VERSION, "", MIGRATION.match, restless))
    with opened(redis_server) as schema, pytest.raises(SchemaError):
        schema.check()
    with migrator(redis_server) as one:
        assert one.run(MIGRATION) > 0


def test_there_is_a_way_to_this_version_from_every_one_before():
    assert [one.to for one in migrating.MIGRATIONS] == list(range(2, keys.SCHEMA + 1))


def test_no_way_leads_back_or_over_a_gap(redis_server):
    note(redis_server, version=str(VERSION + 1))
    with migrator(redis_server) as one, pytest.raises(MisfitError, match="newer"):
        one.wanted()
    note(redis_server, version="1")
    with migrator(redis_server) as one:
        one.schema = VERSION + 1
        with pytest.raises(MisfitError, match="no way"):
            one.wanted()
    note(redis_server, under_way="import of 0123")
    with migrator(redis_server) as one, pytest.raises(MisfitError, match="import"):
        one.wanted()


def test_the_command(redis_server, monkeypatch, capsys):
    monkeypatch.setenv("VARDE_REDIS_URL", redis_server.url)
    old(redis_server, 5)
    assert main(["migrate"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "version": 1, "program": keys.SCHEMA, "applied": False, "steps": [],
    }  # fmt: skip
    assert noted(redis_server) == {}, "a plan changes nothing"
    monkeypatch.setattr(migrate_command, "Migrator", OldRecents)
    assert main(["migrate", "--plan"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"] == [{"to": VERSION, "what": "recents by signal", "keys": 5}]
    assert main(["migrate", "--apply"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["changed"] == 5
    migrated(redis_server, 5)
    monkeypatch.setattr(migrate_command, "Migrator", Migrator)
    assert main(["migrate", "--apply"]) == 3
    assert "install" in capsys.readouterr().err
