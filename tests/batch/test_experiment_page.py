"""The page of a report in a real Chromium, from a file and without a network, and its text."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from varde.batch import wording
from varde.batch.conclusion import conclude
from varde.batch.experiment_page import page
from varde.batch.experiment_result import Result
from varde.batch.interval_plot import Look, plot
from varde.experiments import Variation

from . import trials
from .trials import experiment, measured

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the page cannot be tried")
in_one_loop = pytest.mark.asyncio(loop_scope="module")
"""That of the one Chromium."""
GUARDED = 'guardrails = ["revenue_per_unit", "fallback_share", "latency_p95"]\nstart = 2026-02-16T07:30:00Z\n'
HOSTILE = "<script>window.broken=1</script>\"'><img src=x onerror=window.broken=1>&amp;"
AUDIENCE = 'audience = { customers = "known", languages = ["sv"] }\nnamespace = { name = "pdp", to = 0.75 }\n'


@cache
def results() -> dict[str, Result]:
    three = experiment(GUARDED, keys=("control", "cosine", "other"))
    drafted = experiment('mode = "team_draft"\n')
    return {
        "wins": conclude(measured(experiment(GUARDED), units=8000, rates=(0.5, 0.6))),
        "harm": conclude(measured(experiment(GUARDED), units=20_000, rates=(0.5, 0.6), revenue=(3, 2))),
        "early": conclude(measured(experiment(GUARDED + AUDIENCE), units=3000, days=9, several=0.02)),
        "mismatch": conclude(measured(experiment(GUARDED), units=8000, shares=(0.45, 0.55))),
        "three": conclude(measured(three, units=6000, rates=(0.5, 0.6, 0.5), revenue=(3, 3, 3))),
        "draft": conclude(trials.team_draft(drafted, 900, (0.3, 0.5))),
        "few": conclude(measured(experiment(GUARDED), units=3)),
        "none": conclude(measured(experiment(GUARDED), units=0)),
        "no draft": conclude(trials.team_draft(drafted, 0, (0.3, 0.5))),
    }


NAMES = ("wins", "harm", "early", "mismatch", "three", "draft", "few", "none", "no draft")


class Read(HTMLParser):
    """Text, tags, and what is wrong: a tag that is not closed, an id that comes twice."""

    EMPTY = ("meta", "rect", "line", "polygon", "polyline", "circle", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)


@pytest.mark.parametrize("name", NAMES)
def test_the_markup_is_sound_and_names_nothing_outside(name: str) -> None:
    html = page(results()[name])
    read = Read(html)
    assert read.open == []
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in read.tags:
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)  # type: ignore[union-attr]
        assert not {"src", "href", "style", "action"} & set(attributes)
        assert not [attribute for attribute in attributes if attribute.startswith("on")]
    assert {"script", "link", "img", "iframe", "form"}.isdisjoint(tag for tag, _ in read.tags)
    assert not re.search(r"https?://|@import|url\((?!#)", html)
    assert html.count("default-src 'none'") == 1


def forms(value: float) -> set[str]:
    """How a figure may stand on the page."""
    said = {wording.number(value), wording.probability(value), wording.moment(None)}
    said |= {wording.percent(value, signed) for signed in (False, True)}
    if value == int(value) and 0 <= value < 10**11:
        said.add(wording.day(int(value)))
    if 10**11 < value < 10**14:
        said |= {wording.moment(int(value))}
    return said - {wording.NOTHING}


def figures(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from figures(one, f"{path}.{name}")
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from figures(one, f"{path}[{place}]")
    elif value is not None and not isinstance(value, bool):
        yield path, value


WORDS = {"level", "role", "outcome", "method", "kind"}
"""Values that the page says in other words."""


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_the_last_line_is_on_the_page(name: str) -> None:
    result = results()[name]
    text = " ".join(Read(page(result)).text)
    words = set(re.split(r"[\s(),;:]+", text)) | {one.strip() for one in Read(page(result)).text}
    words |= {word.rstrip(".") for word in words}
    missing = []
    for path, value in figures(orjson.loads(orjson.dumps(result.figures()))):
        if path.rsplit(".", 1)[-1] in WORDS:
            continue
        if isinstance(value, str):
            if value.lower() not in text.lower():
                missing.append((path, value))
        elif not any(form in words or (" " in form and form in text) for form in forms(value)):
            missing.append((path, value))
    assert missing == []


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_comes_first(name: str) -> None:
    result = results()[name]
    text = "".join(Read(page(result)).text)
    assert 0 < text.lower().index(result.verdict.sentence.lower()) < 250


def hostile() -> Result:
    result = results()["early"]
    of = result.experiment
    variations = tuple(Variation(key=HOSTILE + str(place), weight=0.5, ranking=HOSTILE) for place in range(2))
    from dataclasses import replace

    told = measured(replace(of, key=HOSTILE, seed=HOSTILE, placements=(HOSTILE,), variations=variations), units=3000)
    return conclude(told._replace(faults={HOSTILE: 3}))


def test_a_hostile_name_is_only_text() -> None:
    html = page(hostile())
    assert "<script" not in html
    assert "<img" not in html
    assert HOSTILE in "".join(Read(html).text)
    draft = hostile()
    assert "<script" not in plot(draft.metrics[0].compared[0].looks, "p", HOSTILE)


def test_one_look_is_a_plot_and_none_is_a_sentence() -> None:
    assert plot([Look(20_500, 200, 0.1, -0.2, 0.4, -0.1, 0.3)], "p", "t").startswith("<svg")
    assert plot([], "p", "t").startswith("<p")
    assert plot([Look(20_500, 200, *[float("nan")] * 5)], "p", "t").startswith("<p")


@pytest.mark.parametrize(
    "bounds",
    [(0.1, 0.1, 0.1, 0.1, 0.1), (0.0, 0.0, 0.0, 0.0, 0.0), (1e9, -1e12, 1e12, -1e10, 1e10), (-1e-9, -2e-9, 1e-9, 0, 0)],
)
def test_any_figures_make_a_plot(bounds: tuple[float, float, float, float, float]) -> None:
    drawn = plot([Look(20_500, 2, *bounds), Look(20_501, 3, *bounds)], "p", "t")
    assert Read(drawn).open == []
    assert "nan" not in drawn


# In a browser


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A context, and a failure of the test for anything it complains about or asks for besides the file."""
    context = await chromium.new_context()
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("console", lambda line: wrong.append(line.text) if line.type in ("error", "warning") else None)
    context.on("request", lambda one: None if one.url.startswith("file:") else wrong.append(one.url))
    yield context
    await context.close()
    assert wrong == []


