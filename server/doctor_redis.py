"""What `varde doctor` reads of Redis: each node's version, role, memory, policies and clock, and what Varde keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from varde import keys
from varde.settings import Settings
from varde.store.connection import connect
from varde.store.night import NightStore, Reconciled
from varde.store.schema import SchemaStore, State

TIMEOUT_S = 5.0
OTHER_VERSIONS = 3
"""Versions of the keys after this one that are looked for, beside all before it."""

NOTED = State(keys.SCHEMA, "", empty=False)
"""Of a Redis that is as it should be."""


@dataclass(frozen=True, slots=True)
class Node:
    """One server.

    kind: "Redis" or "Valkey". mode: standalone or cluster. used, bound: bytes, bound 0 without one. writes: why it
    refuses writes by its own word, empty when it does not. behind_ms: how far its clock is behind ours (ahead: below
    zero), give or take unsure_ms. answered_ms: the time that one command took.
    """

    name: str
    kind: str
    version: tuple[int, ...]
    mode: str
    role: str
    used: int
    bound: int
    policy: str
    appendonly: bool
    snapshots: bool
    replicas: int
    writes: str
    behind_ms: float
    unsure_ms: float
    answered_ms: float


@dataclass(frozen=True, slots=True)
class Kept:
    """What Varde keeps there.

    items: the most item ids of a shard. stats: the stream's counters. reconciled: the last night written. under_way:
    a night that was begun and has not ended; locked: a run holds the lock. versions: of the keys, those of which
    there are some. schema: what is noted of the schema.
    """

    items: int
    stats: Mapping[str, int]
    reconciled: Reconciled | None
    under_way: str
    locked: bool
    versions: tuple[int, ...]
    schema: State = NOTED


def nodes(settings: Settings, clock: Callable[[], float] = time.time) -> list[Node]:
    """The node of VARDE_REDIS_URL; of a cluster that it belongs to, all that take writes.

    Args:
        settings: redis_url and redis_cluster.
        clock: seconds since the epoch.

    Raises:
        redis.RedisError: not reached, or refused.
    """
    with _client(settings.redis_url) as client:
        first = _node(client, _place(client), clock)
    if first.mode != "cluster" or not settings.clustered:
        return [first]
    cluster: Any  # typed in part only
    with closing(
        redis.RedisCluster.from_url(settings.redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    ) as cluster:
        found = sorted(cluster.get_primaries(), key=lambda node: str(node.name))
        return [_node(cluster.get_redis_connection(node), str(node.name), clock) for node in found]


def _client(url: str) -> Any:
    return redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )


def _place(client: Any) -> str:
    """Where it is, without the password that the URL may hold."""
    given = client.connection_pool.connection_kwargs
    return str(given.get("path") or f"{given.get('host')}:{given.get('port')}")


def _node(client: Any, name: str, clock: Callable[[], float]) -> Node:
    told: dict[str, Any] = {}
    for section in ("server", "memory", "persistence", "replication"):  # a Redis of a cloud may not know "all"
        told |= client.info(section)
    behind, unsure, took = _clock(client, clock)
    is_valkey = "valkey_version" in told
    return Node(
        name=name,
        kind="Valkey" if is_valkey else "Redis",
        version=_version(told["valkey_version" if is_valkey else "redis_version"]),
        mode=str(told.get("redis_mode", told.get("server_mode", "standalone"))),
        role=str(told.get("role", "master")),
        used=int(told.get("used_memory", 0)),
        bound=int(told.get("maxmemory", 0)),
        policy=str(told.get("maxmemory_policy", "")),
        appendonly=bool(int(told.get("aof_enabled", 0))),
        snapshots=bool(_setting(client, "save")),
        replicas=int(told.get("connected_slaves", 0)),
        writes=_refuses(told),
        behind_ms=behind,
        unsure_ms=unsure,
        answered_ms=took,
    )


def _version(text: Any) -> tuple[int, ...]:
    return tuple(int(part) for part in str(text).split(".") if part.isdigit())


def _refuses(told: Mapping[str, Any]) -> str:
    if str(told.get("aof_last_write_status", "ok")) != "ok":
        return "it could not write its append-only file"
    if str(told.get("rdb_last_bgsave_status", "ok")) != "ok":
        return "its last snapshot failed"
    return ""


def _setting(client: Any, name: str) -> str:
    """A setting of the server, empty where it is not told: clouds refuse CONFIG."""
    try:
        return str(client.config_get(name).get(name, ""))
    except redis.ResponseError:
        return ""


def _clock(client: Any, clock: Callable[[], float]) -> tuple[float, float, float]:
    """How far the server's clock is behind, how unsure that is, and how long it took to ask, ms: the quickest of 3."""
    tries = []
    for _ in range(3):
        before, (seconds, micros), after = clock(), client.time(), clock()
        half = (after - before) / 2
        tries.append((half, before + half - (seconds + micros / 1e6)))
    half, behind = min(tries)
    return behind * 1000, half * 1000, half * 2000


def kept(settings: Settings) -> Kept:
    """What Varde keeps in the Redis of the settings.

    Raises:
        redis.RedisError: not reached, or refused; a cluster that the settings do not call one, too.
    """
    with closing(NightStore.from_settings(settings)) as store:
        stats, reconciled = dict(store.stats()), store.reconciled()
    others = [v for v in range(1, keys.VERSION + 1 + OTHER_VERSIONS) if v != keys.VERSION]
    client = connect(settings.redis_url, lambda: None, settings.clustered)
    with closing(client):
        noted = SchemaStore(client).state()
        asked = client.pipeline(transaction=False)
        asked.execute_command("HGET", keys.under_way(), "run")
        asked.execute_command("EXISTS", keys.lock())
        for shard in range(keys.SHARDS):
            asked.execute_command("HLEN", keys.numbers(shard))
        places = [(version, shard) for version in others for shard in range(keys.SHARDS)]
        for version, shard in places:
            asked.execute_command("EXISTS", _of_version(keys.sequence(shard), version))
        run, locked, *counts = asked.execute()
    sizes, there = counts[: keys.SHARDS], counts[keys.SHARDS :]
    versions = {version for (version, _), found in zip(places, there, strict=True) if found}
    if any(sizes):
        versions.add(keys.VERSION)
    return Kept(
        items=max(sizes),
        stats=stats,
        reconciled=reconciled,
        under_way=run.decode() if run else "",
        locked=bool(locked),
        versions=tuple(sorted(versions)),
        schema=noted,
    )


def _of_version(key: str, version: int) -> str:
    """The same key of another version of the schema; every schema numbers its items."""
    return key.replace(f"varde:{keys.VERSION}:", f"varde:{version}:", 1)
