"""Which schema the data in Redis has: noted under one key, looked at by every program before it begins.

`keys.VERSION`, in each key, tells keys apart; `keys.SCHEMA` is the version of what lies under them. Data from before
the note have version 1, which is what there was when it was introduced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from varde import keys
from varde.settings import Settings, SettingsError
from varde.store.cluster import Cluster
from varde.store.connection import Client
from varde.store.reads import Reading, flat
from varde.store.scripts import command
from varde.store.sending import Sending

FIRST = 1
"""Of data that were written before there was a note."""
VERSION_FIELD, UNDER_WAY = "version", "under_way"
IMPORT, MIGRATION = "import", "migration"
"""What `under_way` says first."""
LOOK_S = 2.0
"""Longest wait of a program that can begin without Redis."""
_LASTING = (keys.numbers, keys.stats, keys.catalogue, keys.tombstones)
"""Families of which a Redis that holds anything of Varde's for good has one: of each shard."""


class SchemaError(SettingsError):
    """The data are of another schema, or half written. The message begins with VARDE_REDIS_URL and says what to do."""


@dataclass(frozen=True, slots=True)
class State:
    """version: as it is noted, None without a note. under_way: empty, or what was begun and has not ended.
    empty: nothing is kept there for good."""

    version: int | None
    under_way: str
    empty: bool

    def has(self, schema: int = keys.SCHEMA) -> int:
        """The version of the data; an empty Redis has that of the program."""
        if self.version is not None:
            return self.version
        return schema if self.empty else FIRST

    def refusal(self, schema: int = keys.SCHEMA) -> str:
        """Why a program of that schema must not begin, and what to do; empty when it may."""
        if self.under_way.startswith(IMPORT):
            return "an import was begun there and has not ended: run `varde import FILE --replace`"
        if self.under_way:
            return f"a {self.under_way} was begun there and has not ended: run `varde migrate --apply` again"
        version = self.has(schema)
        if version > schema:
            return (
                f"the data there have schema version {version}, this program knows {schema}: "
                "install the version of Varde that wrote them, or a newer one"
            )
        if version < schema:
            return (
                f"the data there have schema version {version}, this program needs {schema}: "
                "stop the stream, run `varde migrate --apply`, start again"
            )
        return ""


def state() -> Reading[State]:
    """What is noted, and whether there is anything. One round trip."""
    there = [command("EXISTS", make(shard)) for make in _LASTING for shard in range(keys.SHARDS)]
    note, reconciled, *found = yield [
        command("HGETALL", keys.schema()),
        command("EXISTS", keys.reconciled()),
        *there,
    ]
    words = [word.decode("utf-8", "replace") for word in flat(note)]
    fields = dict(zip(words[::2], words[1::2], strict=True))
    noted = fields.get(VERSION_FIELD)
    return State(None if noted is None else _number(noted), fields.get(UNDER_WAY, ""), not (reconciled or any(found)))


def _number(text: str) -> int:
    """What is no number was not written by a program that we know."""
    return int(text) if text.isascii() and text.isdigit() else 2**31


class SchemaStore(Sending):
    """What is asked of Redis about the schema."""

    def __init__(self, client: Client) -> None:
        """Over a client that replies in bytes."""
        self._client = client

    def state(self) -> State:
        """What is noted.

        Raises:
            redis.exceptions.RedisError: not reached.
        """
        return self._run(state())

    def note(self, fields: dict[str, str | int], gone: Sequence[str] = ()) -> None:
        """Set fields of the note, then take others away."""
        if fields:
            self._send([command("HSET", keys.schema(), *(part for entry in fields.items() for part in entry))])
        if gone:
            self._send([command("HDEL", keys.schema(), *gone)])

    def check(self, schema: int = keys.SCHEMA) -> None:
        """See that a program of this schema may write, and note the version where none is noted.

        Raises:
            SchemaError: it may not.
            redis.exceptions.RedisError: not reached.
        """
        found = self.state()
        _refuse(found, schema)
        if found.version is None:
            self._send([command("HSETNX", keys.schema(), VERSION_FIELD, found.has(schema))])
            _refuse(self.state(), schema)  # another program may have been faster


def _refuse(found: State, schema: int) -> None:
    if why := found.refusal(schema):
        msg = f"VARDE_REDIS_URL: {why} (docs/redis.md#schema)"
        raise SchemaError(msg)


def check(store: Sending) -> None:
    """As SchemaStore.check, for a store that is about to write."""
    SchemaStore(store._client).check()


def look(settings: Settings, away: Callable[[str], None], note: bool = False) -> None:
    """At the start of a program that can begin without Redis.

    Args:
        settings: redis_url, redis_cluster.
        away: told why, when Redis does not answer.
        note: the program writes, so note the version where none is noted.

    Raises:
        SchemaError: Redis answers, and the program must not begin.
    """
    try:
        with closing(_quick(settings)) as client:
            store = SchemaStore(client)
            if note:
                store.check()
            else:
                _refuse(store.state(), keys.SCHEMA)
    except (redis.RedisError, OSError) as error:
        away(f"Redis does not answer ({type(error).__name__}), so its schema was not looked at")


def _quick(settings: Settings) -> Client:
    """A client that does not try again."""
    once = Retry(NoBackoff(), 0)
    if settings.clustered:
        return Cluster(settings.redis_url, lambda: None, LOOK_S, once)
    client: Any = redis.Redis.from_url(
        settings.redis_url, socket_timeout=LOOK_S, socket_connect_timeout=LOOK_S, retry=once
    )
    found: Client = client
    return found
