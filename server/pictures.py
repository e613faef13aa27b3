"""The shop's pictures: fetched from hosts of a list and nowhere else, within bounds of time and size.

A catalogue comes from outside and may name any address, so nothing here follows one to a place that the configuration
does not name: neither by a redirect nor by a name that leads into the private network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from varde.cards import Cards

REDIRECTS = 3
CONNECTIONS = 16
"""Pictures fetched at once."""
WAITING = 200
"""Pictures that may be under way or wait to be; further cards have none."""
_HEADERS = {
    "Accept": "image/png, image/jpeg, image/webp, image/gif",
    "Accept-Encoding": "identity",  # compressed bytes may become any number of them
    "User-Agent": "varde",
}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}


class PictureError(Exception):
    """No picture. reason: host, address, redirects, status, large, encoded, timeout, network or busy."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class PrivateAddressError(OSError):
    """A name leads to an address that is not on the internet."""


def public(address: str) -> bool:
    """Whether an IP address is one of the internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found in _NAT64:
            found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    return found.is_global and not found.is_multicast


class PublicResolver(AbstractResolver):
    """Leaves private addresses out, except of hosts that may have them.

    Checked here, on the very addresses that are connected to: a name may lead elsewhere a moment later.
    """

    def __init__(self, inner: AbstractResolver, may_be_private: Callable[[str], bool]) -> None:
        """Over another resolver."""
        self._inner, self._may_be_private = inner, may_be_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a host.

        Raises:
            PrivateAddressError: it has private ones only.
        """
        found = await self._inner.resolve(host, port, family)
        if self._may_be_private(host.lower()):
            return found
        allowed = [one for one in found if public(one["host"])]
        if found and not allowed:
            raise PrivateAddressError(host)
        return allowed

    async def close(self) -> None:
        """Close the other one."""
        await self._inner.close()


class Pictures:
    """Fetches pictures; keeps none."""

    def __init__(self, cards: Callable[[], Cards], resolver: AbstractResolver | None = None) -> None:
        """Nothing is opened yet.

        Args:
            cards: hosts and bounds, as they are now.
            resolver: instead of the operating system's.
        """
        self._cards = cards
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._under_way = 0

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()

    async def fetch(self, address: str) -> bytes:
        """The bytes of a picture.

        Raises:
            PictureError: there are none to be had, or it is not allowed.
        """
        if self._under_way >= WAITING:
            raise PictureError("busy")
        self._under_way += 1
        try:
            async with asyncio.timeout(self._cards().timeout_ms / 1000), self._turns:
                return await self._followed(address)
        except TimeoutError:
            raise PictureError("timeout") from None
        except PrivateAddressError:
            raise PictureError("address") from None
        except aiohttp.ClientConnectorError as error:
            private = isinstance(error.os_error, PrivateAddressError)
            raise PictureError("address" if private else "network") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise PictureError("network") from None
        finally:
            self._under_way -= 1

    async def _followed(self, address: str) -> bytes:
        url = _url(address)
        for _ in range(REDIRECTS + 1):
            self._check(url)
            # Each redirect is looked at before it is followed.
            async with self._opened().get(url, allow_redirects=False, headers=_HEADERS) as answer:
                if answer.status in (301, 302, 303, 307, 308) and "Location" in answer.headers:
                    url = url.join(_url(answer.headers["Location"]))
                    continue
                return await self._read(answer)
        raise PictureError("redirects")

    def _check(self, url: URL) -> None:
        cards, name = self._cards(), (url.raw_host or "").lower()
        if url.scheme not in _PORTS or not name or url.raw_user is not None or url.raw_password is not None:
            raise PictureError("host")
        shown = f"[{name}]" if ":" in name else name
        if not cards.allows(shown, None if url.port == _PORTS[url.scheme] else url.port):
            raise PictureError("host")
        try:
            private = not public(name)  # an address is never asked of the resolver
        except ValueError:
            return
        if private and not cards.may_be_private(shown):
            raise PictureError("address")

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        most = self._cards().max_bytes
        if answer.status != 200:
            raise PictureError("status")
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise PictureError("encoded")
        if (answer.content_length or 0) > most:
            raise PictureError("large")
        data = bytearray()
        async for some in answer.content.iter_any():
            data += some
            if len(data) > most:
                raise PictureError("large")
        return bytes(data)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = PublicResolver(
                self._resolver or aiohttp.ThreadedResolver(), lambda host: self._cards().may_be_private(host)
            )
            settings: dict[str, Any] = {"auto_decompress": False, "cookie_jar": aiohttp.DummyCookieJar()}
            connector = aiohttp.TCPConnector(resolver=resolver, limit=CONNECTIONS, ttl_dns_cache=60)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False, **settings)
        return self._session


def _url(text: str) -> URL:
    try:
        return URL(text)
    except ValueError:
        raise PictureError("host") from None
