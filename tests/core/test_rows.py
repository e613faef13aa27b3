"""The packed serving row: what is written is what is read, and what is no row is refused."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.rows import REVISION_SLICE, Row, decode, encode

u32 = st.integers(0, 2**32 - 1)


@st.composite
def any_row(draw):
    cells = draw(st.lists(st.tuples(u32, u32, u32), max_size=200))
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
    assert len(data) == 28 + 12 * len(row)
    assert encode(decode(data)) == data


def test_128_candidates_take_1564_bytes():
    column = np.arange(128, dtype=np.uint32)
    assert len(encode(Row(column, column, column, 1, 1))) == 1564


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


@given(st.binary(max_size=100))
def test_any_bytes_give_a_row_or_a_value_error(data):
    try:
        row = decode(data)
    except ValueError:
        return
    assert encode(row)[28:] == data[28:]


def test_another_version_is_refused():
    empty = np.zeros(0, dtype=np.uint32)
    data = bytearray(encode(Row(empty, empty, empty, 0, 0)))
    data[0] = 2
    with pytest.raises(ValueError, match="version 2"):
        decode(bytes(data))


@given(any_row())
def test_decoded_arrays_cannot_be_changed(row):
    decoded = decode(encode(row))
    for array in (decoded.items, decoded.counts, decoded.supports):
        assert not array.flags.writeable
