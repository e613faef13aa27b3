"""Random worlds for the store's tests, and what must come of them by brute force."""

from hypothesis import strategies as st

from varde.counts import count
from varde.delivery import Pane, split
from varde.history import DAY_MS, Signal
from varde.pairs import Relation, Universe
from varde.profile import EMPTY
from varde.transitions import erase, interaction, join

NOW = 20_400 * DAY_MS + 40_000_000
"""The clock of the tests, ms."""

HOSTILE = (
    "a:b", "{a}", "a}b{c", "new\nline", "nul\0", "\0", "ä", "🥾" * 60, "x" * 256, "1", "01", "-1", "*", " ", "'\"\\",
    "\r\n",
)  # fmt: skip


def clock():
    return NOW


def changes_of(events, limits):
    """What the stream emits for (customer, signal or "erase", items, days ago), and the histories it ends with."""
    profiles = {}
    emitted = []
    for customer, signal, items, ago in events:
        profile = profiles.get(customer, EMPTY)
        time = NOW - int(ago * DAY_MS)
        if signal == "erase":
            step = erase(profile, time, limits, NOW)
        else:
            step = join(profile, interaction(signal, items, time), limits, NOW)
        profiles[customer] = step.profile
        emitted.append(step.changes)
    return emitted, [profile.histories for profile in profiles.values()]


def events(days=30.0, ids=tuple("abcdefgh")):
    item_lists = st.lists(st.sampled_from(ids), min_size=1, max_size=4, unique=True).map(tuple)
    event = st.tuples(
        st.integers(0, 4),
        st.sampled_from([*Signal, Signal.VIEW, "erase"]),
        item_lists,
        st.floats(0, days, allow_nan=False).map(lambda x: round(x, 2)),
    )
    return st.lists(event, max_size=25)


def deliveries_of(batches, run="run", size=1000):
    """Panes of one lane from lists of Changes, split as the stream does."""
    out = []
    for index, batch in enumerate(batches):
        pane = Pane()
        for changes in batch:
            pane.counts.add(changes)
        out.extend(split(pane, run, 0, index, size))
    return out


def fill(store, everyone, run="fill"):
    """Put the counts of these histories into Redis, rows too."""
    pane = Pane(count(everyone))
    deliveries = list(split(pane, run, 0, 0, 1000))
    for delivery in deliveries:
        assert store.apply(delivery)
    store.refresh(*deliveries)


def live_totals(store):
    """Everything the store counts, in the form of Counts.totals."""
    items = sorted(store.all_items())
    pairs = {
        (int(relation), item, other): n
        for relation in Relation
        for item in items
        for other, n in store.counts(relation, item).items()
    }
    supports = {}
    for universe in Universe:
        for item, n in zip(["", *items], store.supports(universe, ["", *items]), strict=True):
            if n:
                supports[int(universe), item] = n
    return pairs, supports


def row_counts(store):
    """((relation, row item, column item) -> count) of all serving rows."""
    out = {}
    for relation in Relation:
        for item in store.all_items():
            row = store.row(relation, item)
            if row is not None:
                names = store.names(row.items.tolist())
                out.update({(int(relation), item, name): n for name, n in zip(names, row.counts.tolist(), strict=True)})
    return out
