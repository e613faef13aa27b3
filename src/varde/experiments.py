"""Experiments: what is compared, who takes part, and what decides. Values and their keys in the configuration file.

`experiment_file` reads and checks them; `assignment` deals. docs/experiments.md explains, docs/configuration.md has
every key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from varde import bucketing, currencies, tables
from varde.bucketing import Filter, Namespace, Ranges
from varde.outcomes import DECIDING, OUTCOMES
from varde.pairs import Relation
from varde.placements import relation

UnitKind = Literal["uid", "aid"]
CUSTOMERS = ("all", "known", "anonymous")
MODES = ("ab", "team_draft")
MOST_VARIATIONS = 20
MOST_VERSION = 1_000_000


def _many(read: tables.Reader, what: str) -> tables.Reader:
    """A list of one or more: an empty one would leave everybody out, which is hardly meant."""
    read_all = tables.each(read, 1000)

    def some(value: Any) -> tuple[Any, ...]:
        got = read_all(value)
        if not got:
            msg = f"must have at least one {what}; leave it out for all"
            raise ValueError(msg)
        return got

    return some


def namespace(value: Any) -> Namespace:
    """`{ name = "pdp", from = 0.0, to = 0.5 }`."""
    tables.check_keys(value, ("name", "from", "to"), ())
    if "name" not in value:
        msg = "has no name"
        raise ValueError(msg)
    share = tables.number(0, 1)
    low, high = (tables.at((end,), share, value.get(end, whole)) for end, whole in (("from", 0), ("to", 1)))
    if low >= high:
        msg = f"is empty: from {low:g} to {high:g}"
        raise ValueError(msg)
    return Namespace(tables.at(("name",), tables.text, value["name"]), low, high)


def _outcome(*known: str) -> tables.Reader:
    """The name of a metric."""

    def read(value: Any) -> str:
        if value not in known:
            near = difflib.get_close_matches(str(value), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            msg = f"no such metric{' that decides' if value in OUTCOMES else ''}; {hint}"
            raise ValueError(msg)
        return str(value)

    return read


def _stopped(value: Any) -> str:
    """The key of a variation, or nothing: a file may say that an experiment is not stopped."""
    return "" if value == "" else tables.text(value)


_version = tables.whole(0, MOST_VERSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Which requests may be in an experiment. Empty: whatever it is."""

    customers: str = tables.key(
        "all", "`all`, `known` (a `uid` is given) or `anonymous` (none is).", tables.one_of(*CUSTOMERS), '"known"'
    )
    languages: tuple[str, ...] = tables.key(
        (), 'Languages of requests: `"sv"` is also `sv-SE`.', _many(tables.text, "language"), '["sv"]'
    )
    currencies: tuple[str, ...] = tables.key((), "Currencies of requests.", _many(tables.text, "currency"), '["SEK"]')
    clients: tuple[str, ...] = tables.key(
        (), "Names of `[[clients]]` of the file.", _many(tables.text, "client"), '["storefront"]'
    )

    def takes(self, uid: str | None, lang: str | None, currency: str | None, client: str | None) -> bool:
        """Whether a request is of this audience."""
        if self.customers != "all" and bool(uid) != (self.customers == "known"):
            return False
        if self.currencies and currency not in self.currencies:
            return False
        if self.clients and client not in self.clients:
            return False
        return not self.languages or any(_speaks(lang or "", one) for one in self.languages)


