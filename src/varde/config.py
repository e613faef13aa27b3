"""The configuration file: named rankings, placements, clients and access, from TOML to frozen values. Pure.

docs/configuration.md describes every key; `watched` reads the file again when it changes.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from varde import clients, placements, tables
from varde.clients import Access, Client, Clients
from varde.placements import Placement
from varde.ranking import Formula, formula
from varde.tables import TableError, key
from varde.toml_lines import Path, line_of, lines

TABLES = ("static", "rankings", "placements", "access", "clients")
"""All that may stand at the top of the file."""
DEFAULT = "default"
"""The placement that there always is."""


class ConfigError(ValueError):
    """A file that makes no sense. line: from 1, None when unknown; where: the key's path; why: the reason."""

    def __init__(self, line: int | None, where: str, why: str) -> None:
        place = [f"line {line}"] if line else []
        super().__init__(": ".join([*place, *([where] if where else []), why]))
        self.line = line
        self.where = where
        self.why = why


def _formula(value: Any) -> Formula:
    return formula(tables.text(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """An order under a name. floor: fewest customers behind a pair; None: VARDE_MIN_CUSTOMERS."""

    name: str
    formula: Formula = key(None, "One of `VARDE_RANKINGS`; rows keep candidates for no other.", _formula, '"llr"')
    floor: int | None = key(
        None,
        "Fewest customers behind a pair that is shown, 1 to 1,000; default: `VARDE_MIN_CUSTOMERS`.",
        tables.whole(1, 1000),
        "5",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """All that the file says, and the defaults of what it does not.

    rankings and placements: by name. static: items of the last rung. version: of the text, for logs and ETags.
    """

    rankings: Mapping[str, Ranking]
    placements: Mapping[str, Placement]
    clients: Clients
    access: Access
    static: tuple[str, ...]
    version: str


def read(text: str, rankings: Sequence[str]) -> Config:
    """The configuration of a text; an empty one has the defaults.

    Args:
        text: TOML.
        rankings: texts of the formulas that serving rows keep candidates for (VARDE_RANKINGS), the default first.

    Raises:
        ConfigError: not TOML, or a key or value that makes no sense; with its line.
    """
    try:
        top = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _syntax(error, text) from None
    try:
        return _config(top, rankings, hashlib.sha256(text.encode()).hexdigest()[:12])
    except TableError as error:
        raise ConfigError(line_of(error.path, lines(text)), _shown(error.path), error.why) from None


def _config(top: dict[str, Any], formulas: Sequence[str], version: str) -> Config:
    tables.check_keys(top, TABLES, ())
    static = tables.at(("static",), tables.each(tables.text), top.get("static", []))
    rankings = _rankings(top.get("rankings", {}), formulas)
    return Config(
        MappingProxyType(rankings),
        MappingProxyType(_placements(top.get("placements", {}), rankings, static)),
        _clients(top.get("clients", [])),
        tables.build(Access, top.get("access", {}), ("access",)),
        static,
        version,
    )


def _named(table: Any, path: Path) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise TableError(path, f"must be tables such as [{path[0]}.NAME]")
    return table


def _rankings(table: Any, formulas: Sequence[str]) -> dict[str, Ranking]:
    out = {text: Ranking(name=text, formula=formula(text)) for text in formulas}
    for name, values in _named(table, ("rankings",)).items():
        path = ("rankings", name)
        own = _own_formula(name)
        if own is None:
            tables.at(path, tables.name, name)
        ranking = tables.build(Ranking, values, path, name=name if own is None else str(own), formula=own)
        if ranking.formula is None:
            raise TableError(path, "has no formula")
        if own is not None and ranking.formula != own:
            raise TableError((*path, "formula"), f"{name} is the name of another formula")
        if str(ranking.formula) not in formulas:
            why = f"{ranking.formula} is not in VARDE_RANKINGS, so rows keep no candidates for it; there are "
            raise TableError((*path, "formula"), why + ", ".join(formulas))
        out[ranking.name] = ranking
    return out


def _own_formula(name: str) -> Formula | None:
    try:
        return formula(name)
    except ValueError:
        return None


def _placements(table: Any, rankings: Mapping[str, Ranking], static: tuple[str, ...]) -> dict[str, Placement]:
    out = {}
    first = next(iter(rankings))
    for name, values in ({DEFAULT: {}} | _named(table, ("placements",))).items():
        path = ("placements", name)
        tables.at(path, tables.name, name)
        placement = tables.build(Placement, values, path, name=name, ranking=first, static=static)
        if placement.ranking not in rankings:
            why = f"no ranking {placement.ranking!r}; there are {', '.join(rankings)}"
            raise TableError((*path, "ranking"), why)
        placements.check(placement, path)
        out[name] = placement
    return out


def _clients(table: Any) -> Clients:
    if not isinstance(table, list):
        raise TableError(("clients",), "must be tables [[clients]]")
    out: dict[str, Client] = {}
    digests: set[bytes] = set()
    for place, values in enumerate(table):
        path = ("clients", place)
        client = tables.build(Client, values, path)
        tables.at((*path, "name"), tables.name, client.name)
        if client.name in out:
            raise TableError((*path, "name"), f"a client {client.name!r} stands above")
        if not client.keys or digests.intersection(client.keys):
            raise TableError((*path, "keys"), "is the key of a client above" if client.keys else "has no key")
        if client.burst and not client.rate:
            raise TableError((*path, "burst"), "bounds nothing without a rate")
        digests.update(client.keys)
        out[client.name] = clients.sized(client)
    return Clients(tuple(out.values()))


def _shown(path: Path) -> str:
    shown = ""
    for part in path:
        shown += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if shown else part
    return shown


def _syntax(error: Exception, text: str) -> ConfigError:
    if isinstance(error, RecursionError):
        return ConfigError(None, "", "is nested too deeply")
    if not isinstance(error, tomllib.TOMLDecodeError):  # a number of thousands of digits
        return ConfigError(None, "", "holds a number that is too long")
    why = str(error)
    found = re.search(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)$", why)
    if found is None:
        return ConfigError(None, "", why)
    line = int(found[1]) if found[1] else text.count("\n") + 1
    return ConfigError(line, "", why[: found.start()])
