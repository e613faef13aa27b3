"""Team draft: whose items stand where, that neither side has an advantage, and that a list made again is the same."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from varde.interleaving import bits, team_draft

rankings = st.lists(st.integers(0, 12), unique=True, max_size=10)


def test_a_draft_by_hand() -> None:
    chances = iter([1, 0])
    assert team_draft("abcd", "bxay", 4, lambda: next(chances)) == [("a", 0), ("b", 1), ("x", 1), ("c", 0)]


def test_who_has_nothing_more_leaves_the_rest_to_nobody() -> None:
    assert team_draft("ab", "abcd", 9, lambda: 1) == [("a", 0), ("b", 1), ("c", None), ("d", None)]
    assert team_draft("", "ab", 9, lambda: 0) == team_draft("ab", "", 9, lambda: 0) == [("a", None), ("b", None)]
    assert team_draft("ab", "ba", 0, lambda: 1) == []


def test_what_may_not_stand_there_is_passed_over() -> None:
    asked: list[str] = []

    def takes(item: str) -> bool:
        asked.append(item)
        return item not in "bc"

    assert team_draft("abc", "bcd", 3, lambda: 1, takes) == [("a", 0), ("d", 1)]
    assert sorted(asked) == ["a", "b", "c", "d"], "each once"


@given(rankings, rankings, st.integers(0, 15), st.text())
def test_any_draft_is_a_list_of_both(a: list[int], b: list[int], n: int, seed: str) -> None:
    drafted = team_draft(a, b, n, bits(seed))
    assert drafted == team_draft(a, b, n, bits(seed))
    items = [item for item, _ in drafted]
    assert len(items) == len(set(items)) == min(n, len({*a, *b}))
    for team, own in ((0, a), (1, b)):
        picked = [item for item, of in drafted if of == team]
        assert picked == [item for item in own if item in picked], "each side's in its own order"
        for item in picked:
            before = items[: items.index(item)]
            assert set(own[: own.index(item)]) <= set(before), "the best that was left"
    teams = [team for _, team in drafted]
    for size in range(len(teams)):
        head = teams[:size]
        if None not in head:
            assert abs(head.count(0) - head.count(1)) <= 1
        else:
            assert teams[size] is None, "who has run out does not come back"


def test_both_sides_are_first_equally_often() -> None:
    counts = Counter(
        team_draft([1, 2, 3], [4, 5, 6], 3, bits(f"unit {n}"))[place][1] for n in range(4000) for place in (0, 2)
    )
    assert abs(counts[0] - counts[1]) < 4 * 8000**0.5


def test_bits_are_as_many_as_are_asked_for_and_look_like_chance() -> None:
    source, other = bits("a\ud800"), bits("b")
    many = [source() for _ in range(5000)]
    assert set(many) == {0, 1}
    assert abs(sum(many) - 2500) < 200
    assert many[:512] != many[512:1024]
    assert many[:100] != [other() for _ in range(100)]
