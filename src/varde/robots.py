"""Whether a user agent names itself as a robot, by the list that monperrus/crawler-user-agents keeps."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

LONGEST: Final = 512
"""Characters of a user agent that are looked at: hundreds of patterns search it."""
_LIBRARY = "http-library"
"""The list's tag of what programs ask with."""


def sent(message: dict[str, Any]) -> bool:
    """Whether a Segment message comes from a robot, by its `context.userAgent`."""
    context = message.get("context")
    agent = context.get("userAgent") if isinstance(context, dict) else None
    return isinstance(agent, str) and agent != "" and is_robot(agent[:LONGEST])


@lru_cache(maxsize=16_384)
def is_robot(agent: str) -> bool:
    """Whether a user agent is on the list. A first look takes a quarter of a millisecond; they repeat."""
    # Read on first use: the list is half a megabyte, and most commands never look at it.
    import crawleruseragents

    return bool(crawleruseragents.is_crawler(agent))


@lru_cache(maxsize=16_384)
def crawls(agent: str) -> bool:
    """Whether a user agent names itself as a robot that is no mere HTTP library.

    For requests for lists: a library's name is that of a shop's back end or app, which asks for people.
    """
    return is_robot(agent) and _crawlers().search(agent) is not None


@lru_cache(maxsize=1)
def _crawlers() -> re.Pattern[str]:
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA as KNOWN

    return re.compile("|".join(one["pattern"] for one in KNOWN if _LIBRARY not in one["tags"]))
