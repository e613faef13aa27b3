"""The configuration file: rankings, placements, clients, access and experiments, from TOML to frozen values. Pure.

docs/configuration.md describes every key; `watched` reads the file again when it changes.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from varde import cards, clients, experiment_file, mailing, placements, tables
from varde.cards import Cards
from varde.clients import Access, Client, Clients
from varde.collecting import Collector
from varde.experiments import Experiments
from varde.mailing import Email, Feed
from varde.placements import Placement
from varde.ranking import Formula, formula
from varde.tables import TableError, key
from varde.toml_lines import Path, line_of, lines

TABLES = (
    "static",
    "growthbook",
    "rankings",
    "placements",
    "access",
    "clients",
    "experiments",
    "email",
    "feeds",
    "collector",
    "cards",
)
"""All that may stand at the top of the file."""
Beside = Callable[[str], bytes]
"""Reads a file by its path from the configuration file's folder. Raises OSError."""
MOST_BYTES = 4_000_000
"""Largest file that is read."""
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

    rankings and placements: by name. static: items of the last rung. version: of the text and the files that it names,
    for logs and ETags. experiments: also by placement.
    """

    rankings: Mapping[str, Ranking]
    placements: Mapping[str, Placement]
    clients: Clients
    access: Access
    static: tuple[str, ...]
    version: str
    experiments: Experiments = field(default_factory=Experiments)
    email: Email = field(default_factory=Email)
    feeds: Mapping[str, Feed] = field(default_factory=lambda: MappingProxyType({}))
    collector: Collector = field(default_factory=Collector)
    cards: Cards = field(default_factory=Cards)


def read(text: str, rankings: Sequence[str], beside: Beside | None = None) -> Config:
    """The configuration of a text; an empty one has the defaults.

    Args:
        text: TOML.
        rankings: texts of the formulas that serving rows keep candidates for (VARDE_RANKINGS), the default first.
        beside: reads a file that the text names by its path from the text's own folder; None: there are none.

    Raises:
        ConfigError: not TOML, or a key or value that makes no sense; with its line.
    """
    try:
        top = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _syntax(error, text) from None
    try:
        return _config(top, rankings, text, beside)
    except TableError as error:
        raise ConfigError(line_of(error.path, lines(text)), _shown(error.path), error.why) from None


def _config(top: dict[str, Any], formulas: Sequence[str], text: str, beside: Beside | None) -> Config:
    tables.check_keys(top, TABLES, ())
    static = tables.at(("static",), tables.each(tables.text), top.get("static", []))
    rankings = _rankings(top.get("rankings", {}), formulas)
    lists = _placements(top.get("placements", {}), rankings, static)
    callers = _clients(top.get("clients", []))
    features = tables.at(("growthbook",), tables.text, top["growthbook"]) if "growthbook" in top else None
    content = None if features is None else _beside(features, beside)
    email = mailing.read_email(top.get("email", {}), lists)
    known = experiment_file.Known(lists, rankings, [client.name for client in callers.all])
    return Config(
        MappingProxyType(rankings),
        MappingProxyType(lists),
        callers,
        tables.build(Access, top.get("access", {}), ("access",)),
        static,
        hashlib.sha256(text.encode() + (content or b"")).hexdigest()[:12],
        experiment_file.read(top.get("experiments", {}), known, content),
        email,
        mailing.read_feeds(top.get("feeds", {}), lists, email),
        collector=tables.build(Collector, top.get("collector", {}), ("collector",)),
        cards=cards.read(top.get("cards", {})),
    )


def _beside(name: str, beside: Beside | None) -> bytes:
    """The content of a file that the configuration names."""
    if beside is None:
        raise TableError(("growthbook",), "other files are not read here")
    try:
        content = beside(name)
    except OSError as error:
        raise TableError(("growthbook",), f"{name} cannot be read: {error.strerror or type(error).__name__}") from None
    except ValueError as error:  # a NUL in the path
        raise TableError(("growthbook",), f"cannot be read: {error}") from None
    if len(content) > MOST_BYTES:
        raise TableError(("growthbook",), f"{name} is larger than {MOST_BYTES:,} bytes")
    return content


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
