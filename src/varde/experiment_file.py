"""Experiments from the configuration file and GrowthBook's, read and checked against each other and the rest. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from varde import growthbook, tables
from varde.experiments import Experiment, Experiments, Variation
from varde.placements import Placement
from varde.tables import TableError
from varde.toml_lines import Path

_TOLERANCE = 0.001
"""How far from 1 the sum of the weights may be."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the file has beside experiments. rankings and clients: names; placements: by name."""

    placements: Mapping[str, Placement]
    rankings: Collection[str]
    clients: Collection[str]


def read(table: Any, known: Known, features: bytes | None = None) -> Experiments:
    """The experiments.

    Args:
        table: `experiments` of the file, as tomllib gave it.
        known: what experiments may name.
        features: content of the GrowthBook features file. Its experiments come after those of the table, and a table
            of the same key adds what GrowthBook does not say.

    Raises:
        TableError: which of them makes no sense, and why.
    """
    if not isinstance(table, Mapping):
        raise TableError(("experiments",), "must be tables such as [experiments.NAME]")
    theirs = {one.table["key"]: one for one in growthbook.read(features)} if features is not None else {}
    for found in theirs.values():  # each by itself first, so that its faults are placed in the feature
        _experiment(found.table, found.path, known, found)
    out: dict[str, Experiment] = {}
    paths: dict[str, Path] = {}
    for key in [*table, *(key for key in theirs if key not in table)]:
        other = theirs.get(key)
        paths[key] = ("experiments", key) if key in table or other is None else other.path
        out[key] = _experiment(_both(key, table.get(key, {}), other), paths[key], known, other)
    for one, two in combinations(out.values(), 2):
        _check_namespaces(one, two, paths[two.key])
    return Experiments(out.values())


def _both(key: str, ours: Any, theirs: growthbook.Found | None) -> Any:
    """A table with what GrowthBook says of the experiment."""
    path = ("experiments", key)
    if not isinstance(ours, Mapping):
        raise TableError(path, "must be a table")
    if "key" in ours:
        raise TableError((*path, "key"), "no such key; the name of the table is the experiment's")
    if theirs is None:
        return {"key": key, **ours}
    for name in ours:
        if name in growthbook.SAYS:
            raise TableError((*path, name), "is GrowthBook's to say, which has this experiment")
    return {**theirs.table, **ours}


def _experiment(table: Mapping[str, Any], path: Path, known: Known, theirs: growthbook.Found | None) -> Experiment:
    values = {name: value for name, value in table.items() if name != "key"}
    name = tables.at(path, tables.name, table["key"])
    read = tables.build(Experiment, values, path, key=name, seed=name, placements=tuple(known.placements))
    weighed = [isinstance(one, Mapping) and "weight" in one for one in values.get("variations", ())]
    variations = _variations(read.variations, weighed, (*path, "variations"), exact=theirs is None)
    experiment = replace(read, variations=variations)
    if theirs is not None:
        experiment = replace(experiment, ranges=theirs.ranges, filters=theirs.filters)
    _check(experiment, path)
    _check_names(experiment, path, known)
    return replace(experiment, overrides=_overrides(experiment, known.placements))


def _variations(read: tuple[Variation, ...], weighed: list[bool], path: Path, *, exact: bool) -> tuple[Variation, ...]:
    """With equal weights where none are said.

    Args:
        exact: whether the weights have to sum to 1 within _TOLERANCE; GrowthBook's are judged there.
    """
    if not read:
        raise TableError(path, "must have two or more tables")
    keys: set[str] = set()
    forced: dict[str, str] = {}
    for place, one in enumerate(read):
        tables.at((*path, place, "key"), tables.name, one.key)
        if one.key in keys:
            raise TableError((*path, place, "key"), f"a variation {one.key!r} stands above")
        keys.add(one.key)
        for tester in one.forced:
            if forced.setdefault(tester, one.key) != one.key:
                raise TableError((*path, place, "forced"), f"{tester!r} is forced into {forced[tester]!r} as well")
    if not any(weighed):
        return tuple(replace(one, weight=1 / len(read)) for one in read)
    if not all(weighed):
        raise TableError((*path, weighed.index(False)), "has no weight, and others have one")
    total = sum(one.weight for one in read)
    if exact and abs(total - 1) > _TOLERANCE:
        raise TableError((*path, len(read) - 1, "weight"), f"weights sum to {total:g}, not to 1")
    return read


