"""Mails to a simulated shopper, as an email tool would ask for them."""

from __future__ import annotations

from varde.server import tokens

from .system import System

KEY, PLACEMENT = "demo-mail", "mail"
"""As shop.toml has them."""
RECIPIENT = "shopper-1-00007"
_SENDING = "spring-1"


def look_up(system: System) -> str:
    """The address that a tool asks at send time."""
    return (
        f"{system.url}/v1/email/recs?key={KEY}&uid={RECIPIENT}&placement={PLACEMENT}&campaign=spring&send_id={_SENDING}"
    )


def picture(system: System, now: int) -> str:
    """The address of the picture that stands first in the mail of the same sending.

    Args:
        system: it runs.
        now: ms since the epoch.
    """
    link = tokens.Link(RECIPIENT, None, _SENDING, PLACEMENT, "spring", expires=tokens.expiry(now))
    return f"{system.url}/v1/email/slot/1.png?t={tokens.make(system.settings.link_secret, link)}"
