"""Exposures as bytes, made at once: what `varde.exposure` makes of a record, sooner. Pure.

A server that is all experiment makes one for every answer, so this is a part of what an answer costs. The tests hold
it against `varde.exposure`, which says what the fields are.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

import orjson

from varde.assignment import Assignment, Request

_FLAG = ("false", "true")
_PLAIN = re.compile(r"[ !#-\[\]-~]*", re.ASCII).fullmatch
"""Texts that JSON has as they are."""


class Line(NamedTuple):
    """What an exposure is made of. items: ids; rungs, teams: of each item, teams None for none."""

    items: list[str]
    rungs: list[str]
    teams: tuple[str | None, ...] | None
    seeds: tuple[str, ...]
    ranking: str | None
    relation: str | None
    rung: str
    stale: bool
    latency_ms: float
    route: str
    request_id: str
    campaign: str | None
    send_id: str | None
    robot: bool


def list_id(exposure: str, placement: str, line: Line) -> str:
    """`varde.exposure.list_id`.

    Raises:
        TypeError: a text that is not Unicode.
    """
    seeds = () if line.send_id else line.seeds
    said = [exposure, placement, seeds, line.campaign, line.send_id, line.items]
    return hashlib.blake2b(orjson.dumps(said), digest_size=16).hexdigest()


def message(assignment: Assignment, request: Request, line: Line, ids: tuple[str, str]) -> bytes:
    """`varde.exposure.message` of the record.

    Args:
        assignment: who is in what.
        request: what was asked.
        line: the list.
        ids: of the exposure and the list.

    Raises:
        TypeError: a text that is not Unicode.
    """
    experiment, unit = assignment.experiment, assignment.unit
    quoted = _one(unit)
    known, device = (quoted if each == unit else _one(each) for each in (request.uid or None, request.aid or None))
    return (
        f'{{"exposure_id":"{ids[0]}","list_id":"{ids[1]}",'
        f"{_trial(experiment.key, assignment.variation.key, experiment.bucket_version, experiment.mode)}"
        f'"unit_kind":"{assignment.unit_kind}","unit":{quoted},'
        f'"user_id":{known},"anonymous_id":{device},'
        f'"forced":{_FLAG[assignment.forced]},{_place(request.placement, line.route)}'
        f'"request_id":{_one(line.request_id)},"seeds":{orjson.dumps(line.seeds).decode()},"items":[{_items(line)}],'
        f"{_made(line.ranking, line.relation, line.rung)}"
        f'"stale":{_FLAG[line.stale]},"latency_ms":{line.latency_ms},"campaign":{_one(line.campaign)},'
        f'"send_id":{_one(line.send_id)},"robot":{_FLAG[line.robot]},"served_at":"{_rfc3339(request.now)}"}}'
    ).encode()


def _items(line: Line) -> str:
    items, rungs = line.items, line.rungs
    if line.teams is None and rungs.count(line.rung) == len(items):
        if _PLAIN("".join(items)):
            return _template(len(items), line.rung) % tuple(items)
        return _template(len(items), line.rung).replace('"%s"', "%s") % tuple(map(_one, items))
    teams = line.teams or (None,) * len(items)
    return ",".join(
        [
            f'{{"item":{_one(item)},"position":{place},"rung":"{rung}","team":{_text(team)}}}'
            for place, (item, rung, team) in enumerate(zip(items, rungs, teams, strict=True), 1)
        ]
    )


@lru_cache(maxsize=1024)
def _template(n: int, rung: str) -> str:
    """So many items of one rung and no team, to be filled with their ids."""
    return ",".join([f'{{"item":"%s","position":{at},"rung":"{rung}","team":null}}' for at in range(1, n + 1)])


# What one of few lists has, whoever it was made for.


@lru_cache(maxsize=1024)
def _trial(experiment: str, variation: str, version: int, mode: str) -> str:
    return (
        f'"experiment":{_text(experiment)},"variation":{_text(variation)},"bucket_version":{version},"mode":"{mode}",'
    )


@lru_cache(maxsize=1024)
def _place(placement: str, route: str) -> str:
    return f'"placement":{_text(placement)},"route":{_text(route)},'


@lru_cache(maxsize=1024)
def _made(ranking: str | None, relation: str | None, rung: str) -> str:
    return f'"ranking":{_text(ranking)},"relation":{_text(relation)},"rung":"{rung}",'


def _text(text: str | None) -> str:
    return orjson.dumps(text).decode()


def _one(text: str | None) -> str:
    if text is None:
        return "null"
    return f'"{text}"' if _PLAIN(text) else _text(text)


def _rfc3339(ms: int) -> str:
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00")
