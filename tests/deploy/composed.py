"""compose.yaml as the tests read it: merged, with the defaults of its variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


@dataclass(frozen=True)
class Service:
    """One service. `target` is the stage of its image, None where the image is somebody else's."""

    name: str
    image: str
    target: str | None
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: Mapping[str, str]
    raw: Mapping[str, Any]


def document(given: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole file; variables as given, else their defaults."""
    values = given or {}
    text = _VARIABLE.sub(lambda found: values.get(found[1]) or found[2], FILE.read_text(encoding="utf-8"))
    assert "${" not in text, "a variable without a default"
    loaded = yaml.safe_load(text)
    assert isinstance(loaded, dict)
    return loaded


def services() -> dict[str, Service]:
    """All of them, by name."""
    return {
        name: Service(
            name,
            raw["image"],
            raw.get("build", {}).get("target"),
            tuple(raw.get("entrypoint", ())),
            tuple(raw.get("command", ())),
            raw.get("environment", {}),
            raw,
        )
        for name, raw in document()["services"].items()
    }
