"""`varde migrate`: which schema the data in Redis have, and what brings them to this program's."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import Any

import orjson
from redis.exceptions import RedisError

from varde import keys
from varde.settings import Settings, from_env
from varde.store.connection import connect
from varde.store.meter import Meter
from varde.store.migrating import Migrator, MisfitError, StillWritingError

DONE, MISUSED, REFUSED, FAILED = 0, 2, 3, 4


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde migrate",
        description="Say which schema the data in Redis have and what would bring them to that of this program; with "
        "--apply do it. End the stream first. Interrupted, run it again: it goes on. The last line is one JSON object. "
        "Exit codes: 0 done, or nothing to do; 2 bad use; 3 refused; 4 Redis failed: run it again.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="change nothing (default)")
    what.add_argument("--apply", action="store_true", help="migrate")
    return parser


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    meter = Meter(sys.stderr)
    try:
        figures = migrate(settings, given.apply, meter)
    except (MisfitError, StillWritingError) as error:
        sys.stderr.write(f"varde migrate: {error}\n")
        return REFUSED
    except RedisError as error:
        sys.stderr.write(f"varde migrate: Redis: {error}\n")
        return FAILED
    finally:
        meter.done()
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")
    return DONE


def migrate(settings: Settings, apply: bool, meter: Meter) -> dict[str, Any]:
    """Do it, or say what would be done.

    Raises:
        MisfitError, StillWritingError, RedisError: see Migrator.
    """
    with closing(connect(settings.redis_url, lambda: None, settings.clustered)) as client:
        migrator = Migrator(client)
        found = migrator.state()
        wanted = migrator.wanted()
        steps: list[dict[str, Any]] = []
        for one in wanted:
            steps.append({"to": one.to, "what": one.what})
            if apply:
                steps[-1]["changed"] = migrator.run(one, partial(meter, f"to version {one.to}"))
            else:
                steps[-1]["keys"] = migrator.count(one)
        if apply:
            migrator.check(migrator.schema)
        return {"version": found.has(), "program": keys.SCHEMA, "applied": apply, "steps": steps}
