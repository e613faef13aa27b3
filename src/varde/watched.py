"""A configuration file that is read again when its content changes; the last good one stays in force.

Files that it names are part of its content. New content is taken when two readings in a row have found it: a file that
an editor has emptied and is about to write is no configuration, although it would be read as one. Replace the file by a
rename and that never happens at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from varde.config import MOST_BYTES, Config, ConfigError


class Reload(NamedTuple):
    """What a look at the file gave: a new configuration, or an error that is new. Neither: nothing to do."""

    config: Config | None = None
    error: str | None = None


class Beside:
    """Reads files by their paths from a folder, for config.read, and remembers what it gave.

    found: by name, the content, or None of a file that could not be read; since the last `forget`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.found: dict[str, bytes | None] = {}

    def __call__(self, name: str) -> bytes:
        """The content of a file, at most MOST_BYTES and one more.

        Raises:
            OSError: it cannot be read.
            ValueError: the name is none of a file.
        """
        self.found[name] = None
        self.found[name] = content = reader(self._folder / name)()
        return content

    def forget(self) -> None:
        """Begin anew."""
        self.found = {}

    def look(self, names: frozenset[str]) -> dict[str, bytes | None]:
        """What files hold now, None of one that cannot be read."""
        self.forget()
        for name in names:
            try:
                self(name)
            except (OSError, ValueError):
                continue  # noted in `found`; whoever parses it again is told why
        return self.found


@dataclass(frozen=True, slots=True)
class _Content:
    """The file's own bytes, and those of the files that it names (None: unreadable)."""

    own: bytes
    beside: Mapping[str, bytes | None] = field(default_factory=dict)

    def still(self, now: _Content) -> bool:
        """Whether it is what a later look, which may have looked at more files, has found."""
        return self.own == now.own and all(now.beside.get(name) == was for name, was in self.beside.items())


class Watched:
    """The configuration in force.

    config: the last good one. loaded_at: when it was taken, of `clock`. error: why the file as it is now was not taken,
    None when it was; for a metric.
    """

    def __init__(
        self,
        parse: Callable[[str], Config],
        read: Callable[[], bytes],
        clock: Callable[[], int],
        beside: Beside | None = None,
    ) -> None:
        """Read it for the first time.

        Args:
            parse: config.read with what it needs of the settings, and `beside`.
            read: the file's content; `reader` makes one.
            clock: ms.
            beside: what `parse` reads other files by; None: it reads none.

        Raises:
            ConfigError: the content makes no sense.
            OSError: the file cannot be read.
        """
        self._parse, self._read, self._clock, self._beside = parse, read, clock, beside
        own = read()
        self.config = self._parsed(own)
        self._seen = self._taken = self._judged = self._content(own)
        self._verdict: str | None = None
        self.loaded_at = clock()
        self.error: str | None = None

    def reload(self) -> Reload:
        """Look at the files again; never raises for what stands in them or for their absence."""
        try:
            now = self._look()
        except OSError as error:
            return self._failed(f"cannot be read: {error.strerror or type(error).__name__}")
        settled, self._seen = now == self._seen, now
        if self._taken.still(now):
            return self._failed(None)
        if not settled:
            return Reload()
        if self._judged.still(now):
            return self._failed(self._verdict)
        try:
            config = self._parsed(now.own)
        except ConfigError as error:
            self._judged, self._verdict = self._content(now.own), str(error)
            return self._failed(self._verdict)
        self._taken, self.config, self.loaded_at, self.error = self._content(now.own), config, self._clock(), None
        return Reload(config=config)

    def _parsed(self, own: bytes) -> Config:
        if self._beside:
            self._beside.forget()
        return self._parse(_text(own))

    def _content(self, own: bytes) -> _Content:
        """What has just been parsed."""
        return _Content(own, self._beside.found if self._beside else {})

    def _look(self) -> _Content:
        own = self._read()
        names = frozenset({*self._taken.beside, *self._judged.beside})
        return _Content(own, self._beside.look(names) if self._beside and names else {})

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
