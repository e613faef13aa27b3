"""Prints deploy/flex/metadata.json, the flex template's parameters, from the stream's own options.

python deploy/flex/metadata.py > deploy/flex/metadata.json
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import fields
from typing import Any

from varde.settings import Settings
from varde.streaming.options import StreamOptions

_RESOURCE = "^projects/[a-z][a-z0-9.:-]+/{kind}/[A-Za-z][A-Za-z0-9_.~+%-]+$"
_BY_TYPE = {int: "^[0-9]+$", float: r"^[0-9]+(\.[0-9]+)?$"}
_BY_NAME = {
    "input_subscription": _RESOURCE.format(kind="subscriptions"),
    "catalogue_subscription": _RESOURCE.format(kind="subscriptions"),
    "dead_letter_topic": _RESOURCE.format(kind="topics"),
    # Whoever sees the job sees its parameters: an address has no password.
    "redis_url": "^rediss?://[^@/]+(/[0-9]+)?$",
    "redis_cluster": "^(yes|no)$",
    "seeds": "^gs://.+$",
    "consent_default": "^(granted|denied)$",
    "robots": "^(ignore|count)$",
}
_LAUNCHER = [
    {
        "name": "id_secret_version",
        "label": "Secret of the keyed hash, by name",
        "helpText": "Version in Secret Manager that holds VARDE_ID_SECRET: projects/P/secrets/S/versions/V.",
        "isOptional": False,
        "paramType": "TEXT",
        "regexes": ["^projects/[a-z0-9.:-]+/secrets/[A-Za-z0-9_-]+/versions/(latest|[0-9]+)$"],
    },
]
_REQUIRED = {"input_subscription", "dead_letter_topic", "redis_url"}


def _parameter(action: argparse.Action, types: dict[str, type]) -> dict[str, Any]:
    name = action.dest
    kind = action.type if isinstance(action.type, type) else types.get(name, str)
    regex = _BY_NAME.get(name) or _BY_TYPE.get(kind)
    return {
        "name": name,
        "label": name.replace("_", " ").capitalize(),
        "helpText": (action.help or "").replace("%%", "%"),
        "isOptional": name not in _REQUIRED,
        "paramType": "TEXT",
        **({"regexes": [regex]} if regex else {}),
    }


def metadata() -> dict[str, Any]:
    """The template's description, as Dataflow defines its form: every option of the stream, and the launcher's own."""
    parser = argparse.ArgumentParser(add_help=False)
    StreamOptions._add_argparse_args(parser)
    types = {setting.name: type(setting.default) for setting in fields(Settings)}
    return {
        "name": "Varde stream",
        "description": "Segment's messages from Pub/Sub into counts of item pairs in Redis.",
        "streaming": True,
        "supportsAtLeastOnce": False,
        "supportsExactlyOnce": True,
        "parameters": [*_LAUNCHER, *(_parameter(action, types) for action in parser._actions)],
    }


if __name__ == "__main__":
    json.dump(metadata(), sys.stdout, indent=2)
    sys.stdout.write("\n")
