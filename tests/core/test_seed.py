"""Lines of seeds: what is written is read, and a line that makes no sense is refused with the field at fault."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import orders, seed
from varde.orders import Orders, order_key
from varde.pairs import Histories
from varde.profile import NEVER, Profile
from varde.seed import Seed

CAP = 4
times = st.integers(0, 2**53 - 1)
items = st.text('aé🏕:\n"\0 {}', min_size=1, max_size=4)
held_items = st.dictionaries(items, times, max_size=CAP)
keys = st.one_of(st.just(b""), st.binary(min_size=8, max_size=8))
some_orders = st.builds(
    Orders,
    st.dictionaries(items, st.dictionaries(keys, times, min_size=1, max_size=3), max_size=3),
    st.dictionaries(keys, st.dictionaries(items | st.just(""), times, min_size=1, max_size=3), max_size=3),
)
customers = st.text("0123456789abcdef", min_size=24, max_size=24)


@st.composite
def seeds(draw: st.DrawFn) -> Seed:
    kind = draw(st.sampled_from([seed.KNOWN, seed.ANONYMOUS]))
    bought = draw(some_orders)
    held = Profile(
        Histories(draw(held_items), draw(held_items), bought.purchases(CAP)),
        orders.encode(bought),
        draw(customers) if kind == seed.ANONYMOUS and draw(st.booleans()) else None,
        draw(st.just(NEVER) | times),
        draw(st.just(NEVER) | times),
    )
    return Seed(kind, draw(customers), held)


@given(seeds())
def test_round_trip(one: Seed) -> None:
    line = seed.encode(one)
    assert b"\n" not in line
    assert seed.decode(line, CAP) == one
    assert seed.decode(line.decode(), CAP) == one


@given(seeds())
def test_a_line_holds_nothing_that_is_empty(one: Seed) -> None:
    fields = orjson.loads(seed.encode(one))
    assert fields.keys() >= {"kind", "customer"}
    assert not [name for name, value in fields.items() if value in ({}, None, NEVER)]


def test_purchases_follow_from_the_orders() -> None:
    """So they may be cut to another cap than the one they were written with."""
    o = order_key("o").hex()
    line = {"kind": "known", "customer": "c", "lines": {"a": {o: 1}, "b": {o: 2, "": 3}}, "returns": {o: {"": 9}}}
    found = seed.decode(orjson.dumps(line), 1).profile
    assert found.histories.purchase == {"b": 3}
    assert orders.decode(found.orders).returns == {order_key("o"): {"": 9}}


GOOD: dict[str, Any] = {"kind": "anonymous", "customer": "c", "view": {"a": 1}}
NO_KIND: list[Any] = [None, "", "Known", 1, ["known"], {}]
NO_KEY: list[Any] = [None, "", 1, ["c"], {}, True]
NO_OBJECT: list[Any] = [None, [], "x", 1, True]
NO_TIME: list[Any] = [None, "1", 1.0, True, -2, 2**53, 2**64 - 1, [], {}]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("kind", value) for value in NO_KIND),
        *(("customer", value) for value in NO_KEY),
        *(("linked", value) for value in NO_KEY[1:]),
        *((name, value) for name in ("view", "cart", "lines", "returns") for value in NO_OBJECT),
        *((name, {"a": value}) for name in ("view", "cart") for value in [*NO_TIME, -1]),
        *((name, value) for name in ("linked_at", "erased_at") for value in NO_TIME),
        *(("lines", {"a": {"00": value}}) for value in [*NO_TIME, -1]),
        *(("returns", {"00": {"a": value}}) for value in [*NO_TIME, -1]),
        *(("lines", {"a": value}) for value in NO_OBJECT),
        *(("returns", {"00": value}) for value in NO_OBJECT),
        ("lines", {"a": {"order": 1}}),
        ("lines", {"a": {"0": 1}}),
        ("returns", {"order": {"a": 1}}),
        *((name, {"": 1}) for name in ("view", "cart")),
        ("lines", {"": {"00": 1}}),
        ("veiw", {"a": 1}),
        ("purchase", {"a": 1}),
    ],
)
def test_a_bad_line_is_refused_with_the_field(field: str, value: Any) -> None:
    assert seed.decode(orjson.dumps(GOOD), CAP)
    with pytest.raises(ValueError, match=f"^{field}: "):
        seed.decode(orjson.dumps({**GOOD, field: value}), CAP)


def test_a_known_customer_is_linked_to_nobody() -> None:
    with pytest.raises(ValueError, match=r"^linked: "):
        seed.decode(orjson.dumps({**GOOD, "kind": "known", "linked": "d"}), CAP)


@pytest.mark.parametrize("line", ["", "{", "kind", b"\xff", '{"kind":"known"'])
def test_what_is_not_json(line: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"^not JSON$"):
        seed.decode(line, CAP)


@pytest.mark.parametrize("line", ["[]", "null", "1", '"known"'])
def test_what_is_no_object(line: str) -> None:
    with pytest.raises(ValueError, match=r"^kind: "):
        seed.decode(line, CAP)


names = st.sampled_from([*sorted(GOOD), "lines", "returns", "linked", "linked_at", "erased_at", "a", "00"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)


@given(anything)
def test_any_line_is_a_seed_or_refused(value: Any) -> None:
    fields = {**GOOD, **value} if isinstance(value, dict) else value
    try:
        line = orjson.dumps(fields)
    except orjson.JSONEncodeError:  # an integer beyond 64 bits
        return
    try:
        found = seed.decode(line, CAP)
    except ValueError as error:
        assert ": " in str(error)
    else:
        assert seed.decode(seed.encode(found), CAP) == found
