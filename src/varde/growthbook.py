"""Experiments out of a GrowthBook features file: its rules in the form of our tables. Pure.

The file is what GrowthBook's SDK endpoint answers (`{"features": {…}}`), or the object of features alone. A rule is an
experiment of ours when its variations are JSON objects, of which one has a key of OVERRIDES; other features are left
alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from varde import tables
from varde.bucketing import Filter, Range, Ranges
from varde.tables import TableError
from varde.toml_lines import Path

OVERRIDES = ("ranking", "relation", "placement")
SAYS = (
    "unit",
    "fallback",
    "sticky",
    "bucket_version",
    "min_bucket_version",
    "coverage",
    "namespace",
    "seed",
    "variations",
)
"""Keys of an experiment that GrowthBook says; the rest may be said by a table [experiments.KEY]."""
_UNITS = {
    "id": "uid",
    "userId": "uid",
    "user_id": "uid",
    "anonymousId": "aid",
    "anonymous_id": "aid",
    "deviceId": "aid",
}
_UNKNOWABLE = ("condition", "parentConditions", "contextualBanditRef", "urlPatterns", "force", "range")
"""Keys of a rule that say who or what else decides: what we do not see, so we would deal otherwise than GrowthBook."""
_share = tables.number(0, 1)


@dataclass(frozen=True, slots=True)
class Found:
    """An experiment: its table, with `key`; where it stands; the ranges and filters it was given (empty: none)."""

    table: dict[str, Any]
    path: Path
    ranges: Ranges
    filters: tuple[Filter, ...]


def read(content: bytes) -> list[Found]:
    """The experiments of a features file that are ours.

    Raises:
        TableError: not JSON, or an experiment that is broken or that cannot be dealt as GrowthBook does; its path
            starts with "growthbook" and the feature's name.
    """
    top = ("growthbook",)
    try:
        data = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise TableError(top, f"is not JSON: {error.msg}, line {error.lineno} of that file") from None
    features = data.get("features", data) if isinstance(data, dict) else None
    if not isinstance(features, dict) or (isinstance(data, dict) and "encryptedFeatures" in data):
        raise TableError(top, "has no features; an encrypted answer cannot be read")
    out: dict[str, Found] = {}
    for name, feature in features.items():
        rules = feature.get("rules") if isinstance(feature, dict) else None
        for place, rule in enumerate(rules if isinstance(rules, list) else ()):
            if not any(_ours(each) for each in rules or ()):
                break
            path = (*top, name) if len(rules or ()) == 1 else (*top, name, "rules", place)
            found = _found(rule, name, path)
            if found.table["key"] in out:
                raise TableError(path, f"another feature has experiment {found.table['key']!r}")
            out[found.table["key"]] = found
    return list(out.values())


def _ours(rule: Any) -> bool:
    values = rule.get("variations") if isinstance(rule, dict) else None
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        return False
    return any(key in value for value in values for key in OVERRIDES)


def _found(rule: Any, feature: str, path: Path) -> Found:
    if not _ours(rule):
        raise TableError(path, "the feature has a rule that is no experiment, which would decide before or after it")
    for key in _UNKNOWABLE:
        if rule.get(key):
            raise TableError((*path, key), "cannot be judged here, so others would be in it than in GrowthBook")
    if rule.get("hashVersion") != 2:
        raise TableError(
            (*path, "hashVersion"), "must be 2; without it GrowthBook's is 1, under which tests are dependent"
        )
    unit = _unit(rule.get("hashAttribute", "id"), (*path, "hashAttribute"))
    table = {
        "key": tables.at((*path, "key"), tables.text, rule.get("key") or feature),
        "unit": unit,
        "variations": _variations(rule, path),
        **{
            ours: rule[theirs]
            for theirs, ours in (("coverage", "coverage"), ("seed", "seed"))
            if rule.get(theirs) is not None
        },
        **_stickiness(rule, unit, path),
    }
    if rule.get("namespace") is not None and not rule.get("filters"):
        table["namespace"] = _namespace(rule["namespace"], (*path, "namespace"))
    explicit = tables.at((*path, "ranges"), _ranges, rule["ranges"]) if rule.get("ranges") else ()
    if explicit and len(explicit) != len(table["variations"]):
        raise TableError((*path, "ranges"), "must be as many as the variations")
    if explicit:  # for the analysis: what share each of them has
        table["variations"] = [
            {**one, "weight": share} for one, share in zip(table["variations"], _widths(explicit), strict=True)
        ]
    filters = rule.get("filters") or ()
    made = tuple(_filter(one, (*path, "filters", place)) for place, one in enumerate(filters))
    return Found(table, path, explicit, made)


def _unit(attribute: Any, path: Path) -> str:
    unit = _UNITS.get(attribute) if isinstance(attribute, str) else None
    if unit is None:
        raise TableError(path, f"must be one of {', '.join(_UNITS)}")
    return unit


def _stickiness(rule: Mapping[str, Any], unit: str, path: Path) -> dict[str, Any]:
    """GrowthBook uses a fallback only together with sticky buckets; their keys show that they are on."""
    names = ("fallbackAttribute", "bucketVersion", "minBucketVersion")
    sticky = not rule.get("disableStickyBucketing") and any(rule.get(name) is not None for name in names)
    out: dict[str, Any] = {"sticky": sticky, "bucket_version": rule.get("bucketVersion") or 0}
    if not sticky:
        return out
    out["min_bucket_version"] = rule.get("minBucketVersion") or 0
    if rule.get("fallbackAttribute") is not None:
        fallback = _unit(rule["fallbackAttribute"], (*path, "fallbackAttribute"))
        if fallback == unit or fallback != "aid":
            raise TableError((*path, "fallbackAttribute"), "must be the browser's id, of an experiment on users")
        out["fallback"] = fallback
    return out


def _variations(rule: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    values = rule["variations"]
    meta, weights = rule.get("meta") or [{}] * len(values), rule.get("weights")
    if not isinstance(meta, list) or len(meta) != len(values) or not all(isinstance(one, dict) for one in meta):
        raise TableError((*path, "meta"), "must be as many objects as there are variations")
    out = []
    for place, (value, about) in enumerate(zip(values, meta, strict=True)):
        here = (*path, "variations", place)
        tables.check_keys(value, OVERRIDES, here)
        out.append({**value, "key": tables.at((*path, "meta", place), tables.text, about.get("key", str(place)))})
    if weights is None:
        return out
    shares = tables.at((*path, "weights"), _weights, weights)
    if len(shares) != len(values) or not 0.99 <= sum(shares) <= 1.01:
        raise TableError((*path, "weights"), "must be one a variation and sum to 1")
    return [{**one, "weight": share} for one, share in zip(out, shares, strict=True)]


def _weights(value: Any) -> list[float]:
    if not isinstance(value, list):
        msg = "must be a list of numbers"
        raise ValueError(msg)
    return [_share(one) for one in value]


def _namespace(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, list) or len(value) != 3:
        raise TableError(path, "must be [name, from, to]")
    return {"name": value[0], "from": value[1], "to": value[2]}


def _ranges(value: Any) -> tuple[Range, ...]:
    pairs = [_weights(one) for one in value] if isinstance(value, list) else []
    if not pairs or any(len(pair) != 2 or pair[0] > pair[1] for pair in pairs):
        msg = "must be pairs of numbers from 0 to 1, the lower first"
        raise ValueError(msg)
    return tuple((low, high) for low, high in pairs)


def _widths(ranges: Ranges) -> list[float]:
    widths = [high - low for low, high in ranges]
    return [width / sum(widths) if sum(widths) else 1 / len(widths) for width in widths]


def _filter(value: Any, path: Path) -> Filter:
    if not isinstance(value, dict) or not isinstance(value.get("seed", ""), str):
        raise TableError(path, "must be an object with a seed and ranges")
    version = value.get("hashVersion", 2)
    if version not in (1, 2):
        raise TableError((*path, "hashVersion"), "must be 1 or 2")
    ranges = tables.at((*path, "ranges"), _ranges, value.get("ranges"))
    return Filter(value.get("seed", ""), ranges, version, _unit(value.get("attribute", "id"), (*path, "attribute")))
