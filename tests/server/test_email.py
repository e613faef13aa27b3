"""Look-ups of email tools at send time: always a list, always the same for one recipient of one sending."""

import asyncio
import dataclasses
import os
import signal
from urllib.parse import parse_qsl, quote, urlsplit
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from varde import keys, mailing
from varde.delivery import Leave, Recent
from varde.mail_formats import BUILT_IN, FIELDS
from varde.server import email, mailroom, tokens
from varde.server.described_email import ANSWERS, SAMPLES
from varde.server.mail_asked import PARAMETERS
from varde.server.parts import PARTS
from varde.settings import Settings
from varde.store.frozen import send_key
from varde.store.sync import Store

from .conftest import VERSION
from .mails import HEADERS, HIDDEN, KEY, PUBLIC, READER, SHOP, SOLD_OUT, catalogue, config, ids, shop
from .test_experiments import counted
from .world import ITEMS, NOW
from .writers import recorded

URL = email.ROUTE
SECRET = "a-secret-of-links-for-tests-only"


@pytest.fixture(scope="module")
def redis(everyone):
    with shop(VERSION, everyone) as server:
        yield server


@pytest.fixture
def look(serve, settings, redis):
    """Starts a server; what asks it: `await get(**parameters)` -> body."""

    async def started(more="", url=None, **changes):
        client = await serve(settings, config=config(more), redis_url=url or redis.url, **changes)

        async def get(**parameters):
            response = await get.response(**parameters)
            assert response.status == 200, await response.text()
            return await response.json()

        async def response(headers=HEADERS, method="GET", **parameters):
            parameters = {"placement": "mail", **parameters}
            return await client.request(method, URL, params=parameters, headers=headers)

        get.response, get.client, get.parts = response, client, client.server.app[PARTS]
        return get

    return started


def same(body):
    """What every render of a sending answers alike."""
    return {name: value for name, value in body.items() if name not in ("generated_at", "fallback", "rung")}


async def view(redis, customer, *items):
    """Jane has looked at something since."""
    store = Store.from_settings(Settings(redis_url=redis.url), clock=lambda: NOW)
    store.remember([Recent(keys.customer_key(customer, None), dict.fromkeys(items, NOW + 1))])
    store.close()


# What an answer is


async def test_an_answer_is_flat_text_ready_to_be_printed(look):
    get = await look()
    body = await get(uid="jane", send_id="s1", campaign="spring news")
    Draft202012Validator(ANSWERS["Mail"]).validate(body)
    assert list(body) == list(SAMPLES["Mail"])
    assert (body["ok"], body["fallback"], body["stale"], body["count"]) == (True, False, False, 4)
    entries = {entry.id: entry for entry in catalogue()}
    for place, item in enumerate(body["items"], 1):
        assert list(item) == list(FIELDS)
        assert all(isinstance(text, str) for text in item.values())
        entry = entries[item["id"]]
        assert (item["position"], item["title"], item["brand"]) == (str(place), entry.title, "Nord")
        assert item["image_url"].startswith(
            "https://cdn.example/" if "://" in entry.image else "https://shop.example/i/"
        )
        tags = dict(parse_qsl(urlsplit(item["url"]).query))
        assert (tags["utm_source"], tags["utm_campaign"], tags["utm_content"]) == ("varde", "spring news", str(place))
        assert item["price_formatted"] == f"€{entry.price:,.2f}"
        assert item["click_url"] == item["url"], "without a secret of links they lead to the shop itself"
    assert not {HIDDEN, SOLD_OUT, "tent", "stove"} & set(ids(body)), "nor what jane has just looked at"


