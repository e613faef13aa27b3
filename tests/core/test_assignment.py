"""Who is in an experiment: placements, audiences, times, testers, fallbacks, decisions, and which one takes a list."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import bucketing
from varde.assignment import Request, assign, first, merged, needs_sticky
from varde.experiments import Audience, Experiment, Experiments, Variation

CONTROL, OTHER = Variation(key="control", weight=0.5), Variation(key="other", weight=0.5, ranking="count")


def experiment(**values: Any) -> Experiment:
    return Experiment(**({"key": "e", "placements": ("p",), "variations": (CONTROL, OTHER)} | values))


def request(**values: Any) -> Request:
    start: dict[str, Any] = {"uid": None, "aid": "a1", "placement": "p", "lang": "", "currency": "", "client": ""}
    return Request(**(start | {"now": 1000} | values))


def test_a_list_of_another_placement_is_not_in_it() -> None:
    assert assign(experiment(), request()) is not None
    assert assign(experiment(), request(placement="q")) is None


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [({}, True), ({"start": 1000}, True), ({"start": 1001}, False), ({"end": 1001}, True), ({"end": 1000}, False)],
)
def test_it_runs_from_its_start_until_its_end(bounds: dict[str, int], inside: bool) -> None:
    assert (assign(experiment(**bounds), request()) is not None) == inside


@pytest.mark.parametrize(
    ("audience", "asked", "inside"),
    [
        ({"customers": "known"}, {}, False),
        ({"customers": "known"}, {"uid": "u"}, True),
        ({"customers": "anonymous"}, {"uid": "u"}, False),
        ({"customers": "anonymous"}, {"uid": ""}, True),
        ({"languages": ("sv", "de-AT")}, {"lang": "sv-SE"}, True),
        ({"languages": ("sv", "de-AT")}, {"lang": "SV"}, True),
        ({"languages": ("sv", "de-AT")}, {"lang": "svk"}, False),
        ({"languages": ("sv", "de-AT")}, {"lang": "de"}, False),
        ({"languages": ("sv",)}, {"lang": None}, False),
        ({"currencies": ("SEK",)}, {"currency": "SEK"}, True),
        ({"currencies": ("SEK",)}, {"currency": None}, False),
        ({"clients": ("web",)}, {"client": "web"}, True),
        ({"clients": ("web",)}, {"client": "mail"}, False),
    ],
)
def test_an_audience(audience: dict[str, Any], asked: dict[str, Any], inside: bool) -> None:
    one = experiment(audience=Audience(**audience), sticky=True)
    for sticky in (None, {"e__1": "other"}):
        assert (assign(one, request(**asked), sticky) is not None) == inside, "also of those who were in it before"


def test_which_id_is_dealt() -> None:
    known, both = experiment(unit="uid"), experiment(unit="uid", fallback="aid")

    def unit(of: Experiment, **asked: Any) -> tuple[str, str] | None:
        found = assign(of, request(**asked))
        return (found.unit_kind, found.unit) if found else None

    assert unit(known) is unit(known, uid="") is None
    assert unit(known, uid="u") == unit(both, uid="u") == ("uid", "u")
    assert unit(both) == ("aid", "a1")
    assert unit(experiment(), uid="u") == ("aid", "a1")
    assert unit(experiment(), uid="u", aid=None) is None


def test_the_variation_of_the_browser_is_kept_by_the_customer() -> None:
    one = experiment(unit="uid", fallback="aid", sticky=True)
    moved = 0
    for number in range(50):
        anonymous = assign(one, request(aid=f"a{number}"))
        assert anonymous is not None
        assert anonymous.to_remember
        document = {one.sticky_field: anonymous.variation.key}
        asked = request(uid=f"u{number}", aid=f"a{number}")
        known, unknown = assign(one, asked, merged(None, document)), assign(one, asked)
        assert known is not None
        assert unknown is not None
        assert (known.variation, known.unit_kind, known.sticky) == (anonymous.variation, "uid", True)
        assert known.to_remember, "now in the customer's own document"
        moved += unknown.variation is not known.variation
    assert moved > 10, "without the document half of them would change"


def test_documents_are_read_only_of_sticky_experiments() -> None:
    document = {"e__1": "control"}
    found = {assign(experiment(), request(aid=f"a{n}"), document).index for n in range(20)}  # type: ignore[union-attr]
    assert found == {0, 1}


@given(st.dictionaries(st.sampled_from(["e__0", "e__1", "e__2", "e__x", "e", "f__0", "e__1__0"]), st.just("other")))
def test_those_of_an_old_version_are_out(sticky: dict[str, str]) -> None:
    one = experiment(sticky=True, bucket_version=2, min_bucket_version=2)
    assert (assign(one, request(), sticky) is None) == bool({"e__0", "e__1"} & set(sticky))


def test_weights_may_change_under_those_who_were_dealt() -> None:
    all_other = (replace(CONTROL, weight=0.0), replace(OTHER, weight=1.0))
    one = experiment(sticky=True, variations=all_other, coverage=0.0)
    assert assign(one, request(), {"e__1": "control"}).index == 0  # type: ignore[union-attr]
    assert assign(one, request(), {"e__1": "gone"}) is assign(one, request(), {}) is None


def test_testers_get_theirs_before_the_start_and_outside_the_audience() -> None:
    forced = (CONTROL, replace(OTHER, forced=("a1",)))
    one = experiment(variations=forced, start=5000, audience=Audience(customers="known"), coverage=0.0, sticky=True)
    found = assign(one, request(), {"e__1": "control"})
    assert found is not None
    assert (found.index, found.forced, found.to_remember, found.counts) == (1, True, False, True)
    assert assign(one, request(aid="a2")) is None
    assert assign(one, request(placement="q")) is None


def test_a_stopped_one_gives_everybody_its_winner_and_exposes_nobody() -> None:
    one = experiment(stopped="other", end=0, coverage=0.0, unit="uid", audience=Audience(currencies=("SEK",)))
    for asked in (request(currency="SEK"), request(currency="SEK", aid=None), request(currency="SEK", uid="u")):
        found = assign(one, asked)
        assert found is not None
        assert (found.index, found.counts, found.to_remember) == (1, False, False)
    assert assign(one, request()) is None


def test_a_list_whose_ranking_is_said_is_out() -> None:
    one = experiment(overrides=frozenset({"ranking"}))
    assert assign(one, request(fixed=frozenset({"ranking", "relation"}))) is None
    assert assign(one, request(fixed=frozenset({"relation"}))) is not None


def test_the_first_that_takes_a_request_decides() -> None:
    tested = [experiment(key="half", coverage=0.5), experiment(key="rest"), experiment(key="never")]
    all_of_them = Experiments([experiment(key="over", stopped="other"), *tested])
    names = [first(all_of_them, request(aid=f"a{n}")).experiment.key for n in range(200)]  # type: ignore[union-attr]
    assert set(names) == {"half", "rest"}
    assert names == ["half" if assign(tested[0], request(aid=f"a{n}")) is not None else "rest" for n in range(200)]
    gone = first(all_of_them, request(aid=None))
    assert gone is not None
    assert gone.experiment.key == "over", "a decision stands behind those that still compare"
    assert first(all_of_them, request(placement="q")) is None
    assert (list(all_of_them), len(all_of_them)) == (["over", "half", "rest", "never"], 4)


def test_when_documents_have_to_be_read() -> None:
    def needed(asked: Request, **values: Any) -> bool:
        return needs_sticky(Experiments([experiment(**({"sticky": True} | values))]), asked)

    assert needed(request())
    assert not needed(request(), sticky=False)
    assert not needed(request(placement="q"))
    assert not needed(request(), end=1000)
    assert not needed(request(), stopped="other")
    assert not needed(request(), unit="uid")
    assert needed(request(), unit="uid", fallback="aid")
    assert not needed(request(fixed=frozenset({"ranking"})), overrides=frozenset({"ranking"}))


def test_an_assignment_costs_microseconds() -> None:
    """It stands in the path of every answer. The bound is generous: only another order of magnitude must fail."""
    all_of_them = Experiments([experiment()])
    requests = [request(aid=f"3f2504e0-4f89-11d3-9a0c-0305e82c3{n:03}") for n in range(1000)]

    def cost() -> float:
        bucketing.bucket.cache_clear()
        start = time.process_time()
        for one in requests:
            first(all_of_them, one)
        return (time.process_time() - start) / len(requests)

    assert min(cost() for _ in range(5)) < 25e-6
    assert bucketing.bucket.cache_info().maxsize == bucketing.MOST_CACHED
