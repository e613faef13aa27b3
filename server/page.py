"""GET /explore: one page with its scripts and style, from the package, under a policy that allows nothing else."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web
from aiohttp.typedefs import Handler

FILES = {
    "/explore": ("explore.html", "text/html"),
    "/explore.css": ("explore.css", "text/css"),
    "/explore.js": ("explore.js", "text/javascript"),
    "/explore-figures.js": ("explore-figures.js", "text/javascript"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_RANKINGS = {"llr": "log-likelihood ratio", "cosine": "cosine", "count": "number of customers", "jaccard": "Jaccard"}
_PLACEHOLDER = b"<!-- rankings -->"


def handler(path: str, rankings: tuple[str, ...]) -> Handler:
    """The handler of one of FILES; the file is read once, here, and offers the configured rankings."""
    name, content_type = FILES[path]
    options = "".join(f'<option value="{ranking}">{_RANKINGS.get(ranking, ranking)}</option>' for ranking in rankings)
    body = files(__package__).joinpath(name).read_bytes().replace(_PLACEHOLDER, options.encode())

    async def asset(request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=body,
            content_type=content_type,
            charset="utf-8",
            headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"},
        )

    return asset
