"""`varde catalogue`: the shop's items from a file or the warehouse into Redis, and single items by hand."""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

import orjson
from redis.exceptions import RedisError

from varde import catalogue, feed
from varde.catalogue import Entry
from varde.feed import Refused
from varde.settings import Settings, from_env
from varde.store import schema
from varde.store.catalogue import LateLoadError
from varde.store.catalogue_sync import CatalogueStore, Loaded, TooManyRemovedError

from . import arguments, catalogue_feed
from .report import Progress
from .warehouse import WarehouseError

DONE, UNKNOWN, MISUSED, REFUSED, FAILED = 0, 1, 2, 3, 4
"""Exit codes: done; no such item; bad use; the load was not believed; Redis failed."""
EXAMPLES: Final = 3
"""Examples of each reason in the summary."""
SLACK_MS: Final = 300_000
"""How far ahead of this machine's clock the time of a load may be."""


@dataclasses.dataclass(slots=True)
class Reading:
    """What has been read of a feed so far.

    refused: reason -> rows; examples: reason -> the first of them; kept: ids of rows that were refused, whose items
    stay as they were; unread: columns that nothing reads.
    """

    rows: int = 0
    refused: Counter[str] = dataclasses.field(default_factory=Counter)
    examples: dict[str, list[dict[str, Any]]] = dataclasses.field(default_factory=dict)
    kept: set[str] = dataclasses.field(default_factory=set)
    unread: set[str] = dataclasses.field(default_factory=set)
    _seen: set[str] = dataclasses.field(default_factory=set)

    def entries(self, rows: Iterable[Any], tick: Progress) -> Iterator[Entry]:
        """The good rows; the others are counted with their reasons."""
        for number, row in enumerate(rows, 1):
            tick("rows")
            self.rows = number
            found = row if isinstance(row, Refused) else feed.entry(row)
            if isinstance(found, Entry) and found.id in self._seen:
                found = Refused("duplicate", "id: a row before has it", None)
            if isinstance(found, Refused):
                self._refuse(number, found)
                continue
            self._seen.add(found.id)
            if len(self.unread) < catalogue_feed.MAX_COLUMNS:
                self.unread.update(str(name)[:80] for name in row if name not in feed.COLUMNS)
            yield found

    def _refuse(self, number: int, why: Refused) -> None:
        self.refused[why.reason] += 1
        if why.item is not None:
            self.kept.add(why.item)
        shown = self.examples.setdefault(why.reason, [])
        if len(shown) < EXAMPLES:
            shown.append({"row": number, "id": why.item, "why": why.detail})

    def figures(self) -> dict[str, Any]:
        """For the summary."""
        return {
            "rows": self.rows,
            "rows_refused": dict(self.refused),
            "examples": self.examples,
            "columns_not_read": sorted(self.unread),
        }


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde catalogue",
        description="The shop's items in Redis: load them from a file or the warehouse, or hide, show or change one. "
        "Each says what it did in one line of JSON. Exit codes: 0 done; 1 no such item; 2 bad use; 3 the load was "
        "refused; 4 Redis failed.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="load|set|show")
    _load_arguments(verbs.add_parser("load", help="a feed of items", description="Merge a feed into the catalogue."))
    change = verbs.add_parser("set", help="one item, from now on", description="Change one item, from now on.")
    change.add_argument("item", metavar="ITEM")
    hide = change.add_mutually_exclusive_group()
    hide.add_argument("--hide", dest="hidden", action="store_true", default=None, help="whatever the feeds say")
    hide.add_argument("--show", dest="hidden", action="store_false", default=None, help="until a later feed hides it")
    change.add_argument("--stock", metavar="N", help="what is left; 0: sold out")
    change.add_argument("--price", metavar="P")
    change.add_argument(
        "--clear",
        action="append",
        default=[],
        choices=catalogue.CHANGEABLE,
        help="take back what was set: the feed counts again",
    )
    show = verbs.add_parser("show", help="what is held of one item", description="Show what is held of one item.")
    show.add_argument("item", metavar="ITEM")
    return parser


