"""The whole system on this machine: Redis, Pub/Sub, the stream and the server as real processes, stopped in order."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from varde.settings import PREFIX, Settings

from . import emulator, pubsub
from .process import Child, Children
from .redis import start_redis

READY_WITHIN_S = 90.0
_LISTENING = re.compile(r"listening on (http://[\w.:\[\]]+)")


@dataclass(frozen=True, slots=True)
class System:
    """A running system.

    url: the server's, without a path. settings: those of its parts. kinds: what Pub/Sub and Redis are here.
    """

    url: str
    settings: Settings
    names: pubsub.Names
    publisher: PublisherClient
    subscriber: SubscriberClient
    children: Children
    env: Mapping[str, str]
    kinds: str

    def check(self) -> None:
        """Nothing, if every part runs.

        Raises:
            ChildError: one has ended; the message holds the end of its log.
        """
        self.children.check()

    def log_of(self, name: str) -> str:
        """The last lines that a part has logged."""
        return self.children.log_of(name)

    def varde(self, name: str, *words: str, env: Mapping[str, str] | None = None) -> Child:
        """Start one more `varde` command as a part of the system."""
        return _varde(self.children, name, words, {**self.env, **(env or {})})


@contextlib.contextmanager
def running(settings: Settings, port: int = 0) -> Iterator[System]:
    """Start everything on free ports (the server on `port`, if given); stop everything when the block ends.

    Redis is always a new one, and in a Pub/Sub that ran before, topics and subscriptions are: nobody's data are mixed
    with the demo's.

    Raises:
        ChildError: a part cannot be started here; the message says what is missing or shows its log.
    """
    with contextlib.ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="varde-demo-")))
        redis = start_redis()
        stack.callback(redis.stop)
        broker = emulator.find_or_start(logs)
        stack.callback(broker.stop)
        names = pubsub.Names()
        publisher, subscriber = stack.enter_context(pubsub.clients(broker.host))
        if broker.child is None:  # it may hold messages of others, and outlives us
            names = names.with_suffix(secrets.token_hex(4))
            stack.callback(pubsub.remove, publisher, subscriber, names)
        pubsub.ensure(publisher, subscriber, names)
        key = settings.admin_key or secrets.token_urlsafe(24)
        ours = replace(settings, redis_url=redis.url, redis_cluster="no", port=port, admin_key=key)
        ours = replace(ours, topic=names.topic, exposures_topic=names.exposures)
        ours = replace(ours, link_secret=settings.link_secret or (secrets.token_urlsafe(32),))
        children = stack.enter_context(Children(logs))
        env = {**broker.env, **_environment(ours)}
        kinds = f"Pub/Sub: {broker.kind}, {names.topic}; Redis: {redis.url}"
        serve = _varde(children, "serve", (), env)
        _varde(children, "stream", _stream(names), env)
        serve.wait_until(lambda: _url(serve) is not None, READY_WITHIN_S)
        yield System(_url(serve) or "", ours, names, publisher, subscriber, children, env, kinds)


def _varde(children: Children, name: str, words: tuple[str, ...], env: Mapping[str, str]) -> Child:
    return children.start(name, [sys.executable, "-m", "varde.cli", name, *words], env)


def _stream(names: pubsub.Names) -> tuple[str, ...]:
    return (
        "--runner=BundleBasedDirectRunner",
        f"--project={names.project}",
        f"--input_subscription={names.subscription}",
        f"--dead_letter_topic={names.dead_letters}",
    )


def _environment(settings: Settings) -> dict[str, str]:
    """The settings that differ from this process's own environment."""
    return {
        f"{PREFIX}REDIS_URL": settings.redis_url,
        f"{PREFIX}REDIS_CLUSTER": settings.redis_cluster,
        f"{PREFIX}PORT": str(settings.port),
        f"{PREFIX}WINDOW_DAYS": str(settings.window_days),
        f"{PREFIX}MIN_CUSTOMERS": str(settings.min_customers),
        f"{PREFIX}TOPIC": settings.topic,
        f"{PREFIX}EXPOSURES_TOPIC": settings.exposures_topic,
        f"{PREFIX}ADMIN_KEY": settings.admin_key,
        f"{PREFIX}LINK_SECRET": ",".join(settings.link_secret),
        f"{PREFIX}CONFIG": settings.config,
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": os.environ.get("PYTHONWARNINGS", "ignore"),
    }


def _url(serve: Child) -> str | None:
    with contextlib.suppress(OSError):
        found = _LISTENING.search(serve.log.read_text(errors="replace"))
        return found.group(1) if found else None
    return None
