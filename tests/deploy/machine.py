"""Services of compose.yaml as processes in images made without an engine (steps.py), on the network of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from varde.demo.process import free_port

from . import composed, steps

ROOT = composed.ROOT
WITHIN_S = 180.0


def until(true: Callable[[], Any], why: Callable[[], str]) -> Any:
    """What `true` gives as soon as it is something; `why` tells what kept it."""
    deadline = time.monotonic() + WITHIN_S
    while not (found := true()):
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class Container:
    """A process in an image; `started` is the engine's side of it."""

    started: subprocess.Popen[str]
    log: Path

    def first(self) -> int:
        """The process id that it has out here; inside it is 1."""
        children = Path(f"/proc/{self.started.pid}/task/{self.started.pid}/children")
        return int(until(lambda: children.read_text().split(), lambda: "no process in it")[0])

    def stop(self, number: str) -> int:
        """End it by the image's stop signal; its exit code."""
        os.kill(self.first(), signal.Signals[number])
        return self.started.wait(WITHIN_S)


class Machine:
    """Runs services of compose.yaml in the images, on the machine's own network."""

    def __init__(self, images: Mapping[str, steps.Image], folder: Path, redis: int, broker: str) -> None:
        self.images, self.folder, self.redis, self.broker = images, folder, redis, broker
        self.port = free_port()
        self.warehouse = folder / "warehouse"
        self.warehouse.mkdir()
        os.chown(self.warehouse, 10001, 10001)  # as the image has it

    def _here(self, text: str) -> str:
        places = {"redis:6379": f"127.0.0.1:{self.redis}", "pubsub:8085": self.broker}
        places |= {"http://server:8080": f"http://127.0.0.1:{self.port}"}
        for name, place in places.items():
            text = text.replace(name, place)
        return text.replace("/local.py", "/mnt/local.py").replace("/warehouse/", "/mnt/warehouse/")

    def words(self, name: str, *more: str, command: tuple[str, ...] = ()) -> list[str]:
        """What starts a service; with other arguments than those of the file, if given."""
        service = composed.services()[name]
        assert service.target
        image = self.images[service.target]
        env = image.config.env | {key: self._here(value) for key, value in service.env.items()}
        env["VARDE_PORT"] = str(self.port)  # where Cloud Run has a container of its own, others may listen here
        entry = service.entrypoint or image.config.entrypoint
        words = [self._here(word) for word in (*entry, *(command or service.command), *more)]
        upper = self.folder / f"{name}-{time.monotonic_ns()}"
        upper.mkdir()
        user = str(service.raw["user"])
        lent = steps.Lent({"/mnt/local.py": ROOT / "deploy/images/local.py", "/mnt/warehouse": self.warehouse}, {})
        return steps.command(image.layers, upper, words, replace(image.config, env=env, user=user), lent)

    def run(self, name: str, *more: str, command: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        """Run a service to its end."""
        return subprocess.run(
            self.words(name, *more, command=command),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[Container]:
        """A service that goes on."""
        log = self.folder / f"{name}.log"
        with log.open("w") as output, subprocess.Popen(
            self.words(name), stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True
        ) as started:  # fmt: skip
            try:
                yield Container(started, log)
            finally:
                if started.poll() is None:
                    started.kill()  # what is in it goes with it: --kill-child
