"""The configuration file: what is read, what is refused and on which line; the page and the example say the same."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.cards import Cards
from varde.clients import Access, Client
from varde.collecting import Collector
from varde.config import TABLES, Config, ConfigError, Ranking, read
from varde.config_example import example
from varde.experiments import Audience, Experiment, Variation
from varde.mail_formats import Format
from varde.mailing import Email, Feed, Short
from varde.pairs import Relation
from varde.placements import Boost, Placement, Price
from varde.ranking import Formula
from varde.tables import keys

DOCS = Path(__file__).parents[2] / "docs"
FORMULAS = ("llr", "cosine", "count", "llr^0.5")
DIGEST = "sha256:" + hashlib.sha256(b"a key").hexdigest()
OTHER = "sha256:" + hashlib.sha256(b"another key").hexdigest()


def placement(body: str) -> Placement:
    return read(f"[placements.home]\n{body}", FORMULAS).placements["home"]


def test_nothing_gives_the_defaults() -> None:
    config = read("", FORMULAS)
    assert list(config.rankings) == list(FORMULAS)
    assert config.rankings["llr^0.5"] == Ranking(name="llr^0.5", formula=Formula("llr", discount=0.5))
    assert config.placements == {"default": Placement(name="default", ranking="llr", static=())}
    assert (config.clients.all, config.access, config.static) == ((), Access(), ())
    assert config.access.public == {"read"}
    assert config.access.origins == ("*",)


def test_what_a_placement_is_by_default() -> None:
    got = Placement(name="x")
    assert (got.source, got.relation, got.n, got.max_per_brand, got.max_age) == ("similar", 0, 10, 0, 0)
    assert (got.in_stock, got.group_variants, got.exclude_in_cart) == (True, True, True)
    assert (got.exclude_bought, got.fill, got.unlisted) == (False, False, "hide")


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        ('source = "trending"', "source", "trending"),
        ('relation = "viewed_bought"', "relation", Relation.VIEWED_BOUGHT),
        ('ranking = "llr^0.5"', "ranking", "llr^0.5"),
        ("n = 100", "n", 100),
        ("in_stock = false", "in_stock", False),
        ('exclude = ["b", "a", "b"]', "exclude", {"a", "b"}),
        ('category = "same"', "category", "same"),
        ("min_price = 100", "min_price", Price(100)),
        ('min_price = "99.50"', "min_price", Price(99.5)),
        ('max_price = "150%"', "max_price", Price(1.5, relative=True)),
        ('must_include = ["b", "a", "b"]', "must_include", ("b", "a")),
        (
            'boost = [{brand = "B", factor = 2}, {item = "i", factor = 0.5}]',
            "boost",
            (Boost("brand", "B", 2.0), Boost("item", "i", 0.5)),
        ),
        ('static = ["x"]', "static", ("x",)),
        ("max_age = 86400", "max_age", 86_400),
        ('unlisted = "show"', "unlisted", "show"),
    ],
)
def test_what_a_placement_says(body: str, field: str, value: Any) -> None:
    assert getattr(placement(body), field) == value


def test_static_falls_back_to_that_of_the_file() -> None:
    config = read('static = ["x", "y"]\n[placements.a]\n[placements.b]\nstatic = []', FORMULAS)
    assert {name: one.static for name, one in config.placements.items()} == {
        "default": ("x", "y"),
        "a": ("x", "y"),
        "b": (),
    }


def test_rankings_by_name_and_by_their_own_text() -> None:
    text = (
        '[rankings.rare]\nformula = "llr^0.5"\nfloor = 5\n[rankings.llr]\nfloor = 9\n[placements.a]\nranking = "rare"'
    )
    config = read(text, FORMULAS)
    assert config.rankings["rare"] == Ranking(name="rare", formula=Formula("llr", discount=0.5), floor=5)
    assert config.rankings["llr"] == Ranking(name="llr", formula=Formula("llr"), floor=9)
    assert config.rankings["count"].floor is None
    assert config.placements["a"].ranking == "rare"
    assert config.placements["default"].ranking == "llr"


def test_a_price_of_the_seed() -> None:
    assert Price(100).of(None) == 100
    assert Price(0.5, relative=True).of(30) == 15
    assert Price(0.5, relative=True).of(None) is None


def test_clients_are_found_by_any_of_their_keys() -> None:
    text = f'[[clients]]\nname = "shop"\nkeys = ["{DIGEST}", "{OTHER}"]\nrate = 2.5\n[[clients]]\nname = "none"\n'
    text += f'keys = ["sha256:{"0" * 64}"]\nscopes = ["erase"]\nrate = 10\nburst = 50'
    clients = read(text, FORMULAS).clients
    for key in (b"a key", b"another key"):
        found = clients.of(key)
        assert found is not None
        assert found.scopes == {"read"}
        assert (found.name, found.rate, found.burst) == ("shop", 2.5, 3)
    assert clients.of(b"a") is clients.of(b"") is None
    assert clients.all[1].burst == 50
    assert hashlib.sha256(b"a key").hexdigest() not in repr(clients)
    assert repr(hashlib.sha256(b"a key").digest()) not in repr(clients)


REFUSED = [
    (1, "placement", "did you mean 'placements'?", "[placement.home]"),
    (1, "exploits", "no such key", "[exploits.x]"),
    (3, "placements.home.excludes", "did you mean 'exclude'?", "[placements.home]\nn = 1\nexcludes = ['a']"),
    (2, "placements.home.n", "from 1 to 100", "[placements.home]\nn = 0"),
    (2, "placements.home.n", "from 1 to 100", "[placements.home]\nn = 101"),
    (2, "placements.home.n", "whole number", "[placements.home]\nn = true"),
    (2, "placements.home.n", "whole number", "[placements.home]\nn = 1.0"),
    (2, "placements.home.fill", "true or false", "[placements.home]\nfill = 1"),
    (2, "placements.home.source", "must be similar, recommendations", "[placements.home]\nsource = 'similiar'"),
    (2, "placements.home.relation", "also_viewed", "[placements.home]\nrelation = ['also_viewed']"),
    (2, "placements.home.ranking", "no ranking 'jaccard'", "[placements.home]\nranking = 'jaccard'"),
    (2, "placements.home.min_price", "a price", "[placements.home]\nmin_price = -1"),
    (2, "placements.home.min_price", "a price", "[placements.home]\nmin_price = nan"),
    (2, "placements.home.min_price", "a price", "[placements.home]\nmin_price = '%'"),
    (3, "placements.home.max_price", "less than min_price", "[placements.home]\nmin_price = 2\nmax_price = 1"),
    (3, "placements.home.must_include", "n is 1", "[placements.home]\nn = 1\nmust_include = ['a', 'b']"),
    (3, "placements.home.must_include", "excluded", "[placements.home]\nexclude = ['a']\nmust_include = ['a']"),
    (2, "placements.home.exclude[2]", "1 to 256 bytes", "[placements.home]\nexclude = [\n'a',\n''\n]"),
    (2, "placements.home.exclude", "must be a list", "[placements.home]\nexclude = 'a'"),
    (2, "placements.home.boost[1]", "factor", "[placements.home]\nboost = [{item = 'a', factor = 0}]"),
    (2, "placements.home.boost[1]", "a table of item", "[placements.home]\nboost = [{item='a', brand='b', factor=1}]"),
    (
        5,
        "placements.home.boost[2]",
        "factor",
        "[[placements.home.boost]]\nitem='a'\nfactor=2\n\n[[placements.home.boost]]\nitem='b'\nfactor=inf",
    ),
    (1, "placements.a b", "letters, digits", '[placements."a b"]'),
    (1, "placements.home", "must be a table", "placements.home = 3"),
    (1, "placements", "tables such as", "placements = 3"),
    (1, "static[1]", "1 to 256 bytes", "static = [3]"),
    (2, "rankings.r.floor", "from 1 to 1,000", "[rankings.r]\nfloor = 0\nformula = 'llr'"),
    (1, "rankings.r", "no formula", "[rankings.r]"),
    (2, "rankings.r.formula", "only cosine has a shrinkage", "[rankings.r]\nformula = 'llr@3'"),
    (2, "rankings.r.formula", "unknown ranking 'lift'", "[rankings.r]\nformula = 'lift'"),
    (2, "rankings.r.formula", "not in VARDE_RANKINGS", "[rankings.r]\nformula = 'jaccard'"),
    (2, "rankings.llr.formula", "another formula", "[rankings.llr]\nformula = 'count'"),
    (1, "rankings.jaccard.formula", "not in VARDE_RANKINGS", "[rankings.jaccard]\nfloor = 3"),
    (1, "clients", "[[clients]]", "clients = 1"),
    (1, "clients[1].name", "letters, digits", "[[clients]]"),
    (1, "clients[1].keys", "no key", "[[clients]]\nname = 'a'"),
    (3, "clients[1].keys[1]", "sha256: and", "[[clients]]\nname = 'a'\nkeys = ['hunter2']"),
    (5, "clients[2].name", "stands above", f"[[clients]]\nname = 'a'\nkeys = ['{DIGEST}']\n[[clients]]\nname = 'a'"),
    (
        6,
        "clients[2].keys",
        "a client above",
        f"[[clients]]\nname = 'a'\nkeys = ['{DIGEST}']\n[[clients]]\nname = 'b'\nkeys = ['{DIGEST}']",
    ),
    (4, "clients[1].burst", "without a rate", f"[[clients]]\nname = 'a'\nkeys = ['{DIGEST}']\nburst = 2"),
    (2, "access.public[1]", "read or explain", "[access]\npublic = ['erase']"),
    (2, "access.origins[1]", "an origin", "[access]\norigins = ['https://shop.example/']"),
    (2, "access.origins[1]", "an origin", "[access]\norigins = ['https://Shop.example']"),
    (2, "access.origins[1]", "an origin", "[access]\norigins = ['shop.example']"),
    (2, "access.origins[1]", "an origin", "[access]\norigins = ['https://a.example:x']"),
    (3, "", "Cannot overwrite", "[placements.home]\nn = 3\nn = 4"),
    (1, "", "Expected", "[placements.home\n"),
    (3, "", "", "static = [\n1,\n"),
    (None, "", "too long", "x = " + "9" * 6000),
    (None, "", "nested too deeply", "x = " + "[" * 6000),
]


@pytest.mark.parametrize(("line", "where", "why", "text"), REFUSED)
def test_what_is_refused_and_where(line: int | None, where: str, why: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, FORMULAS)
    error = caught.value
    assert (error.line, error.where) == (line, where)
    assert why in error.why
    assert "hunter2" not in str(error)
    assert "\n" not in str(error)
    if line and where:
        assert str(error) == f"line {line}: {where}: {error.why}"


KINDS = (Placement, Client, Access, Ranking, Experiment, Variation, Email, Short, Format, Feed, Cards, Collector)
words = st.sampled_from([*TABLES, *(f.name for kind in (*KINDS, Audience) for f in keys(kind)), "llr", "home", "x"])
leaves = st.one_of(
    words.map(repr), st.integers(-5, 200).map(str), st.booleans().map(lambda b: str(b).lower()), st.just("'50%'")
)
toml_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda many: f"[\n{', '.join(many)}]")
        | st.tuples(words, inner).map(lambda one: f"{{{one[0]} = {one[1]}}}")
    ),
    max_leaves=4,
)
statements = st.one_of(
    st.tuples(words, toml_values).map(lambda one: f"{one[0]} = {one[1]}"),
    st.tuples(words, words).map(lambda one: f"[{one[0]}.{one[1]}]"),
    words.map(lambda word: f"[[{word}]]"),
    st.just("# n = 1"),
    st.text(max_size=20),
)


@given(st.lists(statements, max_size=8).map("\n".join))
def test_any_text_gives_a_configuration_or_an_error_with_its_place(text: str) -> None:
    try:
        config = read(text, FORMULAS)
    except ConfigError as error:
        assert error.why
        assert error.line is None or 1 <= error.line <= text.count("\n") + 1
        assert error.line is not None or not error.where
    else:
        assert "default" in config.placements
        assert all(one.ranking in config.rankings for one in config.placements.values())


@given(
    st.integers(0, 30), st.sampled_from(["", "static = [\n'a',\n'b' # ]\n]\n", "# '''\n", 'static = ["""\n\n"""]\n'])
)
def test_the_line_is_that_of_the_key(blank: int, before: str) -> None:
    text = before + "[placements.home]\nn = 3\n" + "\n" * blank + "[placements.other] # n = 0\nmax_age = 1\nn = 0\n"
    with pytest.raises(ConfigError) as caught:
        read(text, FORMULAS)
    assert caught.value.line == text[: text.rindex("n = 0")].count("\n") + 1


def test_a_long_list_is_located_soon() -> None:
    """Finding the end of a value by the parser must not take a try for every line of it."""
    many = "\n".join(f'"item-{n}",' for n in range(9_000))
    with pytest.raises(ConfigError) as caught:
        read(f"[placements.home]\nexclude = [\n{many}\n]\nn = 0", FORMULAS)
    assert caught.value.line == 9_004


def test_versions_differ_with_the_text() -> None:
    assert read("", FORMULAS).version == read("", FORMULAS).version != read("#", FORMULAS).version


def test_the_example_is_up_to_date_and_is_read() -> None:
    text = (DOCS / "varde.example.toml").read_text()
    assert text == example()
    config: Config = read(text, FORMULAS)
    assert config.rankings["careful"].floor == 5
    assert config.clients.all[0].name == "storefront"
    assert list(config.experiments["cosine"].indices) == ["control", "cosine"]
    assert config.placements["default"] != Placement(name="default", ranking="llr", static=())


def shown(value: Any) -> str:
    if value is None or value in ("", Audience()):
        return ""
    if isinstance(value, Relation):
        value = value.label
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (tuple, frozenset)):
        ordered = sorted(value) if isinstance(value, frozenset) else value
        return "`[" + ", ".join(f'"{one}"' for one in ordered) + "]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value:g}`"


PAGE = (DOCS / "configuration.md").read_text()
SECTIONS = dict(re.findall(r"^##+ (\w+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("rankings", Ranking),
        ("placements", Placement),
        ("access", Access),
        ("clients", Client),
        ("experiments", Experiment),
        ("variations", Variation),
        ("audience", Audience),
        ("email", Email),
        ("shortages", Short),
        ("formats", Format),
        ("feeds", Feed),
        ("cards", Cards),
        ("collector", Collector),
    ],
)
def test_the_page_and_the_keys_are_the_same(section: str, kind: type[Any]) -> None:
    table = SECTIONS[section].split("| key | default | meaning |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \|(.*?)\| (.*) \|$", table, re.MULTILINE)
    assert [(name, default.strip(), meaning) for name, default, meaning in rows] == [
        (f.name, shown(f.default), f.metadata["help"]) for f in keys(kind)
    ]


def test_the_page_has_a_section_for_each_table() -> None:
    assert set(SECTIONS) == {*TABLES, "variations", "audience", "shortages", "formats"} - {"static", "growthbook"}
    for name in ("static", "growthbook"):
        assert f"`{name}`" in PAGE.split("\n## ")[0]
