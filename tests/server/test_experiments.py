"""Experiments of a running server: who gets which list, what the answer says of it, and what must not happen."""

import asyncio
import re

import pytest
from tests.conftest import running_redis

from varde import keys
from varde.assignment import Request, first
from varde.config import read
from varde.delivery import Leave, Recent
from varde.server import experiments
from varde.server.parts import PARTS
from varde.settings import Settings
from varde.store.sync import Store

from . import test_configured
from .conftest import VERSION
from .test_configured import replace, when
from .world import NOW, fill

file, follow = test_configured.file, test_configured.follow

RANKINGS = ("llr", "cosine", "count")
VARIATIONS = """
[[experiments.pdp.variations]]
key = "control"
[[experiments.pdp.variations]]
key = "cosine"
ranking = "cosine"
"""
AB = "[experiments.pdp]\n" + VARIATIONS
STICKY = '[experiments.pdp]\nunit = "uid"\nfallback = "aid"\nsticky = true\n' + VARIATIONS
DRAFT = '[experiments.pdp]\nmode = "team_draft"\n' + VARIATIONS
UNITS = [f"device-{n}" for n in range(40)]


def config(text):
    return read(text, RANKINGS)


def dealt(text, aid, uid=None, placement="default"):
    """The variation by the pure core."""
    found = first(config(text).experiments, Request(uid, aid, placement, "", "", "", NOW))
    return None if found is None else found.variation.key


def of(variation, text=AB):
    return next(unit for unit in UNITS if dealt(text, unit) == variation)


@pytest.fixture(scope="module")
def redis(everyone):
    """A Redis of these tests, with the world in it, that they write to."""
    with running_redis(VERSION) as server:
        store = Store.from_settings(Settings(redis_url=server.url), clock=lambda: NOW)
        fill(store, everyone, "experiments")
        store.close()
        yield server


@pytest.fixture
def ask(serve, settings, redis):
    """Starts a server with a configuration; what asks it: `await get(path, **parameters)` -> body."""

    async def start(text, **changes):
        client = await serve(settings, config=config(text), redis_url=redis.url, **changes)

        async def get(path="/v1/similar/tent", **parameters):
            response = await client.get(path, params=parameters)
            assert response.status == 200, await response.text()
            return await response.json()

        get.client = client
        get.parts = client.server.app[PARTS]
        return get

    return start


def counted(client, name):
    text = client.server.app[PARTS].metrics.exposition().decode()
    found = re.findall(rf"^{name}_total(?:\{{(.*)\}})? (\S+)$", text, re.M)
    return {",".join(re.findall(r'"(\w*)"', labels)): float(n) for labels, n in found}


def ids(body):
    return [item["id"] for item in body["items"]]


async def test_a_unit_gets_the_list_of_its_variation(ask):
    get = await ask(AB)
    plain = {name: await get(ranking=name) for name in ("llr", "cosine")}
    assert plain["llr"]["items"] != plain["cosine"]["items"]
    seen = set()
    for unit in UNITS:
        body = await get(aid=unit)
        assert (body["experiment"], body["variation"]) == ("pdp", dealt(AB, unit))
        name = {"control": "llr", "cosine": "cosine"}[body["variation"]]
        assert (body["ranking"], body["items"]) == (name, plain[name]["items"])
        assert body == {**await get(aid=unit), "request_id": body["request_id"]}
        seen.add(name)
    assert seen == {"llr", "cosine"}


async def test_who_is_not_in_it_is_told_so(ask):
    get = await ask(AB)
    for parameters in ({}, {"uid": "jane"}, {"aid": UNITS[0], "ranking": "llr"}, {"cart": "mat"}):
        body = await get(**parameters)
        assert (body["experiment"], body["variation"]) == (None, None), parameters
    body = await get(aid=UNITS[0], relation="also_bought")
    assert body["experiment"] == "pdp", "its relation is not what the experiment is about"


async def test_answers_for_everybody_stay_cached_and_personal_ones_are_not(ask):
    get = await ask(AB)

    async def hits(**parameters):
        before = counted(get.client, "varde_cache_reads")["answers,hit"]
        for _ in range(9):
            await get(**parameters)
        return counted(get.client, "varde_cache_reads")["answers,hit"] - before

    assert await hits(n=7) >= 5  # some may have come just when the rows in memory were not known to be fresh
    assert await hits(aid=UNITS[0]) == 0


async def test_another_placements_rules(ask):
    text = """
    [placements.other]
    n = 3
    exclude = ["stove"]
    relation = "also_bought"
    [experiments.pdp]
    placements = ["default"]
    [[experiments.pdp.variations]]
    key = "control"
    [[experiments.pdp.variations]]
    key = "other"
    placement = "other"
    """
    get = await ask(text)
    body = await get(aid=of("other", text))
    assert (body["placement"], body["relation"], body["variation"]) == ("default", "also_bought", "other")
    assert len(body["items"]) == 3 and "stove" not in ids(body)
    asked = await get(aid=of("other", text), n=5, relation="also_viewed")
    assert (asked["relation"], len(asked["items"])) == ("also_viewed", 5), "what the request says goes first"
    control = await get(aid=of("control", text))
    assert "stove" in ids(control) and len(control["items"]) > 3


