"""What each email tool demands, and the recipes of docs/email.md: their requests are sent, their templates rendered."""

import asyncio
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit
from xml.etree.ElementTree import fromstring

import django.conf
import liquid
import pytest
from django.template import Context, Engine

from varde.mail_formats import FIELDS
from varde.server import email, feeds
from varde.server.parts import PARTS

from .conftest import VERSION
from .mails import HEADERS, KEY, READER, config, ids, shop

DOCS = (Path(__file__).parents[2] / "docs" / "email.md").read_text(encoding="utf-8")
ROOT = Path(__file__).parents[2]
HOST = "https://r.shop.example"
FEEDS = """
[placements.best-sellers]
source = "popular"
[feeds.best-sellers]
placement = "best-sellers"
title = "Best sellers"
refresh = 10
[feeds.best-sellers-se]
placement = "best-sellers"
format = "voyado"
lang = "sv"
currency = "SEK"
"""
UID, TITLE = "jörg & co/1", "Title <5> & \N{SNOWMAN} map"


@pytest.fixture(scope="module")
def redis(everyone):
    with shop(VERSION, everyone) as server:
        yield server


@pytest.fixture
async def client(serve, settings, redis):
    return await serve(settings, config=config(FEEDS), redis_url=redis.url)


# What they demand

RECS, FEED = f"{email.ROUTE}?placement=mail&uid=jane&send_id=s", "/v1/feeds/best-sellers.json"
MB = 1_000_000
TOOLS = {
    "Braze Connected Content": (RECS, 2.0, 1 * MB),
    "Blueshift External Fetch": (RECS, 0.5, None),
    "Salesforce `HTTPGet`": (RECS, 30.0, None),
    "Iterable data feeds": (RECS, 10.0, None),
    "Klaviyo web feeds": (FEED, 5.0, 3.3 * MB),
    "Voyado custom data source": ("/v1/feeds/best-sellers-se.json", None, None),
    "Customer.io send and receive data": (RECS, None, None),
    "dotdigital, Ortto, Drip, MoEngage, Emarsys": (RECS, None, None),
}
"""The address that a tool asks for, its time in seconds and its bytes, where it says them."""


def test_the_table_of_the_documentation_is_this_one():
    rows = re.findall(r"^\| (.+?) \|", DOCS.split("\n## What the tools demand\n")[1].split("\n## ")[0], re.M)
    assert [row for row in rows if not row.startswith(("tool", "---"))] == list(TOOLS)
    for tool, (_, seconds, size) in TOOLS.items():
        line = next(line for line in DOCS.splitlines() if line.startswith(f"| {tool} |"))
        said = "not stated" if seconds is None else f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"
        assert f"| {said} |" in line
        assert size is None or f"{size / MB:g} MB" in line


@pytest.mark.parametrize("tool", TOOLS)
async def test_what_a_tool_demands_of_every_answer(client, tool):
    target, seconds, size = TOOLS[tool]
    loop = asyncio.get_running_loop()
    started = loop.time()
    response = await client.get(target, headers=HEADERS if target == RECS else {}, allow_redirects=False)
    content = await response.read()
    assert loop.time() - started < (seconds or 10.0)
    assert response.status == 200, "no redirect"
    assert "Set-Cookie" not in response.headers
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert int(response.headers["Content-Length"]) == len(content) < (size or 100_000)
    assert response.headers.get("Connection") != "close", "thousands of connections, each made once"
    whole = json.loads(content.decode("utf-8", "strict"))
    assert isinstance(whole, dict), "an object at the top"
    assert all(not isinstance(value, dict) for value in whole.values())


@pytest.mark.parametrize("tool", [tool for tool, (target, *_) in TOOLS.items() if target == RECS])
async def test_a_tool_that_asks_per_recipient_gets_the_same_for_the_same_address(client, tool):
    one, other = [await (await client.get(RECS, headers=HEADERS)).json() for _ in range(2)]
    assert one == other


def test_no_time_that_a_tool_gives_is_shorter_than_ours():
    default = config().email.__class__().deadline_ms / 1000
    assert default < min(seconds for _, seconds, _ in TOOLS.values() if seconds is not None)


async def test_a_hundred_items_have_less_than_braze_takes(client):
    response = await client.get(f"{RECS}&n=100&min_items=1", headers=HEADERS)
    assert len(await response.read()) * 100 / (await response.json())["count"] < 1 * MB


# Feeds


