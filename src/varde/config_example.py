"""The example of a configuration file, made from the keys themselves: `python -m varde.config_example`. Pure."""

from __future__ import annotations

import sys
from typing import Any

from varde.cards import Cards
from varde.clients import Access, Client
from varde.collecting import Collector
from varde.config import Ranking
from varde.experiments import Experiment, Variation
from varde.mail_formats import Format
from varde.mailing import Email, Feed, Short
from varde.placements import Placement
from varde.tables import keys

_TABLES: tuple[tuple[str, str, type[Any]], ...] = (
    ("[rankings.careful]", "An order under a name of its own, with a higher floor.", Ranking),
    ("[placements.default]", "What requests without `placement` get. Every key is here; none has to be.", Placement),
    ("[access]", "What needs no key.", Access),
    ("[[clients]]", "One table a client. No key has this digest.", Client),
    ("[experiments.cosine]", "Who gets which list, to compare them. Its variations follow.", Experiment),
    ("[[experiments.cosine.variations]]", "What is compared with it.", Variation),
    ("[email]", "What holds for all mails.", Email),
    ("[email.placements.default]", "What is done about a list of this placement that is too short.", Short),
    ("[email.formats.mine]", "A form of answers under a name of its own.", Format),
    ("[feeds.best-sellers]", "A list for everybody, made before it is asked for.", Feed),
    ("[collector]", "What Segment's SDKs may send to the server itself.", Collector),
    ("[cards]", "Pictures of products in mails that are opened.", Cards),
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
