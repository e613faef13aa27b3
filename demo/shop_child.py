"""The shop as a part of the demo: its process, its catalogue, and a browser that opens on it."""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import webbrowser
from collections.abc import Callable, Mapping

from .process import Child
from .system import System

READY_WITHIN_S = 60.0
_OPEN = re.compile(r"shop open at (http://\S+)")
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def start(system: System, port: int, seed: int) -> str:
    """Start the shop's process in front of the system's server; its address.

    Args:
        system: with a collector that takes the shop's write key.
        port: 0 for a free one.
        seed: of the simulated shoppers one may log in as.

    Raises:
        ChildError: it did not start.
    """
    child = system.varde("shop", f"--server={system.url}", f"--port={port}", f"--seed={seed}")
    child.wait_until(lambda: _url(child) is not None, READY_WITHIN_S)
    return _url(child) or ""


def _url(child: Child) -> str | None:
    with contextlib.suppress(OSError):
        found = _OPEN.search(child.log.read_text(errors="replace"))
        return found.group(1) if found else None
    return None


def free(host: str, port: int) -> int:
    """The port if nobody has it, else 0: any other."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return 0
    return port


def browse(
    url: str,
    environ: Mapping[str, str],
    terminal: bool,
    platform: str = sys.platform,
    browser: Callable[[str], bool] = webbrowser.open,
) -> bool:
    """Open a browser where somebody sits at a terminal with a display; whether one was opened.

    Args:
        url: of the page.
        environ: of this process; BROWSER=none opens nothing.
        terminal: whether output goes to one.
        platform: as sys.platform has it; macOS and Windows always have a display.
        browser: what opens it.
    """
    sighted = platform in ("darwin", "win32") or any(environ.get(name) for name in _DISPLAYS)
    if not (terminal and sighted) or environ.get("BROWSER") == "none" or environ.get("SSH_CONNECTION"):
        return False
    return browser(url)
