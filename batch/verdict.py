"""What a manager may conclude from an experiment, in one sentence. Pure.

The rule is the sequential interval of the decision metric: it holds at every look, so that a report may be read every
day. A sample ratio mismatch blocks every conclusion; guardrails never give one, but they qualify it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from .srm import ALARM
from .wording import interval, listed, p_is, percent

SEVERAL = 0.01
"""Part of units in several variations above which the report warns (GrowthBook's bound)."""
FEWEST_UNITS = 100
"""Units a variation below which nothing is said: the interval is an asymptotic one."""
FEWEST_EVENTS = 30
"""Units in which something happened, over both variations, below which nothing is said."""


class Kind(StrEnum):
    """What is concluded."""

    WINS = "wins"
    LOSES = "loses"
    NO_DIFFERENCE = "no_difference"
    TOO_EARLY = "too_early"
    UNDECIDED = "undecided"
    UNTRUSTED = "untrusted"
    PREFERRED = "preferred"


class Seen(NamedTuple):
    """A variation against the first one, on one outcome.

    outcome: in words. lift: relative to the first one's mean; low and high: its sequential interval. good: whether more
    is better. units: the fewer of the two variations. events: units of both in which something happened.
    """

    variation: str
    outcome: str
    lift: float
    low: float
    high: float
    good: bool = True
    units: int = FEWEST_UNITS
    events: int = FEWEST_EVENTS

    @property
    def better(self) -> bool:
        """The interval is on the good side of nothing."""
        return self.enough and (self.low > 0 if self.good else self.high < 0)

    @property
    def worse(self) -> bool:
        """The interval is on the bad side of nothing."""
        return self.enough and (self.high < 0 if self.good else self.low > 0)

    @property
    def enough(self) -> bool:
        """There is so much that the interval means something."""
        known = all(map(math.isfinite, (self.lift, self.low, self.high)))
        return known and self.units >= FEWEST_UNITS and self.events >= FEWEST_EVENTS


class Facts(NamedTuple):
    """What a verdict is made of.

    baseline: the first variation. seen: the others, on the decision metric. harms: guardrails that are worse in one of
    them, by their one-sided intervals. units: of each variation, analysed. shares: what the weights say. srm_p: None
    where there is nothing to compare. several: part of the units in several variations. over: nothing more will come.
    worth: the smallest lift that matters, None when nobody said so. needed: what is still to come, in words.
    """

    baseline: str
    seen: Sequence[Seen]
    harms: Sequence[Seen] = ()
    units: Sequence[int] = ()
    shares: Sequence[float] = ()
    srm_p: float | None = None
    several: float = 0.0
    over: bool = False
    worth: float | None = None
    needed: str = ""


class Verdict(NamedTuple):
    """kind; sentence: for people; variation: which is meant, if one is; warnings: what makes it weaker; harmed: whether
    a guardrail is named in the sentence."""

    kind: Kind
    sentence: str
    variation: str | None = None
    warnings: tuple[str, ...] = ()
    harmed: bool = False


def judge(facts: Facts) -> Verdict:
    """The verdict on an A/B experiment."""
    found = _judged(facts)
    if facts.several > SEVERAL:
        warning = f"{percent(facts.several, signed=False)} % of the units saw several variations and are left out"
        found = found._replace(warnings=(*found.warnings, warning))
    return found


def _judged(facts: Facts) -> Verdict:
    if facts.srm_p is not None and not facts.srm_p >= ALARM:
        return Verdict(Kind.UNTRUSTED, f"do not trust: sample ratio mismatch ({p_is(facts.srm_p)}){_how(facts)}")
    if not any(facts.units):
        return _open(facts, "no unit has been seen", "")
    winners = sorted((one for one in facts.seen if one.better), key=lambda one: -abs(one.lift))
    if winners:
        return _won(facts, winners)
    if facts.seen and all(one.worse for one in facts.seen):
        said = listed([_figures(one) for one in facts.seen])
        which = listed([one.variation for one in facts.seen])
        also = f", and {_falls(facts.harms)}" if facts.harms else ""
        verb = "loses" if len(facts.seen) == 1 else "lose"
        only = facts.seen[0].variation if len(facts.seen) == 1 else facts.baseline
        return Verdict(
            Kind.LOSES, f"{which} {verb}{also}: {said}; keep {facts.baseline}", only, harmed=bool(facts.harms)
        )
    if facts.worth is not None and facts.seen and all(_negligible(one, facts.worth) for one in facts.seen):
        said = listed([_figures(one) for one in facts.seen])
        worth = percent(facts.worth, signed=False)
        sentence = f"no difference worth having{_but(facts.harms)}: {said}, within the {worth} % that would matter"
        return Verdict(Kind.NO_DIFFERENCE, sentence, harmed=bool(facts.harms))
    losing = [one.variation for one in facts.seen if one.worse]
    also = f"; {listed(losing)} already {'loses' if len(losing) == 1 else 'lose'}" if losing else ""
    return _open(facts, listed([_named(one, facts) for one in facts.seen]), also)


def _open(facts: Facts, said: str, also: str) -> Verdict:
    harmed = f"; {_falls(facts.harms)}" if facts.harms else ""
    if facts.over:
        return Verdict(
            Kind.UNDECIDED, f"no decision: it ended before there was one ({said}{also}{harmed})", None, (), bool(harmed)
        )
    needed = f"; {facts.needed}" if facts.needed else ""
    return Verdict(Kind.TOO_EARLY, f"too early: {said}{also}{harmed}{needed}", None, (), bool(harmed))


def _won(facts: Facts, winners: Sequence[Seen]) -> Verdict:
    best = winners[0]
    harms = [one for one in facts.harms if one.variation == best.variation]
    but = _but(harms)
    sentence = f"{best.variation} wins{but}: {_figures(best)}"
    if facts.worth is not None and abs(best.lift) < facts.worth:
        sentence += f", less than the {percent(facts.worth, signed=False)} % that would matter"
    if len(winners) > 1:
        others = listed([f"{one.variation} ({_figures(one)})" for one in winners[1:]])
        sentence += (
            f"; {others} also beat{'s' if len(winners) == 2 else ''} {facts.baseline}, which does not tell them apart"
        )
    return Verdict(Kind.WINS, sentence, best.variation, harmed=bool(harms))


def _figures(one: Seen) -> str:
    return f"{percent(one.lift)} % {one.outcome}, interval {interval(one.low, one.high)}"


def _named(one: Seen, facts: Facts) -> str:
    """The figures of a variation, with its name where there are several; nothing where they mean nothing yet."""
    who = f"{one.variation} " if len(facts.seen) > 1 else ""
    if not one.enough:
        return f"{who}has too few units or events" if who else "too few units or events to compare"
    return who + _figures(one)


def _negligible(one: Seen, worth: float) -> bool:
    return one.enough and -worth < one.low <= 0 <= one.high < worth


def _but(harms: Sequence[Seen]) -> str:
    return f", but {_falls(harms)}" if harms else ""


def _falls(harms: Sequence[Seen]) -> str:
    several = len({one.variation for one in harms}) > 1
    return listed(
        [
            f"{one.outcome} {'falls' if one.good else 'rises'}{f' in {one.variation}' if several else ''} "
            f"({percent(one.lift)} %)"
            for one in harms
        ]
    )


def _how(facts: Facts) -> str:
    """What came, and what should have."""
    if not facts.shares:
        return ""
    total = sum(facts.shares)
    came = listed([f"{n:,}" for n in facts.units])
    asked = listed([f"{100 * share / total:.4g}" for share in facts.shares])
    return f": {came} units came where the weights say {asked} %"
