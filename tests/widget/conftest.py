"""A real server on a real Redis, a shop of another origin, and one Chromium, for all tests of the widget."""

import asyncio
import shutil
import socket

import pytest
import pytest_asyncio
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from playwright.async_api import async_playwright
from tests.conftest import redis_binary, running_redis
from tests.server.outdoor import TRIPS, shoppers
from tests.server.world import NOW, fill

from varde.catalogue import Entry, Text
from varde.config import read
from varde.server.app import create_app
from varde.server.main import connected
from varde.server.parts import PARTS
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.sync import Store

from .shopfront import Front, Shop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT_MS = 30_000
BRANDS = ("Nordhav", "Fjellvik", "Lyng")
CONFIG = """
[access]
origins = ["*"]
[placements.product-page]
n = 8
fill = true
[placements.cart]
source = "recommendations"
relation = "also_bought"
fill = true
[placements.for-you]
source = "recommendations"
n = 10
fill = true
[placements.nothing]
category = "there is no such category"
"""


def entries():
    """The whole assortment; a pillow without a picture, a mug with a hostile address, one with a broken picture."""
    for trip, items in TRIPS.items():
        for place, item in enumerate(items):
            name = item.replace("-", " ").capitalize()
            yield Entry(
                item,
                title=name,
                url="javascript:alert(1)" if item == "mug-enamel-red" else f"/p/{item}",
                image=None if item.startswith("pillow") else f"/pictures/{item}.svg",
                price=round(19 + 31.5 * place, 2),
                currency="EUR",
                brand=BRANDS[place % 3],
                categories=("Outdoor", trip),
                stock=20,
                texts={"ar": Text(f"منتج {place + 1}", None)},
                prices={"SEK": 219.0 + 349 * place},
            )


def loop(scope):
    return pytest_asyncio.fixture(loop_scope="session", scope=scope)


@pytest.fixture(scope="session")
def redis():
    with running_redis("7" if redis_binary("7") else "6.2") as server:
        settings = Settings(redis_url=server.url)
        store = Store.from_settings(settings, clock=lambda: NOW)
        fill(store, shoppers(600), "shop")
        store.close()
        catalogue = CatalogueStore.from_settings(settings)
        catalogue.put_entries(entries(), NOW, complete=True)
        catalogue.close()
        yield server


@loop("session")
async def server(redis):
    settings = Settings(redis_url=redis.url, deadline_ms=5000)
    app = create_app(settings, lambda: connected(settings), clock=lambda: NOW, config=read(CONFIG, settings.rankings))
    async with TestServer(app) as server:
        async with asyncio.timeout(30):
            await app[PARTS].running.loaded.wait()
        yield server


@loop("session")
async def chromium():
    if CHROMIUM is None:
        pytest.skip("no Chromium on PATH: the widget cannot be tried")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()


@loop("session")
async def standing(server):
    """The front and the shop, as long as the tests run."""
    async with ClientSession(auto_decompress=True) as session:
        front = Front(server, session)
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", front.handle)
        async with TestServer(app) as before:
            shop = Shop(str(before.make_url("")).rstrip("/"))
            own = web.Application()
            own.router.add_route("*", "/{tail:.*}", shop.handle)
            async with TestServer(own, host="localhost") as there:
                shop.origin = str(there.make_url("")).rstrip("/")
                with socket.socket() as bound:  # nobody listens, and nobody else gets the port
                    bound.bind(("127.0.0.1", 0))
                    shop.dead = f"http://127.0.0.1:{bound.getsockname()[1]}"
                    yield front, shop


@pytest.fixture
def front(standing):
    standing[0].clear()
    return standing[0]


@pytest.fixture
def shop(standing):
    standing[1].reports.clear()
    return standing[1]


@loop("function")
async def open_page(chromium, front, shop):
    """url, options of the context -> a page; at the end nothing may have been complained about.

    What a test expects the browser to complain about it adds to `open_page.expected`.
    """
    complaints, contexts = [], []

    async def opened(url, *, script="", cookies=(), frozen=False, **options):
        context = await chromium.new_context(**{"viewport": {"width": 1180, "height": 800}, **options})
        contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on("console", lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None)
        if script:
            await context.add_init_script(script)
        if cookies:
            await context.add_cookies([{"name": name, "value": value, "url": shop.origin} for name, value in cookies])
        page = await context.new_page()
        if frozen:  # time passes only when the test says so
            await page.clock.install(time=0)
            await page.clock.pause_at(1000)
        await page.goto(url)
        return page

    opened.expected = []
    yield opened
    for context in contexts:
        await context.close()
    assert [text for text in complaints if not any(part in text for part in opened.expected)] == []
    assert shop.reports == []