async def test_languages_and_currencies_and_what_the_catalogue_does_not_say(look):
    get = await look()
    swedish = await get(uid="jane", lang="sv_SE", currency="sek")
    assert swedish["ignored"] == []
    assert {item["title"].rsplit(" ", 1)[0] for item in swedish["items"]} == {"En titel"}
    assert {item["price_formatted"] for item in swedish["items"]} == {"1\N{NO-BREAK SPACE}299,50\N{NO-BREAK SPACE}kr"}
    assert {urlsplit(item["url"]).path[:4] for item in swedish["items"]} == {"/sv/"}
    bare = next(item for item in (await get(n="11", min_items="1"))["items"] if item["id"] == "rope")
    assert (bare["title"], bare["price_formatted"], bare["image_url"]) == ("Rope", "", "")
    assert bare["url"].startswith(SHOP)


async def test_an_address_stays_the_shops(look):
    get = await look()
    for item in (await get(n="11", min_items="1"))["items"]:
        assert urlsplit(item["url"]).hostname == "shop.example"
        assert urlsplit(item["url"]).fragment == ("top" if "a=1" in item["url"] else "")


async def test_an_unknown_recipient_and_none_get_what_is_popular(look):
    get = await look()
    for parameters in ({"uid": "nobody-we-know"}, {}, {"uid": ""}, {"uid": "x" * 300}, {"uid": "{{${user_id}}}"}):
        body = await get(send_id="s-unknown", **parameters)
        assert (body["ok"], body["fallback"], body["stale"], body["count"]) == (True, True, False, 4), parameters
        assert {item["rung"] for item in body["items"]} == {"popular"}
    assert body["ignored"] == []
    assert (await get(uid="x" * 300))["ignored"] == ["uid"]


async def test_few_pairs_are_filled_up_from_lower_rungs(look):
    get = await look()
    body = await get(items="never-seen", n="11", min_items="11")
    assert (body["count"], body["fallback"]) == (11, True)


# The same for every render


async def test_every_render_of_a_sending_is_the_same(look, redis):
    get = await look()
    first = await get(uid="jane", send_id="same")
    await view(redis, "jane", "boots", "map", "lamp")
    assert ids(await get(uid="jane")) != ids(first), "without a sending it is what is best now"
    assert ids(await get(uid="jane", send_id="another")) != ids(first)
    again = await get(uid="jane", send_id="same")
    assert same(again) == {**same(first), "items": again["items"]}
    assert [{**one, "rung": ""} for one in again["items"]] == [{**one, "rung": ""} for one in first["items"]]
    other = await (await look())(uid="jane", send_id="same")
    assert ids(other) == ids(first), "also of another process"
    assert ids(await get(uid="jane", send_id="same", lang="sv")) == ids(first), "also in another language"
    longer = await get(uid="jane", send_id="same", n="6")
    assert ids(longer)[:4] == ids(first)
    assert len(set(ids(longer))) == 6
    assert ids(await get(uid="jane", send_id="same", n="2")) == ids(first)[:2]
    assert (await get(uid="john", send_id="same"))["request_id"] != first["request_id"]


async def test_a_thousand_renders_at_once_agree(look):
    get = await look()
    bodies = await asyncio.gather(*(get(uid="john", send_id="burst", aid=f"d{n % 7}") for n in range(300)))
    assert len({tuple(ids(body)) for body in bodies}) == 1
    assert not any(body["stale"] for body in bodies)


async def test_lists_of_one_sending_that_start_from_other_items_do_not_mix(look):
    get = await look()
    one, other = [await get(uid="jane", send_id="two", items=item) for item in ("boots", "map")]
    assert ids(one) != ids(other)
    assert one["request_id"] != other["request_id"]
    assert same(await get(uid="jane", send_id="two", items="boots")) == same(one)


