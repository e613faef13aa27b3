"""Request ids: 32 hexadecimal digits, random by process and counted within it."""

from __future__ import annotations

import secrets


class RequestIds:
    """Unique over processes with 64 random bits; made in a fraction of the time of a UUID."""

    __slots__ = ("_n", "_process")

    def __init__(self, process: str | None = None) -> None:
        self._process = secrets.token_hex(8) if process is None else process
        self._n = secrets.randbits(32)  # where it starts says nothing about how many there were

    def __call__(self) -> str:
        """The next."""
        self._n += 1
        return f"{self._process}{self._n:016x}"
