"""Whether a message may be kept under a person's name, by Segment's consent object. Pure.

Source: Segment's documentation, "Consent in Segment Connections": `context.consent.categoryPreferences` maps names of
categories to true or false, and the event CHANGED tells that a person has changed them.
"""

from __future__ import annotations

from typing import Any, Final

CHANGED: Final = "Segment Consent Preference Updated"


def given(message: dict[str, Any], required: tuple[str, ...], default: bool) -> bool:
    """Whether every required category is granted.

    Args:
        message: a Segment message.
        required: names of categories; without any, everything is granted.
        default: what holds when the message says nothing about consent. A consent object that says something else
            than true for a category, or nothing, denies it.
    """
    if not required:
        return True
    context = message.get("context")
    consent = context.get("consent") if isinstance(context, dict) else None
    if consent is None:
        return default
    preferences = consent.get("categoryPreferences") if isinstance(consent, dict) else None
    return isinstance(preferences, dict) and all(preferences.get(category) is True for category in required)
