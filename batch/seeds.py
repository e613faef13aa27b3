"""`varde seeds`: the past of every customer from the warehouse, as the lines that `varde stream --seeds` begins with.

A known customer and an anonymousId that belongs to nobody have their histories and orders; an anonymousId that belongs
to a user has the link alone, because what it did is in the user's line. Users who were erased have a line that says up
to when, whether anything of theirs is left or not.
"""

from __future__ import annotations

import argparse
import gzip
import heapq
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path

import orjson
import pyarrow as pa

from varde import keys, orders, seed
from varde.pairs import Histories
from varde.profile import NEVER, Profile
from varde.seed import ANONYMOUS, KNOWN, Seed
from varde.settings import Settings, from_env

from . import arguments, cost, freshness, nightly, tombstones
from .customers import key as customer_key
from .customers import tuples
from .pasts import past
from .report import Progress
from .warehouse import Shared, Warehouse, WarehouseError
from .warehouse.apart import Apart


def seeds(warehouse: Warehouse, plan: nightly.Plan) -> Iterator[Seed]:
    """One seed a customer, sorted by customer key.

    Args:
        warehouse: the steps of the night have been run in it.
        plan: what they went by.
    """
    start = int(str(plan.parameters["window_start"]))
    erased = {who: at for who, at in tombstones.latest(warehouse, plan.as_of).items() if at >= start}
    pasts = _pasts(warehouse.query("pasts", plan.parameters), plan.secret, erased)
    links = _links(warehouse.read("varde.identity"), plan.secret)
    held = heapq.merge(pasts, links, key=_customer)
    gone = (Seed(KNOWN, who, Profile(erased_at=at)) for who, at in sorted(erased.items()))
    # An erased customer with a past comes twice: the past, which is first, says it all.
    for _, same in itertools.groupby(heapq.merge(held, gone, key=_customer), _customer):
        yield next(same)


def _customer(found: Seed) -> str:
    return found.customer


def _pasts(rows: pa.Table, secret: bytes, erased: Mapping[str, int]) -> Iterator[Seed]:
    """Of rows (customer, signal, item, order_id, time) a seed for each customer, sorted."""
    customers = rows["customer"].combine_chunks().dictionary_encode()
    names = customers.dictionary.to_pylist()
    hashed = pa.array([customer_key(name, secret) for name in names], pa.string()).take(customers.indices)
    kinds = pa.array([KNOWN if name.startswith("u:") else ANONYMOUS for name in names], pa.string())
    rows = rows.set_column(0, "customer", hashed).append_column("kind", kinds.take(customers.indices))
    rows = rows.sort_by([(column, "ascending") for column in ("customer", "signal", "item", "order_id")])
    for (customer, kind), mine in itertools.groupby(tuples(rows), lambda row: (row[0], row[5])):
        did = past(row[1:5] for row in mine)
        held = Histories(did.view, did.cart)
        yield Seed(kind, customer, Profile(held, orders.encode(did.orders), erased_at=erased.get(customer, NEVER)))


def _links(identity: pa.Table, secret: bytes) -> Iterator[Seed]:
    """Of rows (anonymous_id, user_id, time) a seed for each anonymousId that belongs to a user, sorted."""
    found = [
        (keys.customer_key(None, anonymous_id, secret), keys.customer_key(user_id, None, secret), time)
        for anonymous_id, user_id, time in tuples(identity.select(["anonymous_id", "user_id", "time"]))
    ]
    for customer, user, time in sorted(found):
        yield Seed(ANONYMOUS, customer, Profile(linked=user, linked_at=time))


@contextmanager
def replaced(path: Path) -> Iterator[BufferedIOBase]:
    """A file that takes its name when all of it is written, and leaves what was there when something fails.

    Compressed when the name ends in .gz; the same content gives the same bytes.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("xb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                    yield packed
            else:
                yield raw
            raw.flush()
            os.fsync(raw.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write(
    warehouse: Shared,
    settings: Settings,
    out: Path,
    as_of: int | None = None,
    tick: nightly.Tick = lambda _: None,
) -> dict[str, int]:
    """Take the steps of a night and write its seeds to a file; the figures of the last line (docs/sql.md).

    The steps work on tables of their own, so this may run beside the night.

    Raises:
        WarehouseError: the warehouse failed.
        freshness.NoMessagesError: no `as_of` and an empty warehouse.
        OSError: `out` cannot be written.
    """
    lines: Counter[str] = Counter()
    last = freshness.newest(warehouse) if as_of is None else as_of
    plan = nightly.plan(last, settings.limits, settings.mapping, settings.id_secret.encode())
    warehouse.define()
    with Apart(warehouse) as own, replaced(out) as file:
        nightly.run(own, plan, tick)
        for found in seeds(own, plan):
            tick("seeds")
            file.write(seed.encode(found) + b"\n")
            lines["linked" if found.profile.linked else found.kind] += 1
            lines["erased"] += found.profile.erased_at != NEVER
    return {"as_of": last, **{name: lines[name] for name in (KNOWN, ANONYMOUS, "linked", "erased")}}


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde seeds",
        description="Write the past of every customer from the warehouse, for `varde stream --seeds`. Customers are "
        "named by their keyed hash (VARDE_ID_SECRET). The last line is one JSON object. Exit codes: 0 written; 2 bad "
        "use; 4 the warehouse failed: run it again.",
    )
    arguments.add(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help="file to write; .gz compresses it")
    parser.add_argument(
        "--as-of",
        type=arguments.instant,
        metavar="TIME",
        help="last event time that counts, ISO 8601 or ms since the epoch (default: newest message in the warehouse)",
    )
    return parser


def command(argv: Sequence[str]) -> int:
    """Run with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    given = _arguments().parse_args(argv)
    settings = from_env(os.environ)
    progress = Progress(sys.stderr)
    try:
        with arguments.opened(given, settings, cost.of_seeds(given.as_of is None)) as warehouse:
            figures = write(warehouse, settings, given.out, given.as_of, progress)
    except (freshness.NoMessagesError, WarehouseError) as error:
        return arguments.failed("seeds", given, error)
    except OSError as error:
        sys.stderr.write(f"varde seeds: {given.out}: {error.strerror or error}\n")
        return arguments.MISUSED
    finally:
        progress.done()
    sys.stdout.write(f"{orjson.dumps(figures).decode()}\n")
    return 0
