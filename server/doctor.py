"""`varde doctor`: is this installation well, and what to do where it is not."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from redis.exceptions import RedisError

from varde.settings import Settings, SettingsError, from_env

from . import doctor_queue, doctor_redis, doctor_server, doctor_store
from .configured import watched
from .doctor_findings import Finding, Report, Status, ok, problem, report, unknown, warning

WELL, UNWELL = 0, 1
"""Exit codes; 2 is wrong use and a setting that makes no sense."""
EMULATOR = "PUBSUB_EMULATOR_HOST"

_DESCRIPTION = """\
Look at an installation with the settings of this environment: settings, versions, Redis and its policies, clocks, what
Varde keeps there, the last nightly run, and, where named, Pub/Sub and a server. Changes nothing.
"""
_EPILOG = """\
Each check is ok, unknown (not asked for, or it cannot be known here), a warning or a problem, with what to do about it;
docs/runbook.md explains each. With --json one object: status, and checks with check, status, found and fix.

exit codes: 0 no problem (with --strict: no warning either); 1 there is one; 2 wrong use, or a setting makes no sense

  varde doctor
  varde doctor --subscription projects/my-shop/subscriptions/varde-stream --server http://varde:8080 --json
"""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde doctor",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--subscription",
        type=_subscription,
        metavar="NAME",
        help="what the stream reads, projects/PROJECT/subscriptions/NAME; default: not looked at",
    )
    parser.add_argument("--server", type=_url, metavar="URL", help="a running server; default: not looked at")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--strict", action="store_true", help="a warning is a problem, too")
    return parser


def _subscription(text: str) -> str:
    if not re.fullmatch(r"projects/[^/\s]+/subscriptions/[A-Za-z][\w.~+%-]{2,254}", text, re.ASCII):
        msg = f"must be projects/PROJECT/subscriptions/NAME, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return text


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        msg = f"must be http://HOST[:PORT] or https://HOST, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return text


def command(argv: Sequence[str]) -> int:
    """`varde doctor` with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    settings = from_env(os.environ)
    given = _arguments().parse_args(argv)
    found = examine(settings, given.subscription, given.server)
    sys.stdout.write((found.json() if given.json else found.text()) + "\n")
    bad = (Status.PROBLEM, Status.WARNING) if given.strict else (Status.PROBLEM,)
    return UNWELL if found.status in bad else WELL


def examine(settings: Settings, subscription: str | None = None, server: str | None = None) -> Report:
    """All checks.

    Args:
        settings: of this environment.
        subscription: projects/PROJECT/subscriptions/NAME; None: not looked at.
        server: a server's URL; None: not looked at.
    """
    found = [*_settings(settings), *_configuration(settings), _versions(), *_redis(settings)]
    found += doctor_queue.topics(settings)
    if subscription is None:
        found += [unknown(check, "not asked for: --subscription NAME") for check in ("subscription", "lag")]
    else:
        found += doctor_queue.subscription(subscription, settings)
        found += [_lag(subscription)]
    if server is None:
        found += [unknown("server", "not asked for: --server URL")]
    else:
        found += asyncio.run(doctor_server.server(server))
    return report(found)


def _lag(subscription: str) -> Finding:
    if host := os.environ.get(EMULATOR):
        return unknown("lag", f"an emulator ({host}) does not tell it")
    return doctor_queue.lag(subscription, doctor_queue.authorized(), datetime.now(UTC))


def _settings(settings: Settings) -> Iterator[Finding]:
    if not settings.id_secret:
        fix = "set VARDE_ID_SECRET (`openssl rand -hex 32`) everywhere, before anything is counted"
        yield warning("settings", "without VARDE_ID_SECRET customers' names in Redis can be guessed", fix)
    if settings.admin_key and not settings.topic:
        yield problem("settings", "VARDE_ADMIN_KEY without VARDE_TOPIC: erasures are refused", "set VARDE_TOPIC")
    if settings.topic and settings.topic == settings.exposures_topic:
        fix = "give exposures a topic of their own: the stream would read them as faulty messages"
        yield problem("settings", "VARDE_TOPIC and VARDE_EXPOSURES_TOPIC are the same", fix)
    if settings.id_secret:
        yield ok("settings", "they make sense")


def _configuration(settings: Settings) -> Iterator[Finding]:
    try:
        file = watched(settings, lambda: 0)
    except SettingsError as error:
        yield problem("configuration", str(error), "docs/configuration.md describes every key")
        return
    if file is None:
        fix = "without a file everybody who reaches a server may read everything: set VARDE_CONFIG"
        yield warning("configuration", "no VARDE_CONFIG", fix)
    else:
        yield ok("configuration", settings.config)


def _versions() -> Finding:
    return ok("versions", f"varde {version('varde')}, redis-py {version('redis')}, Python {platform.python_version()}")


def _redis(settings: Settings) -> list[Finding]:
    """All checks from `redis` to `reconcile`."""
    try:
        nodes = doctor_redis.nodes(settings)
    except (RedisError, OSError) as error:
        fix = "start it, see VARDE_REDIS_URL (host, port, password, network), then look again"
        return [problem("redis", f"{type(error).__name__}: {error}", fix)]
    found = doctor_store.of_nodes(nodes, settings)
    if any(one.check in ("redis-version", "redis-mode") and one.status is Status.PROBLEM for one in found):
        return found
    try:
        kept = doctor_redis.kept(settings)
    except (RedisError, OSError) as error:
        fix = "the user of VARDE_REDIS_URL needs all commands on keys varde:*"
        return [*found, problem("schema", f"cannot be read: {type(error).__name__}: {error}", fix)]
    return found + doctor_store.of_kept(kept, settings, time.time_ns() // 1_000_000)
