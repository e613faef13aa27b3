"""The packed serving row: what is written is what is read, and what is no row is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.rows import HEADER, REVISION_SLICE, Row, decode, encode, readable

u32 = st.integers(0, 2**32 - 1)
LARGEST = [2**8 - 1, 2**8, 2**16 - 1, 2**16, 2**24 - 1, 2**24, 2**32 - 1]


@st.composite
def any_row(draw):
    """In any order, with columns of every width."""
    columns = [st.integers(0, draw(st.sampled_from(LARGEST))) for _ in range(3)]
    cells = draw(st.lists(st.tuples(*columns), max_size=200))
    items, counts, supports = (
        (np.array(column, dtype=np.uint32) for column in zip(*cells, strict=True))
        if cells
        else [np.zeros(0, dtype=np.uint32)] * 3
    )
    return Row(
        items,
        counts,
        supports,
        support=draw(u32),
        total=draw(u32),
        revision=draw(u32),
        written_at=draw(st.integers(0, 2**63)),
        cut=draw(st.booleans()),
        neighbours=draw(u32),
    )


def fields(row):
    arrays = [array.tolist() for array in (row.items, row.counts, row.supports)]
    return [*arrays, row.support, row.total, row.revision, row.written_at, row.cut, row.neighbours]


@given(any_row())
def test_decode_inverts_encode(row):
    data = encode(row)
    assert fields(decode(data)) == fields(row)
    assert 28 + 3 * len(row) <= len(data) <= 28 + 12 * len(row)
    assert encode(decode(data)) == data


@pytest.mark.parametrize(("largest", "width"), [(0, 1), *zip(LARGEST, (1, 2, 2, 3, 3, 4, 4), strict=True)])
def test_a_column_has_the_width_of_its_largest_number(largest, width):
    column, none = np.array([0, largest, 0], dtype=np.uint32), np.zeros(3, dtype=np.uint32)
    for row in (Row(none, column, none, 1, 1), Row(none, none, column, 1, 1)):
        assert len(encode(row)) == 28 + 3 * (2 + width)
        assert fields(decode(encode(row))) == fields(row)


def test_128_candidates_of_100_000_items_take_668_bytes():
    """Items whose numbers lie up to 65,535 apart, counts below 256, supports below 65,536: 2 + 1 + 2 bytes each."""
    items = 64 + 780 * np.arange(128, dtype=np.uint32)
    row = Row(items, items % 200, items % 60_000, 1, 1)
    assert len(encode(row)) == 28 + 5 * 128 == 668


def test_items_in_no_order_are_read_as_they_were():
    items = np.array([2**32 - 1, 0, 7, 3, 3, 2**31], dtype=np.uint32)
    assert decode(encode(Row(items, items, items, 1, 1))).items.tolist() == items.tolist()


@given(any_row())
def test_the_revision_lies_where_the_script_compares_it(row):
    first, last = REVISION_SLICE
    assert struct.unpack("<I", encode(row)[first : last + 1]) == (row.revision,)


def test_a_revision_wraps_round_instead_of_failing():
    empty = np.zeros(0, dtype=np.uint32)
    assert decode(encode(Row(empty, empty, empty, 0, 0, revision=2**32 + 5))).revision == 5


@given(any_row(), st.data())
def test_a_row_of_another_length_is_refused(row, data):
    packed = encode(row)
    cut = data.draw(st.integers(0, len(packed) - 1))
    for wrong in (packed[:cut], packed + b"\0"):
        with pytest.raises(ValueError, match="serving row"):
            decode(wrong)


@given(st.binary(max_size=100) | st.builds(lambda rest: b"\2" + rest, st.binary(max_size=200)))
def test_any_bytes_give_a_row_or_a_value_error(data):
    try:
        row = decode(data)
    except ValueError:
        return
    assert fields(decode(encode(row))) == fields(row)  # the columns may have been wider than they need


@given(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 5), st.data())
def test_any_columns_of_a_row_are_read(items, counts, supports, n, data):
    """Also those that `encode` would have packed closer."""
    head = HEADER.pack(2, items << 2 | counts << 4 | supports << 6, n, 1, 2, 3, 4, 5)
    body = data.draw(
        st.binary(min_size=n * (items + counts + supports + 3), max_size=n * (items + counts + supports + 3))
    )
    row = decode(head + body)
    assert (len(row), row.revision, row.written_at, row.support, row.total, row.neighbours) == (n, 1, 2, 3, 4, 5)
    assert fields(decode(encode(row))) == fields(row)


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_another_version_is_refused(version):
    empty = np.zeros(0, dtype=np.uint32)
    data = bytearray(encode(Row(empty, empty, empty, 0, 0)))
    data[0] = version
    with pytest.raises(ValueError, match=f"version {version}"):
        decode(bytes(data))


def test_a_layout_of_the_future_is_refused():
    empty = np.zeros(0, dtype=np.uint32)
    data = bytearray(encode(Row(empty, empty, empty, 0, 0)))
    data[1] |= 2
    with pytest.raises(ValueError, match="not a serving row"):
        decode(bytes(data))


@given(any_row())
def test_decoded_arrays_cannot_be_changed(row):
    decoded = decode(encode(row))
    for array in (decoded.items, decoded.counts, decoded.supports):
        assert not array.flags.writeable


def test_what_a_reader_can_use():
    one, empty = np.ones(1, dtype=np.uint32), np.zeros(0, dtype=np.uint32)
    row = readable(encode(Row(one, one, one, 1, 1)))
    assert row is not None
    assert row.items.tolist() == [1]
    assert readable(encode(Row(empty, empty, empty, 0, 0))) is None
    assert readable(b"\1" + encode(Row(one, one, one, 1, 1))[1:]) is None
    assert readable(b"") is readable(None) is None
