"""Clicks on mails: what becomes Segment's event, what a scanner makes; and links that tools get at send time."""

import hashlib
from urllib.parse import urlsplit

from varde import keys
from varde.server.slots import SLOTS
from varde.store.opened import Opened

from . import test_exposures, test_slots
from .test_experiments import VARIATIONS
from .test_slots import BASE, BROWSER, pinned, token
from .world import NOW

host, topic = test_exposures.host, test_exposures.topic
redis, catalogue, mail = test_slots.redis, test_slots.catalogue, test_slots.mail


async def test_a_click_becomes_segments_event(mail, topic):
    name, arrived = topic
    ours = await mail(pinned("rope", "map", "mug") + "scanner_seconds = 1\n", topic=name)
    assert await ours.item(2) == "map"
    assert await ours.item(2) == "map"
    await ours.client.server.close()
    (said, *more) = await arrived(1)
    assert not more
    assert (said["type"], said["event"]) == ("track", "Product Clicked")
    assert (said["userId"], said["anonymousId"]) == ("jane", None)
    assert said["properties"].pop("request_id")
    assert said["properties"] == {
        "product_id": "map",
        "position": 2,
        "list_id": "mail",
        "experiment": None,
        "variation": None,
        "campaign": "spring",
        "send_id": "send-1",
    }


async def test_clicks_of_a_scanner_are_not_counted_and_those_of_people_are(mail, topic):
    name, arrived = topic
    ours = await mail(pinned("rope", "map", "mug"), topic=name)
    for n in (1, 2, 3):
        assert await ours.item(n) is not None  # a scanner is led where everybody is
    person = token(uid=None, aid="a-person")
    for n in (1, 3):
        await ours.click(n, t=person)
    await ours.client.server.close()
    found = await arrived(2)
    assert [(one["anonymousId"], one["properties"]["position"]) for one in found] == [("a-person", 1), ("a-person", 3)]
    assert ours.counted("clicks") == {",scanner": 3, ",sent": 2}


async def test_a_scanner_is_known_though_its_clicks_come_to_several_processes(mail, topic):
    name, _ = topic
    several = [await mail(pinned("rope", "map", "mug"), topic=name) for _ in range(3)]
    for n, ours in enumerate(several, 1):
        await ours.click(n)
    await ours.until(lambda: noted(ours, 3))
    for ours in several:
        await ours.client.server.close()
        assert ours.counted("clicks") == {",scanner": 1}


async def noted(ours, n):
    """Whether Redis knows of so many opened slots of Jane's."""
    key = keys.customer_key("jane", None, ours.parts.settings.id_secret.encode())
    return await ours.parts.store.opened([Opened(key, "", 1, NOW)], 10) == [n]


async def test_what_nobody_clicked_is_not_counted(mail, topic):
    name, _ = topic
    ours = await mail(pinned("rope", "map", "mug"), topic=name)
    await ours.picture()
    await ours.click(method="HEAD")
    await ours.click(headers=BROWSER | {"Sec-Purpose": "prefetch"})
    await ours.click(headers={"User-Agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"})
    await ours.click(t="A" * 64)
    await ours.client.server.close()
    assert ours.counted("clicks") == {
        "head,uncounted": 1,
        "prefetch,uncounted": 1,
        "robot,uncounted": 1,
        "forged,lost": 1,
    }


async def test_clicks_are_held_back_and_then_sent(mail, topic, monkeypatch):
    name, arrived = topic
    ours = await mail(pinned("rope", "map", "mug") + "scanner_seconds = 1\n", topic=name)
    held = ours.client.server.app[SLOTS].clicks
    now = [NOW]
    monkeypatch.setattr(held, "_clock", lambda: now[0])
    await ours.click()
    await ours.until(lambda: noted(ours, 1))
    assert len(held) == 1
    now[0] += 1000
    (said,) = await arrived(1)
    assert said["properties"]["product_id"] == "rope"
    assert len(held) == 0