async def test_what_must_not_be_shown_any_more_gives_its_place_to_another(look, redis, serve, settings):
    get = await look()
    first = await get(uid="jane", send_id="hidden")
    gone, sold = ids(first)[1], ids(first)[2]
    reader = {"Authorization": f"Bearer {READER}"}
    for item, change in ((gone, {"hidden": True, "at": "2024-10-04T11:00:00Z"}), (sold, {"stock": 0})):
        response = await get.client.patch(f"/v1/items/{quote(item, safe='')}", json=change, headers=reader)
        assert response.status == 200
    again = await get(uid="jane", send_id="hidden")
    assert [ids(again)[0], ids(again)[3]] == [ids(first)[0], ids(first)[3]]
    assert not {gone, sold} & set(ids(again))
    assert len(set(ids(again))) == 4
    for item, change in ((gone, {"hidden": None}), (sold, {"stock": 9})):
        await get.client.patch(f"/v1/items/{quote(item, safe='')}", json=change, headers=reader)
    assert ids(await get(uid="jane", send_id="hidden")) == ids(again), "and the other keeps it"
    excluded = await get(uid="jane", send_id="hidden", exclude=ids(again)[0], min_items="1")
    assert ids(again)[0] not in ids(excluded)


async def test_where_nothing_takes_a_place_the_others_keep_theirs(look):
    """A link names a place, so no item may come to stand on another one's."""
    get = await look()
    first = await get(uid="jane", send_id="all", n=100, min_items="1")
    reader = {"Authorization": f"Bearer {READER}"}
    gone = ids(first)[1]
    response = await get.client.patch(f"/v1/items/{quote(gone, safe='')}", json={"stock": 0}, headers=reader)
    assert response.status == 200
    again = await get(uid="jane", send_id="all", n=100, min_items="1")
    places = {item["id"]: item["position"] for item in first["items"]}
    assert {item["id"]: item["position"] for item in again["items"]} == {
        item: place for item, place in places.items() if item != gone
    }
    await get.client.patch(f"/v1/items/{quote(gone, safe='')}", json={"stock": 9}, headers=reader)


async def test_a_head_request_fixes_nothing(look, redis):
    get = await look()
    response = await get.response(method="HEAD", uid="john", send_id="head")
    assert (response.status, await response.read()) == (200, b"")
    await view(redis, "john", "tent", "mat")
    fresh = await get(uid="john")
    assert ids(await get(uid="john", send_id="head")) == ids(fresh)


async def test_who_is_erased_is_not_fixed_any_more(look, redis):
    get = await look()
    await get(uid="erin", send_id="erased")
    store = Store.from_settings(Settings(redis_url=redis.url), clock=lambda: NOW)
    key = keys.frozen(keys.customer_key("erin", None))
    assert store._client.exists(key)
    store.remember([Recent(keys.customer_key("erin", None), {}, erased_at=NOW, leave=Leave.TOMBSTONE)])
    assert not store._client.exists(key)
    store.close()


# Whatever fails


async def test_too_few_items_are_an_empty_list_or_what_the_placement_says(look):
    get = await look()
    body = await get(n="100", uid="jane")
    assert (body["ok"], body["count"], body["items"]) == (False, 0, [])
    there = len(ITEMS) - len({HIDDEN, SOLD_OUT, "boots"})
    whole = await get(n="100", min_items="2", aid="device-1")
    assert whole["count"] == there, ids(whole)
    for placement, status in (("strict", 204), ("gone", 404)):
        response = await get.response(placement=placement, uid="jane", n="100", min_items="90")
        assert (response.status, response.headers["Cache-Control"]) == (status, "no-store")
        assert (await get.response(placement=placement, uid="jane")).status == 200
    assert (await response.json())["error"]["code"] == "too_few_items"
    assert (await get.response(placement="strict", aid="device-1", n="20", min_items="9")).status == 200
    await get()
    found = counted(get.client, "varde_email_answers")
    assert set(found) == {"personal", "fallback", "too_few"}
    assert found["too_few"] == 3


