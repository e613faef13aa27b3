"""A Pub/Sub to talk to on this machine: one that runs, else Google's emulator, else the stand-in of this package."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
from google.pubsub_v1 import types

from .process import Child, ChildError, free_port, start

VARIABLE = "PUBSUB_EMULATOR_HOST"
JAR = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
SDK_FOLDERS = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/usr/local/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/usr/local/Caskroom/google-cloud-sdk/latest/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
    "~/google-cloud-sdk",
)
HEAP = "1g"
STARTS_WITHIN_S = 60.0
ATTEMPTS = 3
"""Starts, each with another port: one that was free may be taken before the child binds it."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A Pub/Sub that answers at `host` (host:port). `kind` is given, google or standin; a given one is not stopped."""

    host: str
    kind: str
    child: Child | None = None

    @property
    def env(self) -> dict[str, str]:
        """What makes Google's clients in another process talk to it."""
        return {VARIABLE: self.host}

    def stop(self) -> None:
        """End the process, if it is ours."""
        if self.child is not None:
            self.child.stop()


def find_or_start(logs: Path, environ: Mapping[str, str] | None = None) -> Emulator:
    """The emulator that PUBSUB_EMULATOR_HOST names, else a fresh one of Google's, else the stand-in.

    Args:
        logs: folder for the log of a process that is started.
        environ: where to look for the variable; this process's environment unless given.

    Raises:
        ChildError: the named one does not answer, or none could be started.
    """
    given = (os.environ if environ is None else environ).get(VARIABLE)
    if given:
        if not answers(given, timeout_s=5.0):
            msg = f"{VARIABLE}={given}: no Pub/Sub emulator answers there"
            raise ChildError(msg)
        return Emulator(given, "given")
    return start_google(logs) if shutil.which("java") and google_jar() else start_standin(logs)


def start_google(logs: Path) -> Emulator:
    """Start Google's emulator on a free port.

    Raises:
        ChildError: Java or the emulator's jar is not there, or it did not start.
    """
    java, jar = shutil.which("java"), google_jar()
    if java is None or jar is None:
        msg = "Google's Pub/Sub emulator needs Java and the Cloud SDK's pubsub-emulator component"
        raise ChildError(msg)
    return _start(
        "google", lambda port: [java, f"-Xmx{HEAP}", "-jar", str(jar), "--host=127.0.0.1", f"--port={port}"], logs
    )


def start_standin(logs: Path) -> Emulator:
    """Start the stand-in on a free port.

    Raises:
        ChildError: it did not start.
    """
    return _start("standin", lambda port: [sys.executable, "-m", "varde.demo.standin", "--port", str(port)], logs)


def _start(kind: str, command: Callable[[int], list[str]], logs: Path) -> Emulator:
    for attempt in range(ATTEMPTS):
        host = f"127.0.0.1:{(port := free_port())}"
        child = start(f"pubsub-{kind}", command(port), logs / f"pubsub-{kind}.log")
        try:
            child.wait_until(partial(answers, host), STARTS_WITHIN_S)
        except ChildError:
            child.stop()
            if attempt == ATTEMPTS - 1:
                raise
        except BaseException:
            child.stop()
            raise
        else:
            return Emulator(host, kind, child)
    raise AssertionError


def google_jar() -> Path | None:
    """The jar of Google's emulator: in the SDK that `gcloud` on the path belongs to, else in the usual places.

    `gcloud info` would know as well, and takes seconds.
    """
    folders = [Path(folder).expanduser() for folder in SDK_FOLDERS]
    gcloud = shutil.which("gcloud")
    if gcloud:
        folders.insert(0, Path(gcloud).resolve().parents[1])
    for folder in folders:
        jars = sorted(folder.glob(JAR))
        if jars:
            return jars[-1]
    return None


def answers(host: str, timeout_s: float = 1.0) -> bool:
    """Whether a Pub/Sub answers at host:port."""
    request, response = types.ListTopicsRequest.pb(), types.ListTopicsResponse.pb()
    with grpc.insecure_channel(host) as channel:
        call = channel.unary_unary(
            "/google.pubsub.v1.Publisher/ListTopics", request.SerializeToString, response.FromString
        )
        try:
            call(request(project="projects/varde-local"), timeout=timeout_s)
        except grpc.RpcError:
            return False
    return True
