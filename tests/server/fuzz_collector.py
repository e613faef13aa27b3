"""Requests to a collector, sound and mutated: made by a random.Random, sent to a real server, their answers kept."""

from __future__ import annotations

import asyncio
import base64
import copy
import gzip
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import orjson

from .collecting import KEY, OTHER

SINGLES = ["track", "identify", "page", "screen", "group", "alias", "t", "i", "p", "s", "g", "a"]
BATCHES = ["batch", "import", "b"]
JUNK: list[Any] = [
    None, True, 0, -1, 2**64 - 1, 1e308, "", "x", "\0", "\N{GRINNING FACE}" * 9, "9" * 400, [], {}, [[]], [None],
    {"a": {"b": [1, 2]}}, "2015-2-02T", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", 1e18, -1e18, "y" * 40_000,
]  # fmt: skip
NAMES = ["type", "messageId", "userId", "anonymousId", "timestamp", "sentAt", "context", "properties", "writeKey", ""]
CONTENT_TYPES = ["application/json", "text/plain", 'x/y; charset="z"']
LATE_S = 60.0
ENOUGH_S = 0.5


@dataclass
class Sent:
    """A request and its answer.

    raw: its bytes. whole: it is HTTP, with its body as it announces it: there has to be an answer. sound: ids of
    messages that are to arrive if it is answered 200. ids: of all of its messages.
    status: 0 when the server closed the connection without an answer.
    """

    raw: bytes
    whole: bool = True
    sound: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    status: int = -1
    answer: bytes = b""


def request(chance: random.Random, number: int) -> Sent:
    """The request of this number; all of its ids are its own."""
    return chance.choice([_batch, _batch, _batch, _single, _pixel, _bytes, _bytes])(chance, number)


def _junk(chance: random.Random) -> object:
    return copy.deepcopy(chance.choice(JUNK))  # it may be changed, too


def _message(chance: random.Random, identity: str) -> dict:
    return {
        "type": "track",
        "event": "Product Viewed",
        "userId": f"u-{chance.randrange(50)}",
        "messageId": identity,
        "timestamp": "2026-05-04T09:30:00.000Z",
        "properties": {"product_id": "tent", "price": chance.choice([1, 2.5, "3"])},
        "context": {"library": {"name": chance.choice(["analytics.js", "analytics-python"])}, "ip": "1.2.3.4"},
    }


def _twisted(chance: random.Random, value: dict) -> None:
    """Change one field to anything, at any depth."""
    inside = value
    while chance.random() < 0.4:
        deeper = [one for one in inside.values() if isinstance(one, dict)]
        if not deeper:
            break
        inside = chance.choice(deeper)
    name = chance.choice([*inside, *NAMES])
    if chance.random() < 0.2:
        inside.pop(name, None)
    else:
        inside[name] = _junk(chance)


def _batch(chance: random.Random, number: int) -> Sent:
    ids = [f"f-{number}-{place}" for place in range(chance.choice([0, 1, 2, 5, 30]))]
    items: list = [_message(chance, one) for one in ids]
    sound = set(ids)
    for place in range(len(items)):
        if chance.random() < 0.3:
            sound.discard(ids[place])
            if chance.random() < 0.2:
                items[place] = _junk(chance)
            else:
                for _ in range(chance.randint(1, 3)):
                    _twisted(chance, items[place])
    body: dict[str, Any] = {
        "batch": items,
        "writeKey": chance.choice([KEY, OTHER]),
        "sentAt": "2026-05-04T09:30:01.000Z",
    }
    if chance.random() < 0.3:
        name = chance.choice(["context", "sentAt", "integrations", "batch", "writeKey", "other"])
        body[name] = _junk(chance)
        if name in ("context", "batch"):
            sound = set()  # a context that is too large makes all too large
    return _sent(chance, chance.choice(BATCHES), orjson.dumps(body), sound, set(ids))


def _single(chance: random.Random, number: int) -> Sent:
    identity = f"f-{number}-0"
    message = {**_message(chance, identity), "writeKey": KEY}
    sound = {identity}
    if chance.random() < 0.5:
        sound = set()
        _twisted(chance, message)
    return _sent(chance, chance.choice(SINGLES), orjson.dumps(message), sound, {identity})


