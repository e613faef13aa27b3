"""The example of a configuration file, made from the keys themselves: `python -m varde.config_example`. Pure."""

from __future__ import annotations

import sys
from typing import Any

from varde.clients import Access, Client
from varde.config import Ranking
from varde.experiments import Experiment, Variation
from varde.placements import Placement
from varde.tables import keys

_TABLES: tuple[tuple[str, str, type[Any]], ...] = (
    ("[rankings.careful]", "An order under a name of its own, with a higher floor.", Ranking),
    ("[placements.default]", "What requests without `placement` get. Every key is here; none has to be.", Placement),
    ("[access]", "What needs no key.", Access),
    ("[[clients]]", "One table a client. No key has this digest.", Client),
    ("[experiments.cosine]", "Who gets which list, to compare them. Its variations follow.", Experiment),
    ("[[experiments.cosine.variations]]", "What is compared with it.", Variation),
)
_HEAD = """\
# An example with every key of Varde's configuration file (docs/configuration.md), made by
# `python -m varde.config_example`. Its path is given as VARDE_CONFIG.

# Items of the last rung, where a placement names none.
static = ["base-001", "base-002"]
# More experiments, from a GrowthBook features file; its path from this file's folder.
# growthbook = "features.json"
"""
_BASELINE = """\
# The baseline, here the placement as it is.
[[experiments.cosine.variations]]
key = "control"
weight = 0.5
"""


def example() -> str:
    """The text of docs/varde.example.toml."""
    parts = [_HEAD]
    for header, meaning, kind in _TABLES:
        sampled = [f for f in keys(kind) if f.metadata["sample"]]
        lines = [f"# {f.metadata['help']}\n{f.name} = {f.metadata['sample']}" for f in sampled]
        parts += [_BASELINE] if kind is Variation else []
        parts.append("\n".join([f"# {meaning}", header, *lines, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(example())
