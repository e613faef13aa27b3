"""The door before finished answers: what comes again gets in, what comes once does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from varde.server.desk import Door


def asked(door, target):
    """Whether it was known when it was asked for."""
    known = door.known(target)
    door.note(target)
    return known


@given(targets=st.lists(st.text(max_size=8), max_size=60))
def test_what_has_come_is_known(targets):
    door, seen = Door(1 << 16), set()
    for target in targets:
        known = asked(door, target)
        assert known or target not in seen
        seen.add(target)


def test_what_is_new_seldom_is_taken_for_known():
    door = Door(1 << 12)
    taken = sum(asked(door, f"target-{at}") for at in range(20_000))
    assert 0 < taken < 20_000 * 0.5


def test_what_came_long_ago_is_forgotten():
    door = Door(1 << 8)
    asked(door, "once")
    for at in range(100_000):
        asked(door, f"other-{at}")
    assert sum(asked(door, f"once-{at}") for at in range(50)) < 40


def test_of_a_popular_page_all_but_the_first_requests_are_known():
    door = Door(1 << 10)
    found = []
    for at in range(5_000):
        found.append(asked(door, "popular"))
        asked(door, f"rare-{at}")
    assert found.count(False) == 1
