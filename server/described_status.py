"""What the OpenAPI document says of the status page: tables that `described`, `schemas`, `samples` take up."""

from __future__ import annotations

from typing import Any

from .description import Operation, Parameter
from .status_answer import STEPS_S

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_POSITIVE: Schema = {"type": "number", "minimum": 0}
_MAYBE: Schema = {"type": ["number", "null"], "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}
_MAYBE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _each(properties: Schema) -> Schema:
    return {"type": "array", "items": _closed(properties)}


def _said(schema: Schema, text: str) -> Schema:
    return schema | {"description": text}


PARAMETERS = {
    "minutes": Parameter({"type": "integer", "enum": list(STEPS_S)}, "How far back plots reach; default 60.", 15),
}
_OF_PLOTS = {
    "events_per_s": "Messages that say something about a customer.",
    "changes_per_s": "Pairs that a customer came to have or lost: what the stream changes in Redis.",
    "dead_letters_per_s": "Faulty messages.",
    "freshness_p50_s": "From publication to the count; the upper bound of a bucket; null without interactions.",
    "freshness_p99_s": "The same.",
    "memory_bytes": "Of Redis' fullest node.",
    "requests_per_s": "Of all processes that share the port, without those of who watches them.",
    "list_p99_s": "Time to answer a list; the upper bound of a bucket.",
    "fallback_share": "Lists from the rungs `category`, `popular`, `static` and `none`, of all.",
    "cache_hit_share": "Lists that were ready in memory, of all that were looked for.",
}
_NOW = {name: _said(_MAYBE, text) for name, text in _OF_PLOTS.items() if name != "memory_bytes"}
_SERIES = {name: {"type": "array", "items": _MAYBE, "maxItems": 120} for name in _OF_PLOTS}
_ORDER = ("events_per_s", "changes_per_s", "dead_letters_per_s")
_OF_SERVER = ("requests_per_s", "list_p99_s", "fallback_share", "cache_hit_share")

ANSWERS: dict[str, Schema] = {
    "Status": _closed(
        {
            "time": _said(_TIME, "Of the last look; there is one every five seconds."),
            "state": _said(
                {"type": "string", "enum": ["starting", "ok", "warning", "problem"]},
                "`problem`: somebody should get up; `warning`: somebody should look within a day.",
            ),
            "stale": _said({"type": "boolean"}, "Whether this process makes lists without Redis."),
            "findings": _each(
                {
                    "alert": _said(_TEXT, "The alert whose rule it is."),
                    "severity": {"type": "string", "enum": ["page", "ticket"]},
                    "text": _TEXT,
                    "remedy": _said(_TEXT, "What to do first."),
                    "runbook": _said(_TEXT, "Where there is more."),
                }
            ),
            "server": _closed(
                {
                    "version": _TEXT,
                    "process": _said(_TEXT, "The one that answers."),
                    "processes": _said(_COUNT, "That live and share the port."),
                    "watched_s": _said(_POSITIVE, "How long this process has kept its record, at most an hour."),
                }
            ),
            "redis": _closed(
                {
                    "up": {"type": "boolean"},
                    "away_since": _MAYBE_TIME,
                    "memory": _each(
                        {"node": _TEXT, "used_bytes": _COUNT, "bound_bytes": _said(_COUNT, "0: it has none.")}
                    ),
                }
            ),
            "now": _said(
                _closed(
                    {
                        "newest_counted_s": _said(_MAYBE, "Since an interaction was last seen to be counted."),
                        "freshness_p50_s": _NOW["freshness_p50_s"],
                        "freshness_p99_s": _NOW["freshness_p99_s"],
                        "under_way": _said(
                            {"type": ["integer", "null"], "minimum": 0}, "Elements between two steps of the stream."
                        ),
                        **{name: _NOW[name] for name in (*_ORDER, *_OF_SERVER)},
                    }
                ),
                "Over the last minute; null where nothing is known or there was nothing.",
            ),
            "dead_letters": _each({"reason": _TEXT, "total": _COUNT, "last_hour": _COUNT, "per_s": _MAYBE}),
            "night": _closed(
                {
                    "reconciled_until": _MAYBE_TIME,
                    "ended": _MAYBE_TIME,
                    "refusals": _COUNT,
                    "drift": _each({"of": _TEXT, "part": _POSITIVE}),
                }
            ),
            "experiments": _each(
                {
                    "key": _TEXT,
                    "state": {"type": "string", "enum": ["planned", "running", "ended", "stopped"]},
                    "mode": _TEXT,
                    "placements": {"type": "array", "items": _TEXT},
                    "start": _MAYBE_TIME,
                    "end": _MAYBE_TIME,
                    "gets_all": _said({"type": ["string", "null"]}, "The variation that everybody gets, once stopped."),
                    "variations": _each(
                        {
                            "key": _TEXT,
                            "weight": _POSITIVE,
                            "lists_last_hour": _said(_COUNT, "Lists shown, without testers' own."),
                            "lists": _said(_COUNT, "The same, since this server's start."),
                        }
                    ),
                }
            ),
            "plots": _closed(
                {
                    "minutes": _COUNT,
                    "step_s": _said(_COUNT, "Seconds from one point to the next, the oldest first."),
                    "series": _said(_closed(_SERIES), "Null: nothing is known of that time."),
                }
            ),
            "limits": _said(
                _closed(
                    dict.fromkeys(
                        ("freshness_s", "list_s", "fallback_share", "memory_share", "drift", "dead_letter_share"),
                        _POSITIVE,
                    )
                ),
                "From where on the alerts find a figure too high.",
            ),
        }
    )
}
SAMPLES: dict[str, Any] = {
    "Status": {
        "time": "2026-05-04T09:30:00.000Z",
        "state": "warning",
        "stale": False,
        "findings": [
            {
                "alert": "DriftHigh",
                "severity": "ticket",
                "text": "also_bought: live and nightly counts were 1.2 % apart.",
                "remedy": "Compare with the causes that docs/nightly.md lists.",
                "runbook": "docs/runbook.md#drifthigh",
            }
        ],
        "server": {"version": "0.1.0", "process": "2", "processes": 4, "watched_s": 3600.0},
        "redis": {
            "up": True,
            "away_since": None,
            "memory": [{"node": "0", "used_bytes": 2147483648, "bound_bytes": 4294967296}],
        },
        "now": {
            "newest_counted_s": 1.2,
            "freshness_p50_s": 0.8,
            "freshness_p99_s": 1.8,
            "under_way": 14,
            "events_per_s": 212.4,
            "changes_per_s": 604.1,
            "dead_letters_per_s": 0.1,
            "requests_per_s": 840.2,
            "list_p99_s": 0.005,
            "fallback_share": 0.04,
            "cache_hit_share": 0.91,
        },
        "dead_letters": [{"reason": "not_json", "total": 12, "last_hour": 3, "per_s": 0.1}],
        "night": {
            "reconciled_until": "2026-05-03T00:00:00.000Z",
            "ended": "2026-05-04T02:14:09.000Z",
            "refusals": 0,
            "drift": [{"of": "also_bought", "part": 0.012}],
        },
        "experiments": [
            {
                "key": "cosine-1",
                "state": "running",
                "mode": "ab",
                "placements": ["product-page"],
                "start": "2026-05-01T00:00:00.000Z",
                "end": None,
                "gets_all": None,
                "variations": [
                    {"key": "control", "weight": 0.5, "lists_last_hour": 10312, "lists": 81260},
                    {"key": "cosine", "weight": 0.5, "lists_last_hour": 10287, "lists": 81344},
                ],
            }
        ],
        "plots": {
            "minutes": 60,
            "step_s": 30,
            "series": {
                "events_per_s": [208.1, None, 212.4],
                "changes_per_s": [590.3, None, 604.1],
                "dead_letters_per_s": [0.0, None, 0.1],
                "freshness_p50_s": [0.8, None, 0.8],
                "freshness_p99_s": [1.6, None, 1.8],
                "memory_bytes": [2147000000.0, None, 2147483648.0],
                "requests_per_s": [838.0, 841.3, 840.2],
                "list_p99_s": [0.005, 0.005, 0.005],
                "fallback_share": [0.04, 0.05, 0.04],
                "cache_hit_share": [0.91, 0.9, 0.91],
            },
        },
        "limits": {
            "freshness_s": 5.0,
            "list_s": 0.1,
            "fallback_share": 0.8,
            "memory_share": 0.92,
            "drift": 0.01,
            "dead_letter_share": 0.01,
        },
    }
}


def operations(reasons: str, pages: str) -> dict[str, Operation]:
    """The routes, under the tags that these names have."""
    asset = "Loaded by the page at `/status`."
    return {
        "/v1/status": Operation(
            "status",
            reasons,
            "Whether all is well",
            "As it was at the last look, which takes place every five seconds; also without Redis.",
            "Status",
            ("minutes",),
            ("bad_parameter",),
        ),
        "/status": Operation("statusPage", pages, "A page that shows whether all is well", "Live.", media="text/html"),
        "/status.css": Operation("statusStyle", pages, "Its style", asset, media="text/css"),
        "/status.js": Operation("statusScript", pages, "Its script", asset, media="text/javascript"),
        "/status-parts.js": Operation("statusParts", pages, "Its tables", asset, media="text/javascript"),
        "/status-plots.js": Operation("statusPlots", pages, "Its plots", asset, media="text/javascript"),
    }
