"""Redis Cluster behind the protocols of `connection`: its retries and its errors are those of one node.

redis-py's cluster clients know where a slot lies and follow it when it moves. What they lack is added here: a pause
between tries, errors that are all `redis.RedisError`, and a call after every new connection. Every command carries its
key where `scripts.Command` puts it, so no server is asked for it.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004 - the client's, which callers catch
    RedisClusterException,
    TimeoutError,  # noqa: A004 - the same
    TryAgainError,
)
from redis.retry import Retry

T = TypeVar("T")

TRANSIENT = (ConnectionError, TimeoutError, ClusterDownError, TryAgainError)
"""What passes: a node that starts again, a slot that moves, a cluster that votes."""


class Cluster:
    """The sync client. Threads may share it. The first command asks the nodes for their slots."""

    def __init__(self, url: str, on_connect: Callable[[], None], timeout: float, retry: Retry) -> None:
        """Over the cluster that the node at `url` belongs to; nothing is sent yet.

        Args:
            url: of any node.
            on_connect: called after every new connection to any node.
            timeout: seconds for one reply and for a connection.
            retry: how often and after which pauses a transient error is tried again.
        """
        self._url, self._on_connect, self._timeout = url, on_connect, timeout
        self._retry = retry
        self._retry.update_supported_errors(list(TRANSIENT))
        self._lock = threading.Lock()
        self._nodes: Any = None  # redis-py's class is only partly typed

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command to the node of its key and return the reply."""
        return self._tried(lambda nodes: nodes.execute_command(*args, **options))

    def pipeline(self, transaction: bool = False) -> ClusterPipeline:
        """A new pipeline over any number of nodes."""
        assert not transaction, "its commands lie on several nodes"
        return ClusterPipeline(self)

    def send(self, lines: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The replies to commands sent together; a transient error of one sends all again (each may be repeated)."""
        return self._tried(lambda nodes: _settled(_together(nodes, lines)))

    def primaries(self) -> list[Any]:
        """A client of each node that takes writes, for what is asked of a node by itself (SCAN, INFO)."""

        def every(nodes: Any) -> list[Any]:
            return [nodes.get_redis_connection(node) for node in nodes.get_primaries()]

        return self._tried(every)

    def close(self) -> None:
        """Release the connections."""
        with self._lock:
            if self._nodes is not None:
                self._nodes.close()
                self._nodes = None

    def _tried(self, do: Callable[[Any], T]) -> T:
        def once() -> T:
            with _errors_of_one_node():
                return do(self._connected())

        result: T = self._retry.call_with_retry(once, lambda _: None)
        return result

    def _connected(self) -> Any:
        with self._lock:
            if self._nodes is None:
                self._nodes = redis.RedisCluster.from_url(
                    self._url,
                    socket_timeout=self._timeout,
                    socket_connect_timeout=self._timeout,
                    retry=Retry(NoBackoff(), 0),  # it would try again at once; see `_tried`
                    redis_connect_func=lambda _: self._on_connect(),
                )
            return self._nodes


def _together(nodes: Any, lines: Sequence[tuple[Any, ...]]) -> list[Any]:
    pipeline = nodes.pipeline()
    for line in lines:
        # Named, because redis-py would send every script call to a server first, to be told its keys.
        key = line[3] if line[0] in ("EVALSHA", "EVAL") else line[1]
        pipeline.execute_command(*line, target_nodes=nodes.get_node_from_key(key))
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    return replies


class ClusterPipeline:
    """Commands that are sent together, each to the node of its key."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lines: list[tuple[Any, ...]] = []

    def execute_command(self, *args: Any, **options: Any) -> None:
        """Queue a command."""
        assert not options
        self._lines.append(args)

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send and return the replies in order; errors stand among them unless `raise_on_error`."""
        return _checked(self._cluster.send(self._lines), raise_on_error)


class AsyncCluster:
    """The asyncio client, for one event loop."""

    def __init__(self, url: str, on_connect: Callable[[], None], timeout: float, retry: AsyncRetry) -> None:
        """As `Cluster`."""

        async def connected(connection: Any) -> None:
            await connection.on_connect()
            on_connect()

        self._retry = retry
        self._retry.update_supported_errors(list(TRANSIENT))
        self._nodes = redis.asyncio.RedisCluster.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=AsyncRetry(NoBackoff(), 0),
        )
        # It has no parameter for this; what it knows of connections is copied to every node that it finds later.
        self._nodes.nodes_manager.connection_kwargs["redis_connect_func"] = connected
        for node in self._nodes.nodes_manager.startup_nodes.values():
            node.connection_kwargs["redis_connect_func"] = connected

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command to the node of its key and return the reply."""
        return await self._tried(lambda: self._nodes.execute_command(*args, **options))

    def pipeline(self, transaction: bool = False) -> AsyncClusterPipeline:
        """A new pipeline over any number of nodes."""
        assert not transaction, "its commands lie on several nodes"
        return AsyncClusterPipeline(self)

    async def send(self, lines: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The replies to commands sent together; a transient error of one sends all again (each may be repeated)."""

        async def together() -> list[Any]:
            pipeline = self._nodes.pipeline()
            for line in lines:
                pipeline.execute_command(*line)
            return _settled(await pipeline.execute(raise_on_error=False))

        return await self._tried(together)

    async def aclose(self) -> None:
        """Release the connections."""
        await self._nodes.aclose()

    async def _tried(self, do: Callable[[], Awaitable[T]]) -> T:
        async def once() -> T:
            with _errors_of_one_node():
                return await do()

        async def fail(_: Exception) -> None:
            """Nothing: the cluster has looked at its nodes again by itself."""

        result: T = await self._retry.call_with_retry(once, fail)
        return result


class AsyncClusterPipeline:
    """Commands that are sent together, each to the node of its key."""

    def __init__(self, cluster: AsyncCluster) -> None:
        self._cluster = cluster
        self._lines: list[tuple[Any, ...]] = []

    def execute_command(self, *args: Any, **options: Any) -> None:
        """Queue a command."""
        assert not options
        self._lines.append(args)

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Send and return the replies in order; errors stand among them unless `raise_on_error`."""
        return _checked(await self._cluster.send(self._lines), raise_on_error)


@contextmanager
def _errors_of_one_node() -> Iterator[None]:
    """What the cluster clients raise when they find no node is no RedisError: say it as one node would."""
    try:
        yield
    except RedisClusterException as error:
        raise ConnectionError(str(error)) from error


def _settled(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, (*TRANSIENT, RedisClusterException)):
            raise reply
    return replies


def _checked(replies: list[Any], raise_on_error: bool) -> list[Any]:
    if raise_on_error:
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
    return replies
