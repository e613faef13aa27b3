"""`python -m varde.server.child`: one of several processes on a port; processes.py starts it and says what it is.

Standard input is a socket to its parent: an order comes in, a line goes out when the process listens, and when the
parent is gone the socket ends and so does this process.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import sys
from pathlib import Path

import uvloop

from varde.settings import SettingsError

from .log_lines import configure
from .main import Place, until_told

UNREACHABLE, SENSELESS = 1, 2
"""Exit codes: the address cannot be listened on; a setting makes no sense."""


def main() -> int:
    """Serve until told to stop; the exit code."""
    parent = socket.socket(fileno=os.dup(0))
    parent.setblocking(True)
    with parent.makefile("rb") as stream:
        # By the parent, over a socket that nobody else has.
        settings, name, directory = pickle.load(stream)  # noqa: S301
    configure(settings.log_level)
    place = Place(name, Path(directory), lambda: parent.sendall(b"listening\n"))
    parent.setblocking(False)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_told(settings, place, parent))
    except OSError as error:
        sys.stderr.write(f"varde serve: cannot listen on {settings.host} port {settings.port}: {error.strerror}\n")
        return UNREACHABLE
    except SettingsError as error:
        sys.stderr.write(f"varde serve: {error}\n")
        return SENSELESS
    return 0


if __name__ == "__main__":
    sys.exit(main())
