"""How readings and commands reach a client: the part that every store has, for both sides."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeVar

from redis.exceptions import NoScriptError, RedisError, ResponseError

from varde.store.connection import AsyncClient, Client
from varde.store.reads import Reading
from varde.store.scripts import Argument, Command

T = TypeVar("T")
Line = Sequence[Argument]


class Sending:
    """Over a client that replies in bytes. Threads may share it as they may share the client."""

    _client: Client

    def _run(self, reading: Reading[T]) -> T:
        """What a reading returns, with every round trip it asks for."""
        try:
            commands = next(reading)
            while True:
                commands = reading.send(self._send(commands))
        except StopIteration as stop:
            result: T = stop.value
            return result

    def _send(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to commands sent together; scripts that the server does not know are sent in full.

        Raises:
            redis.exceptions.RedisError: not reached, or the first reply that is an error.
        """
        replies = self._together([command.wire for command in commands])
        if unknown := _unknown(replies):
            again = self._together([commands[at].wire_in_full for at in unknown])
            for at, reply in zip(unknown, again, strict=True):
                replies[at] = reply
        return _checked(replies)

    def _together(self, lines: Sequence[Line]) -> list[Any]:
        if len(lines) == 1:
            try:
                return [self._client.execute_command(*lines[0])]
            except NoScriptError as error:
                return [error]
        pipeline = self._client.pipeline(transaction=False)
        for line in lines:
            pipeline.execute_command(*line)
        replies: list[Any] = pipeline.execute(raise_on_error=False)
        return replies


class AsyncSending:
    """The asyncio twin of `Sending`, for one event loop."""

    _client: AsyncClient

    async def _run(self, reading: Reading[T]) -> T:
        try:
            commands = next(reading)
            while True:
                commands = reading.send(await self._send(commands))
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _run_all(self, readings: Sequence[Reading[T]]) -> list[T | ResponseError | ValueError]:
        """What each reading returns, or why it has failed; their round trips are made together.

        Raises:
            redis.exceptions.RedisError: not reached.
        """
        results: dict[int, T | ResponseError | ValueError] = {}
        under_way = dict(enumerate(readings))
        replies: dict[int, list[Any] | None] = dict.fromkeys(under_way)
        while under_way:
            asked: dict[int, Sequence[Command]] = {}
            for at, reading in list(under_way.items()):
                try:
                    got = replies[at]
                    asked[at] = next(reading) if got is None else reading.send(_checked(got))
                except StopIteration as stop:
                    results[at] = stop.value
                except (ResponseError, ValueError) as error:
                    results[at] = error
                if at in results:
                    del under_way[at]
            commands = [command for one in asked.values() for command in one]
            found = iter(await self._replies(commands) if commands else ())
            replies = {at: list(islice(found, len(one))) for at, one in asked.items()}
        return [results[at] for at in range(len(readings))]

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        return _checked(await self._replies(commands))

    async def _replies(self, commands: Sequence[Command]) -> list[Any]:
        """The replies, errors of single commands among them."""
        replies = await self._together([command.wire for command in commands])
        if unknown := _unknown(replies):
            again = await self._together([commands[at].wire_in_full for at in unknown])
            for at, reply in zip(unknown, again, strict=True):
                replies[at] = reply
        return replies

    async def _together(self, lines: Sequence[Line]) -> list[Any]:
        if len(lines) == 1:
            try:
                return [await self._client.execute_command(*lines[0])]
            except NoScriptError as error:
                return [error]
        pipeline = self._client.pipeline(transaction=False)
        for line in lines:
            pipeline.execute_command(*line)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies


def _unknown(replies: Sequence[Any]) -> list[int]:
    return [at for at, reply in enumerate(replies) if isinstance(reply, NoScriptError)]


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, RedisError):
            raise reply
    return replies
