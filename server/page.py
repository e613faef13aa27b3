"""GET /explore: one page with its scripts and style, from the package, under a policy that allows nothing else.

The page is open to everybody; what it asks for is not. It holds the names of rankings and placements, which appear in
addresses anyway.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler

from varde.config import Config
from varde.ranking import RANKINGS, formula

from .parts import PARTS

FILES = {
    "/explore": ("explore.html", "text/html"),
    "/explore.css": ("explore.css", "text/css"),
    "/explore.js": ("explore.js", "text/javascript"),
    "/explore-ask.js": ("explore-ask.js", "text/javascript"),
    "/explore-rows.js": ("explore-rows.js", "text/javascript"),
    "/explore-items.js": ("explore-items.js", "text/javascript"),
    "/explore-figures.js": ("explore-figures.js", "text/javascript"),
    "/status": ("status.html", "text/html"),
    "/status.css": ("status.css", "text/css"),
    "/status.js": ("status.js", "text/javascript"),
    "/status-parts.js": ("status-parts.js", "text/javascript"),
    "/status-plots.js": ("status-plots.js", "text/javascript"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: https:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NAMES = {"llr": "log-likelihood ratio", "cosine": "cosine", "count": "number of customers", "jaccard": "Jaccard"}


def handler(path: str) -> Handler:
    """The handler of one of FILES; the file is read once, here, and offers what is configured at each request."""
    name, content_type = FILES[path]
    content = files(__package__).joinpath(name).read_text("utf-8")
    filled = content_type == "text/html"

    async def asset(request: web.Request) -> web.StreamResponse:
        return web.Response(
            text=_filled(content, request.app[PARTS].config) if filled else content,
            content_type=content_type,
            charset="utf-8",
            headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"},
        )

    return asset


def _filled(html: str, config: Config) -> str:
    rankings = "".join(
        _option(name, _NAMES.get(name, name), formula=str(ranking.formula)) for name, ranking in config.rankings.items()
    )
    first = next(iter(config.rankings))
    placements = "".join(
        _option(
            name,
            name,
            source=place.source,
            relation=place.relation.label,
            ranking=place.ranking or first,
            n=str(place.n),
        )
        for name, place in config.placements.items()
    )
    formulas = dict.fromkeys([*map(formula, RANKINGS), *(ranking.formula for ranking in config.rankings.values())])
    scores = " ".join([*map(str, formulas), "lift"])
    return (
        html.replace("<!-- rankings -->", rankings)
        .replace("<!-- placements -->", placements)
        .replace("<!-- scores -->", escape(scores))
    )


def _option(value: str, text: str, **data: str) -> str:
    more = "".join(f' data-{name}="{escape(said)}"' for name, said in data.items())
    return f'<option value="{escape(value)}"{more}>{escape(text)}</option>'
