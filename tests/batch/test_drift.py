from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from varde.batch.drift import NOW, Difference, Drift, against_store, compare, matched
from varde.pairs import Relation, Universe

cells = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 3), max_size=4)
rows = st.dictionaries(st.sampled_from("wxyz"), cells, max_size=4)


@given(rows, rows)
def test_every_pair_of_either_side_is_compared_once(live: dict, nightly: dict) -> None:
    found = compare(matched(nightly.items(), lambda items: [live.get(item, {}) for item in items], live))
    ours = {(i, j): n for i, row in live.items() for j, n in row.items() if n}
    theirs = {(i, j): n for i, row in nightly.items() for j, n in row.items() if n}
    assert found.compared == len(ours.keys() | theirs.keys())
    assert found.equal == sum(theirs.get(pair) == n for pair, n in ours.items())
    assert found.different == found.compared - found.equal
    assert len(found.worst) == min(found.different, 10)
    assert (found.live, found.nightly) == (sum(ours.values()), sum(theirs.values()))
    assert found.counted == len(theirs)
    assert found.apart == sum(abs(ours.get(p, 0) - theirs.get(p, 0)) for p in ours.keys() | theirs.keys())


def test_the_worst_come_first() -> None:
    live = {str(n): {"x": n} for n in range(1, 40)}
    found = compare(matched([("1", {"x": 1, "y": 50})], lambda items: [live[item] for item in items], live))
    assert found.worst[:2] == (Difference("1", "y", 0, 50), Difference("39", "x", 39, 0))
    assert (found.compared, found.equal, found.different) == (40, 1, 39)


class Live:
    """Counts of one pair and its supports."""

    def rows_at(self, relation: int, items: Sequence[str], day: int) -> list[dict[str, int]]:
        assert day == NOW
        return [{"b": 1} if (relation, item) == (Relation.ALSO_VIEWED, "a") else {} for item in items]

    def all_items(self) -> dict[str, int]:
        return {"a": 64, "b": 65}

    def supports_at(self, where: int, day: int) -> dict[str, int]:
        assert day == NOW
        return {"": 1} if where in (Universe.VIEW, Universe.ANY) else {}


def test_one_side_only_is_a_difference_either_way() -> None:
    def night(relation: Relation) -> list[tuple[str, dict[str, int]]]:
        return [("z", {"a": 2})] if relation == Relation.ALSO_BOUGHT else []

    found = against_store(Live(), night, {Universe.VIEW: {"": 1, "z": 1}})
    assert found.pairs["also_viewed"] == Drift(1, 0, 1, (Difference("a", "b", 1, 0),), apart=1, live=1)
    assert found.pairs["also_bought"] == Drift(1, 0, 1, (Difference("z", "a", 0, 2),), apart=2, nightly=2, counted=1)
    assert found.pairs["viewed_bought"] == Drift(0, 0, 0)
    assert found.supports["view"] == Drift(2, 1, 1, (Difference("", "z", 0, 1),), apart=1, live=1, nightly=2, counted=2)
    assert found.supports["any"] == Drift(1, 0, 1, (Difference("", "", 1, 0),), apart=1, live=1)
    assert (found.pairs_compared, found.pairs_different, found.supports_different) == (2, 2, 2)
    assert found.pairs_counted == 1
