"""Section 2 of the design on the pure core: the stream's fold equals brute force over the events that survive."""

from __future__ import annotations

import random
from itertools import combinations, permutations
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from varde import history, transitions
from varde.counts import Counts, count
from varde.history import DAY_MS, Limits, Signal
from varde.pairs import ANY_ITEM, NOBODY, Changes, Histories, Relation, Universe, difference, universe
from varde.profile import EMPTY, Profile

NOW = 20_000 * DAY_MS + 12_345


class Seen(NamedTuple):
    customer: str
    signal: Signal
    items: tuple[str, ...]
    time: int


def events(window_days: int, edges: bool = True) -> st.SearchStrategy[Seen]:
    start = Limits(1, window_days).window_start(NOW)
    times = st.integers(start - DAY_MS, NOW) if edges else st.integers(start, NOW)
    near = st.sampled_from([start - 1, start, start + 1, start + DAY_MS - 1, start + DAY_MS, NOW - 1, NOW])
    return st.builds(
        Seen,
        st.sampled_from("ABC"),
        st.sampled_from(Signal),
        st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=4, unique=True).map(tuple),
        st.one_of(near, times) if edges else times,
    )


def brute_force(seen: list[Seen], limits: Limits) -> tuple[dict[tuple[int, str, str], int], dict[tuple[int, str], int]]:  # noqa: C901 - the definition, in one piece
    """Counts straight from the definition in docs/counting.md, sharing no code with the algebra but `Limits`."""
    start = limits.window_start(NOW)
    held: dict[tuple[str, Signal], set[str]] = {}
    for customer in {e.customer for e in seen}:
        for signal in Signal:
            latest: dict[str, int] = {}
            for e in seen:
                if e.customer == customer and e.signal == signal and e.time >= start:
                    for item in e.items:
                        latest[item] = max(latest.get(item, 0), e.time)
            ordered = sorted(latest, key=lambda item, latest=latest: (-latest[item], item))  # type: ignore[misc]
            held[customer, signal] = set(ordered[: limits.cap])
    pairs: dict[tuple[int, str, str], int] = {}
    supports: dict[tuple[int, str], int] = {}
    for customer in {e.customer for e in seen}:
        view, bought = held[customer, Signal.VIEW], held[customer, Signal.PURCHASE]
        for relation, rows, columns in ((0, view, view), (1, bought, bought), (2, view, bought)):
            for i in rows:
                for j in columns - {i}:
                    pairs[relation, i, j] = pairs.get((relation, i, j), 0) + 1
        for signal in Signal:
            for item in held[customer, signal] | ({ANY_ITEM} if held[customer, signal] else set()):
                supports[signal, item] = supports.get((signal, item), 0) + 1
        if any(held[customer, signal] for signal in Signal):
            supports[Universe.ANY, ANY_ITEM] = supports.get((Universe.ANY, ANY_ITEM), 0) + 1
    return pairs, supports


def fold(seen: list[Seen], limits: Limits) -> tuple[Counts, dict[str, Profile]]:
    total, profiles = Counts(), dict[str, Profile]()
    for e in seen:
        before = profiles.get(e.customer, EMPTY)
        step = transitions.join(before, transitions.interaction(e.signal, e.items, e.time), limits, NOW)
        profiles[e.customer] = step.profile
        total.add(step.changes)
    return total, profiles


limits_ = st.builds(Limits, st.integers(1, 5), st.integers(1, 4))


@settings(max_examples=4 * settings().max_examples)
@given(st.data(), limits_)
def test_fold_equals_brute_force_with_duplicates_in_any_order(data: st.DataObject, limits: Limits) -> None:
    seen = data.draw(st.lists(events(limits.window_days), max_size=25))
    again = data.draw(st.lists(st.sampled_from(seen), max_size=10)) if seen else []
    shuffled = data.draw(st.permutations(seen + again))
    total, _ = fold(list(shuffled), limits)
    assert total.totals() == brute_force(seen, limits)


