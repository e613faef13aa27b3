"""What may be concluded from which figures: by a table, and for any figures."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.batch import interleaving, pretest, wording
from varde.batch.srm import ALARM
from varde.batch.verdict import FEWEST_EVENTS, FEWEST_UNITS, Facts, Kind, Seen, judge
from varde.experiments import Experiment, Variation

CLICKS, REVENUE = "clicks per visitor", "revenue per visitor"


def seen(lift, low, high, who="B", **more):
    return Seen(who, CLICKS, lift, low, high, **more)


def facts(*of, **more):
    return Facts("A", of, **({"units": (5000, 5000), "shares": (0.5, 0.5), "srm_p": 0.4} | more))


HARM = Seen("B", REVENUE, -0.031, -0.06, -0.004)

TABLE = [
    (facts(seen(0.065, 0.01, 0.12)), Kind.WINS, "B wins: +6.5 % clicks per visitor, interval 1 to 12 %"),
    (
        facts(seen(0.065, 0.01, 0.12), harms=[HARM]),
        Kind.WINS,
        "B wins, but revenue per visitor falls (−3.1 %): +6.5 % clicks per visitor, interval 1 to 12 %",  # noqa: RUF001
    ),
    (
        facts(seen(-0.04, -0.07, -0.01)),
        Kind.LOSES,
        "B loses: −4 % clicks per visitor, interval −7 to −1 %; keep A",  # noqa: RUF001
    ),
    (
        facts(seen(-0.04, -0.07, -0.01), harms=[HARM]),
        Kind.LOSES,
        "B loses, and revenue per visitor falls (−3.1 %): "  # noqa: RUF001
        "−4 % clicks per visitor, interval −7 to −1 %; keep A",  # noqa: RUF001
    ),
    (
        facts(seen(0.012, -0.06, 0.09), needed="more is needed"),
        Kind.TOO_EARLY,
        "too early: +1.2 % clicks per visitor, interval −6 to 9 %; more is needed",  # noqa: RUF001
    ),
    (facts(seen(0.01, -0.06, 0.09), over=True), Kind.UNDECIDED, None),
    (facts(seen(0.01, -0.008, 0.019), worth=0.02), Kind.NO_DIFFERENCE, None),
    (facts(seen(0.01, -0.008, 0.021), worth=0.02), Kind.TOO_EARLY, None),
    (
        facts(seen(0.01, 0.002, 0.018), worth=0.02),
        Kind.WINS,
        "B wins: +1 % clicks per visitor, interval 0.20 to 1.8 %, less than the 2 % that would matter",
    ),
    (
        facts(seen(0.3, 0.2, 0.4), srm_p=2e-6, units=(5210, 4790)),
        Kind.UNTRUSTED,
        "do not trust: sample ratio mismatch (p = 2.0e-06): "
        "5,210 and 4,790 units came where the weights say 50 and 50 %",
    ),
    (facts(seen(-0.3, -0.4, -0.2), srm_p=0.0), Kind.UNTRUSTED, None),
    (facts(seen(0.3, 0.2, 0.4), srm_p=math.nan), Kind.UNTRUSTED, None),
    (facts(seen(0.3, 0.2, 0.4), srm_p=ALARM), Kind.WINS, None),
    (facts(seen(-0.1, -0.2, -0.01, good=False)), Kind.WINS, None),
    (facts(seen(0.1, 0.01, 0.2, good=False)), Kind.LOSES, None),
    (facts(seen(0.3, 0.2, 0.4, units=FEWEST_UNITS - 1)), Kind.TOO_EARLY, None),
    (facts(seen(0.3, 0.2, 0.4, events=FEWEST_EVENTS - 1)), Kind.TOO_EARLY, None),
    (facts(seen(math.nan, math.nan, math.nan)), Kind.TOO_EARLY, None),
    (facts(seen(0.3, 0.2, math.inf)), Kind.TOO_EARLY, None),
    (facts(units=(0, 0), srm_p=None), Kind.TOO_EARLY, "too early: no unit has been seen"),
    (
        facts(seen(0.02, 0.01, 0.03), seen(0.05, 0.02, 0.08, "C")),
        Kind.WINS,
        "C wins: +5 % clicks per visitor, interval 2 to 8 %; "
        "B (+2 % clicks per visitor, interval 1 to 3 %) also beats A, which does not tell them apart",
    ),
    (
        facts(seen(-0.02, -0.03, -0.01), seen(0.0, -0.01, 0.01, "C")),
        Kind.TOO_EARLY,
        "too early: B −2 % clicks per visitor, interval −3 to −1 % and "  # noqa: RUF001
        "C 0 % clicks per visitor, interval −1 to 1 %; B already loses",  # noqa: RUF001
    ),
    (facts(seen(-0.02, -0.03, -0.01), seen(-0.04, -0.05, -0.03, "C")), Kind.LOSES, None),
]


@pytest.mark.parametrize(("given_facts", "kind", "sentence"), TABLE)
def test_the_table(given_facts, kind, sentence):
    found = judge(given_facts)
    assert found.kind is kind
    assert sentence is None or found.sentence == sentence


def test_a_harm_in_another_variation_does_not_qualify_the_winner():
    other = HARM._replace(variation="C")
    found = judge(facts(seen(0.065, 0.01, 0.12), seen(0.0, -0.1, 0.1, "C"), harms=[other]))
    assert not found.harmed
    assert "falls" not in found.sentence


def test_units_in_several_variations_are_a_warning_above_one_per_cent():
    assert judge(facts(seen(0.1, 0.05, 0.15), several=0.01)).warnings == ()
    (warning,) = judge(facts(seen(0.1, 0.05, 0.15), several=0.011)).warnings
    assert warning.startswith("1.1 % of the units saw several variations")


numbers = st.floats(-3, 3) | st.floats()
anyones = st.builds(
    Seen,
    st.sampled_from("BC"),
    st.just(CLICKS),
    numbers,
    numbers,
    numbers,
    st.booleans(),
    st.integers(0, 300),
    st.integers(0, 90),
)
any_facts = st.builds(
    Facts,
    st.just("A"),
    st.lists(anyones, min_size=1, max_size=3),
    st.lists(anyones, max_size=2),
    st.lists(st.integers(0, 10_000), min_size=2, max_size=4),
    st.just(()),
    st.none() | st.floats(0, 1) | st.floats(0, 0.002) | st.just(math.nan),
    st.floats(0, 1),
    st.booleans(),
    st.none() | st.floats(0.001, 1),
)


@given(any_facts)
def test_nothing_is_concluded_against_the_shares_or_with_an_interval_around_nothing(told):
    found = judge(told)
    blocked = told.srm_p is not None and not told.srm_p >= ALARM
    assert (found.kind is Kind.UNTRUSTED) == blocked
    if found.kind is Kind.WINS:
        assert any(
            one.variation == found.variation and (one.low > 0 if one.good else one.high < 0) for one in told.seen
        )
    if found.kind is Kind.LOSES:
        assert all(one.high < 0 if one.good else one.low > 0 for one in told.seen)
    if found.kind in (Kind.WINS, Kind.LOSES, Kind.NO_DIFFERENCE):
        assert any(told.units)
        assert all(math.isfinite(one.lift) for one in told.seen if one.variation == found.variation and one.enough)
    if found.kind is Kind.NO_DIFFERENCE:
        assert told.worth is not None
        assert all(-told.worth < one.low <= 0 <= one.high < told.worth for one in told.seen)
    assert (found.kind is Kind.UNDECIDED) <= told.over
    assert (found.kind is Kind.TOO_EARLY) <= (not told.over)
    assert len(found.warnings) == (told.several > 0.01)


@given(any_facts)
def test_the_sentence_says_what_the_kind_says(told):
    found = judge(told)
    assert ("wins" in found.sentence) == (found.kind is Kind.WINS)
    assert ("do not trust" in found.sentence) == (found.kind is Kind.UNTRUSTED)


# The pre-test


def preference(**more):
    known = {"units": 900, "for_a": 170, "for_b": 250, "share": 0.57, "difference": 0.1, "sequential": (0.01, 0.2)}
    return interleaving.Preference(**(known | more))


def draft():
    return Experiment(
        key="t", mode="team_draft", variations=(Variation(key="A", weight=0.5), Variation(key="B", weight=0.5))
    )


@pytest.mark.parametrize(
    ("found", "over", "kind", "who"),
    [
        (preference(), False, Kind.PREFERRED, "B"),
        (preference(sequential=(-0.2, -0.01)), False, Kind.PREFERRED, "A"),
        (preference(sequential=(-0.1, 0.2)), False, Kind.TOO_EARLY, None),
        (preference(sequential=(-0.1, 0.2)), True, Kind.UNDECIDED, None),
        (preference(sequential=(math.nan, math.nan)), False, Kind.TOO_EARLY, None),
        (preference(units=FEWEST_UNITS - 1), False, Kind.TOO_EARLY, None),
        (preference(for_a=9, for_b=20), False, Kind.TOO_EARLY, None),
        (preference(units=0, for_a=0, for_b=0, sequential=(math.nan, math.nan)), False, Kind.TOO_EARLY, None),
    ],
)
def test_a_pre_test_prefers_and_never_wins(found, over, kind, who):
    said = pretest.judge(found, draft(), over)
    assert (said.kind, said.variation) == (kind, who)
    assert said.sentence.startswith("pre-test: ")
    assert "wins" not in said.sentence
    assert said.sentence.endswith("; confirm with an A/B") == (kind is Kind.PREFERRED)


# Figures in words


@pytest.mark.parametrize(
    ("part", "said"),
    [(0.065, "+6.5"), (0.12, "+12"), (-0.00031, "−0.031"), (0.0, "0"), (math.nan, "–"), (None, "–"), (1.5, "+150")],  # noqa: RUF001
)
def test_per_cent(part, said):
    assert wording.percent(part) == said


@given(st.floats(-2, 2).filter(lambda part: abs(part) > 1e-9))
def test_a_part_is_never_rounded_to_nothing(part):
    """An interval that leaves out 0 must not look as if it held it."""
    said = wording.percent(part).replace("−", "-")  # noqa: RUF001
    assert math.copysign(1, float(said)) == math.copysign(1, part)
    assert float(said) == pytest.approx(100 * part, rel=0.06)


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-4, max_value=1e12))
def test_a_figure_keeps_three_digits(value):
    assert float(wording.number(value).replace(",", "")) == pytest.approx(value, rel=0.006)


def test_a_name_cannot_reach_the_terminals_controls():
    assert wording.printable("a\x1b[31m\nå") == "a\\x1b[31m\\nå"