def _pixel(chance: random.Random, number: int) -> Sent:
    identity = f"f-{number}-0"
    message = {"writeKey": KEY, "userId": "u", "messageId": identity}
    data = base64.b64encode(orjson.dumps(message)).decode()
    sound = {identity}
    if chance.random() < 0.5:
        sound = set()
        at = chance.randrange(len(data))
        data = data[:at] + chance.choice(["", "%", "=", "\u00e9", "_", " "]) + data[at + chance.randint(0, 9) :]
    path = chance.choice(["track", "page", "identify", "delete", "%00", "x" * 300])
    if path not in ("track", "page", "identify"):
        sound = set()
    line = f"GET /v1/pixel/{path}?data={quote(data)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    return Sent(line.encode(), sound=sound, ids={identity})


def _sent(chance: random.Random, path: str, body: bytes, sound: set[str], ids: set[str]) -> Sent:
    """The request with a body: compressed or not, in chunks or not, with a key in a header or not."""
    head = [f"POST /v1/{path} HTTP/1.1", "Host: collect.example", "Connection: close"]
    head.append("Content-Type: " + chance.choice(CONTENT_TYPES))
    packs: list[tuple[str, Callable[[bytes], bytes]]] = [
        ("", bytes),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
    ]
    coding, pack = chance.choice([packs[0], *packs])
    if coding:
        head.append(f"Content-Encoding: {coding}")
    shown = chance.choice([None, None, KEY, "unknown"])
    if shown:
        head.append(f"Authorization: Basic {base64.b64encode(f'{shown}:'.encode()).decode()}")
    data = pack(body)
    if chance.random() < 0.3:
        head.append("Transfer-Encoding: chunked")
        size = chance.randint(1, 1 + len(data))
        parts = [data[at : at + size] for at in range(0, len(data), size)]
        data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    else:
        head.append(f"Content-Length: {len(data)}")
    return Sent("\r\n".join([*head, "", ""]).encode() + data, sound=sound, ids=ids)


def _bytes(chance: random.Random, number: int) -> Sent:
    """A request with some of its bytes changed, anywhere."""
    one = _batch(chance, number)
    raw = bytearray(one.raw)
    for _ in range(chance.choice([1, 1, 2, 8])):
        at = chance.randrange(len(raw))
        match chance.choice([0, 0, 0, 1, 2, 3]):
            case 0:
                raw[at] = chance.choice([chance.randrange(256), chance.randrange(32, 127)])
            case 1:
                raw[at : at + chance.randint(1, 20)] = b""
            case 2:
                raw[at:at] = chance.randbytes(chance.randint(1, 20))
            case _:
                raw[at:at] = raw[at : at + 30]
    return Sent(bytes(raw) or b"\0", whole=False, ids=one.ids)


async def ask(port: int, one: Sent) -> None:
    """Send it on a connection of its own, and keep the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(LATE_S):
            try:
                writer.write(one.raw)
                await writer.drain()
                if not one.whole:
                    await _hurry(writer, reader)
                one.answer = await reader.read()
            except ConnectionError:  # closed before everything was sent
                pass
    finally:
        writer.close()
    one.status = int(one.answer.split(b" ", 2)[1]) if one.answer.startswith(b"HTTP/1.") else 0


async def _hurry(writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
    """What was cut away and the server waits for comes as junk; then the connection ends, which may have lost its end.

    Not at once: with the end, or with junk behind it, a server answers nobody, or the junk.
    """
    if not await _begun(reader):
        writer.write(b"0\r\n\r\n" * 200)
        await _begun(reader)
    writer.write_eof()


async def _begun(reader: asyncio.StreamReader) -> bool:
    """Whether an answer begins soon."""
    try:
        async with asyncio.timeout(ENOUGH_S):
            while not reader._buffer and not reader.at_eof():  # type: ignore[attr-defined] # nothing else tells without reading
                await asyncio.sleep(0.01)
    except TimeoutError:
        return False
    return True


async def fuzz(port: int, seed: int, n: int, beside: int = 24) -> list[Sent]:
    """Send n requests, some at once; all of them with their answers."""
    chance = random.Random(seed)
    waiting = iter([request(chance, number) for number in range(n)])
    done: list[Sent] = []

    async def work():
        for one in waiting:
            await ask(port, one)
            done.append(one)

    await asyncio.gather(*(work() for _ in range(beside)))
    return done
