"""A configuration file that is read again when its content changes; the last good one stays in force.

New content is taken when two readings in a row have found it: a file that an editor has emptied and is about to write
is no configuration, although it would be read as one. Replace the file by a rename and that never happens at all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from varde.config import Config, ConfigError

MOST_BYTES = 4_000_000
"""Largest file that is read."""


class Reload(NamedTuple):
    """What a look at the file gave: a new configuration, or an error that is new. Neither: nothing to do."""

    config: Config | None = None
    error: str | None = None


class Watched:
    """The configuration in force.

    config: the last good one. loaded_at: when it was taken, of `clock`. error: why the file as it is now was not taken,
    None when it was; for a metric.
    """

    def __init__(self, parse: Callable[[str], Config], read: Callable[[], bytes], clock: Callable[[], int]) -> None:
        """Read it for the first time.

        Args:
            parse: config.read with what it needs of the settings.
            read: the file's content; `reader` makes one.
            clock: ms.

        Raises:
            ConfigError: the content makes no sense.
            OSError: the file cannot be read.
        """
        self._parse, self._read, self._clock = parse, read, clock
        self._seen = self._taken = self._judged = read()
        self._verdict: str | None = None
        self.config = parse(_text(self._taken))
        self.loaded_at = clock()
        self.error: str | None = None

    def reload(self) -> Reload:
        """Look at the file again; never raises for what stands in it or for its absence."""
        try:
            content = self._read()
        except OSError as error:
            return self._failed(f"cannot be read: {error.strerror or type(error).__name__}")
        settled, self._seen = content == self._seen, content
        if content == self._taken:
            return self._failed(None)
        if not settled:
            return Reload()
        if content == self._judged:
            return self._failed(self._verdict)
        try:
            config = self._parse(_text(content))
        except ConfigError as error:
            self._judged, self._verdict = content, str(error)
            return self._failed(self._verdict)
        self._taken, self.config, self.loaded_at, self.error = content, config, self._clock(), None
        return Reload(config=config)

    def _failed(self, error: str | None) -> Reload:
        """Note an error, and report it when it is another than before."""
        before, self.error = self.error, error
        return Reload(error=error if error != before else None)


def reader(path: Path) -> Callable[[], bytes]:
    """Reads a file, at most MOST_BYTES and one more."""

    def read() -> bytes:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)

    return read


def _text(content: bytes) -> str:
    """The text of a file.

    Raises:
        ConfigError: too large, or not UTF-8.
    """
    if len(content) > MOST_BYTES:
        raise ConfigError(None, "", f"is larger than {MOST_BYTES:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(content[: error.start].count(b"\n") + 1, "", "is not UTF-8") from None
