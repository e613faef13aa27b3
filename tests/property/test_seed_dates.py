"""What seeds bring about is dated like what brought it about, so that a night finds all of a past on one side of it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from varde.history import DAY_MS, Limits
from varde.profile import Profile

from .fold import Fold
from .strategies import NOW, peaceful

MANY = settings(max_examples=5 * settings().max_examples)
LIMITS = Limits(3, 4)
TODAY = NOW // DAY_MS


@MANY
@given(st.data())
def test_events_and_seeds_of_earlier_days_leave_nothing_dated_today(data: st.DataObject) -> None:
    """In any order, erasures and links included; the night's counts of those days are then all that there is."""
    events = data.draw(peaceful(LIMITS.window_days, TODAY * DAY_MS, 15))
    cut = data.draw(st.integers(0, len(events)))
    before = Fold(LIMITS, NOW).play(events[:cut])
    late: list[object] = [("known", k, p) for k, p in before.known.items()]
    late += [("anonymous", k, p) for k, p in before.anonymous.items()]
    again = data.draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    after = Fold(LIMITS, NOW)
    for one in data.draw(st.permutations([*late, *events[cut:], *again])):
        if isinstance(one, tuple) and len(one) == 3 and isinstance(one[2], Profile):
            after.seed(one[0], one[1], one[2])
        else:
            after.take(one)  # type: ignore[arg-type]
    dated = [(key, cells) for key, cells in after.total.supports.items() if key[1] >= TODAY and any(cells.values())]
    dated += [(relation, cells) for relation, day, _, cells in after.total.directed() if day >= TODAY]  # type: ignore[misc]
    assert not dated