async def shown(browser: BrowserContext, result: Result, folder: Path) -> Page:
    path = folder / "report.html"
    path.write_text(page(result), "utf-8")
    tab = await browser.new_page()
    await tab.goto(path.as_uri())
    return tab


@needs_chromium
@in_one_loop
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_it_fits_the_screen_and_can_be_read(
    browser: BrowserContext, tmp_path: Path, scheme: str, width: int
) -> None:
    tab = await shown(browser, results()["three"], tmp_path)
    await tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await tab.set_viewport_size({"width": width, "height": 800})
    assert await tab.evaluate("document.documentElement.scrollWidth") <= width
    assert await tab.evaluate(CONTRAST) == []
    for picture in await tab.locator("svg.plot").all():
        assert await picture.get_attribute("role") == "img"
        assert "interval" in (await picture.locator("title").text_content() or "")
    assert len(await tab.locator("svg.plot").all()) == 6


CONTRAST = """() => {
  const channels = (said) => said.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => {
    const linear = (c) => (c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.slice(0, 3).map((c) => linear(c / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || element.closest('title') || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = light(channels(element.closest('svg') ? style.fill : style.color)), paper = light(behind(element));
    const ratio = (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
    if (ratio < 4.5) bad.push(`${element.outerHTML.slice(0, 80)} ${ratio.toFixed(2)}`);
  }
  return bad;
}"""


@needs_chromium
@in_one_loop
async def test_a_hostile_name_does_nothing_in_a_browser(browser: BrowserContext, tmp_path: Path) -> None:
    tab = await shown(browser, hostile(), tmp_path)
    assert await tab.evaluate("window.broken") is None
    assert await tab.locator("script, img").count() == 0
    assert HOSTILE in await tab.locator("h1").inner_text()


@needs_chromium
@in_one_loop
async def test_print_shows_what_is_folded(browser: BrowserContext, tmp_path: Path) -> None:
    tab = await shown(browser, results()["wins"], tmp_path)
    last = tab.locator("details table").last
    assert not await last.is_visible()
    await tab.emulate_media(media="print", color_scheme="dark")
    assert await last.is_visible()
    assert await tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert (await tab.pdf(format="A4")).startswith(b"%PDF")


@needs_chromium
@in_one_loop
async def test_tables_scroll_by_keyboard(browser: BrowserContext, tmp_path: Path) -> None:
    tab = await shown(browser, results()["three"], tmp_path)
    await tab.set_viewport_size({"width": 360, "height": 800})
    region = tab.get_by_role("region", name="Metrics").locator("[tabindex]")
    region = region if await region.count() else tab.locator('.wide-table[aria-label="Metrics"]')
    await region.focus()
    await tab.keyboard.press("ArrowRight")
    # Asked from here: a condition that waits in the page is evaluated there, which the page's policy forbids.
    async with asyncio.timeout(30):
        while not await tab.evaluate("document.querySelector('.wide-table').scrollLeft"):
            await asyncio.sleep(0.02)