async def test_a_click_tells_the_experiment_that_chose_the_item(mail, topic):
    name, arrived = topic
    text = BASE + "[experiments.pdp]\n" + 'unit = "uid"\n' + VARIATIONS
    ours = await mail(text, topic=name, exposures_topic=name)
    for _ in range(3):
        await ours.picture()
    await ours.click()
    await ours.client.server.close()
    found = await arrived(2)
    served = [one for one in found if "exposure_id" in one]
    (said,) = [one for one in found if one.get("event") == "Product Clicked"]
    assert len(served) == 1
    assert served[0]["request_id"] == said["properties"]["request_id"]
    assert served[0]["send_id"] == "send-1"
    assert (said["properties"]["experiment"], said["properties"]["variation"]) == ("pdp", served[0]["variation"])
    assert said["properties"]["product_id"] == served[0]["items"][0]["item"]


async def test_without_a_topic_clicks_are_counted_as_lost(mail):
    ours = await mail()
    await ours.click()
    assert ours.counted("clicks") == {"no_topic,dropped": 1}


# Send time and open time


TOOL = "key-of-the-email-tool"
CLIENT = f"""
[[clients]]
name = "tool"
keys = ["sha256:{hashlib.sha256(TOOL.encode()).hexdigest()}"]
scopes = ["email"]
"""
ASKED = f"uid=jane&placement=mail&send_id=send-1&campaign=spring&key={TOOL}"


async def test_a_list_at_send_time_and_the_pictures_of_its_links_agree(mail):
    ours = await mail(pinned("rope", "map", "mug") + CLIENT)
    body = await (await ours.client.get(f"/v1/email/recs?{ASKED}")).json()
    assert [one["id"] for one in body["items"]] == ["rope", "map", "mug"]
    after = await mail(pinned("lamp", "boots", "rope"))
    for one in body["items"]:
        link = urlsplit(one["click_url"])
        assert link.netloc == "r.shop.example"
        response = await after.client.get(f"{link.path}?{link.query}", allow_redirects=False)
        assert response.headers["Location"].partition("?")[0] == one["url"].partition("?")[0]
        assert await after.item(int(one["position"])) == one["id"]


async def test_a_tool_gets_the_links_of_a_mail(mail):
    ours = await mail(pinned("rope", "map", "mug") + CLIENT)
    response = await ours.client.get(f"/v1/email/token?{ASKED}&n=2&lang=sv")
    body = await response.json()
    assert response.status == 200, body
    assert body["token"] == token(lang="sv")
    assert body["expires_at"] == "2025-01-03T00:00:00Z"
    assert [one["position"] for one in body["slots"]] == ["1", "2"]
    for one in body["slots"]:
        assert one["image_url"].startswith("https://r.shop.example/v1/email/slot/")
        for address in (one["image_url"], one["click_url"]):
            path = address.removeprefix("https://r.shop.example")
            assert (await ours.client.get(path, allow_redirects=False)).status in (200, 302)
    assert (await ours.frozen())[2] == "map"
    again = await (await ours.client.get(f"/v1/email/token?{ASKED}&n=2&lang=sv")).json()
    assert again == body


REFUSED = [
    (ASKED.replace("uid=jane&", ""), 400, "uid"),
    (f"{ASKED}&aid=a", 400, "uid"),
    (ASKED.replace("send_id=send-1&", ""), 400, "send_id"),
    (ASKED.replace("placement=mail", "placement=gone"), 400, "placement"),
    (f"{ASKED}&n=0", 400, "n"),
    (f"{ASKED}&lang={'a-' * 40}a", 400, "lang"),
    (f"{ASKED}&more=1", 400, "more"),
    (ASKED.replace(TOOL, "wrong"), 401, None),
    (ASKED.partition("&key")[0], 401, None),
]


async def test_links_are_refused_where_they_make_no_sense(mail):
    ours = await mail(BASE + CLIENT)
    for asked, status, field in REFUSED:
        response = await ours.client.get(f"/v1/email/token?{asked}")
        assert (response.status, (await response.json())["error"]["field"]) == (status, field), asked


async def test_links_need_a_secret(mail):
    ours = await mail(BASE + CLIENT, link_secret=())
    response = await ours.client.get(f"/v1/email/token?{ASKED}")
    assert (response.status, (await response.json())["error"]["code"]) == (503, "no_link_secret")
