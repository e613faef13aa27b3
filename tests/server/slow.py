"""A TCP proxy before a Redis, that a test makes slow; and load on a server, with a record of the answers."""

import asyncio
import time
from contextlib import asynccontextmanager


class Slow:
    """Forwards bytes after `delay_s` in each direction, in their order."""

    def __init__(self, path):
        self.path, self.delay_s, self.url = path, 0.0, ""
        self._writers = set()

    async def _taken(self, reader, writer):
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_unix_connection(self.path)
            self._writers.add(back)
            await asyncio.gather(self._pipe(reader, back), self._pipe(there, writer), return_exceptions=True)
        finally:
            for each in (writer, back):
                each.close()
                self._writers.discard(each)

    async def _pipe(self, reader, writer):
        loop, last = asyncio.get_running_loop(), 0.0
        while data := await reader.read(65_536):
            last = max(last, loop.time() + self.delay_s)
            loop.call_at(last, writer.write, data)
        loop.call_at(max(last, loop.time() + self.delay_s), writer.close)


@asynccontextmanager
async def slow(server):
    """A Slow before this Redis."""
    proxy = Slow(server.url.removeprefix("unix://"))
    listening = await asyncio.start_server(proxy._taken, "127.0.0.1", 0)
    proxy.url = f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listening.close()
        for writer in list(proxy._writers):
            writer.close()


class Load:
    """Requests one after the other by several clients at once; what was answered since the last look."""

    def __init__(self, client, requests, clients):
        self._client, self._requests = client, requests
        self._answers = []
        self._tasks = [asyncio.create_task(self._ask(place)) for place in range(clients)]

    async def _ask(self, place):
        while True:
            place += 1
            method, path, body = self._requests[place % len(self._requests)]
            began = time.monotonic()
            async with self._client.request(method, path, json=body) as response:
                found = await response.json()
                self._answers.append((path, response.status, time.monotonic() - began, found))

    def taken(self):
        """(path, status, seconds, body) of each, and forgets them."""
        for task in self._tasks:
            if task.done():
                task.result()
        taken, self._answers = self._answers, []
        return taken

    async def stop(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def load(client, requests, clients=12):
    """That many clients that ask without a pause."""
    running = Load(client, requests, clients)
    try:
        yield running
    finally:
        await running.stop()