async def test_when_redis_is_gone_there_is_a_list(look, everyone, settings):
    with shop(VERSION, everyone) as own:
        get = await look(url=own.url, deadline_ms=300)
        await get(uid="jane", send_id="before")
        os.kill(own.pid, signal.SIGKILL)
        for n in range(12):
            body = await get(uid="jane", send_id=f"after-{n}")
            assert (body["ok"], body["count"]) == (True, 4)
        assert (body["stale"], body["fallback"]) == (True, True)
        response = await get.response(uid="jane", send_id="after")
        assert response.headers["Cache-Control"] == "no-store", "nobody keeps what a poor moment made"


async def test_a_slow_redis_is_not_waited_for(look, everyone):
    with shop(VERSION, everyone) as own:
        get = await look(url=own.url, deadline_ms=200)
        await get(uid="jane")
        os.kill(own.pid, signal.SIGSTOP)
        try:
            loop = asyncio.get_running_loop()
            started = loop.time()
            bodies = await asyncio.gather(*(get(uid="jane", send_id="slow") for _ in range(50)))
            took = loop.time() - started
        finally:
            os.kill(own.pid, signal.SIGCONT)
        assert all(body["ok"] and body["stale"] for body in bodies)
        assert took < 2.0, "50 look-ups one after the other would take 10 s"


async def test_a_list_that_a_poor_moment_made_is_not_fixed(look, everyone, monkeypatch):
    get = await look()

    async def broken(*_):
        msg = "the inside"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(get.parts.trials, "read", broken)
        body = await get(uid="jane", send_id="fault")
        assert (body["ok"], body["stale"], body["fallback"]) == (True, True, True)
    good = await get(uid="jane", send_id="fault")
    assert (good["stale"], good["fallback"]) == (False, False)


async def test_what_a_burst_waits_for_is_its_turn_and_not_for_ever(look, monkeypatch):
    monkeypatch.setattr(mailroom, "AT_ONCE", 2)
    get = await look("", deadline_ms=100)
    get.parts.config = dataclasses.replace(
        get.parts.config, email=dataclasses.replace(get.parts.config.email, deadline_ms=400)
    )
    reads, going = get.parts.trials.read, []

    async def slow(*words):
        going.append(1)
        assert len(going) <= 2
        await asyncio.sleep(0.05)
        going.pop()
        return await reads(*words)

    monkeypatch.setattr(get.parts.trials, "read", slow)
    bodies = await asyncio.gather(*(get(uid="jane") for _ in range(30)))
    assert all(body["ok"] for body in bodies)
    late = [body["stale"] for body in bodies]
    assert 0 < sum(late) < 30


# What a tool may send


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"placement": "nowhere"}, "placement"),
        ({"n": "0"}, "n"),
        ({"n": "four"}, "n"),
        ({"min_items": "5"}, "min_items"),
        ({"format": "braze"}, "format"),
        ({"send_id": "x" * 129}, "send_id"),
        ({"colour": "red"}, "colour"),
        ({"fill": "false"}, "fill"),
    ],
)
async def test_what_a_template_says_wrongly_is_refused(look, parameters, field):
    get = await look()
    response = await get.response(uid="jane", **parameters)
    assert response.status == 400
    assert (await response.json())["error"]["field"] == field


@pytest.mark.parametrize(
    ("raw", "ignored"),
    [
        ("lang=Swedish%20please", ["lang"]),
        ("lang=&currency=", []),
        ("currency=kr", ["currency"]),
        ("uid=%E5sa", ["uid"]),  # windows-1252
        ("uid=%ED%A0%80", ["uid"]),
        ("items=" + "x" * 257, ["items"]),
        ("items=" + ",".join(map(str, range(60))), ["items"]),
        ("exclude=" + ",".join(map(str, range(201))), ["exclude"]),
        ("exclude=a,,b&item=", []),
    ],
)
async def test_what_is_nonsense_for_one_recipient_costs_nobody_a_mail(look, raw, ignored):
    get = await look()
    response = await get.client.get(f"{URL}?placement=mail&key={KEY}&{raw}")
    assert response.status == 200
    body = await response.json()
    assert (body["ignored"], body["count"]) == (ignored, 4)


