"""Dockerfiles as the tests read them: by BuildKit's own parser (`dockerfile`), in stages that inherit."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import dockerfile

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class Step:
    """One instruction. `words` are its operands, `flags` its --name=value, `listed` whether it has the exec form."""

    name: str
    words: tuple[str, ...]
    flags: Mapping[str, str]
    listed: bool
    line: int


@dataclass(frozen=True)
class Stage:
    """FROM `base` AS `name`, and its steps. `base` is an image, or another stage of the file."""

    name: str
    base: str
    steps: tuple[Step, ...]


@dataclass
class Config:
    """What an image says of how it is run."""

    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    ports: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"

    def inherited(self) -> Config:
        """What a stage begins with that is FROM this one: all but the build's arguments."""
        return replace(self, env=dict(self.env), args={}, labels=dict(self.labels))

    def told(self, step: Step, given: Mapping[str, str]) -> None:
        """Take what a step says; steps that make files say nothing here."""
        if step.name == "ARG":
            for word in step.words:
                name, _, default = word.partition("=")
                self.args[name] = given.get(name, default)
            return
        words = [filled(word, self.args | self.env) for word in step.words]
        if step.name in _TELLS:
            _TELLS[step.name](self, words)

    def _entrypoint(self, words: list[str]) -> None:
        self.entrypoint, self.command = tuple(words), ()

    def _health(self, words: list[str]) -> None:
        self.health = () if words[0] == "NONE" else tuple(words[1:])


_TELLS: dict[str, Callable[[Config, list[str]], None]] = {
    "ENV": lambda config, words: config.env.update(pairs(words)),
    "LABEL": lambda config, words: config.labels.update(pairs(words)),
    "WORKDIR": lambda config, words: setattr(config, "folder", str(Path(config.folder) / words[0])),
    "USER": lambda config, words: setattr(config, "user", words[0]),
    "EXPOSE": lambda config, words: setattr(config, "ports", (*config.ports, *words)),
    "ENTRYPOINT": Config._entrypoint,
    "CMD": lambda config, words: setattr(config, "command", tuple(words)),
    "HEALTHCHECK": Config._health,
    "STOPSIGNAL": lambda config, words: setattr(config, "stop_signal", words[0]),
}


@dataclass(frozen=True)
class Recipe:
    """A Dockerfile: its arguments before the first FROM, and its stages by name, in their order."""

    args: Mapping[str, str]
    stages: Mapping[str, Stage]

    def lineage(self, name: str) -> list[Stage]:
        """The stages that a stage is made of, the lowest first."""
        found: list[Stage] = []
        while name in self.stages:
            found.insert(0, self.stages[name])
            name = self.stages[name].base
        return found

    def config(self, name: str, given: Mapping[str, str] | None = None) -> Config:
        """How the image of a stage is run, as far as this file says."""
        config = Config()
        for stage in self.lineage(name):
            config = config.inherited()
            for step in stage.steps:
                config.told(step, given or {})
        return config

    def steps(self, kind: str) -> Iterator[Step]:
        """Every instruction of a kind."""
        return (step for stage in self.stages.values() for step in stage.steps if step.name == kind)


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its variables; one that is not set is empty, as Docker has it."""
    return _VARIABLE.sub(lambda found: values.get(found[1] or found[2], ""), text)


def pairs(words: list[str]) -> dict[str, str]:
    """NAME VALUE NAME VALUE, as the parser gives ENV and LABEL, without the quotes."""
    return {name: "".join(shlex.split(value)) for name, value in zip(words[::2], words[1::2], strict=True)}


def read(path: Path) -> Recipe:
    """A Dockerfile whose stages all have names.

    Raises:
        dockerfile.GoParseError: it is none.
    """
    args: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    name, base, steps = "", "", list[Step]()
    for command in dockerfile.parse_file(str(path)):
        flags = {key: value for key, _, value in (flag[2:].partition("=") for flag in command.flags)}
        step = Step(command.cmd, tuple(command.value), flags, bool(command.json), command.start_line)
        if step.name == "FROM":
            if name:
                stages[name] = Stage(name, base, tuple(steps))
            source, _, name = step.words
            base, steps = filled(source, args), []
        elif name:
            steps.append(step)
        else:
            args |= dict([step.words[0].split("=", 1)])
    stages[name] = Stage(name, base, tuple(steps))
    return Recipe(args, stages)
