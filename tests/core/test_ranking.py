"""Scores against the formulas written out for one pair, orders without chance, and what a row's cut keeps."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.ranking import (
    MOST_DISCOUNT,
    MOST_SHRINKAGE,
    RANKINGS,
    SHRINKAGE,
    Formula,
    everything,
    formula,
    keep,
    order,
    scores,
)

U32 = 2**32 - 1
counts_any = st.integers(0, U32)


def decimals(most):
    return st.integers(0, most * 10**6).map(lambda n: n / 10**6) | st.sampled_from([0.0, 0.3, 0.5, 1.0, float(most)])


formulas = st.one_of(
    st.sampled_from(sorted(RANKINGS)).map(Formula),
    st.builds(Formula, st.sampled_from(sorted(RANKINGS)), discount=decimals(MOST_DISCOUNT)),
    st.builds(Formula, st.just("cosine"), decimals(MOST_SHRINKAGE), decimals(MOST_DISCOUNT)),
)


@st.composite
def tables(draw, largest=100_000):
    """(k, a, b, n) of a 2x2 table that real customers could give."""
    both, only_a, only_b, neither = (draw(st.integers(0, largest)) for _ in range(4))
    return both, both + only_a, both + only_b, both + only_a + only_b + neither


@st.composite
def rows(draw, smallest=1, largest=60):
    """A possible row: counts, support, supports, total, numbers."""
    size = draw(st.integers(smallest, largest))
    cells = st.lists(st.integers(0, 40), min_size=size, max_size=size)
    counts = np.array(draw(cells), dtype=np.int64)
    supports = counts + np.array(draw(cells), dtype=np.int64)
    support = int(counts.max(initial=0)) + draw(st.integers(0, 50))
    total = support + int(supports.max(initial=0)) + draw(st.integers(0, 1000))
    numbers = np.array(draw(st.lists(counts_any, min_size=size, max_size=size, unique=True)), dtype=np.int64)
    return counts, support, supports, total, numbers


def g2(k, a, b, n):
    """Dunning's G², cell by cell: 2 Σ observed ln(observed / expected), and its sign."""
    cells = [(k, a * b), (a - k, a * (n - b)), (b - k, (n - a) * b), (n - a - b + k, (n - a) * (n - b))]
    total = 2 * math.fsum(seen * math.log(seen * n / expected) for seen, expected in cells if seen)
    return total if k * n >= a * b else -total


def scalar(ranking, k, a, b, n):
    if ranking == "llr":
        return g2(k, a, b, n)
    if ranking == "cosine":
        return k / math.sqrt(a * b) * k / (k + SHRINKAGE) if a * b else 0.0
    if ranking == "jaccard":
        return k / (a + b - k) if a + b - k else 0.0
    return k


@pytest.mark.parametrize("ranking", RANKINGS)
@given(table=tables())
def test_scores_follow_the_formula(ranking, table):
    k, a, b, n = table
    (score,) = scores(ranking, [k], a, [b], n)
    # G² is a small difference of sums as large as n ln n: its error is theirs, not its own.
    absolute = 1e-15 * 40 * (n + 1) * math.log(n + 2) if ranking == "llr" else 1e-12
    assert score == pytest.approx(scalar(ranking, k, a, b, n), rel=1e-9, abs=absolute)


@given(formulas, st.lists(st.tuples(counts_any, counts_any), max_size=30), counts_any, counts_any)
def test_scores_are_finite_for_any_non_negative_numbers(ranking, cells, support, total):
    """Supports in a row are older than its counts, so tables that no customers could give do occur."""
    got = scores(ranking, [k for k, _ in cells], support, [b for _, b in cells], total)
    assert got.shape == (len(cells),)
    assert np.isfinite(got).all()


@pytest.mark.parametrize("ranking", RANKINGS)
def test_an_empty_row_has_no_scores(ranking):
    assert scores(ranking, [], 0, [], 0).shape == (0,)


def test_an_unknown_ranking_is_named():
    with pytest.raises(ValueError, match="unknown ranking 'lift'; there are cosine, count, jaccard, llr"):
        scores("lift", [1], 1, [1], 1)