def _speaks(tag: str, wanted: str) -> bool:
    """Basic filtering of RFC 4647: `sv` takes `sv` and `sv-SE`."""
    return f"{tag.lower()}-".startswith(f"{wanted.lower()}-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """One way to make the list. What it does not override is as the placement says; nothing at all: a control."""

    key: str = tables.key("", "Its name; 1 to 64 letters, digits, `_`, `-`.", tables.text, '"cosine"')
    weight: float = tables.key(
        0.0, "Its share of the units; all variations have one, or none.", tables.number(0, 1), "0.5"
    )
    ranking: str | None = tables.key(None, "Another ranking.", tables.text, '"careful"')
    relation: Relation | None = tables.key(None, "Other pairs.", relation, '"also_bought"')
    placement: str | None = tables.key(
        None,
        "The rules of another placement of the file; `ranking` and `relation` go before its own.",
        tables.text,
        '"default"',
    )
    forced: tuple[str, ...] = tables.key(
        (), "Ids of testers who always get it; not analysed.", tables.each(tables.text), '["tester-17"]'
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A comparison. Times are ms since the epoch, None: no bound. The first variation is the baseline.

    `experiment_file` fills in what a table leaves out: seed, placements (all of the file) and weights. ranges and
    filters: given by another tool, which has made them from weights, coverage and namespaces of its own.
    """

    key: str
    unit: UnitKind = tables.key(
        "aid",
        "What is dealt a variation: `uid` (a known customer) or `aid` (a browser).",
        tables.one_of("uid", "aid"),
        '"uid"',
    )
    fallback: UnitKind | None = tables.key(
        None,
        'With `unit = "uid"`: `"aid"` deals by the browser where no `uid` is given; default: not in the experiment.',
        tables.one_of("aid"),
        '"aid"',
    )
    sticky: bool = tables.key(
        False, "Keep the variation that a unit, or its fallback, was first dealt.", tables.flag, "true"
    )
    bucket_version: int = tables.key(
        1, "Raise it to forget what was dealt: sticky variations of other versions do not count.", _version, "1"
    )
    min_bucket_version: int = tables.key(
        0, "Units with a sticky variation of a lower version are not in the experiment any more.", _version, "0"
    )
    placements: tuple[str, ...] = tables.key(
        (),
        "Lists that it is about; default: all placements of the file.",
        _many(tables.text, "placement"),
        '["default"]',
    )
    audience: Audience = tables.key(
        Audience(), "Which requests.", tables.table_of(Audience), '{ languages = ["sv"], clients = ["storefront"] }'
    )
    coverage: float = tables.key(1.0, "Share of the units that takes part.", tables.number(0, 1), "0.8")
    namespace: Namespace | None = tables.key(
        None,
        "A group of experiments that exclude each other, and this one's part of it.",
        namespace,
        '{ name = "product-page", from = 0.0, to = 0.5 }',
    )
    seed: str = tables.key(
        "", "What is hashed with the unit; default: the experiment's name.", tables.text, '"cosine-1"'
    )
    start: int | None = tables.key(None, "First moment; a date is its midnight in UTC.", tables.instant, "2026-11-01")
    end: int | None = tables.key(
        None, "The moment from which on nobody is in it.", tables.instant, "2026-11-29T08:00:00+01:00"
    )
    mode: str = tables.key(
        "ab", "`ab`, or `team_draft`: two rankings interleaved in one list.", tables.one_of(*MODES), '"ab"'
    )
    variations: tuple[Variation, ...] = tables.key(
        (), "Two or more tables; the first is the baseline.", tables.tables_of(Variation, 2, MOST_VARIATIONS), ""
    )
    metric: str = tables.key("clicks_per_unit", "What decides.", _outcome(*DECIDING), '"clicks_per_unit"')
    guardrails: tuple[str, ...] = tables.key(
        ("revenue_per_unit", "fallback_share"),
        "Metrics that must not get worse.",
        tables.each(_outcome(*OUTCOMES)),
        '["revenue_per_unit", "fallback_share"]',
    )
    window_minutes: int = tables.key(
        30, "What a unit is shown within a window of this length is one exposure.", tables.whole(1, 1440), "30"
    )
    attribution_days: int = tables.key(
        7, "Days after the first exposure in which clicks and orders count.", tables.whole(1, 90), "7"
    )
    planned_units: int = tables.key(
        5000,
        "Units at which a decision is expected; the interval is narrowest there.",
        tables.whole(10, 10**9),
        "40000",
    )
    winsorize: float = tables.key(
        0.99, "Quantile at which the revenue of a unit is capped; 1: not at all.", tables.number(0.5, 1), "0.99"
    )
    currency: str = tables.key(
        "",
        "Currency that revenue is in; orders in others count without their revenue. Default: that of most orders.",
        currencies.code,
        '"SEK"',
    )
    rates: currencies.Rates = tables.key(
        (),
        "What one of another currency is worth in `currency`: its orders are converted.",
        currencies.rates,
        "{ EUR = 11.2 }",
    )
    emit_experiment_viewed: bool = tables.key(
        False, 'Send "Experiment Viewed" to the topic of messages, too.', tables.flag, "true"
    )
    stopped: str = tables.key(
        "", "A variation that everybody gets from now on, without exposures.", _stopped, '"cosine"'
    )
    ranges: Ranges = ()
    filters: tuple[Filter, ...] = ()
    overrides: frozenset[str] = frozenset()
    """Of "ranking" and "relation": what some variation sets otherwise than the placement."""
    state: int = field(init=False, repr=False, compare=False)
    """`bucketing.fnv` of the seed."""
    dealt: Ranges = field(init=False, repr=False, compare=False)
    """The ranges in force."""
    gates: tuple[Filter, ...] = field(init=False, repr=False, compare=False)
    """The filters in force."""
    testers: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """Index of the variation that an id is forced into."""
    indices: Mapping[str, int] = field(init=False, repr=False, compare=False)
    """Index of a variation by its key."""
    open: bool = field(init=False, repr=False, compare=False)
    """Whether its audience is everybody."""
    sticky_field: str = field(init=False, repr=False, compare=False)
    """GrowthBook's name of a sticky variation: KEY__BUCKETVERSION."""

    def __post_init__(self) -> None:
        weights = [one.weight for one in self.variations]
        gate = (bucketing.namespace_filter(self.namespace),) if self.namespace else ()
        made: dict[str, Any] = {
            "state": bucketing.fnv(self.seed or self.key),
            "dealt": self.ranges or (bucketing.ranges(weights, self.coverage) if weights else ()),
            "gates": self.filters or gate,
            "testers": {tester: index for index, one in enumerate(self.variations) for tester in one.forced},
            "indices": {one.key: index for index, one in enumerate(self.variations)},
            "open": self.audience == Audience(),
            "sticky_field": f"{self.key}__{self.bucket_version}",
        }
        for name, value in made.items():
            object.__setattr__(self, name, value)

    def runs(self, now: int) -> bool:
        """Whether a moment, ms since the epoch, is between start and end."""
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)


class Experiments(Mapping[str, Experiment]):
    """All experiments by key, in the file's order, and which of them are about a placement."""

    __slots__ = ("_all", "_at", "some_sticky")

    def __init__(self, experiments: Iterable[Experiment] = ()) -> None:
        self._all = {one.key: one for one in experiments}
        at: dict[str, list[Experiment]] = {}
        # A stopped one takes everybody: those that still compare something go first.
        for one in sorted(self._all.values(), key=lambda one: bool(one.stopped)):
            for placement in one.placements:
                at.setdefault(placement, []).append(one)
        self._at = {placement: tuple(many) for placement, many in at.items()}
        self.some_sticky = any(one.sticky for one in self._all.values())
        """Whether any has to know what a unit was dealt before."""

    def at(self, placement: str) -> tuple[Experiment, ...]:
        """Those about a placement, in the order in which they are tried."""
        return self._at.get(placement, ())

    def __getitem__(self, key: str) -> Experiment:
        return self._all[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return f"Experiments({list(self._all.values())!r})"