async def test_a_feed_is_made_before_it_is_asked_for(client):
    parts = client.server.app[PARTS]
    made = client.server.app[feeds.FEEDS]
    async with asyncio.timeout(30):
        while set(made._ready) != set(parts.config.feeds):
            await asyncio.sleep(0.02)
    before = made._ready["best-sellers"]
    response = await client.get(FEED)
    body = await response.json()
    assert before.bodies["json"][0] == await response.read()
    assert (body["feed"], body["title"], body["count"]) == ("best-sellers", "Best sellers", len(body["items"]))
    assert list(body["items"][0]) == list(FIELDS)
    assert "utm_campaign=best-sellers" in body["items"][0]["url"]
    again = await client.get(FEED, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    xml = fromstring(await (await client.get("/v1/feeds/best-sellers.xml")).text())
    assert [one.findtext("id") for one in xml.find("items")] == [one.replace("\n", "\n") for one in ids(body)]


async def test_what_is_hidden_leaves_a_feed_at_the_next_request(client):
    reader = {"Authorization": f"Bearer {READER}"}
    body = await (await client.get(FEED)).json()
    gone = next(item for item in ids(body) if item.isalpha())
    response = await client.patch(f"/v1/items/{gone}", json={"stock": 0}, headers=reader)
    assert response.status == 200
    assert gone not in ids(await (await client.get(FEED)).json())
    await client.patch(f"/v1/items/{gone}", json={"stock": 9}, headers=reader)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/v1/feeds/none.json", 404),
        ("/v1/feeds/best-sellers.csv", 404),
        (f"{FEED}?n=3", 400),
        (f"{FEED}?key={READER}", 200),
        (f"{FEED}?key={KEY}", 200),
        (f"{FEED}?key=wrong", 401),
    ],
)
async def test_feeds_that_there_are_not(client, target, status):
    assert (await client.get(target)).status == status


async def test_a_feed_that_nobody_may_read_needs_a_key(serve, settings, redis):
    client = await serve(settings, config=config(f"{FEEDS}\n[access]\npublic = []"), redis_url=redis.url)
    for query, status in (("", 401), (f"?key={READER}", 200), (f"?key={KEY}", 403)):
        response = await client.get(FEED + query)
        assert response.status == status
        assert "public" not in response.headers["Cache-Control"]


def test_a_feed_is_never_too_large(monkeypatch):
    made = config(FEEDS)
    items = [{**dict.fromkeys(FIELDS, "ö" * 500), "id": str(n)} for n in range(500)]
    bodies, kept = feeds._bodies(made.feeds["best-sellers"], made, items, "")
    assert 0 < kept < 500
    assert max(len(content) for content, _ in bodies.values()) <= feeds.MOST_BYTES
    assert len(json.loads(bodies["json"][0])["items"]) == json.loads(bodies["json"][0])["count"] == kept


# Recipes


def recipe(tool, kind, which=0):
    """A block of a tool's recipe by the language of its fence."""
    section = DOCS.split(f"\n### {tool}\n")[1].split("\n### ")[0]
    return re.findall(rf"^```{kind}\n(.*?)^```", section, re.M | re.S)[which]


async def sent(client, address, **headers):
    """The answer to the request of a recipe."""
    assert address.startswith(HOST)
    response = await client.get(
        address.removeprefix(HOST).replace("key=KEY", f"key={KEY}"),
        headers={name: value.replace("KEY", KEY) for name, value in headers.items()},
    )
    assert response.status == 200, await response.text()
    return await response.text()


class Products(HTMLParser):
    """What a mail shows: address, picture, alt text and words of each link."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found.append([dict(attrs)["href"], "", "", ""])
        elif tag == "img":
            self.found[-1][1:3] = dict(attrs)["src"], dict(attrs)["alt"]

    def handle_data(self, data):
        if self.found:
            self.found[-1][3] = " ".join(f"{self.found[-1][3]} {data}".split(" ")).strip()


def shown(item, link="click_url"):
    words = f"{item['title']} {item['price_formatted']}".split()
    return [item[link], item["image_url"], item["title"]], words


def check(rendered, items, link="click_url"):
    """A rendered mail shows these items, and nothing of a title became markup."""
    found = Products(rendered).found
    assert len(found) == len(items) > 0
    for (href, src, alt, words), item in zip(found, items, strict=True):
        expected, said = shown(item, link)
        assert [href, src, " ".join(alt.split())] == [*expected[:2], " ".join(expected[2].split())]
        assert words.split() == said


def braze(text):
    """Braze's own ${name} as Liquid has it."""
    return re.sub(r"\$\{(\w+)\}", r"\1", text)


async def test_braze(client):
    template = braze(recipe("Braze", "liquid"))
    tag = re.compile(r"\{% connected_content (\S.*?) :headers (\{.*?\}) :save (\w+) %\}")
    call = tag.search(template)
    profile = {"user_id": UID, "language": "", "campaign": {"dispatch_id": "64f", "name": "Spring & more"}}
    address = liquid.Environment().from_string(call[1]).render(**profile)
    answer = json.loads(await sent(client, address, **json.loads(call[2])))
    assert (answer["send_id"], answer["campaign"], answer["count"]) == ("64f", "Spring & more", 4)
    rest = re.sub(r"\{% abort_message\(.*?\) %\}", "ABORTED", tag.sub("", template))
    mail = liquid.Environment().from_string(rest)
    check(mail.render(**{call[3]: answer}), answer["items"])
    for nothing in ({"ok": False, "items": []}, ""):  # too few; 204, 404 and errors are empty
        assert mail.render(**{call[3]: nothing}).strip() == "ABORTED"


