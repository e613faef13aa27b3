"""How the configuration file says that an experiment is over: one key of one table is set, all else stays as it is.

Pure: from text to text. The result is read before anybody writes it, and must differ in that one thing only.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import orjson

from varde import config
from varde.config import Beside, Config
from varde.experiments import Experiment
from varde.toml_lines import lines


class StopError(ValueError):
    """An experiment that cannot be stopped like this, and why."""


def stop(
    text: str, rankings: Sequence[str], key: str, winner: str | None, now: int, beside: Beside | None = None
) -> str:
    """The file's text with an experiment ended.

    Args:
        text: TOML of the file.
        rankings: as of `config.read`.
        key: the experiment.
        winner: the variation that everybody gets from now on; None: everybody gets what the placement says.
        now: when it ends without a winner, ms.
        beside: as of `config.read`.

    Raises:
        ConfigError: the file makes no sense as it is.
        StopError: no such experiment or variation, it is over, or its table cannot be edited.
    """

    def read(said: str) -> Config:
        return config.read(said, rankings, beside)

    before = read(text)
    experiment = _experiment(before, key)
    name, literal, wanted = _change(experiment, winner, now)
    if winner is None and (experiment.stopped or (experiment.end is not None and experiment.end <= now)):
        msg = "it is over already"
        raise StopError(msg)
    if winner is None and experiment.start is not None and now <= experiment.start:
        msg = "it has not begun: take it out of the file"
        raise StopError(msg)
    if wanted == experiment:
        msg = f"it is stopped already, and everybody gets {winner}"
        raise StopError(msg)
    after = _edited(text, key, name, literal)
    _check(before, after, read, wanted)
    return after


def _experiment(found: Config, key: str) -> Experiment:
    if key not in found.experiments:
        known = ", ".join(found.experiments) or "none"
        msg = f"there is no experiment {key!r}; known: {known}"
        raise StopError(msg)
    return found.experiments[key]


def _change(experiment: Experiment, winner: str | None, now: int) -> tuple[str, str, Experiment]:
    """The key, its value as TOML, and the experiment as it shall be read."""
    if winner is None:
        second = now // 1000
        moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return "end", moment, dataclasses.replace(experiment, end=second * 1000)
    known = [variation.key for variation in experiment.variations]
    if winner not in known:
        msg = f"it has no variation {winner!r}; there are {', '.join(known)}"
        raise StopError(msg)
    return "stopped", orjson.dumps(winner).decode(), dataclasses.replace(experiment, stopped=winner)


def _edited(text: str, key: str, name: str, literal: str) -> str:
    where = lines(text)
    rows = text.split("\n")
    row = where.get(("experiments", key, name))
    if row is not None:
        rows[row - 1] = _replaced(rows[row - 1], literal)
        return "\n".join(rows)
    header = next((place for place, text in enumerate(rows, 1) if _opens(text, key)), None)
    if header is None:
        msg = f"it has no table [experiments.{key}] of its own in the file: set {name} = {literal} by hand"
        raise StopError(msg)
    ending = "\r" if rows[header - 1].endswith("\r") else ""
    rows.insert(header, f"{name} = {literal}{ending}")
    return "\n".join(rows)


def _opens(row: str, key: str) -> bool:
    """Whether a line is the header of the experiment's own table."""
    if not row.lstrip().startswith("["):
        return False
    try:
        return tomllib.loads(row.strip()) == {"experiments": {key: {}}}
    except tomllib.TOMLDecodeError:
        return False


def _replaced(row: str, literal: str) -> str:
    """A line `key = value # comment` with another value. The value ends where what follows is a comment or nothing."""
    start = row.index("=") + 1  # names of keys that are replaced have no quotes
    start += len(row[start:]) - len(row[start:].lstrip())
    for end in range(start + 1, len(row) + 1):
        rest = row[end:].strip()
        if (not rest or rest.startswith("#")) and _is_value(row[start:end]):
            return row[:start] + literal + row[start + len(row[start:end].rstrip()) :]
    msg = f"its line {row.strip()!r} cannot be edited: do it by hand"
    raise StopError(msg)


def _is_value(text: str) -> bool:
    try:
        tomllib.loads(f"x = {text}")
    except tomllib.TOMLDecodeError:
        return False
    return True


def _check(before: Config, after: str, parse: Callable[[str], Config], wanted: Experiment) -> None:
    """Refuse a text that does not say what was wanted, or says anything else otherwise than before."""
    try:
        read = parse(after)
    except config.ConfigError as error:
        msg = f"the file would make no sense then: {error}"
        raise StopError(msg) from None
    expected = dict(before.experiments) | {wanted.key: wanted}
    if dict(read.experiments) != expected or not _same_otherwise(before, read):
        msg = "the file would say something else as well: do it by hand"
        raise StopError(msg)


def _same_otherwise(one: Config, other: Config) -> bool:
    different = {"experiments", "version"}
    names = [found.name for found in dataclasses.fields(Config) if found.name not in different]
    return all(getattr(one, name) == getattr(other, name) for name in names)
