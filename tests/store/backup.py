"""What tests of backups share: a Redis that holds every family, and all of it as plain values."""

from __future__ import annotations

import time
from contextlib import closing

from varde import keys
from varde.catalogue import Entry
from varde.delivery import Leave, Pane, Recent, popularity, split
from varde.history import Signal
from varde.profile import EMPTY
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore
from varde.store.families import EVERY, family_of
from varde.store.frozen import freeze_call, send_key
from varde.store.night import NightStore, Reconciled
from varde.store.opened import Opened, open_commands
from varde.store.scanning import keys_of
from varde.store.sticky import Stuck, stick_call
from varde.transitions import erase, interaction, join

DAY = 86_400_000


def now():
    return time.time_ns() // 1_000_000


def of(server, **more):
    return Settings(redis_url=server.url, redis_cluster="yes" if server.cluster else "no", **more)


def customer(number):
    """A customer's name in Redis."""
    return keys.customer_key(f"user {number}", None)


def fill(settings, events, run="run"):
    """As the stream would, of (customer, signal or "erase", items, days ago): `world.events` draws them."""
    at, profiles, panes = now(), {}, []
    for who, signal, items, ago in events:
        profile, pane = profiles.get(who, EMPTY), Pane(stats={"messages": 1})
        when = at - int(ago * DAY)
        if signal == "erase":
            step = erase(profile, when, settings.limits, at)
            pane.remember(Recent(customer(who), erased_at=when, leave=Leave.TOMBSTONE))
        else:
            step = join(profile, interaction(signal, items, when), settings.limits, at)
            pane.meet(int(signal), items, popularity(when, settings.half_life_days))
            seen = dict.fromkeys(items, when)
            pane.remember(Recent(customer(who), seen if signal == Signal.VIEW else {}, carts=seen))
        profiles[who] = step.profile
        pane.counts.add(step.changes)
        panes.append(pane)
    with closing(NightStore.from_settings(settings)) as store:
        for index, pane in enumerate(panes):
            deliveries = list(split(pane, run, 0, index, 1000))
            for delivery in deliveries:
                assert store.apply(delivery)
            store.remember(pane.recents.values())
            store.refresh(*deliveries)


def adorn(settings):
    """What servers, loads of the catalogue and nights leave behind, so that every family is there."""
    at = now()
    with closing(NightStore.from_settings(settings)) as store:
        store.finish(Reconciled(at // DAY, "run"), [], at // DAY)
        store.note_night(at, 1, {"also_viewed": 0.25})
        store.mark("another", "1:2:3")
        store._send([stick_call(Stuck(customer(1), {"test__1": "b"}, at))])
        store._send([freeze_call(customer(1), send_key("s", "p"), ["tent", "ü"], [1, 2], at, 86_400)])
        store._send(open_commands([Opened(customer(1), send_key("s", "p"), 1, at)], 90))
    with closing(CatalogueStore.from_settings(settings)) as store:
        store.put_entries([Entry("tent", title="Tent"), Entry("a:b{c", title="\0")], at, True)


def contents(client):
    """key -> (what it holds, its time to live in whole minutes, rounded), of every key of Varde's."""
    found = {}
    for some in keys_of(client, EVERY):
        for key in some:
            kind = client.execute_command("TYPE", key)
            kind = kind if isinstance(kind, bytes) else kind.encode()
            if kind == b"hash":
                held = client.execute_command("HGETALL", key)
            elif kind == b"zset":
                held = dict(client.execute_command("ZRANGE", key, 0, -1, "WITHSCORES"))
            else:
                held = client.execute_command("GET" if kind == b"string" else "XLEN", key)
            ends = client.execute_command("PTTL", key)
            found[key] = held, ends if ends < 0 else round(ends / 60_000)
    return found


def family(key):
    found = family_of(key)
    assert found is not None, key
    return found.family.name
