"""`varde demo`: the whole system on one machine; `--once` plays a bounded input and checks the counts."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from varde.batch.arguments import check
from varde.history import Signal
from varde.pairs import Relation
from varde.settings import PREFIX, Settings, from_env, option
from varde.store.sync import Store

from . import assortment, figures, formats, mails, once, shop_child, shop_command
from .arguments import positive, whole, whole_from
from .catalogue import arrivals, products
from .landing import UnaccountedError
from .process import ChildError
from .replay import publish
from .settle import StalledError, wait_until_settled
from .simulate import shoppers
from .storefront import PLACEMENT
from .system import System, running

OPENING = 20_000
"""Messages of the last minutes that are played at once, so that there is something to see."""
FIGURES_EVERY_S = 1.0
LOG_EVERY_S = 5.0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde demo",
        description="Start Redis, Pub/Sub, the stream, the server, a shop and simulated shoppers on this machine, and "
        "open a browser on the shop; Ctrl-C stops everything. With --once, play a bounded input, compare the live "
        "counts with the nightly ones pair by pair, print one JSON object as the last line, and exit with 0 only if "
        "they agree.",
    )
    parser.add_argument("--once", action="store_true", help="play a bounded input, check it, exit")
    parser.add_argument("--data", type=Path, help="a file to play instead of simulated shoppers (with --once)")
    parser.add_argument("--format", choices=sorted(formats.FORMATS), help="what the file is (see varde replay --help)")
    parser.add_argument(
        "--limit",
        type=whole_from(1),
        help=f"at most so many invoices, clicks or lines of the file, or simulated messages ({once.SIMULATED})",
    )
    parser.add_argument("--rate", type=positive, default=20.0, help="messages per second of the shoppers (%(default)s)")
    parser.add_argument("--seed", type=whole, default=1, help="of the shoppers (%(default)s)")
    parser.add_argument("--port", type=option("port"), help="of the server (8080, or a free one if that is taken)")
    parser.add_argument(
        "--shop-port", type=option("port"), help=f"of the shop ({shop_command.PORT}, or a free one if that is taken)"
    )
    parser.add_argument("--no-browser", action="store_true", help="open no browser on the shop")
    parser.add_argument(
        "--visits",
        type=whole_from(1),
        default=0,
        help="messages of shoppers who then look at the server's lists and click: experiments get exposures "
        "(with --once)",
    )
    parser.add_argument("--warehouse", type=Path, help="keep the warehouse in this DuckDB file (with --once)")
    return parser


def run(argv: list[str]) -> int:
    """`varde demo` with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense, or with --once none that the warehouse can count by.
    """
    parser = _arguments()
    given = parser.parse_args(argv)
    if (given.data is None) != (given.format is None):
        parser.error("--data and --format go together")
    if given.data is not None and not given.once:
        parser.error("--data needs --once; varde replay plays a file into a running system")
    if given.visits and not given.once:
        parser.error("--visits needs --once; without it the shoppers look at the lists anyway")
    settings = from_env(os.environ)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, _interrupt)
    try:
        return _once(given, settings) if given.once else _live(given, settings)
    except (ChildError, StalledError, UnaccountedError, formats.FormatError, OSError) as error:
        sys.stderr.write(f"varde demo: {error}\n")
        return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _once(given: argparse.Namespace, settings: Settings) -> int:
    tables = check(settings)
    now = int(time.time() * 1000)
    if given.data is not None:
        played = once.from_file(given.data, given.format, given.limit, now)
    else:
        played = once.simulated(given.seed, given.limit or once.SIMULATED, now)
    if given.visits:
        played = replace(played, visits=given.visits, seed=given.seed)
        settings = _with_shop(settings)
    summary = once.run(played, once.settings_for(played, settings), tables, given.port or 0, given.warehouse)
    if not summary["pairs_compared"]:
        sys.stderr.write("varde demo: nothing to compare: no customer has two items\n")
    print(json.dumps(summary))
    return 0 if summary["agree"] else 1


def _live(given: argparse.Namespace, settings: Settings) -> int:
    print("Starting Redis, Pub/Sub, the stream and the server …", flush=True)
    with contextlib.ExitStack() as stack:
        port = shop_child.free(settings.host, settings.port) if given.port is None else given.port
        system = stack.enter_context(running(_seen(_with_shop(settings)), port))
        port = shop_child.free(shop_command.HOST, shop_command.PORT) if given.shop_port is None else given.shop_port
        shop = shop_child.start(system, port, given.seed)
        assortment.load(system.settings, int(time.time() * 1000), shop)
        store = stack.enter_context(contextlib.closing(Store.from_settings(system.settings)))
        begun = int(time.time() * 1000) - int(OPENING / given.rate * 1000)
        opening = itertools.islice(shoppers(given.seed, begun, given.rate), OPENING)
        sent = publish(opening, system.publisher, system.names.topic)
        wait_until_settled(system, store, sent.messages, "first shoppers")
        words = f"--rate={given.rate}", f"--seed={given.seed}", f"--topic={system.names.topic}"
        system.varde("simulate", *words, f"--server={system.url}")
        _where_to_look(system, store, shop)
        if not given.no_browser:
            shop_child.browse(shop, os.environ, sys.stdout.isatty())
        try:
            _show(system, store)
        except KeyboardInterrupt:
            print("\nStopping …", flush=True)
    print("Stopped; nothing was left behind.")
    return 0


def _with_shop(settings: Settings) -> Settings:
    """With the demo's configuration file, unless there is another."""
    return replace(settings, config=settings.config or str(assortment.CONFIG))