@settings(max_examples=2 * settings().max_examples)
@given(st.data(), limits_)
def test_count_of_histories_equals_fold(data: st.DataObject, limits: Limits) -> None:
    seen = data.draw(st.lists(events(limits.window_days), max_size=25))
    total, profiles = fold(seen, limits)
    assert count(p.histories for p in profiles.values()).totals() == total.totals()
    for customer, held in profiles.items():
        for signal in Signal:
            entries = [(i, e.time) for e in seen if (e.customer, e.signal) == (customer, signal) for i in e.items]
            start = limits.window_start(NOW)
            assert held.histories[signal] == history.of(entries, limits.cap, start)


def histories(cap: int) -> st.SearchStrategy[dict[str, int]]:
    return st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 5), max_size=12).map(
        lambda d: history.of(d.items(), cap)
    )


@settings(max_examples=3 * settings().max_examples)
@given(st.data(), st.integers(1, 5))
def test_histories_are_a_semilattice(data: st.DataObject, cap: int) -> None:
    a, b, c = (data.draw(histories(cap)) for _ in range(3))
    assert history.merge(a, a, cap) == a
    assert history.merge(a, b, cap) == history.merge(b, a, cap)
    left = history.merge(history.merge(a, b, cap), c, cap)
    assert left == history.merge(a, history.merge(b, c, cap), cap)
    assert left == history.of([*a.items(), *b.items(), *c.items()], cap)


def test_ties_keep_the_smaller_item_id() -> None:
    assert history.of([("c", 5), ("a", 5), ("b", 5)], 2) == {"a": 5, "b": 5}
    assert history.merge({"b": 5}, {"a": 5}, 1) == {"a": 5}


def test_window_starts_at_midnight_utc_w_days_back() -> None:
    limits = Limits(5, 90)
    midnight = 20_000 * DAY_MS
    for now in (midnight, midnight + 1, midnight + DAY_MS - 1):
        assert limits.window_start(now) == midnight - 90 * DAY_MS
    assert limits.window_start(midnight - 1) == midnight - 91 * DAY_MS


def test_expiry_emits_no_difference_and_an_expired_item_forms_no_pair() -> None:
    limits = Limits(2, 1)
    view = lambda item, at: transitions.interaction(Signal.VIEW, (item,), at)  # noqa: E731 - three uses on the next lines
    first = transitions.join(EMPTY, view("old", NOW), limits, NOW)
    later = transitions.join(first.profile, view("new", NOW + 3 * DAY_MS), limits, NOW + 3 * DAY_MS)
    assert later.profile.histories.view == {"new": NOW + 3 * DAY_MS}
    assert later.changes.rows == []
    assert all(change.sign > 0 for change in later.changes.supports), "the nightly job expires, not the stream"


@settings(max_examples=3 * settings().max_examples)
@given(st.data(), limits_)
def test_identity_merge_equals_the_same_events_under_the_known_id(data: st.DataObject, limits: Limits) -> None:
    anonymous = data.draw(st.lists(events(limits.window_days), max_size=12))
    known = data.draw(st.lists(events(limits.window_days), max_size=12))
    cut = data.draw(st.integers(0, len(anonymous)))
    total = Counts()
    device, customer = EMPTY, EMPTY
    steps: list[tuple[str, Seen | None]] = [("a", e) for e in anonymous[:cut]]
    steps += [("link", None)] + [("a", e) for e in anonymous[cut:]] + [("k", e) for e in known]
    linked_first = steps.index(("link", None))
    movable = data.draw(st.permutations(steps[linked_first + 1 :]))
    for kind, e in [*steps[: linked_first + 1], *movable]:
        if kind == "link":
            step = transitions.link(device, "K", NOW, limits, NOW)
            device = step.profile
            total.add(step.changes)
            taken = transitions.join(customer, step.handed_over, limits, NOW)
        else:
            assert e is not None
            alone = kind == "a" and device.linked is None
            one = transitions.interaction(e.signal, e.items, e.time)
            taken = transitions.join(device if alone else customer, one, limits, NOW)
            if alone:
                device = taken.profile
                total.add(taken.changes)
                continue
        customer = taken.profile
        total.add(taken.changes)
    together = [e._replace(customer="K") for e in anonymous + known]
    assert total.totals() == brute_force(together, limits)


