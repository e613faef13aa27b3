"""The configuration file of a running server: bad at the start, changed, broken and mended while it answers."""

import asyncio
import dataclasses
import itertools
import logging
import os
import subprocess
import sys

import pytest

from varde.config import Ranking
from varde.pairs import Relation
from varde.ranking import formula
from varde.server import configured
from varde.server.app import create_app
from varde.server.main import connected
from varde.server.parts import PARTS
from varde.settings import SettingsError
from varde.store.serving import RowKey

from .test_ops import samples
from .world import NOW

STRICT = '[access]\npublic = []\n[[clients]]\nname = "shop"\nkeys = ["sha256:{}"]\n'
OPEN = '[access]\npublic = ["read", "explain"]\n'
OF_KEY = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"
"""SHA-256 of "key"."""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "varde.toml"
    path.write_text("")
    return path


@pytest.fixture
def follow(aiohttp_client, settings, file, monkeypatch):
    """Starts a server that looks at the file often; what waits until it has looked at it in full."""
    monkeypatch.setattr(configured, "LOOK_S", 0.01)

    async def start():
        ours = dataclasses.replace(settings, config=str(file))
        watched = configured.watched(ours, lambda: NOW)
        ids = (f"request-{n}" for n in itertools.count(1))
        app = create_app(ours, lambda: connected(ours), file=watched, clock=lambda: NOW, new_id=lambda: next(ids))
        client = await aiohttp_client(app)
        async with asyncio.timeout(20):
            await app[PARTS].running.loaded.wait()
        return client

    return start


def replace(file, text):
    """As an editor should: by a rename."""
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)


async def when(condition):
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)  # a pause between two looks


async def items(client, **parameters):
    response = await client.get("/v1/similar/tent", params=parameters)
    return response.status, [item["id"] for item in (await response.json()).get("items", [])]


async def test_a_new_configuration_is_in_force_without_a_pause(follow, file):
    client = await follow()
    _, before = await items(client)
    assert len(before) > 3
    assert (await items(client, ranking="mine"))[0] == 400
    replace(file, '[placements.default]\nn = 2\nmust_include = ["new-one"]\n[rankings.mine]\nformula = "count"\n')
    seen = []

    async def changed():
        seen.append(await items(client))
        return seen[-1][1] != before

    await when(changed)
    assert {status for status, _ in seen} == {200}
    assert seen[-1][1][0] == "new-one", "an item that nobody has counted or listed"
    assert len(seen[-1][1]) == 2, "finished answers are of another configuration"
    assert (await items(client, ranking="mine"))[0] == 200


async def test_a_floor_counts_from_the_next_request(follow, file):
    """Under the same name: what was ordered before must not be used again."""
    client = await follow()
    _, before = await items(client)
    replace(file, '[rankings.llr]\nformula = "llr"\nfloor = 1000\n')

    async def changed():
        return (await items(client))[1] != before

    await when(changed)
    response = await client.get("/v1/similar/tent")
    assert (await response.json())["rung"] == "popular", "no pair has a thousand customers"


async def test_keys_come_and_go(follow, file):
    client = await follow()
    key = {"X-Api-Key": "key"}
    assert (await client.get("/v1/popular", headers=key)).status == 401
    replace(file, STRICT.format(OF_KEY))

    async def closed():
        return (await client.get("/v1/popular")).status == 401

    await when(closed)
    assert (await client.get("/v1/popular", headers=key)).status == 200
    replace(file, STRICT.format("0" * 64))

    async def refused():
        return (await client.get("/v1/popular", headers=key)).status == 401

    await when(refused)


