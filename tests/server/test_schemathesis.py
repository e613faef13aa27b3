"""Requests by the thousand, made by schemathesis out of the OpenAPI document, sound and unsound, to a real server.

SCHEMA_REQUESTS is how many, over all operations; `make fuzz-http` sends 100,000.
"""

import hashlib
import json
import os
import re
import time
from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given
from hypothesis import settings as given_settings
from schemathesis import GenerationMode, openapi
from schemathesis.checks import CHECKS, load_all_checks, not_a_server_error
from schemathesis.core.failures import AcceptedNegativeData
from tests.conftest import running_redis

from varde.catalogue import Entry, Text
from varde.server.described import ERRORS, LISTS, OPERATIONS, PARAMETERS
from varde.server.described_collector import TAG as EVENTS
from varde.server.described_email import TAG as MAILS
from varde.server.observe import BODY_BYTES
from varde.server.widget import SCRIPT
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

from .conftest import VERSION
from .test_main import DEADLINE_S, Process
from .world import ITEMS, NOW, customers, fill

REQUESTS = int(os.environ.get("SCHEMA_REQUESTS", "1000"))
WEIGHTS = {
    ("GET", "/v1/similar/{item}"): 22,
    ("GET", "/v1/recommendations"): 24,
    ("POST", "/v1/placements"): 24,
    ("GET", "/v1/explain/{item}/{other}"): 10,
    ("GET", "/v1/status"): 2,
    ("GET", "/v1/popular"): 5,
    ("GET", "/v1/items"): 3,
    ("HEAD", "/v1/similar/{item}"): 3,
    ("HEAD", "/v1/recommendations"): 3,
    ("PATCH", "/v1/items/{item}"): 2,
    ("POST", "/v1/erase"): 2,
}
"""Part of the requests, in percent, of each operation that has anything to choose."""
CHOICELESS = sorted(
    path for path in set(OPERATIONS) - {path for _, path in WEIGHTS} if OPERATIONS[path].tag not in (EVENTS, MAILS)
)
HIDDEN, SOLD_OUT = "nul\0", "mug"
KEY, ADMIN_KEY = "key-for-these-tests-only", "and-another-for-erasures"
JOINED = [name for name, parameter in PARAMETERS.items() if parameter.joined]
LISTED = [name for name, parameter in PARAMETERS.items() if parameter.schema.get("type") == "array"]
LOCKED = ("/v1/erase", "/v1/items/{item}")
LIBERAL = ("/v1/items/{item}",)
"""More is understood than the document promises: what feeds write is taken here, too."""
MOST_FIELDS = 200
ADDRESS_BYTES = 8_000
"""A longer one is refused before any route is looked up."""

NAMES = [
    f"{what}_conformance" for what in ("status_code", "content_type", "response_headers", "response_schema")
]  # fmt: skip
load_all_checks()
GIVEN = {check.__name__: check for check in CHECKS.get_all()}
CONFIG = """
static = ["lamp", "map"]
[access]
public = ["read", "explain"]
[[clients]]
name = "tests"
keys = ["sha256:DIGEST"]
scopes = ["catalogue"]
[placements.default]
[placements.cart]
source = "recommendations"
must_include = ["rope", "never-seen"]
boost = [{ brand = "Nord", factor = 3 }, { item = "map", factor = 0.1 }]
max_per_brand = 2
fill = true
max_age = 60
[placements.new]
source = "trending"
unlisted = "show"
[placements.best]
source = "popular"
category = "same"
"""
CONFIG = CONFIG.replace("DIGEST", hashlib.sha256(KEY.encode()).hexdigest())
"""Every source, and rules that have something to do."""


def catalogue():
    """Entries for most items of the world: every field, brands, variants, one hidden, one sold out."""
    for place, item in enumerate(ITEMS[:-1]):
        yield Entry(
            item,
            parent="shoes" if item in ("boots", "rope") else None,
            title=f"Title <{place}> \u2028 \N{SNOWMAN}",
            url="/p/1" if place % 2 else None,
            image="https://shop.example/i.webp",
            price=place * 10.25 if place else None,
            currency="EUR",
            stock=0 if item == SOLD_OUT else place or None,
            categories=("Outdoor", "Camping" if place % 2 else "Walking"),
            brand="Nord" if place % 3 else "Syd",
            hidden=item == HIDDEN,
            texts={"sv": Text("En titel", None)},
            prices={"SEK": place * 100.0},
        )


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server process on a filled Redis; at the end it is alive and has logged no fault of its own."""
    file = tmp_path_factory.mktemp("schemathesis") / "varde.toml"
    file.write_text(CONFIG, encoding="utf-8")
    with running_redis(VERSION) as redis:
        settings = Settings(redis_url=redis.url)
        store = Store.from_settings(settings, clock=lambda: NOW)
        fill(store, customers(400, ITEMS), "world")
        store.close()
        entries = CatalogueStore.from_settings(settings)
        entries.put_entries(catalogue(), NOW, complete=True)
        entries.close()
        process = Process(
            VARDE_REDIS_URL=redis.url,
            VARDE_PORT="0",
            VARDE_CONFIG=str(file),
            VARDE_ADMIN_KEY=ADMIN_KEY,
            VARDE_DEADLINE_MS="5000",  # a busy machine must not look like a slow Redis
        )
        try:
            url = f"http://127.0.0.1:{process.port}"
            deadline = time.monotonic() + DEADLINE_S
            while requests.get(f"{url}/readyz", timeout=DEADLINE_S).status_code != 200:
                assert time.monotonic() < deadline, process.err
                time.sleep(0.05)
            yield url
            assert requests.get(f"{url}/healthz", timeout=DEADLINE_S).status_code == 200
            assert not [line for line in process.err if "Traceback" in line or '"ERROR"' in line], process.err
        finally:
            process.close()


@pytest.fixture(scope="module")
def schema(address):
    return openapi.from_url(f"{address}/openapi.json")


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


def no_fault_but_a_documented_one(ctx, response, case):
    """503 only with a code that the document names for this route; no other 5xx at all."""
    if response.status_code == 503:
        assert response.json()["error"]["code"] in OPERATIONS[case.operation.path].codes
    else:
        not_a_server_error(ctx, response, case)


def sound_requests_are_answered(ctx, response, case):
    """What the document allows is answered, but for what JSON schema cannot say."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    if response.status_code != 400 or case.method == "HEAD":
        return
    error = response.json()["error"]
    assert (
        " bytes" in error["message"]  # the bound is of bytes, the schema's of characters
        or error["message"].startswith(("give items, item, uid", "must be another item"))
        or error["message"].endswith("that no other list has")
        or error["message"].startswith("more than")  # two parameters share a bound
        or error["message"].startswith(("at: not a time since 2000", "id: blank"))
        or (error["field"] == "query" and response.request.url.count("&") >= MOST_FIELDS)
    ), error