def _check(experiment: Experiment, path: Path) -> None:
    """Refuse keys that contradict each other."""
    one = experiment
    faults = (
        ("fallback", one.fallback and one.unit != "uid", 'is of use only with unit = "uid"'),
        ("min_bucket_version", one.min_bucket_version > one.bucket_version, "is more than bucket_version"),
        ("min_bucket_version", one.min_bucket_version and not one.sticky, "is of use only with sticky = true"),
        ("end", one.start is not None and one.end is not None and one.end <= one.start, "is not after start"),
        ("mode", one.mode == "team_draft" and len(one.variations) != 2, "team_draft has exactly two variations"),
        (
            "mode",
            one.mode == "team_draft" and any(each.placement for each in one.variations),
            "team_draft interleaves two rankings of one placement; no variation may have another placement",
        ),
        ("rates", one.rates and not one.currency, "is of use only with currency"),
        ("rates", one.currency in dict(one.rates), f"{one.currency} is the currency itself"),
        (
            "stopped",
            one.stopped and one.stopped not in one.indices,
            f"no variation {one.stopped!r}; there are {', '.join(one.indices)}",
        ),
    )
    for name, wrong, why in faults:
        if wrong:
            raise TableError((*path, name), why)


def _check_names(experiment: Experiment, path: Path, known: Known) -> None:
    """Refuse names of what is not in the file."""
    named: list[tuple[Path, str, str, Collection[str]]]
    named = [((*path, "placements"), name, "placement", known.placements) for name in experiment.placements]
    named += [((*path, "audience", "clients"), name, "client", known.clients) for name in experiment.audience.clients]
    for place, one in enumerate(experiment.variations):
        here = (*path, "variations", place)
        named += [((*here, "ranking"), one.ranking, "ranking", known.rankings)] if one.ranking else []
        named += [((*here, "placement"), one.placement, "placement", known.placements)] if one.placement else []
    for where, name, what, there in named:
        if name not in there:
            raise TableError(where, f"no {what} {name!r}; there are {', '.join(there) or 'none'}")


def _overrides(experiment: Experiment, placements: Mapping[str, Placement]) -> frozenset[str]:
    """Of "ranking" and "relation": which ones some variation sets otherwise than one of the placements."""
    out = set()
    for one in experiment.variations:
        other = placements[one.placement] if one.placement else None
        for name in ("ranking", "relation"):
            others = {getattr(placements[placement], name) for placement in experiment.placements}
            if getattr(one, name) is not None or (other and others != {getattr(other, name)}):
                out.add(name)
    return frozenset(out)


def _check_namespaces(one: Experiment, two: Experiment, path: Path) -> None:
    """Refuse two experiments of one namespace that do not exclude each other while both run."""
    a, b = one.namespace, two.namespace
    if a is None or b is None or a.name != b.name or one.stopped or two.stopped:
        return
    if _after(one, two) or _after(two, one):
        return
    if one.unit != two.unit:
        why = f"experiment {one.key!r} of this namespace deals another unit, so they would not exclude each other"
        raise TableError((*path, "namespace"), why)
    if a.low < b.high and b.low < a.high:
        why = f"overlaps that of experiment {one.key!r}, from {a.low:g} to {a.high:g}"
        raise TableError((*path, "namespace"), why)


def _after(one: Experiment, two: Experiment) -> bool:
    """Whether one starts when the other is over."""
    return one.start is not None and two.end is not None and two.end <= one.start
