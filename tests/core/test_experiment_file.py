"""Experiments in the configuration file: what is read, and what is refused, on which line and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.assignment import Request, assign
from varde.bucketing import Filter, Namespace
from varde.config import Config, ConfigError, read
from varde.experiments import Audience, Experiment
from varde.outcomes import DECIDING, OUTCOMES
from varde.pairs import Relation

FORMULAS = ("llr", "cosine", "count")
FILE = """
[placements.home]
relation = "also_bought"
[placements.cart]
ranking = "count"
[[clients]]
name = "web"
keys = ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]
"""
TWO = '[[experiments.e.variations]]\nkey = "control"\n[[experiments.e.variations]]\nkey = "b"\n'


def config(text: str, features: Any = None) -> Config:
    content = features if isinstance(features, bytes) else json.dumps(features).encode()
    top = 'growthbook = "features.json"\n' if features is not None else ""
    return read(top + text + FILE, FORMULAS, lambda name: {"features.json": content}[name])


def experiment(body: str, variations: str = TWO) -> Experiment:
    return config(f"[experiments.e]\n{body}\n{variations}").experiments["e"]


def ms(*parts: int) -> int:
    return round(datetime(*parts, tzinfo=UTC).timestamp() * 1000)  # type: ignore[arg-type, misc] # year, month, day, hour


def test_no_experiments() -> None:
    assert not read("", FORMULAS).experiments
    assert read("", FORMULAS).experiments.at("default") == ()


def test_what_an_experiment_is_by_default() -> None:
    one = experiment("")
    assert (one.key, one.seed, one.unit, one.fallback, one.sticky) == ("e", "e", "aid", None, False)
    assert (one.placements, one.audience, one.coverage) == (("default", "home", "cart"), Audience(), 1.0)
    assert (one.bucket_version, one.min_bucket_version, one.sticky_field) == (1, 0, "e__1")
    assert (one.start, one.end, one.namespace, one.mode, one.stopped) == (None, None, None, "ab", "")
    assert (one.metric, one.guardrails) == ("clicks_per_unit", ("revenue_per_unit", "fallback_share"))
    assert (one.window_minutes, one.attribution_days, one.planned_units, one.winsorize) == (30, 7, 5000, 0.99)
    assert [(v.key, v.weight, v.ranking) for v in one.variations] == [("control", 0.5, None), ("b", 0.5, None)]
    assert (one.dealt, one.overrides) == (((0.0, 0.5), (0.5, 1.0)), frozenset())


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ("start = 2026-11-01", "start", ms(2026, 11, 1)),
        ("start = 2026-11-01T01:00:00+01:00", "start", ms(2026, 11, 1)),
        ("end = 2026-11-01T08:00:00.123Z", "end", ms(2026, 11, 1, 8) + 123),
        ('namespace = { name = "n", to = 0.5 }', "namespace", Namespace("n", 0.0, 0.5)),
        ('namespace = { name = "n", from = 0.5 }', "gates", (Filter("__n", ((0.5, 1.0),), 1),)),
        ('audience = { clients = ["web"] }', "audience", Audience(clients=("web",))),
        ('placements = ["home"]', "placements", ("home",)),
        ("coverage = 0.5", "dealt", ((0.0, 0.25), (0.5, 0.75))),
        ('seed = "s"', "seed", "s"),
        ('stopped = ""', "stopped", ""),
        ('stopped = "b"', "stopped", "b"),
        ('guardrails = ["latency_p95", "conversion"]', "guardrails", ("latency_p95", "conversion")),
        ("winsorize = 1", "winsorize", 1.0),
        ('currency = "SEK"', "currency", "SEK"),
        ('currency = "SEK"\nrates = { NOK = 0.98, EUR = 11 }', "rates", (("EUR", 11.0), ("NOK", 0.98))),
    ],
)
def test_what_an_experiment_says(body: str, field: str, value: Any) -> None:
    assert getattr(experiment(body), field) == value


def test_variations_in_order_with_what_they_override() -> None:
    body = 'key = "b"\nweight = 0.7\nranking = "cosine"\nrelation = "viewed_bought"\nforced = ["t1", "t2"]'
    one = experiment("", f'[[experiments.e.variations]]\nkey = "a"\nweight = 0.3\n[[experiments.e.variations]]\n{body}')
    assert (one.variations[1].ranking, one.variations[1].relation) == ("cosine", Relation.VIEWED_BOUGHT)
    assert (one.indices, one.testers) == ({"a": 0, "b": 1}, {"t1": 1, "t2": 1})
    assert one.overrides == {"ranking", "relation"}


@pytest.mark.parametrize(
    ("placements", "placement", "overrides"),
    [("default", "home", {"relation"}), ("default", "cart", {"ranking"}), ("home", "home", set())],
)
def test_the_rules_of_another_placement_override_what_differs(
    placements: str, placement: str, overrides: set[str]
) -> None:
    one = experiment(f'placements = ["{placements}"]', TWO + f'placement = "{placement}"\n')
    assert one.overrides == overrides


def test_namespaces_may_be_used_again() -> None:
    """After another experiment has ended or was stopped, and side by side."""
    shapes = [
        ("end = 2026-11-01", "start = 2026-11-01", 'name = "n"', 'name = "n"'),
        ("start = 2026-11-01", "end = 2026-11-01", 'name = "n"', 'name = "n"'),
        ('stopped = "b"', "", 'name = "n"', 'name = "n"'),
        ("", "", 'name = "n", to = 0.5', 'name = "n", from = 0.5'),
        ("", 'unit = "uid"', 'name = "n"', 'name = "m"'),
    ]
    for one, two, space, other in shapes:
        text = f"[experiments.e]\n{one}\nnamespace = {{ {space} }}\n{TWO}"
        text += f"[experiments.f]\n{two}\nnamespace = {{ {other} }}\n{TWO.replace('.e.', '.f.')}"
        assert list(config(text).experiments) == ["e", "f"]


def weighted(*weights: str) -> str:
    return "".join(
        f'[[experiments.e.variations]]\nkey = "v{place}"\n{weight}\n' for place, weight in enumerate(weights)
    )


E = "[experiments.e]\n"
NAMED = E + 'namespace = { name = "n", from = 0.2, to = 0.6 }\n' + TWO
SECOND = NAMED.replace("experiments.e", "experiments.f")
REFUSED = [
    (2, "experiments.e.metrics", "did you mean 'metric'?", E + "metrics = 'x'\n" + TWO),
    (2, "experiments.e.metric", "did you mean 'conversion'?", E + "metric = 'conversions'\n" + TWO),
    (2, "experiments.e.metric", "no such metric that decides", E + "metric = 'latency_p95'\n" + TWO),
    (2, "experiments.e.guardrails[2]", "no such metric", E + "guardrails = ['conversion', 'x']\n" + TWO),
    (2, "experiments.e.placements", "no placement 'hom'; there are default", E + "placements = ['hom']\n" + TWO),
    (2, "experiments.e.placements", "leave it out for all", E + "placements = []\n" + TWO),
    (2, "experiments.e.audience.clients", "no client 'app'", E + "audience = { clients = ['app'] }\n" + TWO),
    (2, "experiments.e.audience.language", "did you mean 'languages'", E + "audience = { language = 'sv' }\n" + TWO),
    (3, "experiments.e.audience.customers", "all, known or", E + "[experiments.e.audience]\ncustomers = 'x'\n" + TWO),
    (2, "experiments.e.audience", "must be a table", E + "audience = 'x'\n" + TWO),
    (2, "experiments.e.unit", "must be uid or aid", E + "unit = 'session'\n" + TWO),
    (2, "experiments.e.fallback", "must be aid", E + "fallback = 'uid'\n" + TWO),
    (2, "experiments.e.fallback", "only with unit", E + "fallback = 'aid'\n" + TWO),
    (2, "experiments.e.min_bucket_version", "more than", E + "min_bucket_version = 2\nsticky = true\n" + TWO),
    (2, "experiments.e.min_bucket_version", "only with sticky", E + "min_bucket_version = 1\n" + TWO),
    (2, "experiments.e.start", "with its offset", E + "start = 2026-11-01T00:00:00\n" + TWO),
    (2, "experiments.e.start", "must be a date", E + "start = '2026-11-01'\n" + TWO),
    (3, "experiments.e.end", "not after start", E + "start = 2026-11-01\nend = 2026-11-01\n" + TWO),
    (2, "experiments.e.coverage", "from 0 to 1", E + "coverage = 1.1\n" + TWO),
    (2, "experiments.e.coverage", "from 0 to 1", E + "coverage = nan\n" + TWO),
    (2, "experiments.e.namespace", "is empty", E + "namespace = { name = 'n', from = 0.5, to = 0.5 }\n" + TWO),
    (2, "experiments.e.namespace", "no name", E + "namespace = { from = 0.5 }\n" + TWO),
    (2, "experiments.e.namespace.upto", "no such key", E + "namespace = { name = 'n', upto = 1 }\n" + TWO),
    (2, "experiments.e.stopped", "no variation 'c'; there are control, b", E + "stopped = 'c'\n" + TWO),
    (2, "experiments.e.currency", "ISO 4217", E + "currency = 'sek'\n" + TWO),
    (2, "experiments.e.currency", "ISO 4217", E + "currency = 752\n" + TWO),
    (2, "experiments.e.rates", "only with currency", E + "rates = { EUR = 11 }\n" + TWO),
    (3, "experiments.e.rates", "SEK is the currency itself", E + "currency = 'SEK'\nrates = { SEK = 1 }\n" + TWO),
    (3, "experiments.e.rates.EUR", "number from", E + "currency = 'SEK'\nrates = { EUR = 0 }\n" + TWO),
    (3, "experiments.e.rates.EUR", "number from", E + "currency = 'SEK'\nrates = { EUR = nan }\n" + TWO),
    (3, "experiments.e.rates.euro", "ISO 4217", E + "currency = 'SEK'\nrates = { euro = 1 }\n" + TWO),
    (3, "experiments.e.rates", "table of currencies", E + "currency = 'SEK'\nrates = [1]\n" + TWO),
    (2, "experiments.e.mode", "ab or team_draft", E + "mode = 'interleave'\n" + TWO),
    (2, "experiments.e.mode", "exactly two", E + "mode = 'team_draft'\n" + weighted("", "", "")),
    (2, "experiments.e.mode", "another placement", E + "mode = 'team_draft'\n" + TWO + "placement = 'home'\n"),
    (2, "experiments.e.key", "the name of the table", E + "key = 'f'\n" + TWO),
    (1, "experiments.e f", "letters, digits", '[experiments."e f"]\n'),
    (1, "experiments.e.variations", "two or more", E),
    (2, "experiments.e.variations", "2 to 20 tables", E + "[[experiments.e.variations]]\nkey = 'a'"),
    (5, "experiments.e.variations[2].key", "stands above", E + TWO.replace('"b"', '"control"')),
    (2, "experiments.e.variations[1].key", "letters, digits", E + TWO.replace('key = "control"', "")),
    (6, "experiments.e.variations[2].ranking", "no ranking 'llr^2'", E + TWO + "ranking = 'llr^2'"),
    (6, "experiments.e.variations[2].rankin", "did you mean 'ranking'?", E + TWO + "rankin = 'llr'"),
    (6, "experiments.e.variations[2].relation", "must be one of", E + TWO + "relation = 'bought'"),
    (6, "experiments.e.variations[2].placement", "no placement 'x'", E + TWO + "placement = 'x'"),
    (7, "experiments.e.variations[2].weight", "sum to 0.9, not to 1", E + weighted("weight = 0.5", "weight = 0.4")),
    (8, "experiments.e.variations[2].weight", "sum to 0", "\n" + E + weighted("weight = 0", "weight = 0")),
    (5, "experiments.e.variations[2]", "has no weight", E + weighted("weight = 0.5", "")),
    (8, "experiments.e.variations[2].forced", "forced into 'v0'", E + "\n" + weighted("forced=['t']", "forced=['t']")),
    (8, "experiments.f.namespace", "overlaps that of experiment 'e', from 0.2 to 0.6", NAMED + SECOND),
    (8, "experiments.f.namespace", "another unit", NAMED + SECOND.replace("0.2, to = 0.6 }", '0.6 }\nunit = "uid"')),
    (1, "experiments.e", "must be a table", "experiments.e = 3\n"),
    (1, "experiments", "must be tables such as", "experiments = 3\n"),
]


@pytest.mark.parametrize(("line", "where", "why", "text"), REFUSED)
def test_what_is_refused_and_where(line: int, where: str, why: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(text)
    error = caught.value
    assert (error.line, error.where) == (line, where)
    assert why in error.why


def test_every_deciding_metric_may_decide_and_is_explained() -> None:
    for name in DECIDING:
        assert experiment(f'metric = "{name}"').metric == name
    assert all(one.help.endswith(".") and one.name == name for name, one in OUTCOMES.items())
    assert {name for name, one in OUTCOMES.items() if one.descriptive} == {"latency_p95", "coverage"}


RULE: dict[str, Any] = {
    "key": "gb",
    "hashAttribute": "userId",
    "hashVersion": 2,
    "variations": [{}, {"ranking": "cosine"}],
    "weights": [0.4, 0.6],
    "coverage": 0.5,
    "meta": [{"key": "control"}, {"key": "b", "name": "B"}],
    "name": "A test",
    "phase": "0",
    "condition": {},
}


def features(*rules: dict[str, Any], name: str = "list") -> dict[str, Any]:
    return {"status": 200, "features": {name: {"defaultValue": {}, "rules": list(rules)}, "other": {"defaultValue": 1}}}


def test_an_experiment_of_growthbook() -> None:
    one = config("", features(RULE)).experiments["gb"]
    assert (one.seed, one.unit, one.fallback, one.sticky, one.sticky_field) == ("gb", "uid", None, False, "gb__0")
    assert one.dealt == ((0.0, 0.2), (0.4, 0.7))
    assert [(v.key, v.weight, v.ranking) for v in one.variations] == [("control", 0.4, None), ("b", 0.6, "cosine")]
    assert one.placements == ("default", "home", "cart")
    assert config("", features(RULE)["features"]).experiments["gb"] == one, "without the envelope"


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"seed": "s"}, "seed", "s"),
        ({"key": None}, "key", "list"),
        ({"hashAttribute": "anonymous_id"}, "unit", "aid"),
        ({"coverage": None}, "dealt", ((0.0, 0.4), (0.4, 1.0))),
        ({"weights": None, "coverage": 1}, "dealt", ((0.0, 0.5), (0.5, 1.0))),
        ({"weights": [0.4, 0.595], "coverage": 1}, "dealt", ((0.0, 0.4), (0.4, 0.995))),
        ({"ranges": [[0, 0.1], [0.5, 0.8]]}, "dealt", ((0.0, 0.1), (0.5, 0.8))),
        ({"namespace": ["n", 0.1, 0.2]}, "gates", (Filter("__n", ((0.1, 0.2),), 1),)),
        (
            {
                "filters": [{"seed": "n", "ranges": [[0, 0.2], [0.5, 1]], "attribute": "userId"}],
                "namespace": ["n", 0, 1],
            },
            "gates",
            (Filter("n", ((0.0, 0.2), (0.5, 1.0)), 2, "uid"),),
        ),
        ({"bucketVersion": 3}, "sticky_field", "gb__3"),
        ({"bucketVersion": 3, "minBucketVersion": 2}, "min_bucket_version", 2),
        ({"fallbackAttribute": "deviceId"}, "fallback", "aid"),
        ({"fallbackAttribute": "deviceId"}, "sticky", True),
        ({"fallbackAttribute": "deviceId", "disableStickyBucketing": True}, "fallback", None),
        ({"bucketVersion": 3, "disableStickyBucketing": True}, "sticky", False),
    ],
)
def test_what_a_rule_says(changes: dict[str, Any], field: str, value: Any) -> None:
    (one,) = config("", features({**RULE, **changes})).experiments.values()
    assert getattr(one, field) == value


def test_shares_of_explicit_ranges_are_known_to_the_analysis() -> None:
    one = config("", features({**RULE, "ranges": [[0, 0.1], [0.5, 0.8]]})).experiments["gb"]
    assert [round(v.weight, 9) for v in one.variations] == [0.25, 0.75]


def test_a_table_adds_what_growthbook_does_not_say() -> None:
    text = f'[experiments.gb]\nplacements = ["home"]\nmetric = "conversion"\nstart = 2026-11-01\n{E}{TWO}'
    found = config(text, features(RULE)).experiments
    assert list(found) == ["gb", "e"], "in the file's order; theirs that have no table come last"
    assert (found["gb"].placements, found["gb"].metric, found["gb"].coverage) == (("home",), "conversion", 0.5)
    dealt = [assign(found["gb"], Request(f"u{n}", None, "home", None, None, None, ms(2026, 11, 2))) for n in range(99)]
    assert 20 < sum(one is not None for one in dealt) < 80, "half of them, as GrowthBook's coverage says"
    assert assign(found["gb"], Request("u1", None, "home", None, None, None, ms(2026, 10, 31))) is None
    with pytest.raises(ConfigError, match=r"line 3: experiments.gb.coverage: is GrowthBook's to say"):
        config("[experiments.gb]\ncoverage = 1.0", features(RULE))


@pytest.mark.parametrize(
    "rule",
    [
        {"variations": ["a", "b"], "hashVersion": 1},
        {"variations": [{"colour": "red"}, {}]},
        {"variations": [{"ranking": "llr"}, "b"]},
        {"force": True},
        {},
    ],
)
def test_features_that_are_not_about_our_lists_are_left_alone(rule: dict[str, Any]) -> None:
    assert not config("", features(rule)).experiments


BROKEN: list[tuple[str, str, dict[str, Any]]] = [
    ("hashVersion", "must be 2", {"hashVersion": 1}),
    ("hashVersion", "must be 2", {"hashVersion": None}),
    ("hashAttribute", "must be one of id", {"hashAttribute": "company"}),
    ("condition", "cannot be judged", {"condition": {"country": "SE"}}),
    ("parentConditions", "cannot be judged", {"parentConditions": [{"id": "x"}]}),
    ("weights", "sum to 1", {"weights": [0.5, 0.4]}),
    ("weights", "sum to 1", {"weights": [1.0]}),
    ("weights", "number from 0 to 1", {"weights": [1.5, -0.5]}),
    ("coverage", "number from 0 to 1", {"coverage": 2}),
    ("ranges", "as many as", {"ranges": [[0, 1]]}),
    ("ranges", "pairs of numbers", {"ranges": [[0.5, 0.1], [0, 1]]}),
    ("namespace", "[name, from, to]", {"namespace": ["n", 0]}),
    ("filters[1]", "an object", {"filters": [3]}),
    ("filters[1].ranges", "pairs", {"filters": [{"seed": "a"}]}),
    ("filters[1].attribute", "must be one of", {"filters": [{"ranges": [[0, 1]], "attribute": "x"}]}),
    ("meta", "as many objects", {"meta": [{"key": "a"}]}),
    ("meta[1]", "1 to 256 bytes", {"meta": [{"key": 3}, {}]}),
    ("fallbackAttribute", "browser's id", {"fallbackAttribute": "id"}),
    ("key", "1 to 256 bytes", {"key": 3}),
    ("", "letters, digits", {"key": "a.b"}),
    ("variations[2].rankng", "did you mean 'ranking'?", {"variations": [{"ranking": "llr"}, {"rankng": "x"}]}),
    ("variations[2].ranking", "no ranking 'x'", {"variations": [{}, {"ranking": "x"}]}),
    ("variations[2].ranking", "must be text", {"variations": [{}, {"ranking": 3}]}),
    ("variations[2].key", "stands above", {"meta": [{"key": "a"}, {"key": "a"}]}),
    ("variations", "2 to 20", {"variations": [{"ranking": "llr"}], "meta": None, "weights": None}),
]


@pytest.mark.parametrize(("where", "why", "changes"), BROKEN)
def test_a_broken_rule_is_refused_with_the_name_of_its_feature(where: str, why: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        config("", features({**RULE, **changes}, name="the list"))
    assert (caught.value.line, caught.value.where) == (1, "growthbook.the list" + (f".{where}" if where else ""))
    assert why in caught.value.why


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "has no features"),
        (b'{"encryptedFeatures": "x", "features": {}}', "encrypted"),
        (b" " * 4_000_001, "larger than"),
        (json.dumps(features({"force": {"ranking": "llr"}}, RULE)).encode(), "a rule that is no experiment"),
        (json.dumps(features(RULE, RULE)).encode(), "another feature has experiment 'gb'"),
    ],
)
def test_a_features_file_that_makes_no_sense(content: bytes, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config("", content)
    assert caught.value.line == 1
    assert why in caught.value.why


def test_a_features_file_that_cannot_be_read() -> None:
    def gone(name: str) -> bytes:
        raise FileNotFoundError(2, "No such file or directory", name)

    with pytest.raises(ConfigError, match=r"line 1: growthbook: f.json cannot be read: No such file"):
        read('growthbook = "f.json"', FORMULAS, gone)
    with pytest.raises(ConfigError, match="other files are not read here"):
        read('growthbook = "f.json"', FORMULAS)


def test_the_version_is_of_both_files() -> None:
    other = {**RULE, "coverage": 0.6}
    assert config("", features(RULE)).version != config("", features(other)).version


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(0, 1) | st.sampled_from(["id", "n", "llr", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["key", "ranking", "seed"]), inner),
    max_leaves=6,
)


@given(
    st.dictionaries(st.sampled_from([*RULE, "ranges", "filters", "namespace", "bucketVersion", "seed"]), json_values)
)
def test_any_rule_is_an_experiment_or_refused(changes: dict[str, Any]) -> None:
    try:
        found = config("", features({**RULE, **changes})).experiments
    except ConfigError as error:
        assert error.where.startswith("growthbook")
    else:
        for one in found.values():
            assign(one, Request("u", "a", "home", None, None, None, 0))
