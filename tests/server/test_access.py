"""Keys, scopes, rates and origins, on all routes."""

import base64
import hashlib

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from varde.clients import SCOPES, Access, Client, Clients
from varde.config import read
from varde.server import collector_routes
from varde.server.access import Bucket, Guard
from varde.server.app import ROUTES
from varde.server.errors import ApiError
from varde.server.parts import PARTS

from .test_ops import samples

KEYS = {"shop": "shop-key", "next": "shop-key-2", "boss": "boss-key", "loader": "loader-key"}


def digest(name):
    return f"sha256:{hashlib.sha256(KEYS[name].encode()).hexdigest()}"


def config(public='["read"]', origins='["*"]', rate=""):
    return read(
        f"""
        [access]
        public = {public}
        origins = {origins}
        [[clients]]
        name = "shop"
        keys = ["{digest("shop")}", "{digest("next")}"]
        {rate}
        [[clients]]
        name = "boss"
        keys = ["{digest("boss")}"]
        scopes = ["explain"]
        [[clients]]
        name = "loader"
        keys = ["{digest("loader")}"]
        scopes = ["catalogue"]
        """,
        ("llr", "cosine", "count"),
    )


def bearer(name):
    return {"Authorization": f"Bearer {KEYS[name]}"}


def basic(text):
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


PLACES = {
    "bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "any letter case": lambda key: {"Authorization": f"bEARER  {key}"},
    "user": lambda key: basic(f"{key}:"),
    "password": lambda key: basic(f"anybody:{key}"),
    "header": lambda key: {"X-Api-Key": key},
    "beside another": lambda key: {"X-Api-Key": key, "Authorization": "Bearer no-key"},
}
READS = [("GET", "/v1/similar/tent"), ("GET", "/v1/recommendations?items=tent"), ("GET", "/v1/popular")]
READS += [("POST", "/v1/placements")]
EXPLAINS = [("GET", "/v1/explain/tent/mat"), ("GET", "/v1/stats"), ("GET", "/metrics")]


async def ask(client, method, path, headers=None):
    body = b'{"placements":[{"items":["tent"]}]}' if method == "POST" else None
    response = await client.request(method, path, headers=headers, data=body)
    return response.status, response


async def test_without_a_file_nobody_has_a_key_and_none_is_asked_for(serve, settings):
    client = await serve(settings)
    for method, path in READS + EXPLAINS:
        assert (await ask(client, method, path))[0] == 200
        assert (await ask(client, method, path, {"X-Api-Key": "x"}))[0] == 401, "a wrong key is wrong everywhere"
    assert (await client.post("/v1/erase")).status == 403


async def test_a_scope_needs_its_key(serve, settings):
    client = await serve(settings, config=config())
    for method, path in EXPLAINS:
        for headers, status in [(None, 401), (bearer("shop"), 403), (bearer("loader"), 403), (bearer("boss"), 200)]:
            assert (await ask(client, method, path, headers))[0] == status, (path, headers)
    for method, path in READS:
        for headers in (None, bearer("shop"), bearer("boss"), bearer("loader")):
            assert (await ask(client, method, path, headers))[0] == 200, "read is for everybody"
    for path in ("/healthz", "/readyz"):
        assert (await ask(client, "GET", path, {"X-Api-Key": "wrong"}))[0] == 200
    found = await samples_of(client)
    refused = {(code, scope): n for (name, *labels), n in found.items() if name == "varde_access_refused_total"
               for (_, code), (_, scope) in [labels]}  # fmt: skip
    assert refused == {("unauthorized", "explain"): 3, ("forbidden", "explain"): 6}


async def samples_of(client):
    client.session.headers.update(bearer("boss"))
    return await samples(client)


