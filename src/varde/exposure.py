"""The record of an exposure: one list served to a unit of an experiment. Pure.

SCHEMA is the one description of it: deploy/exposures.schema.json (`python -m varde.exposure`), the documentation and
the loader's columns are made from it or held against it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from varde.assignment import Assignment, Request

WINDOW_UNIT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Field:
    """A column. type and mode: BigQuery's; fields: of a STRUCT ("RECORD" in a table schema)."""

    name: str
    type: str
    mode: str
    help: str
    fields: tuple[Field, ...] = ()


def _must(name: str, type_: str, help_: str) -> Field:
    return Field(name, type_, "REQUIRED", help_)


def _may(name: str, type_: str, help_: str) -> Field:
    return Field(name, type_, "NULLABLE", help_)


_ITEM = (
    _must("item", "STRING", "Item id."),
    _must("position", "INT64", "Place in the list, from 1."),
    _may("rung", "STRING", "Rung of the ladder that it comes from."),
    _may(
        "team",
        "STRING",
        "In `team_draft`: key of the variation that placed it; null: neither, both had the chance no more.",
    ),
)

SCHEMA: tuple[Field, ...] = (
    _must(
        "exposure_id",
        "STRING",
        "The same for every list that the unit is shown within one window of the experiment, or one sending.",
    ),
    _must("list_id", "STRING", "The same for the same list rendered again within the window, or the sending."),
    _must("experiment", "STRING", "Key of the experiment."),
    _must("variation", "STRING", "Key of the variation."),
    _must("bucket_version", "INT64", "Version of the dealing."),
    _must("mode", "STRING", "`ab` or `team_draft`."),
    _must("unit_kind", "STRING", "Which id was dealt: `uid` or `aid`."),
    _must("unit", "STRING", "That id."),
    _may("user_id", "STRING", "The request's `uid`."),
    _may("anonymous_id", "STRING", "The request's `aid`."),
    _must("forced", "BOOL", "A tester's; not analysed."),
    _must("placement", "STRING", "Name of the placement that was asked for."),
    _may("route", "STRING", "Route of the request, such as `/v1/similar/{item}`."),
    _may("request_id", "STRING", "Of the answer; clicks may carry it."),
    Field("seeds", "STRING", "REPEATED", "Items that the list starts from, the most recent first."),
    Field("items", "STRUCT", "REPEATED", "The list, in its order.", _ITEM),
    _may("ranking", "STRING", "Name of the ranking; null where none ordered it."),
    _may("relation", "STRING", "Which pairs; null where none were asked for."),
    _may("rung", "STRING", "Rung of the list's first item."),
    _must("stale", "BOOL", "Made from what the server had in memory while Redis was slow or gone."),
    _may("latency_ms", "FLOAT64", "Milliseconds from the request to the answer, in the server."),
    _may("campaign", "STRING", "The request's `campaign`."),
    _may("send_id", "STRING", "The request's `send_id`."),
    _must("robot", "BOOL", "The user agent is a known robot's; not analysed."),
    _must("served_at", "TIMESTAMP", "When the list was served."),
)


class Shown(NamedTuple):
    """An item of a list: position from 1; team: key of a variation, or None."""

    item: str
    position: int
    rung: str | None = None
    team: str | None = None


class Served(NamedTuple):
    """The list and how it was made; what the fields mean is in SCHEMA."""

    items: Sequence[Shown]
    seeds: Sequence[str]
    ranking: str | None
    relation: str | None
    rung: str | None
    stale: bool
    latency_ms: float | None
    route: str | None
    request_id: str | None
    campaign: str | None = None
    send_id: str | None = None
    robot: bool = False


def exposure_id(assignment: Assignment, now: int, send_id: str | None = None) -> str:
    """32 hexadecimal digits of BLAKE2b over unit, experiment, bucket version and window or sending.

    Args:
        assignment: who is in what.
        now: ms since the epoch; windows are counted from there.
        send_id: of the request; a sending is one exposure, however long its renders take.
    """
    experiment = assignment.experiment
    within = window(now, experiment.window_minutes, send_id)
    return id_of(assignment.unit_kind, experiment.key, experiment.bucket_version, within, assignment.unit)


