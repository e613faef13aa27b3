"""A migration for the tests, from a format that Varde once had: a customer's views were one sorted set, `recents`; now
each signal has its own, and views are `recents:0`. Run as a program it is slow, so that a test can kill it.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing

from varde import keys
from varde.store.connection import connect
from varde.store.families import PREFIX
from varde.store.migrating import Migration, Migrator
from varde.store.scripts import Command

VERSION = keys.SCHEMA + 1


def old_key(customer):
    return keys.recents(customer, 0).removesuffix(":0")


def step(found):
    """The newest of both kinds of every item, under the new name; a repeat finds nothing under the old."""
    moves = [(key.decode(), f"{key.decode()}:0") for key in found]
    yield [
        one
        for old, new in moves
        for one in (
            Command("ZUNIONSTORE", [new], (2, new, old, "AGGREGATE", "MAX")),
            Command("EXPIRE", [new], (7_776_000,)),
            Command("DEL", [old]),
        )
    ]
    return len(moves)


MIGRATION = Migration(VERSION, "recents by signal", f"{PREFIX}{{c*}}:recents", step)


class OldRecents(Migrator):
    """Of a program that needs the next version."""

    migrations = (MIGRATION,)
    schema = VERSION


def slow(found):
    """A step for each customer that takes a moment and says so."""
    changed = yield from step(found)
    sys.stdout.write("one\n")
    sys.stdout.flush()
    time.sleep(0.01)
    return changed


def main(url, cluster):
    """Migrate slowly."""
    with closing(connect(url, lambda: None, cluster == "yes")) as client:
        OldRecents(client).run(Migration(VERSION, "slowly", MIGRATION.match, slow))


if __name__ == "__main__":
    main(*sys.argv[1:])
