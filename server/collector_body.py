"""Bodies of the collector's requests: decompressed, bounded in size and time, and bounded all together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientError, web

from .errors import ApiError

READ_WITHIN_S = 20.0
"""Longest time that a body may take to come."""
MOST_BYTES = 64_000_000
"""Bytes of bodies in memory at once, of all requests of a process."""
RETRY_S = 5
"""What Retry-After says."""


def busy(message: str) -> ApiError:
    """The answer while there is no room."""
    return ApiError(429, "busy", message, headers={"Retry-After": str(RETRY_S)})


class Bodies:
    """The bodies that a process holds."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._left = most

    @asynccontextmanager
    async def read(self, request: web.Request, most: int) -> AsyncIterator[bytes]:
        """The body of a request, decompressed, while it is needed.

        Raises:
            ApiError: 400 broken off, or compressed in a way that cannot be read; 408 too slow; 413 more than `most`
                bytes; 429 no room.
        """
        held = bytearray()
        try:
            await self._fill(held, request, most)
            yield bytes(held)
        finally:
            self._left += len(held)

    async def _fill(self, held: bytearray, request: web.Request, most: int) -> None:
        too_large = ApiError(413, "body_too_large", f"a body has at most {most} bytes, decompressed")
        if (request.content_length or 0) > most:  # compressed bytes are fewer
            raise too_large
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                async for chunk in request.content.iter_any():
                    if len(held) + len(chunk) > most:
                        raise too_large
                    if len(chunk) > self._left:
                        raise busy("too many requests at once")
                    held += chunk
                    self._left -= len(chunk)
        except TimeoutError:
            raise ApiError(408, "slow_body", f"the body did not come within {READ_WITHIN_S:g} s") from None
        except (web.RequestPayloadError, ClientError, OSError):
            raise ApiError(400, "bad_body", "the body cannot be read") from None
