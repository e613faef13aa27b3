"""Child processes of the demo: each in its own process group, logging to a file, ended by its id, none left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

LEASH = Path(__file__).with_name("leash.py")
POLL_S = 0.02
GRACE_S = 10.0
TAIL_LINES = 20


class ChildError(RuntimeError):
    """A child did not start, or ended when it should not have. The message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running (or ended) child process and the file that holds its output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -n when signal n ended it."""
        if self.process.returncode is None and self.process.poll() is not None:
            self._kill_orphans()
        return self.process.returncode

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of its log."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError as error:
            return f"(no log: {error})"
        return "\n".join(text.splitlines()[-lines:])

    def check(self) -> None:
        """Nothing, if it runs.

        Raises:
            ChildError: it has ended.
        """
        if self.exit_code is not None:
            msg = f"{self.name} ended with code {self.exit_code}; the end of {self.log}:\n{self.tail()}"
            raise ChildError(msg)

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return when `ready()` is true.

        Raises:
            ChildError: it ended first, or `timeout_s` passed.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                msg = f"{self.name} was not ready after {timeout_s:g} s; the end of {self.log}:\n{self.tail()}"
                raise ChildError(msg)
            time.sleep(POLL_S)

    def stop(self, grace_s: float = GRACE_S) -> int:
        """End it: SIGTERM to its group, and SIGKILL to what is left after `grace_s`. Safe to repeat; its exit code."""
        if self.exit_code is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self.kill()
            else:
                self._kill_orphans()
        return self.process.wait()

    def kill(self) -> None:
        """End it at once, as a crash would: SIGKILL to its group."""
        if self.exit_code is None:
            self._signal(signal.SIGKILL)
            self.process.wait()

    def _kill_orphans(self) -> None:
        """Its own children may outlive it in the group.

        Only right after it was reaped: later its id, and so the group's, may be a stranger's.
        """
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
            return


def start(
    name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Child:
    """Start a child in its own process group, so that Ctrl-C reaches only the parent, who then ends it in order.

    On Linux it is killed with the thread that called this (see leash.py). Output is appended to `log`. `env` is added
    to the environment of this process.

    Raises:
        ChildError: the command cannot be run.
    """
    leashed = [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - the caller's own command, not a shell
                leashed,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(os.environ) | dict(env or {}),
                cwd=cwd,
                process_group=0,
            )
        except OSError as error:
            msg = f"{name} cannot be started: {error}"
            raise ChildError(msg) from error
    return Child(name, process, log)


class Children:
    """The children of one run: `with Children(folder) as children`, and all are ended in the reverse of their order."""

    def __init__(self, logs: Path, grace_s: float = GRACE_S) -> None:
        self._logs = logs
        self._grace_s = grace_s
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        """Start a child whose log is NAME.log in the folder of logs."""
        return self.add(start(name, command, self._logs / f"{name}.log", env))

    def add(self, child: Child) -> Child:
        """Take over a child that something else started."""
        self._children.append(child)
        return child

    def log_of(self, name: str) -> str:
        """The last lines of a child's log; nothing if there is no such child."""
        return next((child.tail() for child in self._children if child.name == name), "")

    def check(self) -> None:
        """Nothing, if all run.

        Raises:
            ChildError: one has ended.
        """
        for child in self._children:
            child.check()

    def stop(self) -> None:
        """End all, the last one first. Safe to repeat."""
        while self._children:
            child = self._children[-1]
            child.stop(self._grace_s)
            self._children.pop()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago; whoever binds it must be ready to lose the race."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