async def test_every_list_of_a_page_has_its_experiment(ask):
    text = '[placements.cart]\nsource = "recommendations"\n' + AB.replace(
        "[experiments.pdp]\n", "[experiments.pdp]\nplacements = ['cart']\n", 1
    )
    get = await ask(text)
    unit = of("cosine")
    page = {"aid": unit, "placements": [{"id": "a", "items": ["tent"]}, {"placement": "cart", "items": ["tent"]}]}
    body = await (await get.client.post("/v1/placements", json=page)).json()
    found = {name: (one["experiment"], one["variation"]) for name, one in body["placements"].items()}
    assert found == {"a": (None, None), "cart": ("pdp", "cosine")}
    assert not {*ids(body["placements"]["a"])} & {*ids(body["placements"]["cart"])}


async def test_a_decision_is_for_everybody(ask):
    get = await ask(AB.replace("[experiments.pdp]\n", '[experiments.pdp]\nstopped = "cosine"\n', 1))
    for parameters in ({}, {"aid": of("control")}, {"uid": "jane"}):
        body = await get(**parameters)
        assert (body["ranking"], body["experiment"], body["variation"]) == ("cosine", None, None)
    assert counted(get.client, "varde_exposures") == {}
    assert (await get(ranking="count"))["ranking"] == "count"


async def test_an_audience_of_clients(ask):
    text = AB.replace("[experiments.pdp]\n", '[experiments.pdp]\naudience = { clients = ["shop"] }\n', 1)
    text += f'[[clients]]\nname = "shop"\nkeys = ["sha256:{test_configured.OF_KEY}"]\n'
    get = await ask(text)
    assert (await get(aid=UNITS[0]))["experiment"] is None
    response = await get.client.get("/v1/similar/tent", params={"aid": UNITS[0]}, headers={"X-Api-Key": "key"})
    assert (await response.json())["experiment"] == "pdp"


@pytest.mark.parametrize("name", ["campaign", "send_id"])
async def test_campaign_and_send_id_are_bounded(ask, name):
    get = await ask("")
    await get(**{name: "é" * 64})
    for text in ("", "é" * 64 + "x"):
        response = await get.client.get("/v1/similar/tent", params={name: text})
        assert (response.status, (await response.json())["error"]["field"]) == (400, name)
    body = {name: "spring", "placements": [{"items": ["tent"]}]}
    assert (await get.client.post("/v1/placements", json=body)).status == 200


@pytest.mark.parametrize(
    ("at", "kind"), [("first", "assignment"), ("needs_sticky", "assignment"), ("drafted", "draft")]
)
async def test_a_fault_costs_no_answer(ask, monkeypatch, caplog, at, kind):
    def broken(*_):
        raise RuntimeError(UNITS[0])

    get = await ask({"drafted": DRAFT, "needs_sticky": STICKY}.get(at, AB))
    plain = await get()
    monkeypatch.setattr(experiments, at, broken)
    for _ in range(3):
        body = await get(aid=UNITS[0])
        if at == "needs_sticky":
            assert body["experiment"] == "pdp", "it is read to be sure"
        else:
            assert (body["experiment"], body["items"]) == (None, plain["items"])
    assert counted(get.client, "varde_experiment_failures")[kind] == 3
    told = [record.getMessage() for record in caplog.records if "experiments:" in record.getMessage()]
    assert len(told) == 1 and kind in told[0] and UNITS[0] not in "".join(told)


async def test_the_file_changes_experiments_and_a_broken_one_does_not(follow, file):
    client = await follow()

    async def variation(unit):
        return (await (await client.get("/v1/similar/tent", params={"aid": unit})).json())["variation"]

    assert await variation(UNITS[0]) is None
    replace(file, AB)
    await when(lambda: is_now(variation(UNITS[0]), dealt(AB, UNITS[0])))
    for broken in (
        AB.replace('ranking = "cosine"', 'ranking = "unheard-of"'),
        AB.replace('key = "control"', 'key = "control"\nweight = 0.9').replace(
            'key = "cosine"', 'key = "cosine"\nweight = 0.2'
        ),
        AB.replace("[experiments.pdp]", "[experiments.pdp"),
    ):
        replace(file, broken)
        await when(lambda: is_now(config_error(client), 1))
        assert await variation(UNITS[0]) == dealt(AB, UNITS[0]), "the last good one stays"
    moved = AB.replace("[experiments.pdp]\n", '[experiments.pdp]\nseed = "other"\n', 1)
    unit = next(unit for unit in UNITS if dealt(moved, unit) != dealt(AB, unit))
    replace(file, moved)
    await when(lambda: is_now(variation(unit), dealt(moved, unit)))
    assert await config_error(client) == 0


