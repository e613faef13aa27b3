"""The OpenAPI document against the server it describes, both ways; and its page in a real Chromium."""

import json
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from playwright.async_api import async_playwright

from varde.config import read
from varde.server import described, docs_page, openapi, schemas
from varde.server.app import ROUTES
from varde.server.described import ERRORS, OPERATIONS, PARAMETERS
from varde.server.described_collector import PARAMETERS as OF_EVENTS
from varde.server.described_collector import TAG as EVENTS
from varde.server.described_email import PARAMETERS as OF_MAILS
from varde.server.described_email import TAG as MAILS
from varde.server.described_slots import PARAMETERS as OF_SLOTS
from varde.server.described_status import PARAMETERS as OF_STATUS
from varde.server.samples import BODIES, SAMPLES
from varde.server.widget import SCRIPT

ROOM = Path(openapi.__file__).parent
DOCS = ROOM.parent / "docs"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TABLES = '[placements.cart]\nsource = "recommendations"\n[rankings.rare]\nformula = "llr"\n'
CLOSED = read(TABLES, ("llr", "count"))
CONFIG = read(f'{TABLES}[access]\npublic = ["read", "explain"]', ("llr", "count"))


def example_of(name):
    example = PARAMETERS[name].example
    return ",".join(example) if PARAMETERS[name].joined else example[0] if isinstance(example, list) else str(example)


def resolved(document, schema):
    """The schema with the document's components where the validator finds them."""
    return {**schema, "components": document["components"]}


def operations(document):
    return [(path, method, one) for path, methods in document["paths"].items() for method, one in methods.items()]


@pytest.fixture
async def client(serve, settings):
    return await serve(settings, config=CONFIG)


@pytest.fixture
async def document(client):
    return await (await client.get("/openapi.json")).json()


async def test_it_is_openapi(document):
    validate(document)
    assert document["openapi"].startswith("3.1.")
    names = [one["operationId"] for _, _, one in operations(document)]
    assert len(names) == len(set(names))


async def test_every_route_and_method_is_in_it_and_the_other_way_round(client, document):
    served = {
        (re.sub(r":\[\^/\]\+\}", "}", route.resource.canonical), route.method.lower())
        for route in client.app.router.routes()
        if route.method not in ("*", "OPTIONS")  # what is refused, and what browsers ask before they ask
    }
    served = {(path.replace(":[^/]+", ""), method) for path, method in served}
    assert served == {(path, method) for path, method, _ in operations(document)}
    assert {route.path for route in ROUTES} <= {path for path, _ in served}
    assert set(OPERATIONS) == {path for path, _ in served}, "a description without a route"


@pytest.mark.parametrize(
    "path", [path for path, one in OPERATIONS.items() if not one.body and one.tag not in (EVENTS, MAILS)]
)
async def test_every_parameter_is_taken_and_every_one_that_is_taken_is_in_it(client, document, path):
    """The server names what there is when it is asked for something else."""
    operation = document["paths"][path]["get"]
    named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    target = path.replace("{item}", "tent").replace("{other}", "mat").replace("{hash}", SCRIPT.hash)
    response = await client.get(f"{target}?no-such=1")
    if "400" not in operation["responses"]:
        assert response.status == 200
        assert not named
        return
    error = (await response.json())["error"]
    assert (response.status, error["field"]) == (400, "no-such")
    there = error["message"].partition("there are ")[2]
    assert {name for name in there.split(", ") if name} == named


@pytest.mark.parametrize(
    "name", sorted(set(PARAMETERS) - {"item_path", "other", "hash", *OF_EVENTS, *OF_MAILS, *OF_SLOTS, *OF_STATUS})
)
async def test_the_example_of_every_parameter_is_accepted(client, name):
    path = {"signal": "/v1/popular", "q": "/v1/items"}.get(name, "/v1/recommendations")
    seed = "" if name in ("signal", "q", "items", "item") else "&items=tent"
    response = await client.get(f"{path}?{name}={quote(example_of(name))}{seed}")
    assert response.status == 200, await response.text()
    Draft202012Validator(PARAMETERS[name].schema).validate(PARAMETERS[name].example)


