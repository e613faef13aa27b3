"""Everything of Varde in Redis as records of a file, while stream and server go on.

One item's counts and the differences of its days are read in one step, and so are a shard's supports. Item numbers come
after all that is counted by them, so every number in the file has its name; tombstones come last, and whoever was
erased meanwhile is left out (`erased`). What a batch has done beside the reading may be in one record and not yet in
another: `quiet` in the trailer says whether there was any.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, BinaryIO, NamedTuple, Self

from varde import keys
from varde.history import DAY_MS, Signal
from varde.pairs import Relation, Universe
from varde.settings import Settings
from varde.store.connection import Client, connect
from varde.store.export_file import Writer
from varde.store.families import EVERY, Fate, Found, Kind, family_of
from varde.store.reads import flat, stats, tombstones
from varde.store.scanning import keys_of
from varde.store.schema import SchemaError, SchemaStore
from varde.store.scripts import READ_HASHES, Command, call, command

COUNTING = (
    "cap", "window_days", "item_keys", "events", "consent_categories", "consent_default", "robots", "half_life_days",
)  # fmt: skip
"""Settings that decide what is counted; an import under others would mix two worlds."""
TOGETHER = 200
"""Keys read in one round trip."""
AHEAD_DAYS = 1
"""Days after today that a difference may be dated: the writer's clock may be ahead."""


class Item(NamedTuple):
    """A key with what it holds, and when it ends, ms; 0 for never."""

    key: bytes
    expires: int
    values: list[bytes]


def describe(settings: Settings, begun: int) -> dict[str, Any]:
    """The header: what an import compares with its own."""
    return {
        "varde": version("varde"),
        "schema": keys.SCHEMA,
        "keys": keys.VERSION,
        "shards": keys.SHARDS,
        "begun": begun,
        "relations": [relation.label for relation in Relation],
        "settings": {name: _plain(getattr(settings, name)) for name in COUNTING},
        "id_secret": fingerprint(settings.id_secret),
    }


def _plain(value: Any) -> Any:
    """As JSON would give it back."""
    return [_plain(one) for one in value] if isinstance(value, (tuple, list)) else value


def fingerprint(secret: str) -> str:
    """Tells whether two secrets of customers' hashes are the same, and nothing else of them."""
    return hashlib.blake2b(b"", key=secret.encode(), digest_size=8, person=b"varde export").hexdigest()


