"""Golden messages, one file per producer: what each means. The loader accepts no key that it does not use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from varde.events import (
    REASONS,
    Erasure,
    Event,
    IdentityLink,
    Impersonal,
    Interaction,
    Mapping,
    Rejected,
    Return,
    Withdrawal,
    parse,
)
from varde.history import Signal

GOLDEN = Path(__file__).parents[1] / "golden" / "events"
_ABSENT = object()


class Fields:
    """A YAML mapping that must be used up."""

    def __init__(self, values: Any, where: str) -> None:
        assert isinstance(values, dict), f"{where}: not a mapping: {values!r}"
        self._values, self._where = dict(values), where

    def take(self, name: str, default: Any = _ABSENT) -> Any:
        if name not in self._values:
            assert default is not _ABSENT, f"{self._where}: {name} is missing"
        return self._values.pop(name, default)

    def end(self) -> None:
        assert not self._values, f"{self._where}: unknown keys {sorted(self._values)}"


def ms(text: str) -> int:
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def link_of(fields: Fields) -> IdentityLink:
    return IdentityLink(fields.take("anonymous_id"), fields.take("user_id"), ms(fields.take("time")))


def event_of(value: Any, where: str) -> Event:
    kind, values = next(iter(Fields(value, where)._values.items()))
    assert len(value) == 1, f"{where}: one event an entry"
    fields = Fields(values, f"{where}: {kind}")
    event: Event
    if kind == "interaction":
        event = Interaction(
            fields.take("user_id", None),
            fields.take("anonymous_id", None),
            Signal[fields.take("signal").upper()],
            tuple(fields.take("items")),
            ms(fields.take("time")),
            fields.take("order_id", None),
        )
    elif kind == "return":
        event = Return(
            fields.take("user_id", None),
            fields.take("anonymous_id", None),
            fields.take("order_id"),
            tuple(fields.take("items")),
            ms(fields.take("time")),
        )
    elif kind == "impersonal":
        event = Impersonal(Signal[fields.take("signal").upper()], tuple(fields.take("items")), ms(fields.take("time")))
    elif kind == "withdrawal":
        event = Withdrawal(fields.take("user_id", None), fields.take("anonymous_id", None), ms(fields.take("time")))
    elif kind == "identity_link":
        event = link_of(fields)
    else:
        assert kind == "erasure", f"{where}: no such event: {kind}"
        event = Erasure(fields.take("user_id"), ms(fields.take("time")))
    fields.end()
    return event


def expected_of(value: Any, where: str) -> tuple[Event, ...] | Rejected:
    if isinstance(value, list):
        return tuple(event_of(event, where) for event in value)
    fields = Fields(value, where)
    link = None
    if link_fields := fields.take("link", None):
        inner = Fields(link_fields, f"{where}: link")
        link = link_of(inner)
        inner.end()
    rejected = Rejected(fields.take("reason"), fields.take("detail", ""), link)
    fields.end()
    assert rejected.reason in REASONS, f"{where}: no such reason"
    return rejected


def mapping_of(value: Any, where: str) -> Mapping:
    if value is None:
        return Mapping()
    fields = Fields(value, where)
    mapping = Mapping(
        tuple(fields.take("item_keys", Mapping().item_keys)),
        tuple((name, Signal[signal.upper()]) for name, signal in fields.take("custom_events", {}).items()),
        tuple(fields.take("consent", ())),
        fields.take("consent_default", True),
        fields.take("robots", False),
    )
    fields.end()
    return mapping


def entries() -> Iterator[Any]:
    for path in sorted(GOLDEN.glob("*.yaml")):
        head = Fields(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)
        received_at = ms(head.take("received_at"))
        for value in head.take("entries"):
            fields = Fields(value, path.name)
            name = fields.take("name")
            where = f"{path.stem}: {name}"
            message = fields.take("message")
            data = message.encode() if isinstance(message, str) else orjson.dumps(message)
            mapping = mapping_of(fields.take("mapping", None), where)
            expected = expected_of(fields.take("expect"), where)
            fields.end()
            yield pytest.param(data, received_at, mapping, expected, id=where)
        head.end()


@pytest.mark.parametrize(("data", "received_at", "mapping", "expected"), list(entries()))
def test_golden(data: bytes, received_at: int, mapping: Mapping, expected: tuple[Event, ...] | Rejected) -> None:
    assert parse(data, received_at, mapping) == expected


def test_every_producer_has_a_file() -> None:
    names = {path.stem for path in GOLDEN.glob("*.yaml")}
    assert names == {
        "browser_sdk",
        "browser_sdk_batching",
        "consent",
        "delete",
        "ecommerce_v1",
        "ecommerce_v2",
        "http_api",
        "node_sdk",
        "pubsub_destination",
        "python_sdk",
    }


def test_the_loader_rejects_leftovers() -> None:
    with pytest.raises(AssertionError, match="unknown keys"):
        event_of({"erasure": {"user_id": "u", "time": "2026-03-01T10:00:00Z", "tiem": 1}}, "here")
