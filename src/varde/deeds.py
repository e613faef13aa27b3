"""What a track call says was done: with which items, of which order. Pure; never an exception."""

from __future__ import annotations

from typing import Any, NamedTuple

from varde import ecommerce
from varde.history import Signal
from varde.meaning import Rejected


class Deed(NamedTuple):
    """What a track call says was done: a signal, or None for a return; with what; of which order."""

    signal: Signal | None
    items: tuple[str, ...]
    order_id: str | None


def read(message: dict[str, Any], item_keys: tuple[str, ...], custom_events: ecommerce.CustomEvents) -> Deed | Rejected:
    """The deed of a track call.

    Args:
        message: the Segment message.
        item_keys: product fields tried in this order for the item id.
        custom_events: a shop's own event names, which go before the standard ones.
    """
    event = message.get("event")
    if not isinstance(event, str) or not event:
        return Rejected("bad_event", "event")
    known = ecommerce.names(custom_events).find(event)
    if known is None:
        return Rejected("event_not_mapped", "event")
    name, signal = known
    returned = signal is None and name in ecommerce.RETURNED
    if signal is None and not returned:
        return Rejected("not_counted", name)
    properties = message.get("properties")
    if properties is None:
        properties = {}
    elif not isinstance(properties, dict):
        return Rejected("bad_properties", "properties")
    if returned:
        return _return(properties, item_keys)
    if signal is Signal.PURCHASE:
        return _order(properties, item_keys)
    item = ecommerce.item_id(properties, item_keys)
    if item is None:
        reason, field_ = ecommerce.why_no_item(properties, item_keys)
        return Rejected(reason, f"properties.{field_}")
    return Deed(signal, (item,), None)


def _return(properties: dict[str, Any], item_keys: tuple[str, ...]) -> Deed | Rejected:
    order_id = ecommerce.order_id(properties)
    if order_id is None:
        return Rejected("no_order_id", "properties.order_id")
    named = ecommerce.products(properties.get("products"))
    if named is None:
        return Rejected("bad_products", "properties.products")
    items = ecommerce.order_items(named, item_keys)
    if named and not items:  # it means some of them, so it must not take back all
        return Rejected("no_item_id", "properties.products")
    return Deed(None, items, order_id)


def _order(properties: dict[str, Any], item_keys: tuple[str, ...]) -> Deed | Rejected:
    bought = ecommerce.products(properties.get("products"))
    if bought is None:
        return Rejected("bad_products", "properties.products")
    if not bought:
        return Rejected("no_products", "properties.products")
    items = ecommerce.order_items(bought, item_keys)
    if not items:
        return Rejected("no_item_id", "properties.products")
    return Deed(Signal.PURCHASE, items, ecommerce.order_id(properties))
