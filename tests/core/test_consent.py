"""Consent: what it takes, what is kept without it, and how it is withdrawn."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import consent
from varde.events import IdentityLink, Impersonal, Interaction, Mapping, Rejected, Withdrawal, parse
from varde.history import Signal

NOW = 1_772_359_200_000
SHOP = Mapping(consent=("Analytics",))
STRICT = Mapping(consent=("Analytics",), consent_default=False)
DENIED = {"consent": {"categoryPreferences": {"Analytics": False}}}
NO_CONSENT = Rejected("no_consent", "context.consent")


def parsed(mapping: Mapping, context: Any = DENIED, **changes: Any) -> Any:
    view = {"type": "track", "event": "Product Viewed", "userId": "u", "properties": {"product_id": "P1"}}
    return parse(orjson.dumps({**view, "timestamp": NOW, "context": context, **changes}), NOW, mapping)


def preferences(**choices: Any) -> dict[str, Any]:
    return {"context": {"consent": {"categoryPreferences": choices}}}


@pytest.mark.parametrize("value", ["true", 1, "granted", None, [True], {"Analytics": True}, False])
def test_only_true_is_true(value: Any) -> None:
    assert consent.given(preferences(Analytics=True), ("Analytics",), False)
    assert not consent.given(preferences(Analytics=value), ("Analytics",), True)


@given(st.dictionaries(st.sampled_from("ABC"), st.booleans()), st.lists(st.sampled_from("ABC"), unique=True))
def test_all_required_categories_and_no_others_are_asked_for(choices: dict[str, bool], required: list[str]) -> None:
    granted = {name for name, value in choices.items() if value}
    assert consent.given(preferences(**choices), tuple(required), True) == (set(required) <= granted)


def test_names_of_categories_are_exact() -> None:
    assert not consent.given(preferences(analytics=True), ("Analytics",), True)


@pytest.mark.parametrize("message", [{}, {"context": None}, {"context": []}, {"context": {}}, {"context": "x"}])
def test_a_message_that_says_nothing_has_the_default(message: dict[str, Any]) -> None:
    assert consent.given(message, ("Analytics",), True)
    assert not consent.given(message, ("Analytics",), False)
    assert consent.given({"context": {"consent": None}}, ("Analytics",), True)


@pytest.mark.parametrize(
    "said", [{}, [], "yes", True, 1, {"categoryPreferences": None}, {"categoryPreferences": []}, {"categories": {}}]
)
def test_an_empty_or_malformed_object_denies(said: Any) -> None:
    assert not consent.given({"context": {"consent": said}}, ("Analytics",), True)


def test_without_required_categories_nothing_is_asked() -> None:
    assert consent.given(preferences(Analytics=False), (), False)
    assert isinstance(parsed(Mapping(consent_default=False))[0], Interaction)


def test_without_consent_an_item_counts_and_nobody_is_named() -> None:
    assert parsed(SHOP, anonymousId="a") == (Impersonal(Signal.VIEW, ("P1",), NOW),)
    assert parsed(STRICT, context={}) == (Impersonal(Signal.VIEW, ("P1",), NOW),)
    assert parsed(STRICT, context=preferences(Analytics=True)["context"], anonymousId="a") == (
        IdentityLink("a", "u", NOW),
        Interaction("u", "a", Signal.VIEW, ("P1",), NOW),
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"properties": {}},
        {"properties": []},
        {"event": None},
        {"event": "Product Opened"},
        {"event": "Order Completed", "properties": {"products": "["}},
        {"event": "Order Refunded", "properties": {}},
        {"event": "Order Refunded", "properties": {"order_id": "o"}},
        {"timestamp": 0},
        {"type": "identify", "anonymousId": "a" * 300},
        {"type": "alias", "previousId": ["a"]},
        {"type": "alias"},
        {"type": "page", "userId": {}},
        {"type": "charge"},
        {"type": None},
    ],
)
def test_a_faulty_message_without_consent_is_no_dead_letter(fault: dict[str, Any]) -> None:
    """Its bytes name somebody who does not want to be kept."""
    with_consent = parsed(SHOP, context=preferences(Analytics=True)["context"], **fault)
    assert with_consent != NO_CONSENT
    assert parsed(SHOP, **fault) == NO_CONSENT
    assert not NO_CONSENT.dead_letter


def test_an_item_needs_no_ids_to_count_without_consent() -> None:
    for ids in ({"userId": None}, {"userId": ["u"]}, {"userId": "u" * 300}):
        assert parsed(SHOP, **ids) == (Impersonal(Signal.VIEW, ("P1",), NOW),)


@pytest.mark.parametrize("name", [consent.CHANGED, consent.CHANGED.lower(), consent.CHANGED.upper()])
@pytest.mark.parametrize(("user", "device"), [("u", None), (None, "a"), ("u", "a")])
def test_a_withdrawal_in_any_case_with_any_ids(name: str, user: str | None, device: str | None) -> None:
    found = parsed(SHOP, event=name, userId=user, anonymousId=device, properties=None)
    assert found == (Withdrawal(user, device, NOW),)


@pytest.mark.parametrize("date", [None, "", "soon", -1, 0, {}, True, "0001-01-01T00:00:00Z", 1e300, "1999-12-31"])
def test_a_withdrawal_is_never_dropped_for_its_date(date: Any) -> None:
    assert parsed(SHOP, event=consent.CHANGED, timestamp=date) == (Withdrawal("u", None, NOW),)
    received = parsed(SHOP, event=consent.CHANGED, timestamp=date, receivedAt=NOW - 5)
    assert received == (Withdrawal("u", None, NOW - 5),)


def test_preferences_that_still_allow_it_withdraw_nothing() -> None:
    allowed = preferences(Analytics=True, Advertising=False)["context"]
    assert parsed(SHOP, event=consent.CHANGED, context=allowed) == Rejected("not_counted", consent.CHANGED)
    assert parsed(Mapping(), event=consent.CHANGED) == Rejected("not_counted", consent.CHANGED)


def test_a_withdrawal_of_nobody_is_a_fault() -> None:
    assert parsed(SHOP, event=consent.CHANGED, userId=None) == Rejected("no_id", "userId, anonymousId")
    rejected = parsed(SHOP, event=consent.CHANGED, userId={})
    assert rejected == Rejected("bad_id", "userId")
    assert rejected.dead_letter


def test_a_deletion_asks_for_no_consent() -> None:
    assert parsed(STRICT, type="delete") == parsed(Mapping(), type="delete")
