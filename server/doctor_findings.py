"""What `varde doctor` says: one finding or several a check, each with what was found and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson


class Status(StrEnum):
    """How a check came out, the better first. UNKNOWN: it could not be looked at, or nobody asked for it."""

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    PROBLEM = "problem"


ORDER = tuple(Status)

CHECKS = (
    "settings",
    "configuration",
    "versions",
    "redis",
    "redis-version",
    "redis-mode",
    "redis-role",
    "maxmemory",
    "maxmemory-policy",
    "appendonly",
    "writes",
    "clock",
    "schema",
    "items",
    "stream",
    "dead-letters",
    "reconcile",
    "topics",
    "subscription",
    "lag",
    "server",
)
"""The names of all checks, in the order in which they are told; docs/runbook.md explains each."""


@dataclass(frozen=True, slots=True)
class Finding:
    """check: one of CHECKS. found: what is so. fix: what to do; empty when there is nothing to do."""

    check: str
    status: Status
    found: str
    fix: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Status.OK, found)


def unknown(check: str, found: str, fix: str = "") -> Finding:
    """It could not be looked at."""
    return Finding(check, Status.UNKNOWN, found, fix)


def warning(check: str, found: str, fix: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(check, Status.WARNING, found, fix)


def problem(check: str, found: str, fix: str) -> Finding:
    """It does not work, or counts are at risk."""
    return Finding(check, Status.PROBLEM, found, fix)


class Report(NamedTuple):
    """All findings, in the order of CHECKS."""

    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst of all; what is unknown is well."""
        worst = max((ORDER.index(found.status) for found in self.findings), default=0)
        return Status.OK if ORDER[worst] is Status.UNKNOWN else ORDER[worst]

    def json(self) -> str:
        """One JSON object: `status` and `checks`."""
        told: dict[str, Any] = {"status": self.status, "checks": [asdict(found) for found in self.findings]}
        return orjson.dumps(told).decode()

    def text(self) -> str:
        """Lines for people."""
        width = max(map(len, CHECKS))
        lines = []
        for found in self.findings:
            lines.append(f"{found.status:8} {found.check:{width}}  {found.found}")
            if found.fix:
                lines.append(f"{'':8} {'':{width}}  -> {found.fix}")
        counts = {status: sum(found.status is status for found in self.findings) for status in reversed(ORDER)}
        return "\n".join([*lines, ", ".join(f"{n} {status}" for status, n in counts.items() if n)])


def report(findings: Iterable[Finding]) -> Report:
    """In the order of CHECKS; a check that said nothing is unknown."""
    by_check: dict[str, list[Finding]] = {check: [] for check in CHECKS}
    for found in findings:
        by_check[found.check].append(found)
    filled: list[Sequence[Finding]] = [some or [unknown(check, "not looked at")] for check, some in by_check.items()]
    return Report(tuple(found for some in filled for found in some))