@settings(max_examples=2 * settings().max_examples)
@given(st.data(), limits_)
def test_erasure_equals_a_world_without_the_older_events(data: st.DataObject, limits: Limits) -> None:
    seen = data.draw(st.lists(events(limits.window_days, edges=False), max_size=20))
    erased_at = data.draw(st.integers(limits.window_start(NOW), NOW))
    order: list[Seen | None] = list(data.draw(st.permutations([*seen, None])))
    total, profiles = Counts(), dict[str, Profile]()
    for e in order:
        key = "A" if e is None else e.customer
        before = profiles.get(key, EMPTY)
        if e is None:
            step = transitions.erase(before, erased_at, limits, NOW)
        else:
            step = transitions.join(before, transitions.interaction(e.signal, e.items, e.time), limits, NOW)
        profiles[key] = step.profile
        total.add(step.changes)
    survivors = [e for e in seen if e.customer != "A" or e.time > erased_at]
    assert total.totals() == brute_force(survivors, limits)


def test_link_conflicts_leave_the_first_customer() -> None:
    linked = transitions.link(EMPTY, "K", 100, Limits(), NOW).profile
    assert transitions.link(linked, "K", 50, Limits(), NOW).profile.linked_at == 50
    assert transitions.link(linked, "L", 200, Limits(), NOW)[:1] == (linked,)
    assert transitions.link(linked, "L", 200, Limits(), NOW).outcome == "link_conflict"
    assert transitions.link(linked, "L", 20, Limits(), NOW).outcome == "link_conflict_older"


def test_differences_are_dated_by_the_newer_interaction() -> None:
    start = 19_990 * DAY_MS
    old = Histories(view={"a": start, "b": start + 5 * DAY_MS})
    late = old._replace(view={**old.view, "x": start + 2 * DAY_MS})
    rows = difference(old, late, 0).rows
    assert sorted((row.day, row.item, row.partners) for row in rows) == [
        (19_992, "x", ("a",)),
        (19_995, "x", ("b",)),
    ]


def test_supports_name_the_universe_of_each_relation() -> None:
    assert [universe(relation) for relation in Relation] == [Universe.VIEW, Universe.PURCHASE, Universe.ANY]
    assert [relation.label for relation in Relation] == ["also_viewed", "also_bought", "viewed_bought"]


def test_counts_form_a_group() -> None:
    there = difference(NOBODY, Histories(view={"a": 1, "b": 2}, purchase={"b": 3}), 0)
    back = difference(Histories(view={"a": 1, "b": 2}, purchase={"b": 3}), NOBODY, 0)
    total = Counts()
    total.add(there)
    total.add(back)
    assert total.totals() == ({}, {})
    assert list(total.directed()) == []


def test_update_equals_adding_in_any_order() -> None:
    parts = [difference(NOBODY, Histories(view=dict.fromkeys(c, 1)), 0) for c in combinations("abcd", 3)]
    whole = sum_of(parts)
    for order in permutations(parts):
        halves = sum_of(list(order[:2]))
        halves.update(sum_of(list(order[2:])))
        assert halves.totals() == whole.totals()


def sum_of(parts: list[Changes]) -> Counts:
    total = Counts()
    for part in parts:
        total.add(part)
    return total


def test_a_large_random_world_with_evictions() -> None:
    rng = random.Random(5)
    limits = Limits(4, 3)
    seen = [
        Seen(rng.choice("ABCDEF"), rng.choice(list(Signal)), tuple(rng.sample("abcdefghijkl", rng.randint(1, 9))),
             NOW - rng.randrange(5 * DAY_MS))
        for _ in range(400)
    ]  # fmt: skip
    assert fold(seen, limits)[0].totals() == brute_force(seen, limits)
