"""Pictures of the catalogue: from hosts of the list and nowhere else; whatever they are, a card lacks one at most."""

import asyncio
import gzip
import io
import time

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from PIL import Image

from varde.cards import Cards
from varde.server import gallery as galleries
from varde.server.cards import Card
from varde.server.gallery import Gallery, Kept
from varde.server.pictures import PictureError, Pictures, public


def png(colour):
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, "PNG")
    return out.getvalue()


RED, BLUE = png("red"), png("blue")


class Names(AbstractResolver):
    """Every name leads to this machine, or to what a test says."""

    def __init__(self, **known):
        self.known, self.asked = known, []

    async def resolve(self, host, port=0, family=0):
        self.asked.append(host)
        addresses = self.known.get(host.partition(".")[0], ["127.0.0.1"])
        return [{"hostname": host, "host": one, "port": port, "family": 2, "proto": 0, "flags": 0} for one in addresses]

    async def close(self):
        pass


@pytest.fixture
async def shop(aiohttp_server):
    """A server with pictures, harmless and not."""
    asked = []

    async def handle(request):
        asked.append(request)
        name = request.path.strip("/")
        if name == "red":
            return web.Response(body=RED)
        if name == "to":
            return web.Response(status=302, headers={"Location": request.query["url"]})
        if name == "slow":
            await asyncio.sleep(60)
        if name == "large":
            return web.Response(body=bytes(200_000))
        if name == "endless":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(bytes(65_536))
        if name == "gzip":
            return web.Response(body=gzip.compress(RED), headers={"Content-Encoding": "gzip"})
        if name == "loop":
            raise web.HTTPFound("/loop")
        return web.Response(status=404, body=RED)

    app = web.Application()
    app.router.add_get("/{tail:.*}", handle)
    server = await aiohttp_server(app)
    server.asked = asked
    return server


@pytest.fixture
async def fetching(shop):
    """fetching(hosts, **changes) -> Pictures that may fetch from this machine."""
    made = []

    def start(*hosts, resolver=None, private=True, **changes):
        hosts = hosts or (f"cdn.example:{shop.port}",)
        style = Cards(hosts=hosts, private_hosts=hosts if private else (), **changes)
        made.append(Pictures(lambda: style, resolver or Names()))
        return made[-1]

    yield start
    for one in made:
        await one.close()


async def refused(pictures, address):
    with pytest.raises(PictureError) as caught:
        await pictures.fetch(address)
    return caught.value.reason


async def test_a_picture_of_an_allowed_host_is_fetched(fetching, shop):
    assert await fetching().fetch(f"http://cdn.example:{shop.port}/red") == RED
    (request,) = shop.asked
    assert request.headers["Accept-Encoding"] == "identity"
    assert "Cookie" not in request.headers and "Authorization" not in request.headers


async def test_any_host_under_a_domain_may_be_allowed(fetching, shop):
    pictures = fetching(f"*.img.example:{shop.port}")
    assert await pictures.fetch(f"http://a.b.img.example:{shop.port}/red") == RED
    for host in ("img.example", "evil-img.example", "img.example.evil"):
        assert await refused(pictures, f"http://{host}:{shop.port}/red") == "host"


@pytest.mark.parametrize(
    "address",
    [
        "http://other.example:{port}/red",
        "http://cdn.example/red",
        "http://cdn.example:1/red",
        "https://cdn.example.evil:{port}/red",
        "http://user@cdn.example:{port}/red",
        "http://cdn.example:{port}@evil.example/red",
        "http://127.0.0.1:{port}/red",
        "http://[::1]:{port}/red",
        "http://2130706433:{port}/red",
        "http://cdn.example.:{port}/red",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "ftp://cdn.example:{port}/red",
        "/red",
        "",
        "http://[",
        "//cdn.example:{port}/red",
    ],
)
async def test_nothing_else_is_asked(fetching, shop, address):
    assert await refused(fetching(), address.format(port=shop.port)) == "host"
    assert not shop.asked


@pytest.mark.parametrize(
    ("to", "reason"),
    [
        ("http://evil.example:{port}/red", "host"),
        ("http://127.0.0.1:{port}/red", "host"),
        ("file:///etc/passwd", "host"),
        ("http://[", "host"),
        ("//evil.example/red", "host"),
        ("/loop", "redirects"),
    ],
)
async def test_a_redirect_leads_to_allowed_hosts_only(fetching, shop, to, reason):
    there = to.format(port=shop.port)
    assert await refused(fetching(), f"http://cdn.example:{shop.port}/to?url={there}") == reason
    assert all(request.path in ("/to", "/loop") for request in shop.asked)


async def test_a_redirect_to_an_allowed_host_is_followed(fetching, shop):
    pictures = fetching(f"cdn.example:{shop.port}", f"two.example:{shop.port}")
    there = f"http://two.example:{shop.port}/red"
    assert await pictures.fetch(f"http://cdn.example:{shop.port}/to?url={there}") == RED


async def test_a_name_that_leads_into_the_private_network_is_not_followed(fetching, shop):
    """Judged by the address that is connected to, so a name that leads elsewhere at its second asking gains nothing."""
    assert await refused(fetching(private=False), f"http://cdn.example:{shop.port}/red") == "address"
    direct = fetching(f"127.0.0.1:{shop.port}", private=False)
    assert await refused(direct, f"http://127.0.0.1:{shop.port}/red") == "address"
    assert not shop.asked
    named = fetching(f"127.0.0.1:{shop.port}")
    assert await named.fetch(f"http://127.0.0.1:{shop.port}/red") == RED