async def test_what_is_not_public_is_kept_by_no_shared_cache(serve, settings):
    """A finished answer for those with a key must not be handed to those without one by a proxy."""
    client = await serve(settings, config=config(public="[]"))
    for method, path in READS:
        assert (await ask(client, method, path))[0] == 401
        assert (await ask(client, method, path, bearer("boss")))[0] == 403
        status, response = await ask(client, method, path, bearer("shop"))
        assert status == 200
        assert "public" not in response.headers["Cache-Control"]
        assert (await ask(client, method, path))[0] == 401, "also when the answer is finished in memory"


@pytest.mark.parametrize("place", PLACES)
async def test_a_key_may_come_in_several_places(serve, settings, place):
    client = await serve(settings, config=config(public="[]"))
    for name, status in {"shop": 200, "next": 200, "boss": 403}.items():
        assert (await ask(client, *READS[0], PLACES[place](KEYS[name])))[0] == status
    for wrong in ("shop-ke", "shop-key-", "", "clé", digest("shop"), "sch\udcff"):
        if place in ("user", "password") and "\udcff" in wrong:
            continue
        assert (await ask(client, *READS[0], PLACES[place](wrong)))[0] == 401


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Basic", "Basic !", "Basic 4Q==", "Digest x", "shop-key", "Bearer a b"]
)
async def test_what_is_no_key_is_a_wrong_one(serve, settings, value):
    client = await serve(settings, config=config())
    status, response = await ask(client, *READS[0], {"Authorization": value})
    assert status == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert "shop-key" not in await response.text()


async def test_a_browser_is_asked_for_a_password_only_where_people_look(serve, settings):
    client = await serve(settings, config=config(public="[]"))
    _, response = await ask(client, *READS[0])
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="varde"'
    _, response = await ask(client, *EXPLAINS[0])
    assert "Basic" in response.headers["WWW-Authenticate"]


async def test_erasures_by_the_admin_key_or_by_a_client(serve, settings):
    client = await serve(settings, config=config(), admin_key="an-admin-key-for-all")
    for headers, status in [(None, 401), (bearer("boss"), 403), ({"X-Api-Key": "an-admin-key-for-all"}, 503)]:
        assert (await client.post("/v1/erase", json={"user_id": "jane"}, headers=headers)).status == status
    assert (await ask(client, *EXPLAINS[0], {"X-Api-Key": "an-admin-key-for-all"}))[0] == 403, "for erasures only"
    found = await samples_of(client)
    results = {name: found["varde_erasure_requests_total", ("result", name)] for name in ("unauthorized", "forbidden")}
    assert results == {"unauthorized": 1, "forbidden": 1}


async def test_who_asks_too_often_is_told_when_to_ask_again(serve, settings):
    client = await serve(settings, config=config(rate="rate = 0.5\nburst = 3"))
    now = [100.0]
    client.app[PARTS].guard._clock = lambda: now[0]
    assert [(await ask(client, *READS[0], bearer("shop")))[0] for _ in range(5)] == [200] * 3 + [429] * 2
    status, response = await ask(client, *READS[0], bearer("shop"))
    assert (status, response.headers["Retry-After"]) == (429, "2")
    assert (await response.json())["error"]["code"] == "rate_limited"
    assert (await ask(client, *READS[0], bearer("next")))[0] == 200, "each key has a rate of its own"
    assert (await ask(client, *READS[0]))[0] == 200
    now[0] += 2
    assert [(await ask(client, *READS[0], bearer("shop")))[0] for _ in range(2)] == [200, 429]
    assert (await samples_of(client))["varde_rate_limited_total", ("client", "shop")] == 4


@given(st.floats(0.1, 1000), st.integers(1, 100), st.lists(st.floats(0, 10), min_size=1, max_size=200))
def test_a_bucket_gives_no_more_than_burst_and_rate(rate, burst, pauses):
    now, given_out, bucket = 0.0, 0, Bucket(rate, burst, 0.0)
    for pause in pauses:
        now += pause
        wait = bucket.take(now)
        given_out += not wait
        assert wait == 0 or 0 < wait <= 1 / rate
        assert given_out <= burst + now * rate + 1e-6
    assert Bucket(rate, burst, 0.0).take(0.0) == 0


