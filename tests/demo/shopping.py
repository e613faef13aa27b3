"""Visitors of the demo's shop: windows of a real Chromium that notice whatever a browser complains about."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, expect, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
"""Not Chromium's own, which says that it is headless: a robot, whom nobody counts."""
ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
SEEN_MS = 60_000
WATCH = """
window.policy = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
  window.policy.push(`${violatedDirective} ${blockedURI}`);
});
"""
EXPECTED = ("ERR_ABORTED", "status of 404", "status of 422")
"""A page that is left ends what it asked for; the others are of pages that the tests open on purpose."""


@dataclass
class Visitor:
    """A browser of its own: other cookies, and so somebody else. url: of the shop; told: the events that it sent."""

    url: str
    context: BrowserContext
    told: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def window(self) -> Page:
        """One more window."""
        return self.context.new_page()

    def agree(self, page: Page, path: str = "/") -> None:
        """Open a page and let the shop remember."""
        page.goto(self.url + path)
        self.follow(page.get_by_role("button", name="Yes, remember"))

    def go(self, page: Page, path: str) -> None:
        """Open a page, until what it has to tell is told."""
        page.goto(self.url + path)
        self.settled(page)

    def follow(self, link: Locator) -> None:
        """Press a link or a form's button, until the page that it leads to has told what it has to tell."""
        with link.page.expect_navigation():
            link.click()
        self.settled(link.page)

    def settled(self, page: Page) -> None:
        """Segment's library has started on the page."""
        expect(page.locator("html")).to_have_attribute("data-told", "yes", timeout=SEEN_MS)

    @contextmanager
    def telling(self, page: Page, name: str) -> Iterator[None]:
        """Until an event of that name has been sent: a page that has begun to tell has not sent anything yet."""
        with page.expect_request(
            lambda request: name in (one.get("event") or one["type"] for one in _messages(request))
        ):
            yield

    def sound(self) -> None:
        """Fail for anything that the browser complained about."""
        for page in self.context.pages:
            self.complaints += page.evaluate("() => window.policy ?? []")
        assert [text for text in self.complaints if not any(part in text for part in EXPECTED)] == []

    def _sent(self, request: Request) -> None:
        self.told += _messages(request)


def _messages(request: Request) -> list[dict[str, Any]]:
    """What a request tells Segment; nothing where it is another one."""
    if request.method != "POST" or not re.search(r"/v1/[tpigasb]$", request.url) or not request.post_data_buffer:
        return []
    body = orjson.loads(request.post_data_buffer)
    return list(body.get("batch", [body]))


def refused(log: str) -> list[str]:
    """What browsers reported against the shop's policy, but for one address of Segment's.

    Its library, whose settings do not come, for one because the page is left meanwhile, tells that to api.segment.io,
    whatever it is set to: `new RemoteMetrics()` without options in analytics-next's browser/standalone.ts.
    """
    lines = [line for line in log.splitlines() if "refused" in line]
    return [line for line in lines if "refused https://api.segment.io/v1/m by connect-src" not in line]


@contextmanager
def visitor(browser: Browser, url: str, **more: Any) -> Iterator[Visitor]:
    """Somebody who comes for the first time; `more` is of the browser's context."""
    context = browser.new_context(user_agent=AGENT, **({"viewport": {"width": 1280, "height": 900}} | more))
    context.set_default_timeout(SEEN_MS)
    context.add_init_script(WATCH)
    who = Visitor(url, context)
    context.on("weberror", lambda error: who.complaints.append(str(error.error)))
    context.on("console", lambda line: who.complaints.append(line.text) if line.type == "error" else None)
    context.on("requestfailed", lambda request: who.complaints.append(f"{request.url}: {request.failure}"))
    context.on("request", who._sent)
    yield who
    who.sound()
    context.close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """One Chromium, that finds no host but this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", ALONE])
        yield browser
        browser.close()