@given(tables())
def test_llr_is_negative_exactly_where_the_pair_is_rarer_than_chance(table):
    k, a, b, n = table
    (score,) = scores("llr", [k], a, [b], n)
    assert score <= 0 if k * n < a * b else score >= 0


def test_llr_on_dunnings_example():
    """Dunning 1993, table 2: "the swiss", 110 of 2,552 + 221 + 31,777 bigrams, -2 ln λ = 270.72."""
    k, a, b, n = 110, 110 + 2442, 110 + 111, 110 + 2442 + 111 + 29114
    (score,) = scores("llr", [k], a, [b], n)
    assert score == pytest.approx(270.72, abs=0.01)


@given(tables(largest=3000))
def test_llr_and_jaccard_are_symmetric(table):
    k, a, b, n = table
    for ranking in ("llr", "cosine", "jaccard"):
        assert scores(ranking, [k], a, [b], n) == pytest.approx(scores(ranking, [k], b, [a], n), rel=1e-9, abs=1e-6)


@given(row=rows(), ranking=formulas, data=st.data())
def test_order_is_by_score_count_and_number_whatever_the_order_of_the_row(row, ranking, data):
    counts, support, supports, total, numbers = row
    shuffled = np.array(data.draw(st.permutations(range(len(counts)))))
    straight = order(scores(ranking, counts, support, supports, total), counts, numbers)
    mixed_score = scores(ranking, counts[shuffled], support, supports[shuffled], total)
    mixed = order(mixed_score, counts[shuffled], numbers[shuffled])
    assert numbers[straight].tolist() == numbers[shuffled][mixed].tolist()
    score = scores(ranking, counts, support, supports, total)
    ranked = sorted(zip(-score, -counts, numbers, strict=True))
    assert numbers[straight].tolist() == [number for _, _, number in ranked]


def kept_numbers(row, rankings, size):
    counts, support, supports, total, numbers = row
    return numbers[keep(rankings, counts, support, supports, total, numbers, size)].tolist()


@given(row=rows(), rankings=st.lists(formulas, min_size=1, max_size=5, unique=True), size=st.integers(1, 60))
def test_keep_holds_the_top_of_every_ranking(row, rankings, size):
    counts, support, supports, total, numbers = row
    kept = set(kept_numbers(row, rankings, size))
    assert len(kept) == min(size, len(counts))
    safe = size // len(rankings)  # what every ranking is sure of, if their tops have nothing in common
    for ranking in rankings:
        best = order(scores(ranking, counts, support, supports, total), counts, numbers)
        assert set(numbers[best[:safe]].tolist()) <= kept


@given(row=rows(smallest=5), size=st.integers(1, 60), data=st.data())
def test_keep_does_not_depend_on_the_order_of_the_row(row, size, data):
    counts, support, supports, total, numbers = row
    shuffled = np.array(data.draw(st.permutations(range(len(counts)))))
    mixed = counts[shuffled], support, supports[shuffled], total, numbers[shuffled]
    assert set(kept_numbers(row, ("llr", "count"), size)) == set(kept_numbers(mixed, ("llr", "count"), size))


def test_a_cut_by_count_alone_would_lose_a_pair_that_llr_puts_first():
    """Ten bestsellers that everybody has against one rare item that only these customers have."""
    counts = np.array([50] * 10 + [20])
    supports = np.array([9000] * 10 + [20])
    numbers = np.arange(11)
    kept = keep(("llr", "count"), counts, 100, supports, 10_000, numbers, 4)
    assert 10 in kept.tolist()
    assert len(kept) == 4


@given(formulas)
def test_a_formula_is_read_from_its_own_text(chosen):
    assert formula(str(chosen)) == chosen
    assert str(formula(str(chosen))) == str(chosen)


