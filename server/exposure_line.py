"""An exposure on its way: what the server tells of a list, and the message made of it, at once. Pure.

A server that is all experiment leaves one for every answer. `message` is what `varde.exposure` makes of a record,
sooner; the tests hold it against `varde.exposure`, which says what the fields are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from varde import exposure


class Line(NamedTuple):
    """What the server tells of a list; all of it is JSON, and it is sent in this order.

    experiment to announced: of the experiment; announced: whether "Experiment Viewed" is wanted of this unit. items:
    ids. rungs: of each item, None where all are `rung`. teams: of each item, None for none. now: when the list was
    served, ms since the epoch. agent: the request's User-Agent, "" where it says nothing.
    """

    experiment: str
    bucket_version: int
    mode: str
    window_minutes: int
    announced: bool
    variation: str
    unit_kind: str
    unit: str
    forced: bool
    user_id: str | None
    anonymous_id: str | None
    placement: str
    now: int
    items: Sequence[str]
    rungs: Sequence[str] | None
    teams: Sequence[str | None] | None
    seeds: Sequence[str]
    ranking: str | None
    relation: str | None
    rung: str
    stale: bool
    latency_ms: float
    route: str
    request_id: str
    campaign: str | None
    send_id: str | None
    agent: str


def exposure_id(line: Line) -> str:
    """`varde.exposure.exposure_id`."""
    window = exposure.window(line.now, line.window_minutes, line.send_id)
    return exposure.id_of(line.unit_kind, line.experiment, line.bucket_version, window, line.unit)


def list_id(exposure: str, line: Line) -> str:
    """`varde.exposure.list_id`.

    Raises:
        TypeError: a text that is not Unicode.
    """
    seeds = () if line.send_id else line.seeds
    said = [exposure, line.placement, seeds, line.campaign, line.send_id, line.items]
    return hashlib.blake2b(orjson.dumps(said), digest_size=16).hexdigest()


def message(line: Line, ids: tuple[str, str], robot: bool) -> bytes:
    """`varde.exposure.message` of the record.

    Args:
        line: the list.
        ids: of the exposure and the list.
        robot: whether a robot has asked for it.

    Raises:
        TypeError: a text that is not Unicode.
    """
    return orjson.dumps(_whose(line, ids) | _what(line, robot))


def viewed(line: Line, exposure_id: str) -> bytes:
    """`varde.exposure.viewed` of the record, as the data of a message."""
    record = {
        "exposure_id": exposure_id,
        "user_id": line.user_id or None,
        "anonymous_id": line.anonymous_id or None,
        "served_at": rfc3339(line.now),
        "experiment": line.experiment,
        "variation": line.variation,
    }
    return orjson.dumps(exposure.viewed(record))


def _whose(line: Line, ids: tuple[str, str]) -> dict[str, Any]:
    """The fields up to those of the list."""
    return {
        "exposure_id": ids[0],
        "list_id": ids[1],
        "experiment": line.experiment,
        "variation": line.variation,
        "bucket_version": line.bucket_version,
        "mode": line.mode,
        "unit_kind": line.unit_kind,
        "unit": line.unit,
        "user_id": line.user_id or None,
        "anonymous_id": line.anonymous_id or None,
        "forced": line.forced,
        "placement": line.placement,
        "route": line.route,
        "request_id": line.request_id,
    }


def _what(line: Line, robot: bool) -> dict[str, Any]:
    """The other fields: the list, and how it was made."""
    return {
        "seeds": line.seeds,
        "items": _shown(line),
        "ranking": line.ranking,
        "relation": line.relation,
        "rung": line.rung,
        "stale": line.stale,
        "latency_ms": round(line.latency_ms, 3),
        "campaign": line.campaign,
        "send_id": line.send_id,
        "robot": robot,
        "served_at": rfc3339(line.now),
    }


def _shown(line: Line) -> list[dict[str, Any]]:
    rung, items = line.rung, line.items
    if line.rungs is None and line.teams is None:
        return [{"item": item, "position": n, "rung": rung, "team": None} for n, item in enumerate(items, 1)]
    each = zip(items, line.rungs or [rung] * len(items), line.teams or [None] * len(items), strict=True)
    return [{"item": item, "position": n, "rung": of, "team": team} for n, (item, of, team) in enumerate(each, 1)]


def rfc3339(ms: int) -> str:
    """A time, ms since the epoch, to the millisecond."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")