async def test_every_field_of_placements_is_taken_and_every_one_that_is_taken_is_in_it(client, document):
    page = document["components"]["schemas"]["PlacementsRequest"]["properties"]
    one = page["placements"]["items"]["properties"]
    for body, named in (({"no": 1}, set(page)), ({"placements": [{"no": 1}]}, set(one))):
        error = (await (await client.post("/v1/placements", json=body)).json())["error"]
        assert set(error["message"].partition("there are ")[2].split(", ")) == named
    response = await client.post("/v1/placements", json=BODIES["PlacementsRequest"])
    assert response.status == 200, await response.text()


async def test_a_request_may_name_what_is_configured_and_nothing_else(client, document):
    named = {one["name"]: one["schema"] for one in document["paths"]["/v1/similar/{item}"]["get"]["parameters"]}
    assert named["placement"]["enum"] == ["default", "cart"]
    assert set(named["ranking"]["enum"]) == {"llr", "count", "rare"}
    for name in ("placement", "ranking"):
        for value in named[name]["enum"]:
            assert (await client.get(f"/v1/similar/tent?{name}={value}")).status == 200
        assert (await client.get(f"/v1/similar/tent?{name}=other")).status == 400


async def test_examples_are_what_the_schemas_say(document):
    found = 0
    for _, _, operation in operations(document):
        contents = [*operation["responses"].values(), operation.get("requestBody", {})]
        for media in (media for one in contents for media in one.get("content", {}).values()):
            examples = [each["value"] for each in media.get("examples", {}).values()]
            for example in [*examples, *([media["example"]] if "example" in media else [])]:
                Draft202012Validator(resolved(document, media["schema"])).validate(example)
                found += 1
        for one in operation.get("parameters", ()):
            Draft202012Validator(one["schema"]).validate(one["example"])
    assert found > 60
    assert set(SAMPLES) == set(schemas.ANSWERS) - {"Item", "ItemBecause", "List", "Error", "Document"}


ASKED = {
    "Similar": "/v1/similar/tent?n=3&fill=true",
    "Recommendations": "/v1/recommendations?items=tent,mat",
    "Popular": "/v1/popular?n=2",
    "Items": "/v1/items?q=tent",
    "Explanation": "/v1/explain/tent/mat",
    "Stats": "/v1/stats",
    "Status": "/v1/status",
    "Health": "/healthz",
    "Readiness": "/readyz",
}


@pytest.mark.parametrize("name", ASKED)
async def test_answers_are_what_the_schemas_say(serve, settings, name):
    client = await serve(settings)
    document = await (await client.get("/openapi.json")).json()
    answer = await (await client.get(ASKED[name])).json()
    schema = resolved(document, document["components"]["schemas"][name])
    Draft202012Validator(schema).validate(answer)
    assert list(SAMPLES[name]) == list(answer), "the example has the order of the answer"
    with pytest.raises(Exception, match="unexpected"):  # closed: a field that nobody described would be found
        Draft202012Validator(schema).validate({**answer, "more": 1})


def test_every_error_code_is_described_and_raised():
    source = "".join(path.read_text(encoding="utf-8") for path in ROOM.glob("*.py"))
    raised = {(code, int(status)) for status, code in re.findall(r'ApiError\(\s*(\d+),\s*"(\w+)"', source)}
    assert raised == {(code, error.status) for code, error in ERRORS.items()}
    used = {code for one in OPERATIONS.values() for code in one.codes}
    assert {*used, *described.ANYWHERE, *described.OF_SCOPES, "not_found", "method_not_allowed"} == set(ERRORS)


