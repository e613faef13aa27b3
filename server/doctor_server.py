"""What `varde doctor` finds in a running server: does it answer, is it ready, is it of this version."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

import aiohttp

from .doctor_findings import Finding, ok, problem, warning

WITHIN_S = 5.0
MOST_BYTES = 4_000_000


async def server(url: str) -> list[Finding]:
    """Findings about the server at `url`, http(s)://HOST[:PORT]."""
    limit = aiohttp.ClientTimeout(total=WITHIN_S)
    try:
        async with aiohttp.ClientSession(timeout=limit) as session:
            status, ready = await _json(session, f"{url.rstrip('/')}/readyz")
            _, described = await _json(session, f"{url.rstrip('/')}/openapi.json")
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        why = "no answer in time" if isinstance(error, asyncio.TimeoutError) else f"{type(error).__name__}: {error}"
        return [problem("server", f"{url}: {why}", "start `varde serve`, or see whether the address is right")]
    return [_ready(status, ready), *_version(described)]


async def _json(session: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with session.get(url, allow_redirects=False) as answer:
        return answer.status, await answer.json(content_type=None)


def _ready(status: int, told: Any) -> Finding:
    body = told if isinstance(told, dict) else {}
    if status == 200 and body.get("status") == "ready":
        if body.get("redis") == "ok":
            return ok("server", "ready")
        fix = "see the checks of redis: the server answers from its memory meanwhile"
        return warning("server", "ready, but Redis does not answer it", fix)
    error = body.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if code == "loading":
        return warning("server", "has not read everything from Redis yet", "wait; if it lasts, see the checks of redis")
    if code == "draining":
        return warning("server", "is about to stop", "none is needed when it was told to")
    return problem("server", f"/readyz says {status}", "is this address that of a Varde server?")


def _version(described: Any) -> list[Finding]:
    """Nothing when it is this program's."""
    info = described.get("info") if isinstance(described, dict) else None
    theirs = info.get("version") if isinstance(info, dict) else None
    if theirs == version("varde"):
        return []
    return [warning("versions", f"the server has {theirs}, this program is {version('varde')}", "deploy both alike")]
