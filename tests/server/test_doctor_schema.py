"""`varde doctor` on the schema: the note, its absence, and what was begun and has not ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from varde import keys
from varde.server import doctor_redis, doctor_store
from varde.server.doctor_findings import Status
from varde.settings import Settings
from varde.store.schema import State

NOW = 1_790_000_000_000
THIS, NEWER = keys.SCHEMA, keys.SCHEMA + 1


def judged(url, **fields):
    kept = doctor_redis.kept(Settings(redis_url=url))
    if fields:
        kept = replace(kept, schema=replace(kept.schema, **fields))
    (found,) = [one for one in doctor_store.of_kept(kept, Settings(), NOW) if one.check == "schema"]
    return found


def test_an_empty_redis_and_one_from_before_there_was_a_note_are_well(redis_server):
    assert judged(redis_server.url).status is Status.OK
    with redis_server.client() as client:
        client.hset(keys.numbers(0), "tent", 64)
    found = judged(redis_server.url)
    assert (found.status, "not noted yet" in found.found) == (Status.OK, True)
    assert doctor_redis.kept(Settings(redis_url=redis_server.url)).schema == State(None, "", False)


@pytest.mark.parametrize(
    ("fields", "fix"),
    [
        ({"version": NEWER}, "install the version"),
        ({"under_way": "import of 0123"}, "varde import FILE --replace"),
        ({"under_way": f"migration to version {NEWER}"}, "varde migrate --apply"),
    ],
)
def test_what_a_program_would_refuse_is_a_problem_with_its_fix(redis_server, fields, fix):
    found = judged(redis_server.url, **fields)
    assert found.status is Status.PROBLEM
    assert fix in found.fix or fix in found.found


def test_the_note_is_read(redis_server):
    with redis_server.client() as client:
        client.hset(keys.schema(), mapping={"version": NEWER})
    found = judged(redis_server.url)
    assert found.status is Status.PROBLEM
    assert f"version {NEWER}, this program knows {THIS}" in found.found
