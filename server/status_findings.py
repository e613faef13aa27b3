"""What is not well, in words, with what to do: the rules of the alerts as far as one server can know. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from varde import progress
from varde.store.vitals import Vitals

from .status_limits import BURN, LIMITS, LONG_S, OBJECTIVES, PAGE, SHORT_S, TICKET, Limit, runbook
from .status_readings import (
    EMPTY,
    EXPOSED,
    FAILED,
    FALLBACKS,
    FAULTS,
    FRESH,
    LISTS,
    REQUESTS,
    STALE,
    STUCK,
    later,
    slower,
)
from .status_ring import Ring, Window
from .status_seen import UNDER_WAY, Seen

REJECTED, CATALOGUE_REJECTED = "rejected:", "catalogue_rejected:"
ENOUGH_S = 240.0
"""Shares are judged from so many known seconds on."""


class Finding(NamedTuple):
    """Something that is not well: the alert that there would be, what is so, and what to do first."""

    alert: str
    severity: str
    text: str
    remedy: str

    @property
    def runbook(self) -> str:
        """Where there is more."""
        return runbook(self.alert)


def findings(seen: Seen, now: float, now_ms: int) -> list[Finding]:
    """All of this moment, those that page first.

    Args:
        seen: by this process.
        now: seconds, on the clock of the record.
        now_ms: since the epoch.
    """
    found = [
        *_redis(seen, now_ms),
        *_stream(seen.stream, now),
        *_objectives(seen, now),
        *_lists(seen, now),
        *_experiments(seen, now),
        *(_memory(seen.vitals) if seen.vitals else ()),
        *(_nights(seen.vitals, now_ms) if seen.vitals else ()),
    ]
    return sorted(found, key=lambda one: one.severity != PAGE)


def _limit(alert: str, severity: str) -> Limit:
    return LIMITS[alert, severity]


def _long(window: Window) -> Window:
    """Itself, if enough of it is known to judge shares by: the first requests after a start are no sample."""
    return window if window.seconds >= ENOUGH_S else Window()


def _part(share: float) -> str:
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.2g} %"


def _clock(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%H:%M:%S} UTC"


def _reasons(n: int) -> str:
    return "one reason" if n == 1 else f"{n} reasons"


def _days(seconds: float) -> str:
    return f"{seconds / 86_400:.1f} days" if seconds >= 2 * 86_400 else f"{seconds / 3600:.0f} hours"


def _redis(seen: Seen, now_ms: int) -> Iterator[Finding]:
    if seen.away_since is not None:
        text = f"Redis away since {_clock(seen.away_since)}. Lists come from memory; nothing is counted."
        yield Finding("RedisDown", PAGE, text, "See whether Redis runs and the network lets this server reach it.")
    open_ = sum(seen.levels("varde_circuit_open"))
    if open_ and seen.away_since is None:
        text = f"{open_:.0f} of {seen.processes} processes do not ask Redis: it failed them several times in a row."
        yield Finding("RedisCircuitOpen", TICKET, text, "Look at Redis' latency and its slow log.")
    old = max(seen.levels("varde_memory_age_seconds", "warmth"), default=0.0)
    if old > _limit("ServerMemoryOld", TICKET).bound:
        text = f"A part of the server's memory was last compared with Redis {old / 60:.0f} minutes ago."
        yield Finding("ServerMemoryOld", TICKET, text, "Read the server's standard error; start it anew.")
    if any(seen.levels("varde_config_error")):
        text = "The configuration file makes no sense; the last good one is in force."
        yield Finding(
            "ConfigurationRefused", TICKET, text, "The server's standard error names the line; mend the file."
        )


def _memory(vitals: Vitals) -> Iterator[Finding]:
    for node, memory in sorted(vitals.memory.items()):
        name = "Redis" if len(vitals.memory) == 1 else f"Redis' node {node}"
        if memory.bound == 0:
            text = f"{name} has no maxmemory: it grows until the system ends it."
            yield Finding("RedisMemoryUnbounded", TICKET, text, "Set maxmemory, with the policy noeviction.")
            continue
        share = memory.used / memory.bound
        if share > _limit("RedisMemoryFull", PAGE).bound:
            text = f"{name} is {_part(share)} full: a full Redis refuses every write, and counting stops."
            yield Finding("RedisMemoryFull", PAGE, text, "Give it more memory now, then look at what has grown.")
        elif share > _limit("RedisMemoryHigh", TICKET).bound:
            text = f"{name} is {_part(share)} full."
            yield Finding("RedisMemoryHigh", TICKET, text, "Plan more memory, or count less: `varde capacity`.")


def _stream(ring: Ring, now: float) -> Iterator[Finding]:
    silent = _limit("StreamSilent", PAGE).over_s
    last = ring.over(now, silent)
    before = any(name == progress.MESSAGES for name in ring.over(now, 2 * silent).grown)
    if ring.covered(now, silent) and not last.rate(progress.MESSAGES) and before:
        text = f"The stream has read nothing for {silent / 60:.0f} minutes, and had messages before."
        yield Finding("StreamSilent", PAGE, text, "See whether the job runs and the source sends.")
    if (ring.least(now, silent, UNDER_WAY) or 0) > 0 and not last.rate(progress.DELIVERIES_APPLIED):
        text = f"{last.levels.get(UNDER_WAY, 0):.0f} elements are on their way in the stream, and none arrives."
        yield Finding("StreamStuck", PAGE, text, "Look at the job's errors; the writing to Redis fails.")
    if last.grown.get("items_refused", 0.0) > 0:
        text = "New items are not counted: there are VARDE_MAX_ITEMS already."
        yield Finding("ItemsRefused", PAGE, text, "See whether ids are sound, then raise VARDE_MAX_ITEMS.")
    yield from _messages(_long(last))


def _messages(last: Window) -> Iterator[Finding]:
    for reason, n in sorted(last.beginning(REJECTED).items()):
        share = n / max(n, last.grown.get(progress.MESSAGES, 0.0))
        if share > _limit("DeadLettersHigh", TICKET).bound:
            text = f"{_part(share)} of messages are dead letters of one reason: {reason}."
            yield Finding("DeadLettersHigh", TICKET, text, "Look at one in the dead-letter topic, and tell its sender.")
    flooded = last.share(["flooded"], [progress.MESSAGES]) or 0.0
    if flooded > _limit("Flooded", TICKET).bound:
        text = f"{_part(flooded)} of messages are floods: more of one customer than counts."
        yield Finding(
            "Flooded", TICKET, text, "A robot, or bounds that are too low: see the samples in the dead letters."
        )
    for reason, n in sorted(last.beginning(CATALOGUE_REJECTED).items()):
        if n / last.seconds > _limit("CatalogueChangesRefused", TICKET).bound:
            text = f"Changes of the catalogue are refused: {reason}."
            yield Finding("CatalogueChangesRefused", TICKET, text, "Look at one in the dead-letter topic.")


def _objectives(seen: Seen, now: float) -> Iterator[Finding]:
    """What uses up its budget of 30 days within 2, over the last hour and the last five minutes alike."""
    server = [_long(seen.server.over(now, seconds)) for seconds in (LONG_S, SHORT_S)]
    stream = [_long(seen.stream.over(now, seconds)) for seconds in (LONG_S, SHORT_S)]
    latency, freshness = OBJECTIVES["LatencyBudgetBurns"].bound, OBJECTIVES["FreshnessBudgetBurns"].bound
    told = {
        "AvailabilityBudgetBurns": (
            [one.share([FAULTS], [REQUESTS]) for one in server],
            "of requests end in a fault of the server (5xx).",
            "After a deployment: roll back. Else read the server's standard error.",
        ),
        "LatencyBudgetBurns": (
            [_share(slower(one.grown, latency), one.grown.get(LISTS, 0.0)) for one in server],
            f"of lists take longer than {latency * 1000:.0f} ms.",
            "Look at the CPU of the servers and at Redis' latency.",
        ),
        "EmptyListsBudgetBurns": (
            [one.share([EMPTY], [LISTS]) for one in server],
            "of lists are empty.",
            "See whether the catalogue was loaded and hides everything; give the shop a static list.",
        ),
        "FreshnessBudgetBurns": (
            [_share(later(one.grown, freshness), sum(one.grown.get(name, 0.0) for name in FRESH)) for one in stream],
            f"of interactions take longer than {freshness:.0f} s to be counted.",
            "Look at the subscription's backlog and the job's workers.",
        ),
    }
    for alert, (shares, text, remedy) in told.items():
        if all(share is not None and share > BURN * OBJECTIVES[alert].budget for share in shares):
            yield Finding(alert, PAGE, f"{_part(shares[1] or 0)} {text}", remedy)


def _share(part: float, of: float) -> float | None:
    return part / of if of > 0 else None


def _lists(seen: Seen, now: float) -> Iterator[Finding]:
    stale = _limit("StaleAnswers", PAGE)
    share = _long(seen.server.over(now, stale.over_s)).share([STALE], [LISTS]) or 0.0
    if share > stale.bound:
        text = f"{_part(min(1.0, share))} of lists are made without Redis."
        yield Finding("StaleAnswers", PAGE, text, "Redis does not answer in time: look at its latency and the network.")
    fallback = _limit("FallbackShareHigh", TICKET)
    share = _long(seen.server.over(now, fallback.over_s)).share([FALLBACKS], [LISTS]) or 0.0
    if share > fallback.bound:
        text = f"{_part(share)} of lists are fallbacks: categories, popular items or the static list."
        yield Finding("FallbackShareHigh", TICKET, text, "See whether item ids of requests are those of the events.")


def _experiments(seen: Seen, now: float) -> Iterator[Finding]:
    last = seen.server.over(now, _limit("ExposuresDropped", PAGE).over_s)
    results = {name: n for name, n in _long(last).beginning(EXPOSED).items() if name != "repeated"}
    lost = results.get("dropped", 0.0) + results.get("failed", 0.0)
    share = _share(lost, sum(results.values())) or 0.0
    if share > _limit("ExposuresDropped", PAGE).bound:
        text = f"{_part(share)} of exposures are lost: what is not recorded is not in the report."
        yield Finding("ExposuresDropped", PAGE, text, "See VARDE_EXPOSURES_TOPIC and what Pub/Sub answers.")
    waiting = max(seen.levels("varde_exposures_waiting"), default=0.0)
    if waiting > _limit("ExposuresWait", TICKET).bound:
        text = f"{waiting:.0f} exposures wait to be sent."
        yield Finding("ExposuresWait", TICKET, text, "See whether Pub/Sub takes messages.")
    failed = sum(last.beginning(FAILED).values())
    if failed > _limit("ExperimentFailures", TICKET).bound:
        text = f"{failed:.0f} lists in 15 minutes were made without their experiment."
        yield Finding("ExperimentFailures", TICKET, text, "The server's standard error has the fault once.")
    stuck = _long(last).beginning(STUCK)
    share = _share(sum(n for result, n in stuck.items() if result != "written"), sum(stuck.values())) or 0.0
    if share > _limit("StickyWritesLost", TICKET).bound:
        text = f"{_part(share)} of variations are not noted: customers may get another one than before."
        yield Finding("StickyWritesLost", TICKET, text, "Look at Redis: it refuses writes or is slow.")


def _nights(vitals: Vitals, now_ms: int) -> Iterator[Finding]:
    if vitals.reconciled_until is not None:
        ago = (now_ms - vitals.reconciled_until) / 1000
        for severity in (PAGE, TICKET):
            if ago > _limit("NightNotWritten", severity).bound:
                text = f"The last night that was written had counted up to {_days(ago)} ago."
                yield Finding("NightNotWritten", severity, text, "Read why the last runs of `varde reconcile` ended.")
                break
    if vitals.ended is None:
        return
    ago = (now_ms - vitals.ended) / 1000
    if ago > _limit("NightNotRun", TICKET).bound:
        text = f"`varde reconcile` last ended {_days(ago)} ago."
        yield Finding("NightNotRun", TICKET, text, "See whether the schedule runs and how the job ended.")
    if vitals.refusals > _limit("NightRefused", TICKET).bound:
        text = f"The last night was refused for {_reasons(vitals.refusals)}: nothing was written."
        yield Finding("NightRefused", TICKET, text, "The job's last lines name them.")
    of, worst = max(vitals.drift.items(), key=lambda one: one[1], default=("", 0.0))
    for severity in (PAGE, TICKET):
        if worst > _limit("DriftHigh", severity).bound:
            text = f"{of}: live and nightly counts were {_part(worst)} apart."
            yield Finding("DriftHigh", severity, text, "Compare with the causes that docs/nightly.md lists.")
            break