async def test_salesforce(client):
    template = recipe("Salesforce Marketing Cloud", "ampscript")
    parts = re.search(r"SET @url = Concat\((.*)\)$", template, re.M)[1]
    values = {"URLEncode(_subscriberkey, 1, 1)": quote(UID, safe=""), "jobid": "1234"}
    pieces = re.findall(r"'([^']*)'|(URLEncode\([^)]*\)|\w+)", parts)
    answer = json.loads(await sent(client, "".join(text or values[name] for text, name in pieces)))
    assert (answer["send_id"], answer["count"]) == ("1234", 4)
    path = re.search(r"BuildRowsetFromJson\(@json, '\$\.(\w+)\[\*\]'", template)[1]
    rows = answer[path]
    fields = re.findall(r"Field\(@row, '(\w+)'\)", template)
    assert set(fields) <= set(rows[0])
    assert all(isinstance(row[name], str) for row in rows for name in fields), "objects of flat text, as a rowset has"
    assert {name for name in fields if not name.endswith("_url")} == {"title", "price_formatted"}
    assert all(html.escape(html.unescape(row["title"])) == row["title"] for row in rows), "v() escapes nothing"
    loop = template.split("]%%", 1)[1].split("%%[ NEXT")[0]
    filled = [
        re.sub(r"%%=(?:v|RedirectTo)\(Field\(@row, '(\w+)'\)\)=%%", lambda found: row[found[1]], loop)  # noqa: B023
        for row in rows
    ]
    check("".join(filled), [{**row, "title": html.unescape(row["title"])} for row in rows])


async def handlebars(template, data):
    """The template by Handlebars itself."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node.js is not there, so neither is Handlebars")
    made = await asyncio.to_thread(
        subprocess.run, [ROOT / "tools/npm"], capture_output=True, text=True, timeout=240, check=True
    )
    words = ["node", Path(__file__).with_name("handlebars.cjs"), made.stdout.strip()]
    given = json.dumps({"template": template, "data": data})
    ran = await asyncio.to_thread(
        subprocess.run, words, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.timeout(300)
async def test_iterable(client):
    address = await handlebars(recipe("Iterable", "text").strip(), {"userId": UID, "campaignId": 77})
    answer = json.loads(await sent(client, address, Authorization="Bearer KEY"))
    assert (answer["send_id"], answer["count"], answer["ignored"]) == ("77", 4, [])
    template = recipe("Iterable", "handlebars").replace("[[", "{{").replace("]]", "}}")
    check(await handlebars(template, answer), answer["items"])
    assert not (await handlebars(template, {**answer, "ok": False, "items": []})).strip()


async def test_klaviyo(client):
    answer = json.loads(await sent(client, recipe("Klaviyo", "text").strip()))
    if not django.conf.settings.configured:
        django.conf.settings.configure()
    template = Engine().from_string(recipe("Klaviyo", "django"))
    check(template.render(Context({"feeds": {"bestsellers": answer}})), answer["items"][:4], "url")


async def test_voyado(client):
    assert recipe("Voyado", "toml").split("\n")[1:5] == FEEDS.split("\n")[8:12], "the test's feed is the recipe's"
    answer = json.loads(await sent(client, recipe("Voyado", "text").strip(), **{"X-Api-Key": READER}))
    first = answer["products"][0]
    assert first["name"].startswith("En titel")
    assert first["price"] == "1\N{NO-BREAK SPACE}299,50\N{NO-BREAK SPACE}kr"
    assert urlsplit(first["link"]).scheme == urlsplit(first["imageUrl"]).scheme == "https"
    assert first["originalPrice"] == "", "only for what is on sale"


async def test_customer_io(client):
    environment = liquid.Environment(extra=True)
    address = environment.from_string(recipe("Customer.io", "text").strip())
    target = address.render(customer={"id": UID}, campaign={"id": 9})
    answer = json.loads(await sent(client, target, **{"X-Api-Key": KEY}))
    assert re.fullmatch(r"9-\d{4}-\d\d-\d\d", answer["send_id"])
    attribute = json.loads(environment.from_string(recipe("Customer.io", "liquid")).render(response=answer))
    mail = environment.from_string(recipe("Customer.io", "liquid", 1))
    check(mail.render(journey={"recs": attribute}), answer["items"])


async def test_a_recipient_is_the_same_however_a_tool_writes_the_id(client):
    found = set()
    for written in (quote(UID, safe=""), quote_plus(UID)):
        response = await client.get(f"{email.ROUTE}?placement=mail&send_id=x&uid={written}", headers=HEADERS)
        found.add((await response.json())["request_id"])
    assert len(found) == 1


def test_the_examples_of_the_page_are_those_of_the_document():
    from varde.server.described_email import SAMPLES

    assert [json.loads(one) for one in re.findall(r"^```json\n(.*?)^```", DOCS, re.M | re.S)][:2] == list(
        SAMPLES.values()
    )


def test_the_page_has_every_parameter():
    from varde.server.mail_asked import PARAMETERS

    table = DOCS.split("\n## Look-ups\n")[1].split("\n```")[0]
    named = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, re.M)
    assert {name for row in named for name in re.findall(r"`(\w+)`", row)} == set(PARAMETERS)