def _seen(settings: Settings) -> Settings:
    """Unless told otherwise with pairs of a single customer in the lists, so that one's own visit shows in them."""
    return settings if f"{PREFIX}MIN_CUSTOMERS" in os.environ else replace(settings, min_customers=1)


def _where_to_look(system: System, store: Store, shop: str) -> None:
    new = next(iter(arrivals()))
    print(
        f"\n  shop      {shop}\n"
        f"            Open {shop}/p/{new} in two windows side by side and agree to be remembered:\n"
        "            nobody has looked at it yet. Go on to other goods in one of them: within seconds\n"
        "            the list in the other begins with them."
    )
    item, shown = _example(store, system.settings.min_customers)
    names = products() | arrivals()
    other = next(iter(shown), item)
    print(f"\nCustomers who viewed {item}, {names[item].name}, also viewed")
    for neighbour, customers in list(shown.items())[:5]:
        print(f"  {neighbour:<12} {customers:>3} customers viewed both   {names[neighbour].name}")
    print(
        f"\n  page      {system.url}/explore\n"
        f"  status    {system.url}/status\n"
        f"  answers   curl '{system.url}/v1/similar/{item}'\n"
        f"  trial     curl '{system.url}/v1/similar/{item}?placement={PLACEMENT}&aid=anybody'\n"
        f"  reason    curl '{system.url}/v1/explain/{item}/{other}'\n"
        f"  mail      curl '{mails.look_up(system)}'\n"
        f"            {mails.picture(system, int(time.time() * 1000))}\n"
        f"  metrics   {system.url}/metrics\n"
        f"  erase     curl -H 'Authorization: Bearer {system.settings.admin_key}' "
        f'-d \'{{"user_id": "{mails.RECIPIENT}"}}\' {system.url}/v1/erase\n'
        f"  ({system.kinds})\n\nCtrl-C stops everything.\n",
        flush=True,
    )


def _example(store: Store, floor: int) -> tuple[str, dict[str, int]]:
    """The most popular item with enough neighbours to show, and those by customers."""
    best: tuple[str, dict[str, int]] = ("tent-001", {})
    offered = {entry.id: entry.parent for entry in assortment.entries() if not entry.hidden and not entry.sold_out}
    for item, _ in store.popular(Signal.VIEW, 30):
        if item not in offered:
            continue
        others = offered.keys() - {other for other, parent in offered.items() if parent and parent == offered[item]}
        counts = {other: n for other, n in store.counts(Relation.ALSO_VIEWED, item).items() if n >= floor}
        shown = {other: n for other, n in sorted(counts.items(), key=lambda e: (-e[1], e[0])) if other in others}
        if len(shown) > len(best[1]):
            best = (item, shown)
    return best


def _show(system: System, store: Store) -> None:
    """Live figures until interrupted: one changing line on a terminal, a line now and then elsewhere."""
    terminal = sys.stdout.isatty()
    every, kept = (FIGURES_EVERY_S, 10) if terminal else (LOG_EVERY_S, 2)
    looks: list[tuple[float, dict[str, Any]]] = [(time.monotonic(), store.stats())]
    while True:
        time.sleep(every)
        system.check()
        looks.append((time.monotonic(), store.stats()))
        looks = looks[-kept:]
        (then, before), (now, after) = looks[0], looks[-1]
        line = str(figures.between(before, after, now - then))
        print(f"\r\x1b[K{line}" if terminal else line, end="" if terminal else "\n", flush=True)
