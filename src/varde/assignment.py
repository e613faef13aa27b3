"""Who gets which variation: a pure function of an experiment, a request and what the unit was dealt before.

The rules are GrowthBook's (docs/experiments.md says which, and where ours add to them), so a storefront that runs it
deals the same. Nothing here draws chance or reads a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from varde.bucketing import bucket, choose
from varde.experiments import Experiment, Experiments, UnitKind, Variation

NOT_FIXED: frozenset[str] = frozenset()
_tuple = tuple.__new__  # half the time of a NamedTuple's own


class Request(NamedTuple):
    """What assignment may look at.

    placement: name of the list. lang, currency, client: None or "" where not given. now: ms since the epoch.
    fixed: of "ranking" and "relation", the parameters that the request itself gives: a list whose ranking is said
    cannot differ by it.
    """

    uid: str | None
    aid: str | None
    placement: str
    lang: str | None
    currency: str | None
    client: str | None
    now: int
    fixed: frozenset[str] = NOT_FIXED


class Assignment(NamedTuple):
    """A variation and how it came about.

    index: place of the variation, 0 is the baseline. unit_kind and unit: the id that was dealt; "" where a stopped
    experiment gives its winner to somebody without one. bucket: of the unit, 0 to 0.9999. forced: a tester's. sticky:
    as it was dealt before.
    """

    experiment: Experiment
    variation: Variation
    index: int  # type: ignore[assignment] # hides the method of tuples, which nobody needs here
    unit_kind: UnitKind
    unit: str
    bucket: float
    forced: bool
    sticky: bool

    @property
    def counts(self) -> bool:
        """Whether there is anything to compare, so that the list is an exposure: not once a decision was taken."""
        return not self.experiment.stopped

    @property
    def to_remember(self) -> bool:
        """Whether the variation belongs into the unit's sticky document (`experiment.sticky_field` -> variation key).

        A sticky one does as well: it may come from the document of the fallback id.
        """
        return self.experiment.sticky and not self.forced and self.counts


def unit_of(experiment: Experiment, request: Request) -> tuple[UnitKind, str]:
    """The id that is dealt, and its kind; "" where the request has none."""
    own = request.uid if experiment.unit == "uid" else request.aid
    if not own and experiment.fallback == "aid" and request.aid:
        return "aid", request.aid
    return experiment.unit, own or ""


def assign(experiment: Experiment, request: Request, sticky: Mapping[str, str] | None = None) -> Assignment | None:
    """The variation of a request, None when it is not in the experiment.

    Args:
        experiment: one of the configuration.
        request: what is asked.
        sticky: "KEY__VERSION" -> variation key, of the sticky documents of uid and aid as `merged` gives them; looked
            at only where the experiment is sticky.
    """
    if not _about(experiment, request):
        return None
    kind, unit = unit_of(experiment, request)
    if experiment.stopped:
        index = experiment.indices[experiment.stopped] if _in_audience(experiment, request) else -1
        return _made(experiment, index, kind, unit)
    if not unit:
        return None
    tester = experiment.testers.get(unit)
    if tester is not None:
        return _made(experiment, tester, kind, unit, forced=True)
    if not experiment.runs(request.now) or not _in_audience(experiment, request):
        return None
    if experiment.sticky and sticky:
        if _blocked(experiment, sticky):
            return None
        index = experiment.indices.get(sticky.get(experiment.sticky_field, ""), -1)
        if index >= 0:
            return _made(experiment, index, kind, unit, sticky=True)
    return _dealt(experiment, request, kind, unit)


def _dealt(experiment: Experiment, request: Request, kind: UnitKind, unit: str) -> Assignment | None:
    for gate in experiment.gates:  # seldom any
        if not gate.passes({"": unit, "uid": request.uid, "aid": request.aid}[gate.unit] or ""):
            return None
    n = bucket(experiment.state, unit)
    index = choose(n, experiment.dealt)
    if index < 0:
        return None
    return _tuple(Assignment, (experiment, experiment.variations[index], index, kind, unit, n, False, False))


def _made(
    experiment: Experiment, index: int, kind: UnitKind, unit: str, *, forced: bool = False, sticky: bool = False
) -> Assignment | None:
    if index < 0:
        return None
    n = bucket(experiment.state, unit)
    return Assignment(experiment, experiment.variations[index], index, kind, unit, n, forced, sticky)


def _about(experiment: Experiment, request: Request) -> bool:
    """Whether the list could differ."""
    if request.placement not in experiment.placements:
        return False
    return not request.fixed or experiment.overrides.isdisjoint(request.fixed)


def _in_audience(experiment: Experiment, request: Request) -> bool:
    if experiment.open:
        return True
    return experiment.audience.takes(request.uid, request.lang, request.currency, request.client)


def _blocked(experiment: Experiment, sticky: Mapping[str, str]) -> bool:
    """Whether a sticky document knows a version below the lowest that counts."""
    start = f"{experiment.key}__"
    versions = (name.removeprefix(start) for name in sticky if name.startswith(start))
    return any(version.isdecimal() and int(version) < experiment.min_bucket_version for version in versions)


def merged(own: Mapping[str, str] | None, fallback: Mapping[str, str] | None) -> dict[str, str]:
    """One sticky document out of the unit's own and its fallback's: the own one counts where both say something."""
    return {**(fallback or {}), **(own or {})}


def first(experiments: Experiments, request: Request, sticky: Mapping[str, str] | None = None) -> Assignment | None:
    """The variation under the first experiment that takes this request: one experiment a list.

    Args:
        experiments: of the configuration; those that are stopped come after those that run.
        request: what is asked.
        sticky: as of `assign`.
    """
    for experiment in experiments.at(request.placement):
        found = assign(experiment, request, sticky)
        if found is not None:
            return found
    return None


def needs_sticky(experiments: Experiments, request: Request) -> bool:
    """Whether the sticky documents of this request's ids have to be read before `first`."""
    return any(
        one.sticky
        and not one.stopped
        and one.runs(request.now)
        and unit_of(one, request)[1] != ""
        and _about(one, request)
        for one in experiments.at(request.placement)
    )
