"""How Redis itself is, and how the last nights went: what is watched beside the stream's counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ResponseError

from varde import keys
from varde.history import DAY_MS
from varde.store.cluster import AsyncCluster
from varde.store.connection import AsyncClient

ENDED, REFUSALS, DRIFT = "ended", "refusals", "drift:"
"""Fields of `keys.night`: when the run ended, ms; how many reasons it had not to write; and, followed by a relation or
`support UNIVERSE`, how far live counts and the night's were apart, as a part of the night's sum."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of one node, bytes; bound: 0 when it has none."""

    used: int
    bound: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """memory: by node; empty when it is not told. reconciled_until: the midnight up to which the last night that was
    written has counted, ms. ended: when the last run ended, ms; refusals: of that run; drift: what it found."""

    memory: Mapping[str, Memory] = field(default_factory=dict)
    reconciled_until: int | None = None
    ended: int | None = None
    refusals: int = 0
    drift: Mapping[str, float] = field(default_factory=dict)


async def read(client: AsyncClient) -> Vitals:
    """Of the Redis behind a client, every node of a cluster included.

    Raises:
        redis.exceptions.RedisError: not reached.
    """
    asked = client.pipeline(transaction=False)
    asked.execute_command("HGET", keys.reconciled(), "day")
    asked.execute_command("HGETALL", keys.night())
    day, night = await asked.execute()
    fields = {name.decode(): value.decode() for name, value in night.items()}
    return Vitals(
        memory=await _memory(client),
        reconciled_until=None if day is None else int(day) * DAY_MS,
        ended=int(fields[ENDED]) if ENDED in fields else None,
        refusals=int(fields.get(REFUSALS, 0)),
        drift={name.removeprefix(DRIFT): float(part) for name, part in fields.items() if name.startswith(DRIFT)},
    )


async def _memory(client: AsyncClient) -> dict[str, Memory]:
    """Nothing where INFO is refused: it needs a right that reading does not."""
    clustered = isinstance(client, AsyncCluster)
    where = {"target_nodes": "primaries"} if clustered else {}
    try:
        told: Any = await client.execute_command("INFO", "memory", **where)
    except ResponseError:
        return {}
    nodes = told if clustered and "used_memory" not in told else {"0": told}
    return {str(name): Memory(int(info["used_memory"]), int(info.get("maxmemory", 0))) for name, info in nodes.items()}
