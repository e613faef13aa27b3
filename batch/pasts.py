"""What a customer did, of rows of sql/pasts.sql."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from varde import orders
from varde.history import Signal
from varde.orders import Orders
from varde.transitions import Past

from . import nightly


def past(rows: Iterable[tuple[Any, ...]]) -> Past:
    """The past of one customer, of rows (signal, item, order_id, time); nightly.RETURN stands for a return."""
    held: tuple[dict[str, int], dict[str, int]] = {}, {}
    lines: orders.Lines = {}
    returns: orders.Returns = {}
    for signal, item, order_id, time in rows:
        order = orders.order_key(order_id or None)
        if signal == nightly.RETURN:
            returns.setdefault(order, {})[item] = time
        elif signal == Signal.PURCHASE:
            lines.setdefault(item, {})[order] = time
        else:
            held[signal][item] = time
    return Past(*held, Orders(lines, returns))
