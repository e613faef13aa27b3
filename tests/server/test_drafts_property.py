"""Random shops and requests with two rankings interleaved: every rule holds for the list that comes out."""

from __future__ import annotations

import dataclasses
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from varde.experiments import Experiment, Experiments, Variation
from varde.pairs import Relation

from . import rulebook
from .fakes import Catalogue, Counts
from .shop import PLACES, RANKINGS, RELATIONS, shared, shop, wanted
from .test_rules_property import changed, query, serving

REQUESTS = 6


def drafted(chance, config):
    """The configuration with a draft of two orders on every placement."""
    one = Variation(key="one", weight=0.5, ranking=chance.choice(RANKINGS))
    other = Variation(
        key="other", weight=0.5, ranking=chance.choice(RANKINGS), relation=chance.choice([None, *RELATIONS])
    )
    experiment = Experiment(key="draft", mode="team_draft", placements=tuple(PLACES), variations=(one, other))
    return dataclasses.replace(config, experiments=Experiments([experiment]))


def sides(shop, fields):
    """What each side would show alone, by plain rules."""
    for variation in shop.config.experiments["draft"].variations:
        own = {**fields, "ranking": variation.ranking}
        if variation.relation is not None:
            own["relation"] = Relation(variation.relation).label
        yield rulebook.rule(shop, own)


def check(shop, fields, body, taken=()):
    rule, _ = sides(shop, fields)
    ids = [entry["id"] for entry in body["items"]]
    assert body["experiment"] == "draft" and all("team" in entry for entry in body["items"])
    for item in ids:
        assert not rulebook.broken(shop, rule, item), (item, fields)
    assert len(ids) == len({*ids}) <= rule.n
    assert not {*ids} & {*taken, *rule.seeds}
    if rule.grouped:
        families = {rulebook.family(shop, item) for item in ids}
        assert len(families) == len(ids)
        assert not families & {rulebook.family(shop, item) for item in taken}
    most = rule.place.max_per_brand
    brands = [shop.entry(item).brand for item in ids if shop.entry(item) and shop.entry(item).brand]
    assert not most or all(brands.count(brand) <= most for brand in brands)
    alone = [rulebook.expected(shop, side, taken)[1] for side in sides(shop, fields)]
    if not (most or rule.grouped):
        assert len(ids) >= max(map(len, alone)), "as many as either has alone"
    assert bool(ids) == any(alone)
    for entry in body["items"]:
        pinned = entry.get("label") == "must_include"
        assert not pinned or entry["team"] is None
    return ids


async def ask(client, shop, chance):
    page = {**shared(chance), "aid": "device"}
    lists = [{k: v for k, v in wanted(chance).items() if k not in ("ranking", "relation")} for _ in range(2)]
    await asked(client, shop, page, lists)
    return page, lists


async def asked(client, shop, page, lists):
    body = {**page, "placements": [{**one, "id": str(place)} for place, one in enumerate(lists)]}
    response = await client.post("/v1/placements", json=body)
    assert response.status == 200, await response.text()
    taken = []
    for place, one in enumerate(lists):
        answer = (await response.json())["placements"][str(place)]
        taken += check(shop, {**one, **page}, answer, taken)
    fields = {**lists[0], **page}
    seed = (fields["items"] or ["item-00"])[0]
    fields["items"] = [seed]
    target = f"/v1/similar/{quote(seed, safe='')}?{query({k: v for k, v in fields.items() if k != 'items'})}"
    response = await client.get(target)
    assert response.status == 200, await response.text()
    check(shop, fields, await response.json())


@settings(max_examples=settings().max_examples // 4)
@given(chance=st.randoms(use_true_random=True))  # as in test_rules_property
async def test_every_interleaved_list_obeys_every_rule(chance):
    shop_ = shop(chance)
    shop_.config = drafted(chance, shop_.config)
    catalogue = Catalogue(shop_)
    async with serving(Counts(shop_), catalogue, shop_.config) as client:
        requests = [await ask(client, shop_, chance) for _ in range(REQUESTS)]
        for item in chance.sample([*shop_.numbers], 3):
            await catalogue.change(item, changed(chance, shop_.entry(item), item))
        for request in requests:
            await asked(client, shop_, *request)