@pytest.mark.parametrize("config", [CONFIG, CLOSED], ids=["open", "closed"])
async def test_a_key_is_said_to_be_needed_where_it_is(serve, settings, config):
    client = await serve(settings, config=config)
    document = await (await client.get("/openapi.json")).json()
    for path, method, operation in operations(document):
        security = operation.get("security", [{}])
        open_ = {} in security
        target = path.replace("{item}", "tent").replace("{other}", "mat").replace("{hash}", SCRIPT.hash)
        if OPERATIONS[path].tag == EVENTS:
            continue  # write keys and signatures are no keys of clients
        status = (await client.request(method, target)).status
        assert (status not in (401, 403)) == open_, (path, method)
        assert ("401" in operation["responses"]) == ("security" in operation)


async def test_the_page_of_documentation_and_the_document_say_the_same():
    text = (DOCS / "http-api.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## (\S+ /\S*)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    for path, operation in OPERATIONS.items():
        if operation.tag in (EVENTS, MAILS):
            continue  # docs/collector.md, docs/email.md
        method = "PATCH" if operation.name == "change" else "POST" if operation.body else "GET"
        examples = [
            orjson.loads(one) for one in re.findall(r"^```json\n(.*?)^```", sections[f"{method} {path}"], re.M | re.S)
        ]
        wanted = [BODIES[operation.body]] if operation.body and operation.name != "erase" else []
        wanted += [SAMPLES[operation.answer]] if operation.answer in SAMPLES else []
        if operation.tag != described.SERVICE:
            assert examples == wanted, path
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*) \|$", text, re.M)
    assert [(code, (int(status), when)) for status, code, when in rows] == list(ERRORS.items())
    lists = text.split("\n## Lists\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", lists.split("| field |")[0], re.M)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(PARAMETERS) - {
        "item_path",
        "other",
        "items",
        "item",
        "signal",
        "q",
        "hash",
        *OF_EVENTS,
        *OF_MAILS,
        *OF_SLOTS,
        *OF_STATUS,
    }


# The page


async def test_the_page_shows_every_route_parameter_and_field_and_runs_nothing(client, document):
    response = await client.get("/docs")
    html = await response.text()
    assert (response.status, response.content_type) == (200, "text/html")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "script-src" not in policy
    elsewhere = r"https?://(?!www\.w3\.org|[\w.]*shop\.example)"  # addresses of examples are loaded by nobody
    assert not re.search(rf"<script|<link rel=\"stylesheet|style=|\son\w+=|{elsewhere}", html)
    for _, method, operation in operations(document):
        if method != "head":
            assert f'id="{operation["operationId"]}"' in html
    for name in [*(set(PARAMETERS) - {"item_path"}), "placements[].min_price", "items[].because", "scores.lift"]:
        assert f"<code>{name}</code>" in html, name


def test_the_page_escapes_what_a_configuration_says():
    document = json.loads(json.dumps(openapi.document((), CONFIG)))
    document["tags"] = [{"name": "<b>", "description": "<i> `<u>`"}]
    html = docs_page.page(document)
    assert "<i> " not in html
    assert "&lt;i&gt; <code>&lt;u&gt;</code>" in html


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the page cannot be tried")
@pytest.mark.parametrize("width", [1280, 375])
async def test_the_page_in_a_browser(client, width, tmp_path):
    complaints = []
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await chromium.new_page(viewport={"width": width, "height": 800})
        page.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        await page.goto(str(client.make_url("/docs")))
        paper = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        picture = await page.screenshot(path=tmp_path / "docs.png")  # before the click, which scrolls
        await page.emulate_media(color_scheme="dark")
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.locator("nav a", has_text="/v1/").first.click()
        assert page.url.endswith("#similar")
        await chromium.close()
    assert complaints == []
    assert paper == "rgb(244, 243, 239)", "the policy names another style than the page has"
    assert dark != paper
    assert wide <= width, "a phone would scroll sideways"
    assert len(picture) > 10_000
