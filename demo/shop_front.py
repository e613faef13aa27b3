"""The demo shop's application: pages, forms and files under a policy that allows Varde's server and nothing else."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from . import shop_files, shop_forms, shop_pages
from .shop_orders import ORDERS, Orders
from .shop_render import SHOP, Shop

FORM_BYTES = 16_384
_SAFE = {"GET", "HEAD", "OPTIONS"}


def policy(server: str) -> str:
    """The Content-Security-Policy of all pages: no inline script or style, no other origin than Varde's server's."""
    parts = urlsplit(server)
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"default-src 'none'; script-src 'self' {origin}; style-src 'self'; img-src 'self'; font-src 'self'; "
        f"connect-src 'self' {origin}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; report-uri /csp"
    )


def create_app(shop: Shop) -> web.Application:
    """The application of one shop."""
    app = web.Application(client_max_size=FORM_BYTES, middlewares=[_guarded(policy(shop.server)), _found])
    app[SHOP], app[ORDERS], app[shop_files.REFUSED] = shop, Orders(), []
    pages: dict[str, Handler] = {
        "/": shop_pages.home,
        "/d/{department}": shop_pages.department,
        "/c/{category}": shop_pages.category,
        "/search": shop_pages.search,
        "/p/{item}": shop_pages.product,
        "/cart": shop_pages.cart,
        "/checkout": shop_pages.checkout,
        "/thanks/{order}": shop_pages.thanks,
        "/login": shop_pages.login,
        "/privacy": shop_pages.privacy,
        "/pictures/{item}.png": shop_files.drawn,
    }
    pages |= {f"/assets/{name}": handler for name, handler in shop_files.assets().items()}
    forms: dict[str, Handler] = {
        "/cart/add": shop_forms.add,
        "/cart/change": shop_forms.change,
        "/checkout": shop_forms.order,
        "/login": shop_forms.log_in,
        "/logout": shop_forms.log_out,
        "/consent": shop_forms.consent,
        "/csp": shop_files.refused,
    }
    for path, handler in pages.items():
        app.router.add_get(path, handler)
    for path, handler in forms.items():
        app.router.add_post(path, handler)
    return app


def _guarded(policy: str) -> Any:
    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Headers of every answer; forms of other sites are refused."""
        if request.method not in _SAFE and not _own(request):
            return web.Response(status=403, text="this form is of another site")
        if request.method == "GET" and request.host.startswith("localhost:"):  # pictures and links have the other name
            port = request.host.removeprefix("localhost:")
            raise web.HTTPTemporaryRedirect(f"http://127.0.0.1:{port}{request.path_qs}")
        try:
            response = await handler(request)
        except web.HTTPException as error:
            error.headers["Content-Security-Policy"] = policy
            raise
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        return response

    return guarded


def _own(request: web.Request) -> bool:
    """Whether a request that changes something comes from a page of the shop; a browser always says so."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


@web.middleware
async def _found(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A page, and not a bare line, for what there is not."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        if request.path.startswith(("/assets/", "/pictures/")):
            raise
        return await shop_pages.missing(request)
