"""`varde demo --once`: a bounded input through the whole system, then live against nightly counts, pair by pair."""

from __future__ import annotations

import itertools
import json
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from varde.batch import reconcile as nightly
from varde.batch import report
from varde.batch.exposures_loader import ExposureLoader
from varde.batch.loader import Loader
from varde.batch.warehouse import segment
from varde.batch.warehouse.duckdb_file import DuckDBWarehouse
from varde.figures import totals
from varde.freshness import quantile
from varde.history import DAY_MS
from varde.pairs import Relation
from varde.settings import Settings
from varde.store.night import NightStore

from . import figures, formats, landing, visits
from .messages import Message, shift
from .progress import Meter
from .pubsub import drain
from .replay import publish
from .settle import wait_until_settled
from .simulate import shoppers
from .system import System, running

POLL_S = 0.1
ANSWERS_WITHIN_S = 30.0
ITEMS_ASKED = 20
SIMULATED = 5000
"""Messages of a run without a file."""
SIMULATED_PER_S = 20.0


@dataclass(frozen=True, slots=True)
class Input:
    """What is played: `messages()` starts anew each time; `span_days` is how far it reaches back from its end.

    visits: messages of shoppers who then look at the server's lists; seed: who they are.
    """

    messages: Callable[[], Iterator[Message]]
    span_days: int
    visits: int = 0
    seed: int = 1


