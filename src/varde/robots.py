"""Whether a user agent names itself as a robot, by the list that monperrus/crawler-user-agents keeps."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

LONGEST: Final = 512
"""Characters of a user agent that are looked at: hundreds of patterns search it."""


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
