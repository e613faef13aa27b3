"""A shop of another origin than the server: its pages with a strict policy, its pictures; and what goes between."""

from __future__ import annotations

import asyncio
import html
import json
import time
from dataclasses import dataclass, field

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

WRITE_KEY = "shop-key"
SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(...list.getEntries().map(({ value }) => value)))
  .observe({ type: "layout-shift", buffered: true });
"""
"""Counts every layout shift, also those just after input, which the usual metric leaves out."""
STYLE = """
html { font-family: "Liberation Sans", sans-serif; color: #22302b; background: #fff }
body { margin: 0 auto; max-inline-size: 68rem; padding: 1rem }
h1 { font-size: 1.5rem } h2 { letter-spacing: .01em }
.tall { block-size: 250vh } .near { block-size: 12rem; background: #eef1ee }
varde-recs { display: block; min-block-size: 24rem; margin-block: 1.5rem }
varde-recs.grid { min-block-size: 66rem }
varde-recs.bare { min-block-size: 0 }
.mine img { inline-size: 100%; block-size: 8rem } .mine b { display: block; block-size: 2.6em; overflow: hidden }
"""
HUES = (152, 28, 205, 262, 12, 92)


def picture(item: str) -> str:
    """A drawn product: a shape on a colour, the same for the same item."""
    number = sum(map(ord, item))
    hue = HUES[number % len(HUES)]
    shape = (
        '<path d="M40 150 100 50 160 150Z" fill="{0}"/><path d="M100 50 120 150H80Z" fill="{1}"/>',
        '<rect x="55" y="45" width="90" height="115" rx="30" fill="{0}"/>'
        '<rect x="75" y="95" width="50" height="40" rx="8" fill="{1}"/>',
        '<circle cx="100" cy="100" r="55" fill="{0}"/><circle cx="100" cy="100" r="28" fill="{1}"/>',
    )[number % 3].format(f"hsl({hue} 38% 42%)", f"hsl({hue} 45% 62%)")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200">'
        f'<rect width="200" height="200" fill="hsl({hue} 30% 91%)"/>{shape}</svg>'
    )


def element(content: str = "", **attributes: object) -> str:
    """A <varde-recs> with these attributes; True stands for one without a value."""
    said = "".join(
        f" {name.rstrip('_')}" if value is True else f' {name.rstrip("_")}="{html.escape(str(value))}"'
        for name, value in attributes.items()
    )
    return f"<varde-recs{said}>{content}</varde-recs>"


@dataclass
class Front:
    """What stands between the pages and the real server: it passes requests on, remembers them, and can be slow."""

    server: TestServer
    session: ClientSession
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is closed (cleared) no list is answered."""
    script_delay_s: float = 0.0
    asked: list[dict] = field(default_factory=list)
    """The bodies of POST /v1/placements."""
    answers: list[dict] = field(default_factory=list)
    preflights: int = 0
    told: list[dict] = field(default_factory=list)
    """The messages of POST /v1/b."""
    batches: list[dict] = field(default_factory=list)

    def clear(self) -> None:
        self.gate.set()
        self.script_delay_s = 0.0
        self.preflights = 0
        for one in (self.asked, self.answers, self.told, self.batches):
            one.clear()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if request.method == "OPTIONS":
            self.preflights += 1
        if request.path == "/v1/b":
            batch = json.loads(body)
            self.batches.append({**batch, "content_type": request.content_type})
            self.told += batch["batch"]
            return web.json_response({"success": True})
        if request.path.endswith(".js"):
            await asyncio.sleep(self.script_delay_s)
        placements = request.path == "/v1/placements"
        if placements:
            self.asked.append(json.loads(body))
            await self.gate.wait()
        url = self.server.make_url(request.path_qs)
        async with self.session.request(request.method, url, data=body, headers=request.headers) as answer:
            content = await answer.read()
            if placements and answer.status == 200:
                self.answers.append(json.loads(content))
            kept = {
                name: value
                for name, value in answer.headers.items()
                if name not in ("Content-Length", "Transfer-Encoding", "Content-Encoding")
            }
            return web.Response(body=content, status=answer.status, headers=kept)


@dataclass
class Shop:
    """The shop's own server. pages: path -> HTML of the body."""

    front: str
    pages: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    reports: list[dict] = field(default_factory=list)
    origin: str = ""
    dead: str = ""
    """The address of a server that does not answer."""

    def policy(self) -> str:
        return (
            f"default-src 'none'; script-src 'self' {self.front}; connect-src {self.front} {self.dead}; "
            "img-src 'self'; "
            "style-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; "
            "trusted-types 'none'; report-uri /reports"
        )

    def page(
        self,
        body: str,
        *,
        head: str = "",
        lang: str = "en",
        dir_: str = "ltr",
        before: str = "",
        src: str = "",
        integrity: str = "",
        timeout: int = 20_000,
        **data: object,
    ) -> str:
        """Put a page up; its address.

        Args:
            body, head, lang, dir_: of the page.
            before: a script of the shop's own, which runs before the widget's.
            src, integrity: of the widget's script; the newest without a hash.
            timeout, data: what the widget's tag says. A busy machine must not look like a slow server.
        """
        path = f"/page-{len(self.pages)}"
        own = ""
        if before:
            self.scripts[f"{path}.js"] = before
            own = f'<script src="{path}.js"></script>'
        said = "".join(f' data-{name.replace("_", "-")}="{value}"' for name, value in data.items())
        tag = (
            f'<script async src="{src or self.front + "/widget/varde-recs.js"}" crossorigin="anonymous" '
            f'integrity="{integrity}" data-timeout="{timeout}"{said}></script>'
        )
        self.pages[path] = (
            f'<!doctype html><html lang="{lang}" dir="{dir_}"><head><meta charset="utf-8"><title>Shop</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<link rel="stylesheet" href="/shop.css"><link rel="icon" href="/pictures/icon.svg">{own}{tag}{head}'
            f"</head><body>{body}</body></html>"
        )
        return self.origin + path

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path == "/reports":
            self.reports.append(json.loads(await request.read()))
            return web.Response(status=204)
        if path == "/shop.css":
            return web.Response(text=STYLE, content_type="text/css")
        if path.startswith("/pictures/"):
            return web.Response(text=picture(path.rsplit("/", 1)[1]), content_type="image/svg+xml")
        if path in self.scripts:
            return web.Response(text=self.scripts[path], content_type="text/javascript")
        if path in self.pages:
            return web.Response(
                text=self.pages[path], content_type="text/html", headers={"Content-Security-Policy": self.policy()}
            )
        return web.Response(
            text="<!doctype html><html lang=en><title>Product</title><h1>A product</h1>", content_type="text/html"
        )


async def until(condition, what: str, deadline_s: float = 30.0) -> None:
    """Wait until condition() holds, which the browser brings about."""
    ends = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < ends, what
        await asyncio.sleep(0.02)