def _load_arguments(load: argparse.ArgumentParser) -> None:
    load.add_argument("file", nargs="?", metavar="FILE", help="feed: .jsonl or .csv, .gz too")
    arguments.add(load, required=False)
    load.add_argument("--partial", action="store_true", help="items that the feed does not have stay")
    load.add_argument(
        "--as-of",
        type=arguments.instant,
        metavar="TIME",
        help="when the feed was true (default: when the file was written)",
    )
    load.add_argument(
        "--max-removed",
        type=_part,
        default=0.5,
        metavar="PART",
        help="refuse to remove more than this part of the items that there are [0.5]",
    )


def _part(text: str) -> float:
    try:
        part = float(text)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 1:
        msg = f"a part from 0 to 1 is wanted, not {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return part


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    parser = _arguments()
    given = parser.parse_args(argv)
    settings = from_env(os.environ)
    now = time.time_ns() // 1_000_000
    if given.verb == "load" and sum(bool(each) for each in (given.file, given.warehouse, given.bigquery)) != 1:
        parser.error("load: name one of FILE, --warehouse and --bigquery")
    try:
        with closing(CatalogueStore.from_settings(settings)) as store:
            schema.check(store)
            if given.verb == "load":
                return _load(given, settings, store, now)
            return _set(given, store, now) if given.verb == "set" else _show(given.item, store)
    except RedisError as error:
        return _failed(f"Redis: {error}", FAILED)
    except catalogue_feed.FeedError as error:
        return _failed(f"{given.file}: {error}", MISUSED)
    except WarehouseError as error:
        return arguments.failed("catalogue", given, error)


def _failed(why: str, code: int) -> int:
    sys.stderr.write(f"varde catalogue: {why}\n")
    return code


def _say(figures: dict[str, Any]) -> None:
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")


def _load(given: argparse.Namespace, settings: Settings, store: CatalogueStore, now: int) -> int:
    progress, reading = Progress(sys.stderr), Reading()
    as_of = given.as_of
    if given.file is not None:
        written = min(catalogue_feed.written_at(given.file), now)
        rows = catalogue_feed.rows_of_file(given.file)
    else:
        written = now  # before the warehouse is read
        asked = dict.fromkeys(catalogue_feed.STEPS, 1)
        with arguments.opened(given, settings, asked) as warehouse:
            rows = catalogue_feed.rows_of_warehouse(warehouse)
    as_of = written if as_of is None else as_of
    if as_of > now + SLACK_MS:
        return _failed("--as-of is still to come", MISUSED)
    entries = reading.entries(rows, progress)
    figures: dict[str, Any] = {"as_of": as_of, "complete": not given.partial}
    try:
        done = store.put_entries(entries, as_of, not given.partial, reading.kept, given.max_removed)
    except (LateLoadError, TooManyRemovedError) as error:
        _say(figures | reading.figures() | {"refused": str(error)})
        return _failed(f"refused: {error}", REFUSED)
    finally:
        progress.done()
    _say(figures | reading.figures() | _named(done))
    return DONE


def _named(done: Loaded) -> dict[str, int]:
    return {"written": done.written, "unchanged": done.unchanged, "removed": done.removed, "no_room": done.refused}


def _set(given: argparse.Namespace, store: CatalogueStore, now: int) -> int:
    said: dict[str, Any] = dict.fromkeys(given.clear)
    said |= {name: getattr(given, name) for name in catalogue.CHANGEABLE if getattr(given, name) is not None}
    if both := [name for name in given.clear if said[name] is not None]:
        return _failed(f"set: {both[0]} is set and cleared", MISUSED)
    change = feed.change({"id": given.item, **said}, now)
    if isinstance(change, Refused):
        return _failed(f"set: {change.detail}", MISUSED)
    applied = store.change([change])
    if applied.refused:
        return _failed("no room: VARDE_MAX_ITEMS", REFUSED)
    entry = store.entry(change.id)
    _say({"changed": bool(applied.changed), "entry": None if entry is None else catalogue.shown(entry)})
    return DONE


def _show(item: str, store: CatalogueStore) -> int:
    record = store.record(item)
    entry = catalogue.effective(item, record)
    if entry is None:
        return _failed(f"nothing is known of {item!r}", UNKNOWN)
    changes = {name: {"value": value, "at": at} for name, (at, value) in record.changes.items()}
    _say({"entry": catalogue.shown(entry), "as_of": record.as_of if record.feed else None, "changes": changes})
    return DONE
