"""The collector's paths: Segment's names, and the letters that its SDK for browsers uses."""

from __future__ import annotations

from typing import NamedTuple

from aiohttp.typedefs import Handler

from varde.collecting import CALLS

from .collector import collect, ignore, settings
from .collector_intake import answered, preflight
from .collector_metrics import COLLECT, PIXEL
from .collector_metrics import WEBHOOK as FROM_SEGMENT
from .pixel import pixel
from .webhook import webhook

SINGLE = {f"/v1/{name}": call for call in CALLS for name in (call, call[0])}
"""Path -> the type of its one message."""
BATCHES = ("/v1/batch", "/v1/import", "/v1/b")
IGNORED = "/v1/m"
PICTURE = "/v1/pixel/{type}"
SETTINGS = "/v1/projects/{writeKey}/settings"
WEBHOOK = "/v1/webhook"


class Path(NamedTuple):
    """A path, its handler, its methods, and the answer to OPTIONS; None: no page asks."""

    path: str
    handler: Handler
    methods: tuple[str, ...]
    preflight: Handler | None


def _posted(path: str, handler: Handler) -> Path:
    return Path(path, answered(handler, COLLECT), ("POST",), preflight("POST"))


def _read(path: str, handler: Handler, source: str) -> Path:
    return Path(path, answered(handler, source), ("GET", "HEAD"), preflight("GET", "HEAD"))


PATHS = (
    *(_posted(path, collect(type_)) for path, type_ in SINGLE.items()),
    *(_posted(path, collect(None)) for path in BATCHES),
    _posted(IGNORED, ignore),
    _read(PICTURE, pixel, PIXEL),
    _read(SETTINGS, settings, COLLECT),
    Path(WEBHOOK, answered(webhook, FROM_SEGMENT, pages=False), ("POST",), None),
)