def window(now: int, minutes: int, send_id: str | None = None) -> int | str:
    """What lists have in common that are one exposure: the number of the window of so many minutes, or the sending."""
    if send_id:
        return f"{len(send_id)}:{send_id}"  # its length, because it may hold any character
    return now // (minutes * WINDOW_UNIT_MS)


@lru_cache(maxsize=16_384)
def id_of(kind: str, experiment: str, version: int, window: int | str, unit: str) -> str:
    """An exposure's id of its parts. Kept, because a visitor is shown many lists."""
    # The unit, the only part that may hold any character, stands last.
    text = f"{kind}\n{experiment}\n{version}\n{window}\n{unit}"
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def list_id(exposure: str, placement: str, served: Served) -> str:
    """32 hexadecimal digits of BLAKE2b over an exposure's id and what the list is: its place, its seeds, its items.

    Renders of one sending have the same items, whatever the customer has looked at in between.
    """
    said = [
        exposure,
        placement,
        [] if served.send_id else list(served.seeds),
        served.campaign,
        served.send_id,
        [one.item for one in served.items],
    ]
    return hashlib.blake2b(_dumps(said), digest_size=16).hexdigest()


def record(
    assignment: Assignment, request: Request, served: Served, ids: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The record of a list: every field of SCHEMA, in its order.

    Args:
        assignment: who is in what.
        request: what was asked; its `now` is when the list was served.
        served: the list.
        ids: (exposure_id, list_id), where they are known already.
    """
    experiment, (exposure, this_list) = assignment.experiment, ids or _ids(assignment, request, served)
    return {
        "exposure_id": exposure,
        "list_id": this_list,
        "experiment": experiment.key,
        "variation": assignment.variation.key,
        "bucket_version": experiment.bucket_version,
        "mode": experiment.mode,
        "unit_kind": assignment.unit_kind,
        "unit": assignment.unit,
        "user_id": request.uid or None,
        "anonymous_id": request.aid or None,
        "forced": assignment.forced,
        "placement": request.placement,
        "route": served.route,
        "request_id": served.request_id,
        "seeds": list(served.seeds),
        # Not _asdict, which takes five times as long: this is done for every list.
        "items": [
            {"item": item, "position": position, "rung": rung, "team": team}
            for item, position, rung, team in served.items
        ],
        "ranking": served.ranking,
        "relation": served.relation,
        "rung": served.rung,
        "stale": served.stale,
        "latency_ms": served.latency_ms,
        "campaign": served.campaign,
        "send_id": served.send_id,
        "robot": served.robot,
        "served_at": _rfc3339(request.now),
    }


def _ids(assignment: Assignment, request: Request, served: Served) -> tuple[str, str]:
    exposure = exposure_id(assignment, request.now, served.send_id)
    return exposure, list_id(exposure, request.placement, served)


def message(record: dict[str, Any]) -> bytes:
    """A record as JSON in UTF-8: the data of one Pub/Sub message, which a BigQuery subscription writes as one row."""
    return _dumps(record)


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # a lone surrogate, which is no Unicode text: a question mark, as Python's own replacement is
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def viewed(record: dict[str, Any]) -> dict[str, Any]:
    """Segment's "Experiment Viewed" of an exposure, as a whole message.

    Its messageId is the exposure's id: however often it is sent, it is one message.
    """
    return {
        "type": "track",
        "event": "Experiment Viewed",
        "messageId": record["exposure_id"],
        "userId": record["user_id"],
        "anonymousId": record["anonymous_id"],
        "timestamp": record["served_at"],
        "properties": {
            "experiment_id": record["experiment"],
            "experiment_name": record["experiment"],
            "variation_id": record["variation"],
            "variation_name": record["variation"],
        },
    }


def table_schema(fields: Sequence[Field] = SCHEMA) -> list[dict[str, Any]]:
    """The schema of a BigQuery table, as `bq mk --table --schema` reads it."""
    names = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}
    out = []
    for one in fields:
        column = {"name": one.name, "type": names.get(one.type, one.type), "mode": one.mode, "description": one.help}
        out.append(column | ({"fields": table_schema(one.fields)} if one.fields else {}))
    return out


def _rfc3339(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(table_schema(), indent=2) + "\n")
