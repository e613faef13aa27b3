"""`varde serve`: command line words to settings to a running server."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace

from varde.settings import from_env

from . import main


def command(argv: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; 0 after an orderly end.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    parser = argparse.ArgumentParser(
        prog="varde serve",
        description="Answer storefronts and email tools over HTTP from Redis. Everything else is set by VARDE_* "
        "variables (docs/settings.md). Stops in good order on SIGTERM.",
    )
    settings = from_env(os.environ)
    parser.add_argument("--host", default=settings.host, help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=settings.port, help="port; 0 picks a free one (%(default)s)")
    given = parser.parse_args(argv)
    main.run(replace(settings, host=given.host, port=given.port))
    return 0
