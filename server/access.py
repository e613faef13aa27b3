"""Who may ask for what: keys with scopes and rates, and which pages of other origins may read the answers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import unquote_to_bytes

from aiohttp import web
from aiohttp.http_parser import RawRequestMessage

from varde.clients import Access, Client, Clients

from .errors import ApiError

READ, EXPLAIN, CATALOGUE, ERASE, EMAIL = "read", "explain", "catalogue", "erase", "email"
ADMIN = "admin"
"""The client that VARDE_ADMIN_KEY is the key of."""
PREFLIGHT_S = 86_400
"""How long a browser may remember a preflight's answer; browsers have lower bounds of their own."""
KEY_IN_QUERY = ("/v1/email/", "/v1/feeds/")
"""Where the query string may show a key: many email tools send no header that one can choose."""
_KEY = "key="

Refused = Callable[[str, str, str], None]
"""Told (scope, code, client or "") of every refusal."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="varde", Basic realm="varde"'}
"""Of what people look at: a browser asks for a password only where Basic is offered."""
_CORS_ALL = b"Access-Control-Allow-Origin: *\r\n"
_VARY = b"Vary: Origin\r\n"


class Bucket:
    """A token bucket: `rate` requests a second, `burst` of them at once."""

    __slots__ = ("_burst", "_left", "_rate", "_since")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._left, self._since = rate, burst, burst, now

    def take(self, now: float) -> float:
        """Take a token; 0.0, or the seconds until there is one. `now`: seconds, monotonic."""
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate

    def put_back(self) -> None:
        """Return the token that was taken last."""
        self._left += 1


UNCOUNTED = Bucket(0.0, 0.0, 0.0)
"""Of requests that have no rate."""


class Guard:
    """The access rules of one configuration, over all requests of a process."""

    def __init__(self, admin_key: str, processes: int, clock: Callable[[], float], refused: Refused) -> None:
        """Without a configuration yet: `use` gives the first.

        Args:
            admin_key: VARDE_ADMIN_KEY, or empty.
            processes: how many share the port: each allows its part of a rate.
            clock: seconds, monotonic.
            refused: told of refusals.
        """
        self._processes, self._clock, self._refused = max(1, processes), clock, refused
        admin = Client(name=ADMIN, keys=(hashlib.sha256(admin_key.encode()).digest(),), scopes=frozenset({ERASE}))
        self._admin = (admin,) if admin_key else ()
        self._secret = secrets.token_bytes(32)
        self._buckets: dict[bytes, tuple[Client, Bucket]] = {}
        self._known: dict[bytes, Client] = {}
        self.use(Access(), Clients())

    def use(self, access: Access, clients: Clients) -> None:
        """Take another configuration; who keeps a rate keeps what is left of it."""
        self._clients = Clients((*clients.all, *self._admin))
        self._public = access.public
        self._scopes = frozenset(scope for client in self._clients.all for scope in client.scopes)
        self._origins = {origin: _allowed(origin) for origin in access.origins if origin != "*"}
        self._all = "*" in access.origins
        rates = {client.name: (client.rate, client.burst) for client in clients.all}
        self._buckets = {
            shown: kept
            for shown, kept in self._buckets.items()
            if rates.get(kept[0].name) == (kept[0].rate, kept[0].burst)
        }
        self._known = {}

    def check(self, message: RawRequestMessage, scope: str) -> None:
        """Let a request pass.

        Raises:
            ApiError: 401 for no key where one is needed and for a wrong one anywhere; 403 for one without the scope;
                429 for one too often.
        """
        keys = _shown_by(message)
        if keys is None:
            if scope in self._public:
                return
            raise self._refusal(scope, self._unknown(scope))
        client, shown = self._client(keys)
        if client is None:
            raise self._refusal(scope, self._unknown(scope))
        if scope not in client.scopes and scope not in self._public:
            raise self._refusal(scope, ApiError(403, "forbidden", f"this key is not for {scope}"), client)
        if client.rate:
            bucket, now = self._bucket(client, shown)
            wait = bucket.take(now)
            if wait:
                text = "this key has asked too often; the header Retry-After says when to ask again"
                after = {"Retry-After": str(math.ceil(wait))}
                raise self._refusal(scope, ApiError(429, "rate_limited", text, headers=after), client)

    def passes(self, message: RawRequestMessage, scope: str) -> Bucket | None:
        """Where `check` lets a request pass, the bucket that a token was taken of; else None, and nothing is counted.

        Who then leaves the request to somebody who calls `check` puts the token back first.
        """
        keys = _shown_by(message)
        if keys is None:
            return UNCOUNTED if scope in self._public else None
        client, shown = self._client(keys)
        if client is None or not (scope in client.scopes or scope in self._public):
            return None
        if not client.rate:
            return UNCOUNTED
        bucket, now = self._bucket(client, shown)
        return None if bucket.take(now) else bucket

    def client(self, message: RawRequestMessage) -> str:
        """The name of the client whose key the request shows, or empty."""
        keys = _shown_by(message)
        if keys is None:
            return ""
        client, _ = self._client(keys)
        return client.name if client else ""

    def cors(self, message: RawRequestMessage) -> bytes:
        """The header lines that say which page may read the answer."""
        if self._all:
            return _CORS_ALL
        return self._origins.get(message.headers.get("Origin", ""), b"") + _VARY

    def preflight(self, message: RawRequestMessage, methods: str) -> web.Response:
        """The answer to a browser that asks whether it may ask. Without an allowed origin it holds no permission."""
        headers = lines(self.cors(message))
        if "Access-Control-Allow-Origin" in headers:
            headers |= {
                "Access-Control-Allow-Methods": methods,
                "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match, X-Api-Key",
                "Access-Control-Max-Age": str(PREFLIGHT_S),
            }
        return web.Response(status=204, headers={"Allow": methods, **headers})

    def _unknown(self, scope: str) -> ApiError:
        if scope == ERASE and ERASE not in self._scopes:
            return ApiError(403, "no_admin_key", "erasures are switched off: the server has no VARDE_ADMIN_KEY")
        headers = _CHALLENGE if scope == EXPLAIN else {}
        return ApiError(401, "unauthorized", "needs a key, as Authorization: Bearer or X-Api-Key", headers=headers)

    def _client(self, keys: Sequence[bytes]) -> tuple[Client | None, bytes]:
        """Whose key is shown, and a digest of it that nobody outside this process can compute."""
        for key in keys:
            # Looked up by a keyed digest, so that the time it takes says nothing about any key; only the
            # keys of clients get in, each after a comparison in constant time.
            shown = hashlib.blake2b(key, key=self._secret, digest_size=16).digest()
            client = self._known.get(shown)
            if client is None:
                client = self._clients.of(key)
                if client is not None:
                    self._known[shown] = client
            if client is not None:
                return client, shown
        return None, b""

    def _bucket(self, client: Client, shown: bytes) -> tuple[Bucket, float]:
        """The bucket of a client's key, and what time it is."""
        now = self._clock()
        kept = self._buckets.get(shown)
        if kept is None:
            rate, burst = client.rate / self._processes, max(1.0, client.burst / self._processes)
            kept = self._buckets[shown] = client, Bucket(rate, burst, now)
        return kept[1], now

    def _refusal(self, scope: str, error: ApiError, client: Client | None = None) -> ApiError:
        self._refused(scope, error.code, client.name if client else "")
        return error