async def test_the_document_names_every_parameter_and_no_other(look):
    get = await look()
    response = await get.response(nonsense="1")
    message = (await response.json())["error"]["message"]
    assert message.partition("there are ")[2].split(", ") == list(PARAMETERS)
    document = await (await get.client.get("/openapi.json")).json()
    described = document["paths"][URL]["get"]
    assert [one["name"] for one in described["parameters"]] == list(PARAMETERS)
    assert {"query": []} in described["security"]
    example = {one["name"]: one["example"] for one in described["parameters"] if one["name"] != "placement"}
    flat = {name: value[0] if isinstance(value, list) else str(value) for name, value in example.items()}
    Draft202012Validator(ANSWERS["Mail"]).validate(await get(**flat))


texts = st.text(max_size=30) | st.sampled_from(["jane", "sv", "SEK", "mail", "s1", "2", "100", "xml", "a,b", "%", "\0"])


async def test_whatever_is_asked_there_is_an_answer(look):
    """Of its own kind: 200 with what was promised, or 400 that names the parameter."""
    get = await look()
    loop = asyncio.get_running_loop()

    async def ask(pairs, mutation):
        raw = "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs) + mutation
        response = await get.client.get(f"{URL}?{raw}", headers=HEADERS)
        assert response.status in (200, 204, 400, 404), raw
        if response.status == 200 and "json" in response.content_type:
            body = await response.json()
            if "items" in body:  # not under another name
                assert body["count"] == len(body["items"])
                assert HIDDEN not in ids(body) if body["items"] and "id" in body["items"][0] else True
        elif response.status == 200:
            fromstring(await response.text())
        elif response.status != 204:
            assert (await response.json())["error"]["code"] in ("bad_parameter", "too_few_items")

    names = st.sampled_from(PARAMETERS)
    ends = st.sampled_from(["", "", "&", "&=", "&uid=%ff", "&;"])
    made = st.tuples(st.lists(st.tuples(names, texts), max_size=6), ends)

    @given(made)
    @given_settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    def some(drawn):
        asyncio.run_coroutine_threadsafe(ask(*drawn), loop).result(60)

    await asyncio.to_thread(some)


# Who may ask


async def test_a_key_is_needed_and_may_stand_in_the_query(look):
    get = await look()
    path = f"{URL}?placement=mail"
    for where, status in [
        ("", 401),
        (f"&key={KEY}", 200),
        (f"&key={quote(KEY)}", 200),
        ("&key=wrong", 401),
        ("&key=", 401),
        (f"&key={KEY}x", 401),
        (f"&key={READER}", 403),
    ]:
        response = await get.client.get(path + where)
        assert response.status == status, where
        assert KEY not in await response.text()
    for headers, status in [({"X-Api-Key": KEY}, 200), ({"Authorization": "Basic dG9vbDo="}, 401)]:
        assert (await get.client.get(path, headers=headers)).status == status
    assert (await get.client.get(f"/v1/similar/tent?key={KEY}")).status == 400, "elsewhere it is no place for a key"


async def test_no_key_and_no_recipient_gets_into_a_log(look, caplog):
    get = await look(access_log="all")
    with caplog.at_level("DEBUG", logger="varde"):
        await get.client.get(f"{URL}?placement=mail&key={KEY}&uid=jane%40example.org&send_id=s")
        await get.client.get(f"{URL}?placement=nowhere&key={KEY}&uid=jane%40example.org")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("varde")]
    assert len([line for line in ours if URL in line]) == 2
    assert not any(KEY in line or "jane" in line for line in ours)


# Forms