def same_on_the_wire(violation):
    """Whether a query string cannot tell: a list of one from a text, a comma in an id from one between two."""
    found = re.search(r"parameter `(\w+)` in query|/properties/(\w+)", violation)
    name = (found[1] or found[2]) if found else None
    return name in JOINED or (name in LISTED and "`type`" in violation)


def unsound_requests_are_refused(ctx, response, case):
    """But for lists that are joined with commas: an id with a comma is two on the wire, and an empty one is none."""
    try:
        GIVEN["negative_data_rejection"](ctx, response, case)
    except AcceptedNegativeData as failure:
        violations = [line for line in failure.message.splitlines() if "violates" in line]
        if case.operation.path not in LIBERAL and not (violations and all(map(same_on_the_wire, violations))):
            raise


def nothing_hidden(ctx, response, case):
    """Neither by any parameter nor on any rung."""
    if case.method != "HEAD" and response.status_code == 200 and OPERATIONS[case.operation.path].tag == LISTS:
        body = response.json()
        lists = [*body["placements"].values()] if "placements" in body else [body]
        assert HIDDEN not in [one["id"] for each in lists for one in each["items"]]


ALWAYS = [GIVEN[name] for name in NAMES]
CHECKED = [
    *ALWAYS,
    no_fault_but_a_documented_one,
    sound_requests_are_answered,
    unsound_requests_are_refused,
    nothing_hidden,
]


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), WEIGHTS, ids=lambda word: word)
def test_every_answer_is_as_described(schema, session, address, record_property, method, path, mode):
    wanted = REQUESTS * WEIGHTS[method, path] // 200
    seen: Counter[int] = Counter()

    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    @given_settings(
        max_examples=wanted,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    def ask(case):
        if path in LOCKED:
            case.headers = {
                **(case.headers or {}),
                "Authorization": f"Bearer {ADMIN_KEY if path == '/v1/erase' else KEY}",
            }
        prepared = requests.Request(**case.as_transport_kwargs(base_url=address)).prepare()
        assume(len(prepared.url or "") < ADDRESS_BYTES)
        response = case.call(base_url=address, session=session)
        seen[response.status_code] += 1
        if response.status_code == 413:
            assert len(response.request.body) > BODY_BYTES
            case.validate_response(response, checks=ALWAYS)
        else:
            case.validate_response(response, checks=CHECKED)

    ask()
    record_property("answers", dict(seen))
    print(method, path, mode.value, dict(seen))
    assert sum(seen.values()) >= wanted * 0.95
    if path not in LOCKED:  # an erasure can only be refused without a topic
        assert (seen[200] if mode is GenerationMode.POSITIVE else seen[400] + seen[404]) > wanted // 4


@pytest.mark.parametrize("path", CHOICELESS)
def test_routes_without_a_choice_answer_as_described(schema, session, address, path):
    for method in ("GET", "HEAD"):
        case = schema[path][method].Case(path_parameters={"hash": SCRIPT.hash} if "{hash}" in path else {})
        response = case.call(base_url=address, session=session)
        assert response.status_code == 200
        case.validate_response(response, checks=ALWAYS)


@pytest.mark.parametrize("path", sorted(OPERATIONS))
def test_methods_that_a_route_does_not_take_are_405_and_named(session, address, path):
    target = address + path.replace("{item}", "tent").replace("{other}", "mat")
    described = session.get(f"{address}/openapi.json", timeout=DEADLINE_S).json()["paths"][path]
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"):
        if method.lower() not in described:
            response = session.request(method, target, timeout=DEADLINE_S)
            assert response.status_code == ERRORS["method_not_allowed"].status, method
            assert {name.lower() for name in response.headers["Allow"].split(", ")} - {"options"} == set(described)
            assert response.json()["error"]["code"] == "method_not_allowed"


def test_a_schema_that_says_something_else_would_be_found(schema, session, address):
    """The checks can fail: the same answer against a document with another type."""
    raw = json.loads(json.dumps(schema.raw_schema))
    raw["components"]["schemas"]["Item"]["properties"]["customers"] = {"type": "string"}
    case = schemathesis.openapi.from_dict(raw)["/v1/similar/{item}"]["GET"].Case(path_parameters={"item": "tent"})
    response = case.call(base_url=address, session=session)
    with pytest.raises(BaseExceptionGroup) as caught:
        case.validate_response(response, checks=ALWAYS)
    assert "customers" in str(caught.value.exceptions)