async def test_private_addresses_among_others_are_left_out(fetching, shop):
    names = Names(cdn=["127.0.0.1", "203.0.113.7"])  # the second is for documentation: private, too
    assert await refused(fetching(private=False, resolver=names), f"http://cdn.example:{shop.port}/red") == "address"
    assert not shop.asked


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("127.0.0.1", False), ("10.1.2.3", False),
        ("172.16.0.1", False), ("192.168.0.1", False), ("169.254.169.254", False), ("100.64.0.1", False),
        ("0.0.0.0", False), ("224.0.0.1", False), ("255.255.255.255", False), ("::1", False), ("::", False),
        ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:127.0.0.1", False), ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False), ("64:ff9b::808:808", True), ("ff02::1", False),
    ],
)  # fmt: skip
def test_which_addresses_are_public(address, is_public):
    assert public(address) is is_public


@pytest.mark.parametrize(
    ("path", "reason"),
    [("large", "large"), ("endless", "large"), ("gzip", "encoded"), ("missing", "status"), ("slow", "timeout")],
)
async def test_bounds_hold(fetching, shop, path, reason):
    started = time.monotonic()
    pictures = fetching(max_kb=100, timeout_ms=1000 if path == "slow" else 10_000)
    assert await refused(pictures, f"http://cdn.example:{shop.port}/{path}") == reason
    assert time.monotonic() - started < 9


async def test_a_host_that_is_gone_is_an_error(fetching, shop):
    pictures, address = fetching(), f"http://cdn.example:{shop.port}/red"
    await shop.close()
    assert await refused(pictures, address) == "network"


# The gallery


class Shown:
    """Pictures without a network."""

    def __init__(self):
        self.asked, self.fails, self.wait = [], False, asyncio.Event()
        self.wait.set()

    async def fetch(self, address):
        self.asked.append(address)
        await self.wait.wait()
        if self.fails:
            raise PictureError("timeout")
        return RED

    async def close(self):
        pass


@pytest.fixture
async def gallery():
    style = [Cards(hosts=("cdn.example",), width=120, height=160, memory_mb=1)]
    now, told, shown = [0.0], [], Shown()
    made = Gallery(lambda: style[0], shown, told.append, lambda why: told.append(f"picture {why}"), lambda: now[0])
    made.style, made.now, made.told, made.shown = style, now, told, shown
    yield made
    shown.wait.set()
    await made.close()


def card(n=0, image="http://cdn.example/red", price="9"):
    return Card(f"Item {n}", "", price, image, "")


async def test_a_card_is_made_once_for_many_and_then_kept(gallery):
    many = await asyncio.gather(*(gallery.card(card()) for _ in range(20)))
    assert len(set(many)) == 1 and many[0].startswith(b"\x89PNG")
    assert await gallery.card(card()) == many[0]
    assert gallery.told == ["drawn", "kept"]
    assert gallery.shown.asked == ["http://cdn.example/red"]


async def test_a_picture_is_fetched_once_for_cards_with_other_prices(gallery):
    await asyncio.gather(*(gallery.card(card(price=str(n))) for n in range(5)))
    assert gallery.told == ["drawn"] * 5
    assert len(gallery.shown.asked) == 1


async def test_without_its_picture_a_card_is_kept_for_a_minute(gallery):
    gallery.shown.fails = True
    poor = await gallery.card(card())
    assert await gallery.card(card()) == poor
    assert gallery.told == ["picture timeout", "without_picture", "kept"]
    gallery.shown.fails = False
    gallery.now[0] += galleries.MISSING_S + 1
    assert await gallery.card(card()) != poor


async def test_without_hosts_nothing_is_fetched(gallery):
    gallery.style[0] = Cards(width=120, height=160)
    assert await gallery.card(card()) is not None
    assert gallery.shown.asked == [] and gallery.told == ["drawn"]


async def test_another_style_is_another_card(gallery):
    before = await gallery.card(card()), await gallery.fallback()
    gallery.style[0] = Cards(width=130, height=160)
    assert (await gallery.card(card()), await gallery.fallback()) != before


async def test_there_is_a_bound_of_cards_under_way(gallery):
    gallery.shown.wait.clear()
    waiting = [asyncio.create_task(gallery.card(card(n))) for n in range(galleries.MOST_WAITING)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await gallery.card(card(-1)) is None
    same = asyncio.create_task(gallery.card(card(0)))  # waits with the others for what is under way
    gallery.shown.wait.set()
    assert all(await asyncio.gather(*waiting, same))


async def test_a_reader_who_is_gone_does_not_cost_the_others_their_card(gallery):
    gallery.shown.wait.clear()
    one, other = (asyncio.create_task(gallery.card(card())) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    gallery.shown.wait.set()
    assert await other is not None


def test_what_is_kept_is_bounded_and_ends():
    now = [0.0]
    kept = Kept(lambda: now[0])
    for n in range(100):
        kept.put(n, bytes(500), 10, 10_000)
        assert kept.size <= 10_000
    assert len(kept) == 10 and kept.get(89) is None and kept.get(90) == (bytes(500),)
    kept.put(91, b"", 10, 10_000)
    assert kept.get(91) == (b"",) and kept.size == 9_500
    kept.put("none", None, 10, 10_000)
    assert kept.get("none") == (None,)
    now[0] = 11
    assert kept.get("none") is None
    kept.put("huge", bytes(20_000), 10, 10_000)
    assert (len(kept), kept.size) == (0, 0)
