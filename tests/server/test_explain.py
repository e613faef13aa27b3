"""The words and numbers that explain a pair."""

import pytest

from varde.history import DAY_MS, Limits
from varde.pairs import Relation
from varde.ranking import RANKINGS
from varde.server.explain import Evidence, scored, sentence, window

SEEN = Evidence(37, 410, 96, 5210)


@pytest.mark.parametrize(
    ("relation", "text"),
    [
        (Relation.ALSO_VIEWED, "37 customers viewed both, of 410 who viewed A and 96 who viewed B, in 90 days"),
        (Relation.ALSO_BOUGHT, "37 customers bought both, of 410 who bought A and 96 who bought B, in 90 days"),
        (
            Relation.VIEWED_BOUGHT,
            "37 customers viewed A and bought B, of 410 who viewed A and 96 who bought B, in 90 days",
        ),
    ],
)
def test_the_sentence_says_what_was_counted(relation, text):
    assert sentence("A", "B", relation, SEEN, 90) == text


def test_one_customer_in_one_day():
    text = sentence("A", "B", Relation.ALSO_VIEWED, Evidence(1, 1, 2000, 5000), 1)
    assert text == "1 customer viewed both, of 1 who viewed A and 2,000 who viewed B, in 1 day"


def test_every_ranking_has_a_score_and_lift_explains():
    got = scored(SEEN)
    assert set(got) == {*RANKINGS, "lift"}
    assert got["count"] == 37
    assert got["jaccard"] == pytest.approx(37 / (410 + 96 - 37))
    assert got["lift"] == pytest.approx(37 * 5210 / (410 * 96))


def test_nothing_known_scores_nothing():
    assert scored(Evidence(0, 0, 0, 0)) == {**dict.fromkeys(RANKINGS, 0.0), "lift": None}


def test_the_window_begins_at_midnight():
    assert window(Limits(window_days=90), 120 * DAY_MS + 5) == {"days": 90, "start": "1970-01-31"}