class Exporter(SchemaStore):
    """Reads all of Varde's data in one Redis."""

    def __init__(self, client: Client, settings: Settings, clock: Callable[[], int]) -> None:
        """Over a client that replies in bytes.

        Args:
            client: redis.Redis or cluster.Cluster.
            settings: live_days, and what is told in the header.
            clock: ms since the epoch.
        """
        super().__init__(client)
        self._settings, self._clock = settings, clock

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> Self:
        """Over a new client for VARDE_REDIS_URL; nothing is sent yet."""
        return cls(connect(settings.redis_url, lambda: None, settings.clustered), settings, clock)

    def close(self) -> None:
        """Release the connections."""
        self._client.close()

    def write(self, file: BinaryIO, tick: Callable[[int], None] = lambda _: None) -> dict[str, Any]:
        """Write everything to a file; its trailer, and its size as `bytes`.

        Args:
            file: open for writing.
            tick: called now and then with the number of keys written.

        Raises:
            SchemaError: the data are of another schema, or half written, or a nightly run is writing.
            redis.exceptions.RedisError: not reached.
        """
        if why := self.state().refusal():
            msg = f"VARDE_REDIS_URL: {why} (docs/redis.md#schema)"
            raise SchemaError(msg)
        if self._send([command("EXISTS", keys.lock())])[0]:
            msg = "VARDE_REDIS_URL: a nightly run is under way: export when it has ended"
            raise SchemaError(msg)
        before, gone = self._moved(), self._run(tombstones())
        begun = self._clock()
        writer = Writer(file, describe(self._settings, begun))
        for item in self._all():
            writer.add(*item)
            if writer.keys.total() % 10_000 == 0:
                tick(writer.keys.total())
        erased = {who: at for who, at in self._run(tombstones()).items() if gone.get(who, -1) < at}
        told = {"ended": self._clock(), "quiet": before == self._moved(), "erased": erased}
        trailer = writer.close(told)
        return trailer | {"bytes": writer.size, "begun": begun}

    def _moved(self) -> object:
        """Another value after every batch that is applied, and every step of a nightly run."""
        marks = [command("HGETALL", keys.reconciled()), command("HGETALL", keys.under_way()), _lock()]
        return self._run(stats()), [str(mark) for mark in self._send(marks)]

    def _all(self) -> Iterator[Item]:
        """Supports first: an import needs them for serving rows. Then what SCAN finds, then what has to come last."""
        days = self._days()
        for shard in range(keys.SHARDS):
            for where in Universe:
                dated = [keys.supports_day(where, shard, day) for day in days]
                for group in self._hashes([[keys.supports(where, shard).encode(), *map(str.encode, dated)]]):
                    yield from group
        for found in keys_of(self._client, EVERY):
            yield from self._scanned(found, days)
        yield from self._plainly([make().encode() for make in (keys.reconciled, keys.night)])
        for signal in Signal:
            yield from self._plainly([keys.popular(signal, shard).encode() for shard in range(keys.SHARDS)])
        for make, some in (
            (keys.stats, keys.SHARDS), (keys.catalogue, 1), (keys.numbers, 1), (keys.names, 1),
            (keys.sequence, keys.SHARDS), (keys.tombstones, keys.SHARDS),
        ):  # fmt: skip
            every = [make(shard).encode() for shard in range(keys.SHARDS)]
            for at in range(0, keys.SHARDS, some):
                yield from self._plainly(every[at : at + some])

    def _days(self) -> list[int]:
        today = self._clock() // DAY_MS
        return list(range(today - self._settings.live_days - 1, today + AHEAD_DAYS + 1))

    def _scanned(self, found: Sequence[bytes], days: Sequence[int]) -> Iterator[Item]:
        """Of some keys those whose families are read as they come: pair counts, and what is of customers."""
        totals: dict[bytes, list[bytes]] = {}
        dated: dict[bytes, list[bytes]] = {}
        plain: list[bytes] = []
        for key in found:
            what = family_of(key)
            if what is None or what.family.fate is not Fate.EXPORT:
                continue
            name, known = what.family.name, bool(what.numbers) and what.numbers[-1] in days
            if name == "pairs":
                totals[key] = _with_days(what, days)
            elif name == "pairs_day" and known:
                dated[key] = _with_days(what, days)
            elif what.family.customer or (name in ("pairs_day", "supports_day", "applied") and not known):
                plain.append(key)  # a day that is neither of the last ones nor gone: of another VARDE_LIVE_DAYS
        for group in self._hashes(list(totals.values())):
            yield from group
        yield from self._days_alone(dated)
        for at in range(0, len(plain), TOGETHER):
            yield from self._plainly(plain[at : at + TOGETHER])

    def _days_alone(self, dated: Mapping[bytes, list[bytes]]) -> Iterator[Item]:
        """Differences whose counts have come to nothing; the others come with their counts.

        Of several days each leads to the same group, which the first one brings.
        """
        asked = list(dated.items())
        there = self._send([command("EXISTS", group[0].decode()) for _, group in asked]) if asked else []
        alone = [one for one, counted in zip(asked, there, strict=True) if not counted]
        for (key, _), group in zip(alone, self._hashes([group for _, group in alone]), strict=True):
            if group and group[0].key == key:
                yield from group

    def _hashes(self, groups: Sequence[list[bytes]]) -> Iterator[list[Item]]:
        """Groups of hashes, each group at one moment."""
        for at in range(0, len(groups), TOGETHER):
            some = groups[at : at + TOGETHER]
            calls = [call(READ_HASHES, [key.decode() for key in group], ()) for group in some]
            for group, reply in zip(some, self._send(calls), strict=True):
                read = zip(group, reply[::2], reply[1::2], strict=True)
                yield [Item(key, self._end(ttl), flat(values)) for key, values, ttl in read if values]

    def _plainly(self, found: Sequence[bytes]) -> Iterator[Item]:
        """Keys one by one, each with its time to live, which is asked first: a longer one may have been given since."""
        commands: list[Command] = []
        for key in found:
            commands += command("PTTL", key.decode()), _reading(key)
        replies = self._send(commands)
        for key, ttl, reply in zip(found, replies[::2], replies[1::2], strict=True):
            values = _values(reply)
            if values and ttl != 0:
                yield Item(key, self._end(ttl), values)

    def _end(self, ttl: int) -> int:
        return self._clock() + ttl if ttl >= 0 else 0


def _with_days(what: Found, days: Sequence[int]) -> list[bytes]:
    """The keys of an item's pair counts and of their days."""
    relation, number = what.numbers[:2]
    dated = [keys.pairs_day(relation, number, day).encode() for day in days]
    return [keys.pairs(relation, number).encode(), *dated]


def _lock() -> Command:
    return command("GET", keys.lock())


def _reading(key: bytes) -> Command:
    found = family_of(key)
    assert found is not None
    if found.family.kind is Kind.HASH:
        return command("HGETALL", key.decode())
    if found.family.kind is Kind.SORTED:
        return command("ZRANGE", key.decode(), 0, -1, "WITHSCORES")
    return command("GET", key.decode())


def _values(reply: Any) -> list[bytes]:
    """What was read as the values of a record; scores as text that is read back as the same number."""
    if reply is None:
        return []
    if isinstance(reply, bytes):
        return [reply]
    return [part if isinstance(part, bytes) else repr(part).encode() for part in flat(reply)]