@given(st.integers(2, 64))
def test_each_of_several_processes_gives_its_part(processes):
    client = Client(name="shop", keys=(hashlib.sha256(b"k").digest(),), rate=640.0, burst=640)
    now = [0.0]
    refused = []
    guard = Guard("", processes, lambda: now[0], lambda *what: refused.append(what))
    guard.use(Access(), Clients((client,)))

    request = make_mocked_request("GET", "/", headers={"X-Api-Key": "k"})
    passed = 0
    for _ in range(700):
        try:
            guard.check(request._message, "read")
        except ApiError:
            break
        passed += 1
    assert passed == 640 // processes
    guard.use(Access(), Clients((client,)))
    with pytest.raises(ApiError):  # what is left is kept when the configuration is read again
        guard.check(request._message, "read")
    assert refused == [("read", "rate_limited", "shop")] * 2


ORIGIN, OTHER = "https://shop.example", "https://evil.example"


async def test_all_origins(serve, settings):
    client = await serve(settings, config=config())
    for method, path in READS:
        _, response = await ask(client, method, path, {"Origin": OTHER})
        assert response.headers["Access-Control-Allow-Origin"] == "*", path
        assert "Vary" not in response.headers
    for path in ("/v1/similar/tent?n=0", "/v1/recommendations"):
        assert (await client.get(path)).headers["Access-Control-Allow-Origin"] == "*", "a page may read why"
    for _, path in EXPLAINS:
        _, response = await ask(client, "GET", path, {**bearer("boss"), "Origin": OTHER})
        assert (response.status, response.headers.get("Access-Control-Allow-Origin")) == (200, None)


async def test_some_origins(serve, settings):
    client = await serve(settings, config=config(origins=f'["{ORIGIN}", "http://localhost:3000"]'))
    for method, path in READS:
        for origin, allowed in {ORIGIN: ORIGIN, OTHER: None, "null": None, ORIGIN + ":8443": None}.items():
            status, response = await ask(client, method, path, {"Origin": origin})
            assert (status, response.headers.get("Access-Control-Allow-Origin")) == (200, allowed), path
            assert response.headers["Vary"] == "Origin", "or a cache gives one page's permission to another"
        _, response = await ask(client, method, path)
        assert (response.headers.get("Access-Control-Allow-Origin"), response.headers["Vary"]) == (None, "Origin")


async def test_preflights(serve, settings):
    client = await serve(settings, config=config(public="[]", origins=f'["{ORIGIN}"]'))
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-api-key"}
    for method, path in READS:
        response = await client.options(path, headers={"Origin": ORIGIN, **asked})
        assert response.status == 204, "a browser shows no key here"
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert method in response.headers["Access-Control-Allow-Methods"]
        allowed = response.headers["Access-Control-Allow-Headers"].lower()
        assert {"authorization", "content-type", "x-api-key"} <= set(allowed.split(", "))
        assert int(response.headers["Access-Control-Max-Age"]) > 0
        assert await response.read() == b""
        response = await client.options(path, headers={"Origin": OTHER, **asked})
        assert response.status == 204
        assert not [name for name in response.headers if name.startswith("Access-Control")]
    for _, path in EXPLAINS:
        assert (await client.options(path, headers={"Origin": ORIGIN, **asked})).status == 405


def test_every_route_says_what_a_key_must_be_for():
    free = {route.path for route in ROUTES if route.scope is None}
    assert free >= {"/healthz", "/readyz"}
    assert {route.scope for route in ROUTES} <= {*SCOPES, None}
    keyless = {path for path in free if path.startswith("/v1/")}  # what has keys of its own: write keys, sealed tokens
    slots = {path for path in keyless if path.startswith("/v1/email/slot/")}
    assert keyless - slots == {one.path for one in collector_routes.PATHS}
