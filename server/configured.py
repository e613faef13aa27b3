"""The configuration file of a running server: read at the start, looked at every second, applied without a pause."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from varde.clients import PUBLIC_SCOPES, Access
from varde.config import Config, ConfigError, read
from varde.settings import Settings, SettingsError
from varde.watched import Beside, Watched, reader

from .parts import Parts
from .running import learn_configured

logger = logging.getLogger("varde.server")

LOOK_S = 1.0


def watched(settings: Settings, clock: Callable[[], int]) -> Watched | None:
    """The file of VARDE_CONFIG, read; None without one.

    Raises:
        SettingsError: it cannot be read, or makes no sense; with the line and the reason.
    """
    if not settings.config:
        return None
    path = Path(settings.config)
    beside = Beside(path.parent)
    try:
        return Watched(lambda text: read(text, settings.rankings, beside), reader(path), clock, beside)
    except ConfigError as error:
        reason = str(error)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or type(error).__name__}"
    msg = f"VARDE_CONFIG: {settings.config}: {reason}"
    raise SettingsError(msg)


def without_file(settings: Settings) -> Config:
    """The configuration of a server without a file: the defaults, and nobody can have a key, so none is asked for."""
    return replace(read("", settings.rankings), access=Access(public=frozenset(PUBLIC_SCOPES)))


def use(parts: Parts, config: Config) -> None:
    """Take a configuration from the next request on."""
    memory = parts.running.memory
    parts.config = memory.config = config
    learn_configured(memory)
    memory.hot.reorder()
    memory.shelf.epoch += 1  # finished answers are of another configuration
    parts.guard.use(config.access, config.clients)


async def follow(parts: Parts, file: Watched) -> None:
    """Look at the file for ever. An error is logged once; the last good configuration stays."""
    while True:
        await asyncio.sleep(LOOK_S)
        found = await asyncio.to_thread(file.reload)  # a large file takes a while
        if found.config is not None:
            use(parts, found.config)
            logger.info("the configuration %s is in force", found.config.version)
        elif found.error is not None:
            logger.error("the configuration file is not taken, the last good one stays: %s", found.error)
