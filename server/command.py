"""`varde serve`: command line words to settings to a running server."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace

from varde.settings import from_env, option
from varde.store import schema

from . import main
from .configured import watched
from .log_lines import configure
from .processes import cores, run


def command(argv: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; 0 after an orderly end, 1 when the address cannot be listened on.

    Raises:
        SettingsError: a VARDE_* variable, or the configuration file, makes no sense, or Redis has another schema.
    """
    parser = argparse.ArgumentParser(
        prog="varde serve",
        description="Answer storefronts and email tools over HTTP from Redis. Everything else is set by VARDE_* "
        "variables (docs/settings.md). Stops in good order on SIGTERM.",
    )
    settings = from_env(os.environ)
    parser.add_argument("--host", type=option("host"), default=settings.host, help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=option("port"), default=settings.port, help="port; 0 picks a free one (%(default)s)"
    )
    parser.add_argument(
        "--processes",
        type=option("processes"),
        default=settings.processes,
        help="processes on that port; 0: one for each core (%(default)s)",
    )
    given = parser.parse_args(argv)
    processes = given.processes or cores()
    ours = replace(settings, host=given.host, port=given.port, processes=processes)
    watched(ours, int)  # says what is wrong with the file once, not once a process, and before anything else
    configure(ours.log_level)
    schema.look(ours, logging.getLogger("varde.server").warning)
    try:
        if processes > 1:
            return run(ours)
        main.run(ours)
    except OSError as error:  # Redis has errors of its own: this is the address
        sys.stderr.write(f"varde serve: cannot listen on {given.host} port {given.port}: {error.strerror or error}\n")
        return 1
    return 0
