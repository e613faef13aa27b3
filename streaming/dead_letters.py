"""Messages for the dead-letter topic, from whichever step finds them."""

from __future__ import annotations

from typing import Protocol

from apache_beam.io.gcp.pubsub import PubsubMessage

DEAD = "dead"
"""The tag of such outputs."""
DEAD_LETTER_BYTES = 256 * 1024
"""Most of a bad message that goes to the dead-letter topic; its attribute `bytes` tells the true size."""


class Why(Protocol):
    """Why something was not taken, as events.Rejected and feed.Refused say it."""

    @property
    def stage(self) -> str:
        """The step that found out."""
        ...

    @property
    def reason(self) -> str:
        """A key of varde.reasons."""
        ...

    @property
    def detail(self) -> str:
        """The field at fault, for one."""
        ...


def dead_letter(why: Why, data: bytes, published: int) -> PubsubMessage:
    """The original bytes, and as attributes at which stage and why it stopped.

    Args:
        why: its reason names the stage (varde.reasons).
        data: the message, or what is known of it.
        published: ms.
    """
    return PubsubMessage(
        data[:DEAD_LETTER_BYTES],
        {
            "stage": why.stage,
            "reason": why.reason,
            "detail": why.detail[:256],
            "bytes": str(len(data)),
            "published_ms": str(published),
        },
    )