def _allowed(origin: str) -> bytes:
    return f"Access-Control-Allow-Origin: {origin}\r\n".encode()


def lines(lines: bytes) -> dict[str, str]:
    """Header lines as names and values."""
    return dict(line.split(": ", 1) for line in lines.decode().split("\r\n") if line)


def _shown_by(message: RawRequestMessage) -> list[bytes] | None:
    """The keys that a request shows, of which none may be one; None where it shows nothing."""
    headers = message.headers
    if "Authorization" in headers or "X-Api-Key" in headers:
        return _shown(headers)
    target = message.path
    if target.startswith(KEY_IN_QUERY):
        for field in target.partition("?")[2].split("&"):
            if field.startswith(_KEY):
                return [unquote_to_bytes(field.removeprefix(_KEY))]
    return None


def _shown(headers: Mapping[str, str]) -> list[bytes]:
    """The keys that a request shows: each place may hold one, Basic two."""
    out = []
    if (key := headers.get("X-Api-Key")) is not None:
        out.append(_bytes(key))
    scheme, _, given = headers.get("Authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        out.append(_bytes(given))
    elif scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(given, validate=True).partition(b":")
        except (binascii.Error, ValueError):
            return out
        out += [part for part in (user, password) if part]
    return out


def _bytes(text: str) -> bytes:
    """As it came: aiohttp hands bytes that are no UTF-8 on as surrogates."""
    return text.encode("utf-8", "surrogateescape")
