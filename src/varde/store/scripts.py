"""The Lua scripts, read once from the package's own files, and the commands that both sides send.

A `Command` is what one Redis command needs, without a client: the pure modules make them, the sync and the asyncio
side send them and hand the replies back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

Argument = bytes | str | int | float


@dataclass(frozen=True, slots=True)
class Script:
    """One .lua file; its header says what it does."""

    name: str
    text: bytes
    sha: str


@dataclass(frozen=True, slots=True)
class Command:
    """One Redis command, or one call of a script when `script` is set (then `keys` are all keys it touches)."""

    name: str
    keys: Sequence[str] = ()
    args: Sequence[Argument] = ()
    script: Script | None = None

    @property
    def wire(self) -> list[Argument]:
        """The words to send; a script is called by its digest."""
        if self.script is None:
            return [self.name, *self.keys, *self.args]
        return ["EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args]

    @property
    def wire_in_full(self) -> list[Argument]:
        """The words that also load the script, for a server that does not know it (NOSCRIPT)."""
        if self.script is None:
            return self.wire
        return ["EVAL", self.script.text, len(self.keys), *self.keys, *self.args]


def _load(name: str) -> Script:
    text = resources.files("varde.store").joinpath(f"{name}.lua").read_bytes()
    return Script(name, text, hashlib.sha1(text, usedforsecurity=False).hexdigest())


INTERN = _load("intern")
APPLY = _load("apply")
REMEMBER = _load("remember")
READ_ROWS = _load("read_rows")
PUT_ROWS = _load("put_rows")
COUNTS_AT = _load("counts_at")
REWRITE = _load("rewrite")
FILL = _load("fill")
PERSONAL = _load("personal")
LOCK = _load("lock")
STICK = _load("stick")
FREEZE = _load("freeze")
PUT_CATALOGUE = _load("catalogue_put")
READ_HASHES = _load("read_hashes")
ALL = (
    INTERN, APPLY, REMEMBER, READ_ROWS, PUT_ROWS, COUNTS_AT, REWRITE, FILL, PERSONAL, LOCK, STICK, FREEZE,
    PUT_CATALOGUE, READ_HASHES,
)  # fmt: skip


def call(script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Command:
    """A call of a script."""
    return Command(script.name, keys, args, script)


def command(name: str, key: str, *args: Argument) -> Command:
    """A plain command on one key."""
    return Command(name, (key,), args)