async def test_a_broken_file_changes_nothing_and_is_said_once(follow, file, caplog):
    file.write_text(OPEN)
    client = await follow()
    _, before = await items(client)
    error = ("varde_config_error", ("process", "0"))
    assert (await samples(client))[error] == 0
    replace(file, OPEN + "[placements.default]\nn = 2\nlimit = 3\n")

    async def noticed():
        return (await samples(client))[error] == 1

    await when(noticed)
    assert (await items(client))[1] == before
    file.unlink()

    async def gone():
        return len(said()) == 2

    def said():
        return [r.getMessage() for r in caplog.records if "not taken" in r.getMessage()]

    await when(gone)
    assert "line 5: placements.default.limit" in said()[0]
    assert "cannot be read: No such file" in said()[1]
    with caplog.at_level(logging.INFO):
        file.write_text(OPEN + "[placements.default]\nn = 2\n")

        async def mended():
            return len((await items(client))[1]) == 2

        await when(mended)
    assert (await samples(client))[error] == 0
    assert len(said()) == 2


async def test_rankings_that_rows_have_no_candidates_for_are_refused_later_too(follow, file):
    client = await follow()
    replace(file, '[rankings.new]\nformula = "jaccard^2"\n')

    async def noticed():
        return client.app[PARTS].file.error is not None

    await when(noticed)
    assert "VARDE_RANKINGS" in client.app[PARTS].file.error


@pytest.mark.parametrize("text", ["n = 3\n", "\n[placements.default]\nn = 0\n", "[placements\n", None])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_file_that_makes_no_sense_stops_the_start(text, processes, file):
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VARDE_")}
    done = subprocess.run(
        [sys.executable, "-m", "varde.cli", "serve", "--port", "0", "--processes", processes],
        env={**kept, "VARDE_CONFIG": str(file)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    reasons = {"n = 3\n": "line 1: n: ", "[placements\n": "line 1: ", None: "cannot be read: No such file"}
    assert line.startswith(f"varde serve: VARDE_CONFIG: {file}: {reasons.get(text, 'line 3: placements.default.n: ')}")


def test_no_file_is_no_file(settings):
    assert configured.watched(settings, lambda: NOW) is None


def test_an_error_is_a_setting_that_makes_no_sense(settings, tmp_path):
    with pytest.raises(SettingsError, match=r"^VARDE_CONFIG: .*: cannot be read: Is a directory$"):
        configured.watched(dataclasses.replace(settings, config=str(tmp_path)), lambda: NOW)


async def test_a_row_that_was_asked_for_before_a_change_is_ordered_as_after_it(serve, settings):
    """Its answer may come later; then it must not be kept under the name that means another formula now."""
    client = await serve(settings)
    memory = client.app[PARTS].running.memory
    before, after = (Ranking(name="mine", formula=formula(text)) for text in ("count", "cosine"))
    shelf, hot = memory.shelf, memory.hot
    key = RowKey(int(Relation.ALSO_VIEWED), shelf.numbers[shelf.slots["tent"]])
    waiting = hot.ask(key, before, 3)
    hot.reorder()
    row = await waiting
    (was,) = hot.order([row], before, 3)
    (found,) = hot.order([row], after, 3)
    hot.reorder()
    (expected,) = hot.order([row], after, 3)
    assert list(was.cells[:, 0]) != list(expected.cells[:, 0]), "the world is too small to tell"
    assert list(found.cells[:, 0]) == list(expected.cells[:, 0])


def test_a_features_file_lies_beside_the_configuration(settings, file):
    """And is read again, although the configuration itself has not changed."""
    features = '{"f": {"rules": [{"hashVersion": 2, "coverage": 0.5, "variations": [{}, {"ranking": "llr"}]}]}}'
    file.write_text('growthbook = "features.json"')
    file.with_name("features.json").write_text(features)
    watched = configured.watched(dataclasses.replace(settings, config=str(file)), lambda: NOW)
    assert watched.config.experiments["f"].coverage == 0.5
    replace(file.with_name("features.json"), features.replace("0.5", "0.7"))
    assert [bool(watched.reload().config) for _ in range(2)] == [False, True]
    assert watched.config.experiments["f"].coverage == 0.7