def from_file(path: Path, form: str, limit: int | None, now: int) -> Input:
    """A file, with its event times shifted so that the last one is now.

    Raises:
        FormatError: the file is not of this format.
        OSError: it cannot be read.
    """
    times = [message.time for message in formats.read(form, path, limit)]
    if not times:
        return Input(lambda: iter(()), 1)
    by = now - max(times)
    return Input(lambda: shift(formats.read(form, path, limit), by), (max(times) - min(times)) // DAY_MS + 1)


def simulated(seed: int, limit: int, now: int) -> Input:
    """Shoppers, as if the last of their messages came now."""
    start = now - int(limit / SIMULATED_PER_S * 1000)
    return Input(lambda: itertools.islice(shoppers(seed, start, SIMULATED_PER_S), limit), 1)


def settings_for(given: Input, settings: Settings) -> Settings:
    """A window that holds the whole input, with a day to spare at both ends: the check is of every event."""
    return replace(settings, window_days=max(settings.window_days, given.span_days + 2))


@dataclass(frozen=True, slots=True)
class Answers:
    """What the server was asked: rows of neighbours, the neighbours it showed, those whose customers are wrong."""

    rows: int
    compared: int
    different: int


class Landed(NamedTuple):
    """Messages that came into the warehouse, and exposures that are rows there."""

    messages: int
    exposures: int


class Run(NamedTuple):
    """The messages that were played and the seconds until they were counted; the visits; what landed of both."""

    messages: int
    seconds: float
    seen: visits.Played
    landed: Landed


def run(
    given: Input, settings: Settings, tables: segment.EventTables, port: int, warehouse: Path | None = None
) -> dict[str, Any]:
    """Play the input and compare; the summary, whose `agree` says whether all is well.

    Args:
        given: what is played.
        settings: as `settings_for` gives them.
        tables: the warehouse's tables of the settings' events, from `nightly.check`.
        port: of the server; 0 for a free one.
        warehouse: file of the warehouse; a temporary one unless given.

    Raises:
        ChildError, StalledError, UnaccountedError: a part failed or stopped making progress.
    """
    with tempfile.TemporaryDirectory(prefix="varde-warehouse-") as folder, running(settings, port) as system:
        landing.prepare(system)
        with closing(NightStore.from_settings(system.settings)) as store:
            begun = time.monotonic()
            with Meter("publish") as meter:
                sent = publish(given.messages(), system.publisher, system.names.topic, progress=meter.count)
            wait_until_settled(system, store, sent.messages)
            seconds = time.monotonic() - begun
            seen = visits.play(system, given.seed, given.visits) if given.visits else visits.Played(0, 0, 0)
            messages = sent.messages + seen.messages
            wait_until_settled(system, store, messages)
            file = warehouse or Path(folder) / "warehouse.duckdb"
            with DuckDBWarehouse(file, tables) as opened:
                landed = _landed(system, opened, messages, seen.exposures)
                as_of = int(time.time() * 1000)
                outcome = nightly.reconcile(opened, store, system.settings, nightly.Request(as_of))
            sys.stderr.write(report.table(outcome) + "\n")
            answers = _answers(system, outcome)
            dead = sum(1 for _ in drain(system.subscriber, system.names.dead_letters_subscription))
            stats = store.stats()
    played = Run(sent.messages, seconds, seen, landed)
    return summary(played, stats, outcome, answers, dead)


def _landed(system: System, warehouse: DuckDBWarehouse, messages: int, exposures: int) -> Landed:
    names = system.names
    loader = Loader(warehouse, system.settings.mapping, secret=system.settings.id_secret.encode())
    shown = ExposureLoader(warehouse)
    with Meter("warehouse") as meter:
        came = landing.land(system, names.warehouse_subscription, loader.add, messages, meter.count)
        loader.flush()
        landing.land(system, names.exposures_subscription, lambda data, _: shown.add(data), exposures, meter.count)
        shown.flush()
    return Landed(came, shown.loaded.rows)


def _answers(system: System, outcome: nightly.Outcome) -> Answers:
    """The server's answers over HTTP against the nightly counts, once they settle."""
    expected = list(_popular_rows(outcome, system.settings.min_customers))
    deadline = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        asked = wrong = 0
        for relation, item, counts in expected:
            shown = _similar(system.url, relation, item)
            asked += len(shown)
            wrong += sum(1 for neighbour, n in shown.items() if counts.get(neighbour) != n)
            wrong += not shown
        if not wrong or time.monotonic() > deadline:
            return Answers(len(expected), asked, wrong)
        time.sleep(POLL_S)


def _popular_rows(outcome: nightly.Outcome, floor: int) -> Iterator[tuple[Relation, str, dict[str, int]]]:
    """The rows of the items with most customers, of those that have a neighbour to show."""
    for relation in Relation:
        rows = [(item, dict(cells)) for item, cells in outcome.night.rows(relation)]
        shown = [(item, cells) for item, cells in rows if max(cells.values(), default=0) >= floor]
        shown.sort(key=lambda row: (-sum(row[1].values()), row[0]))
        yield from ((relation, item, cells) for item, cells in shown[:ITEMS_ASKED])


def _similar(url: str, relation: Relation, item: str) -> dict[str, int]:
    path = f"{url}/v1/similar/{urllib.parse.quote(item, safe='')}?relation={relation.label}&n=20"
    with urllib.request.urlopen(path, timeout=10) as answer:  # noqa: S310 - the address of our own server
        body = json.load(answer)
    if body["rung"] != "pairs":
        return {}
    return {entry["id"]: entry["customers"] for entry in body["items"]}


def summary(played: Run, stats: figures.Stats, outcome: nightly.Outcome, answers: Answers, dead: int) -> dict[str, Any]:
    """The JSON object of the last line. `agree`: there was something to compare, and nothing differs or is missing."""
    drift, landed, messages = outcome.drift, played.landed, played.messages + played.seen.messages
    return {
        "events": messages,
        "rejected": figures.rejected(stats),
        "ignored": figures.ignored(stats),
        "erasures": totals(stats)["erasures"],
        "dead_letters": dead,
        "warehoused": landed.messages,
        "exposures": landed.exposures,
        "customers": outcome.night.customers,
        "items": len(outcome.night.counted.items),
        "pairs": sum(found.compared for found in drift.pairs.values()),
        "pairs_compared": drift.pairs_compared,
        "pairs_different": drift.pairs_different,
        "supports_different": drift.supports_different,
        "answers_compared": answers.compared,
        "answers_different": answers.different,
        "freshness_p50_s": quantile(stats, 0.5),
        "freshness_p99_s": quantile(stats, 0.99),
        "events_per_s": round(played.messages / played.seconds, 1),
        "seconds": round(played.seconds, 1),
        "agree": bool(
            messages > 0
            and drift.pairs_compared > 0
            and (answers.compared > 0 or not answers.rows)
            and drift.pairs_different == 0
            and drift.supports_different == 0
            and answers.different == 0
            and dead == figures.rejected(stats)
            and landed.messages >= messages
            and landed.exposures >= played.seen.exposures
        ),
    }