@pytest.mark.parametrize(
    ("text", "score", "shrinkage", "discount", "canonical"),
    [
        ("llr", "llr", SHRINKAGE, 0, "llr"),
        ("cosine", "cosine", SHRINKAGE, 0, "cosine"),
        ("cosine@20.0", "cosine", SHRINKAGE, 0, "cosine"),
        ("cosine@50", "cosine", 50, 0, "cosine@50"),
        ("cosine@0", "cosine", 0, 0, "cosine@0"),
        ("llr^0.50", "llr", SHRINKAGE, 0.5, "llr^0.5"),
        ("count^0", "count", SHRINKAGE, 0, "count"),
        ("cosine@50^0.3", "cosine", 50, 0.3, "cosine@50^0.3"),
        ("jaccard^4", "jaccard", SHRINKAGE, 4, "jaccard^4"),
    ],
)
def test_what_a_text_means(text, score, shrinkage, discount, canonical):
    assert formula(text) == Formula(score, shrinkage, discount)
    assert str(formula(text)) == canonical


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a formula is"),
        ("lift", "unknown ranking 'lift'"),
        ("lift@3", "unknown ranking 'lift'"),
        ("llr@20", "only cosine has a shrinkage"),
        ("count@50", "only cosine has a shrinkage"),
        ("llr^", "a formula is"),
        ("llr^-1", "a formula is"),
        ("llr^.5", "a formula is"),
        ("llr^1e3", "a formula is"),
        ("llr^nan", "a formula is"),
        ("llr^٣", "a formula is"),
        ("llr^0.5@3", "a formula is"),
        ("LLR", "a formula is"),
        (" llr", "a formula is"),
        ("llr\n", "a formula is"),
        ("llr^4.1", "discount is between 0 and 4"),
        ("llr^0.1234567", "at most 6 decimals"),
        ("cosine@1000001", "shrinkage is between 0 and 1,000,000"),
        ("llr^0." + "0" * 5000, "a formula is"),
    ],
)
def test_what_is_no_formula(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        formula(text)
    assert len(str(caught.value)) < 200


@given(st.text("lrcosinejad@^.0123456789", max_size=12))
def test_any_text_is_a_formula_or_a_value_error(text):
    try:
        chosen = formula(text)
    except ValueError:
        return
    assert formula(str(chosen)) == chosen


@given(chosen=formulas, table=tables(largest=3000), more=st.integers(1, 100))
def test_more_common_customers_never_score_less(chosen, table, more):
    k, a, b, n = table
    lower, higher = max(0, k - more), k
    scored_lower, scored_higher = (float(scores(chosen, [some], a, [b], n)[0]) for some in (lower, higher))
    assert scored_higher >= scored_lower - 1e-9 * max(1.0, abs(scored_lower))


@given(chosen=formulas, row=rows())
def test_no_discount_is_the_score_itself(chosen, row):
    counts, support, supports, total, _ = row
    plain = Formula(chosen.score, chosen.shrinkage)
    undiscounted = formula(f"{plain}^0")
    assert scores(undiscounted, counts, support, supports, total).tolist() == (
        scores(plain, counts, support, supports, total).tolist()
    )


@given(chosen=formulas, table=tables(largest=3000))
def test_a_discount_divides_and_makes_nothing_better(chosen, table):
    k, a, b, n = table
    (plain,) = scores(Formula(chosen.score, chosen.shrinkage), [k], a, [b], n)
    (discounted,) = scores(chosen, [k], a, [b], n)
    if plain <= 0:
        assert discounted == plain
    else:
        assert discounted == pytest.approx(plain / max(b, 1) ** chosen.discount, rel=1e-12)
        assert 0 < discounted <= plain


def test_a_discount_prefers_the_rare_of_two_equally_tied():
    found = scores("jaccard^1", [10, 10], 10, [20, 2000], 10_000), scores("count^0.5", [10, 10], 10, [20, 2000], 10_000)
    for rare, popular in found:
        assert rare > popular


@given(table=tables(), also=st.lists(formulas, max_size=3))
def test_everything_is_each_score_and_the_lift(table, also):
    k, a, b, n = table
    got = everything([k], a, [b], n, also)
    assert set(got) == {*RANKINGS, *map(str, also), "lift"}
    lift = got.pop("lift")
    for text, score in got.items():
        assert score.tolist() == scores(text, [k], a, [b], n).tolist()
    assert lift[0] == pytest.approx(k * n / (a * b)) if a * b else math.isnan(lift[0])
