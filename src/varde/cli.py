"""`varde`: one command, lazily imported subcommands, so that each needs only its own extra installed."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from varde.settings import SettingsError, from_env


class Command(NamedTuple):
    """Where a subcommand lives: `module.main(argv) -> exit code`."""

    module: str
    function: str
    extra: str
    help: str


COMMANDS = {
    "demo": Command("varde.demo.main", "run", "demo", "the whole system on this machine; --once checks it and exits"),
    "stream": Command("varde.streaming.main", "run", "streaming", "Segment messages from Pub/Sub into counts in Redis"),
    "serve": Command("varde.server.command", "command", "server", "answer storefronts and email tools over HTTP"),
    "erase": Command(
        "varde.server.erase_command", "command", "server", "forget a customer, as Segment's own delete does"
    ),
    "email-tokens": Command(
        "varde.server.tokens_command", "command", "server", "tokens for the links of a mailing, from CSV to CSV"
    ),
    "doctor": Command("varde.server.doctor", "command", "server", "is this installation well, and what to do if not"),
    "capacity": Command("varde.capacity", "command", "server", "memory, workers, bytes and money that a shop needs"),
    "reconcile": Command("varde.batch.main", "command", "batch", "compare the live counts with the warehouse"),
    "report": Command("varde.batch.experiment_report", "command", "batch", "what an experiment has shown"),
    "experiment": Command(
        "varde.batch.experiment_command", "command", "batch", "plan an experiment, list them, end one"
    ),
    "seeds": Command("varde.batch.seeds", "command", "batch", "write what a stream with empty state begins with"),
    "catalogue": Command("varde.batch.catalogue", "command", "batch", "load the shop's items; hide, show, change one"),
    "export": Command("varde.store.export_command", "command", "batch", "what Redis holds, into a file"),
    "import": Command("varde.store.import_command", "command", "batch", "such a file, back into Redis"),
    "migrate": Command("varde.store.migrate_command", "command", "batch", "data of an older schema to this one's"),
    "replay": Command("varde.demo.replay", "command", "demo", "send a file's events to Pub/Sub"),
    "simulate": Command("varde.demo.simulate", "command", "demo", "send the events of simulated shoppers"),
    "shop": Command("varde.demo.shop_command", "command", "demo", "the demo's shop: pages, events, lists"),
}


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {command.help}" for name, command in COMMANDS.items()]
    return "usage: varde COMMAND [options]   (varde COMMAND --help explains each)\n\n" + "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand.

    Returns:
        The exit code: 0 fine, 1 failed, 2 wrong use or a setting that makes no sense.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return 0 if words else 2
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        print(f"varde: no such command: {name}\n\n{_usage()}", file=sys.stderr)
        return 2
    command = COMMANDS[name]
    try:
        level = from_env(os.environ).log_level
        logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
        function = getattr(importlib.import_module(command.module), command.function)
        return int(function(rest) or 0)
    except SettingsError as error:
        print(f"varde {name}: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("varde"):
            raise
        print(
            f"varde {name}: needs {error.name}, which is not installed; try: pip install 'varde[{command.extra}]'",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
