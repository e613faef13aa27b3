"""Clients for the two sides, and what the sides need of a client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from varde.store.cluster import AsyncCluster, Cluster

TIMEOUT = 10.0
"""Seconds for one reply, above what the largest script or hash takes."""
RETRIES = 8
"""Of a writer: a server that starts again within seconds is waited for."""


class Pipeline(Protocol):
    """Commands sent together, not as a transaction."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Queue a command."""

    def execute(self, raise_on_error: bool = True) -> Any:
        """Send and return the replies in order; errors stand among them unless `raise_on_error`."""


class Client(Protocol):
    """The part of redis.Redis (or cluster.Cluster) that the sync side uses. Replies must be bytes."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command and return its reply."""

    def pipeline(self, transaction: bool = ...) -> Pipeline:
        """A new pipeline."""

    def close(self) -> None:
        """Release the connections."""


class AsyncPipeline(Protocol):
    """Commands sent together, not as a transaction."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Queue a command."""

    def execute(self, raise_on_error: bool = True) -> Awaitable[Any]:
        """Send and return the replies in order; errors stand among them unless `raise_on_error`."""


class AsyncClient(Protocol):
    """The part of redis.asyncio.Redis (or cluster.AsyncCluster) that the asyncio side uses. Replies must be bytes."""

    def execute_command(self, *args: Any, **options: Any) -> Awaitable[Any]:
        """Send a command and return its reply."""

    def pipeline(self, transaction: bool = ...) -> AsyncPipeline:
        """A new pipeline."""

    def aclose(self) -> Awaitable[None]:
        """Release the connections."""


def connect(url: str, on_connect: Callable[[], None], cluster: bool = False) -> Client:
    """A client that calls `on_connect` whenever it has made a connection anew; nothing is sent yet.

    Commands are sent again on a broken connection, RETRIES times within about five seconds: every script may be
    repeated.

    Args:
        url: as in VARDE_REDIS_URL.
        on_connect: called after every new connection, in a cluster to any node.
        cluster: whether the server at `url` is a node of a Redis Cluster.
    """
    retry = Retry(ExponentialWithJitterBackoff(base=0.1, cap=1.0), RETRIES)
    if cluster:
        return Cluster(url, on_connect, TIMEOUT, retry)

    def connected(connection: Any) -> None:
        connection.on_connect()
        on_connect()

    client: Client = redis.Redis.from_url(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        retry=retry,
        redis_connect_func=connected,
    )
    return client


def connect_async(
    url: str, on_connect: Callable[[], None], timeout: float = TIMEOUT, cluster: bool = False
) -> AsyncClient:
    """The asyncio twin of `connect`; a broken connection is tried once more, the caller has a deadline.

    Args:
        url: as in VARDE_REDIS_URL.
        on_connect: called after every new connection.
        timeout: seconds for one reply and for a connection.
        cluster: as for `connect`.
    """
    retry = AsyncRetry(ExponentialWithJitterBackoff(base=0.01, cap=0.05), 1)
    if cluster:
        return AsyncCluster(url, on_connect, timeout, retry)

    async def connected(connection: Any) -> None:
        await connection.on_connect()
        on_connect()

    client: AsyncClient = redis.asyncio.Redis.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=retry,
        redis_connect_func=connected,
    )
    return client