async def is_now(got, wanted):
    return await got == wanted


async def config_error(client):
    text = client.server.app[PARTS].metrics.exposition().decode()
    return float(re.search(r"^varde_config_error\S* (\S+)$", text, re.M)[1])


# Sticky


def sticky(redis, uid, aid):
    with redis.client() as client:
        names = keys.customer_key(uid, aid)
        return {field.decode(): value.decode() for field, value in client.hgetall(keys.sticky(names)).items()}


def all_sticky(redis):
    with redis.client() as client:
        return {key.decode() for key in client.scan_iter("*:sticky")}


async def until(look):
    async with asyncio.timeout(10):
        while not look():
            await asyncio.sleep(0.01)  # between two looks


async def test_a_visitor_keeps_the_variation_when_known_and_when_weights_change(ask, redis):
    get = await ask(STICKY)
    aid = next(unit for unit in UNITS if dealt(STICKY, unit) == "cosine")
    uid = next(name for name in UNITS if dealt(STICKY, None, name) == "control")
    assert (await get(aid=aid))["variation"] == "cosine"
    await until(lambda: sticky(redis, None, aid) == {"pdp__1": "cosine"})
    assert (await get(aid=aid, uid=uid))["variation"] == "cosine"
    await until(lambda: sticky(redis, uid, None) == {"pdp__1": "cosine"})
    await until(lambda: sticky(redis, None, aid) == {})  # it moved, so that an erasure finds it
    assert (await get(uid=uid))["variation"] == "cosine"
    body = await get("/v1/recommendations", uid=uid)
    assert body["variation"] == "cosine", "also where seeds' rows come along"
    other = await ask(
        STICKY.replace('key = "control"', 'key = "control"\nweight = 1.0').replace(
            'key = "cosine"', 'key = "cosine"\nweight = 0.0'
        )
    )
    assert (await other(uid=uid))["variation"] == "cosine"
    assert (await other(aid="somebody-new"))["variation"] == "control"
    store = Store.from_settings(Settings(redis_url=redis.url), clock=lambda: NOW)
    store.remember([Recent(keys.customer_key(uid, None), {}, NOW + 1, Leave.TOMBSTONE)])
    store.close()
    assert sticky(redis, uid, None) == {}
    assert (await get(uid=uid))["variation"] == "control", "nothing is left of what was before"


async def test_only_sticky_experiments_read_and_write_them(ask, redis, monkeypatch):
    before = all_sticky(redis)
    get = await ask(AB)
    store = get.parts.running.stores.requests
    called = []
    monkeypatch.setattr(
        store,
        "people",
        lambda wanted, read=store.people: called.extend(who for who in wanted if who.sticky) or read(wanted),
    )
    for unit in UNITS[:5]:
        assert (await get(aid=unit))["experiment"] == "pdp"
    assert called == [] and all_sticky(redis) == before


async def test_without_redis_a_sticky_unit_is_in_no_experiment(ask, settings, serve):
    """It might be given another variation than before."""
    client = await serve(settings, config=config(STICKY), wait=False, redis_url="redis://127.0.0.1:1/0", deadline_ms=50)
    body = await (await client.get("/v1/similar/tent", params={"aid": UNITS[0]})).json()
    assert (body["stale"], body["experiment"]) == (True, None)
    assert counted(client, "varde_experiment_failures")["sticky_unread"] == 1


# Team draft


async def test_a_draft_has_items_of_both_and_says_whose(ask):
    get = await ask(DRAFT)
    plain = {name: ids(await get(ranking=name, n=12)) for name in ("llr", "cosine")}
    different = set()
    for unit in UNITS:
        body = await get(aid=unit, n=6)
        assert len(body["items"]) == len({*ids(body)}) == 6
        assert body["experiment"] == "pdp"
        assert body["items"] == (await get(aid=unit, n=6))["items"], "the same whenever it is rendered"
        left = {name: list(order) for name, order in plain.items()}
        for item in body["items"]:
            name = {"control": "llr", "cosine": "cosine"}[item["team"]]
            assert left[name][0] == item["id"], "its team's best that was left"
            for order in left.values():
                order.remove(item["id"])
        teams = [item["team"] for item in body["items"]]
        assert all(len({*teams[at : at + 2]}) == 2 for at in (0, 2, 4)), "one of each in every round"
        different.add(tuple(teams))
    assert len(different) > 4, "who begins is chance"


async def test_a_tester_sees_one_ranking_alone(ask):
    text = DRAFT.replace('ranking = "cosine"', 'ranking = "cosine"\nforced = ["tester"]')
    get = await ask(text)
    body = await get(aid="tester")
    assert body["variation"] == "cosine" and body["items"] == (await get(ranking="cosine"))["items"]
