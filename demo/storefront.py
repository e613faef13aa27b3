"""What a shop's product page asks of the server: the list beside an item, over one connection."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import orjson

from .shoppers import Offered

PLACEMENT = "product-page"
"""The list beside a product, in the configuration file."""
TIMEOUT_S = 10.0
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
_KINDS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}

log = logging.getLogger(__name__)


class Storefront:
    """A client of one server. asked: lists; tried: those in an experiment; failed: those that did not come."""

    def __init__(self, url: str, placement: str = PLACEMENT, agent: str = BROWSER) -> None:
        """Without a connection yet.

        Args:
            url: of the server, http or https, without a path of the API.
            placement: name of the list.
            agent: User-Agent of the visitors.
        """
        parts = urlsplit(url)
        self._connect: Callable[[], http.client.HTTPConnection] = lambda: _KINDS[parts.scheme](
            parts.hostname or "", parts.port, timeout=TIMEOUT_S
        )
        self._path, self._placement, self._agent = parts.path.rstrip("/"), placement, agent
        self._connection: http.client.HTTPConnection | None = None
        self.asked = self.tried = self.failed = 0

    def ask(self, item: str, aid: str, uid: str | None) -> Offered | None:
        """The list beside an item; None where the server has none to give, and why is said once."""
        self.asked += 1
        try:
            answer = self._get(item, aid, uid)
            offered = Offered(
                answer["request_id"],
                tuple(entry["id"] for entry in answer["items"]),
                answer["experiment"],
                answer["variation"],
            )
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            self.failed += 1
            if self.failed == 1:
                log.warning("no list beside a product: %s: %s", type(error).__name__, error)
            return None
        self.tried += offered.experiment is not None
        return offered

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _get(self, item: str, aid: str, uid: str | None) -> Any:
        query = urlencode({"placement": self._placement, "aid": aid, **({"uid": uid} if uid else {})})
        path = f"{self._path}/v1/similar/{quote(item, safe='')}?{query}"
        kept = self._connection is not None
        try:
            status, body = self._once(path)
        except (OSError, http.client.HTTPException):
            self.close()
            if not kept:
                raise
            status, body = self._once(path)  # the server may have closed a connection that was idle
        if status != http.HTTPStatus.OK:
            msg = f"status {status}"
            raise ValueError(msg)
        return orjson.loads(body)

    def _once(self, path: str) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        self._connection.request("GET", path, headers={"User-Agent": self._agent})
        answer = self._connection.getresponse()
        return answer.status, answer.read()