async def test_names_of_a_tool_of_its_own(look):
    get = await look()
    body = await get(uid="jane", format="mine")
    assert [list(one) for one in body["products"]] == [["Name", "Link", "Nothing"]] * 4
    assert "items" not in body
    voyado = await get(uid="jane", format="voyado")
    names = ["productNumber", "name", "description", "price", "originalPrice", "discountPrice", "fromPrice"]
    names += ["imageUrl", "link", "sellText"]
    assert list(voyado["products"][0]) == names


async def test_escaped_for_templates_that_cannot(look):
    get = await look()
    plain, escaped = [await get(uid="jane", format=name) for name in ("default", "escaped")]
    assert "<" in plain["items"][0]["title"]
    assert "&lt;" in escaped["items"][0]["title"]
    assert [item["url"] for item in escaped["items"]] == [item["url"] for item in plain["items"]]


async def test_xml_says_the_same(look):
    get = await look()
    body = await get(uid="jane", send_id="xml")
    response = await get.response(uid="jane", send_id="xml", format="xml")
    assert response.headers["Content-Type"] == "application/xml; charset=utf-8"
    root = fromstring(await response.text())
    assert root.findtext("request_id") == body["request_id"]
    found = [{field.tag: field.text or "" for field in item} for item in root.find("items")]
    assert found == [{**item, "title": item["title"]} for item in body["items"]]
    assert set(BUILT_IN) == {"default", "escaped", "xml", "voyado"}


# Links and exposures


async def test_a_click_leads_over_the_server_where_it_has_a_secret(look):
    get = await look(link_secret=(SECRET,))
    body = await get(uid="jane", send_id="links", campaign="c", lang="sv")
    assert body["token"]
    for item in body["items"]:
        assert item["click_url"] == f"{PUBLIC}/v1/email/slot/{item['position']}/click?t={body['token']}"
    link = tokens.read((SECRET,), body["token"], NOW)
    assert link[:7] == ("jane", None, "links", "mail", "c", "sv", "")
    for other in ({"uid": "jane"}, {"send_id": "s"}, {"uid": "jane", "send_id": "s", "items": "boots"}):
        plain = await get(**other)
        assert (plain["token"], plain["items"][0]["click_url"]) == ("", plain["items"][0]["url"])


AB = """
[experiments.mails]
unit = "uid"
placements = ["mail"]
[[experiments.mails.variations]]
key = "control"
[[experiments.mails.variations]]
key = "cosine"
ranking = "cosine"
"""


async def test_renders_of_a_sending_are_one_exposure(look, redis):
    get = await look(AB)
    sent = recorded(get.parts)
    first = await get(uid="jane", send_id="ab")
    assert (first["experiment"], first["variation"]) == ("mails", first["variation"])
    await view(redis, "jane", "map", "rope")
    get.parts.trials._clock = lambda: NOW + 3_600_000  # beyond the window
    again = await get(uid="jane", send_id="ab")
    assert ids(again) == ids(first)
    await get(uid="jane", send_id="ab", lang="sv")
    await get.response(method="HEAD", uid="jane", send_id="ab-head")
    await get(uid="jane", send_id="ab-2")
    one, other = sent
    assert (one["send_id"], other["send_id"]) == ("ab", "ab-2")
    assert one["exposure_id"] != other["exposure_id"]
    assert (one["request_id"], one["route"]) == (first["request_id"], URL)
    assert [item["item"] for item in one["items"]] == ids(first)
    assert counted(get.client, "varde_exposures")[",repeated"] == 2


async def test_a_click_can_be_told_what_the_mail_was_told(look, redis):
    """What is kept beside a list: the name of the list and its experiment."""
    get = await look(AB)
    body = await get(uid="jane", send_id="noted")
    store = get.parts.store
    customer = keys.customer_key("jane", None)
    found = await store.frozen(customer, send_key("noted", "mail"), NOW)
    assert [found.by_slot[n] for n in (1, 2, 3, 4)] == ids(body)
    assert mailing.noted(found.note) == (body["request_id"], "mails", body["variation"])
