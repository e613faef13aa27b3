"""Segment's webhook, pure: the bytes that are signed, and the messages as they came."""

import itertools
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde.collecting import Sender
from varde.events import MAX_BYTES
from varde.webhook import MOST_MESSAGES, elements, signed, taken

NOW = 1_728_043_200_000
RECEIVED = "2024-10-04T11:00:00.000Z"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
BLANK = st.text(" \t\r\n", max_size=2)


def test_the_signature_is_hmac_sha1_in_hexadecimal():
    text, signature = b"The quick brown fox jumps over the lazy dog", "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9"
    assert signed(text, signature, "key")
    assert signed(text, f" {signature.upper()}", "key")
    for wrong in ("", "x", signature[:-1], "é", "\udcff"):
        assert not signed(text, wrong, "key")
    assert not signed(text + b" ", signature, "key")
    assert not signed(text, signature, "other")


@given(st.lists(JSON), BLANK, st.booleans())
def test_elements_are_the_very_bytes(values, blank, escaped):
    texts = [json.dumps(value, ensure_ascii=escaped).encode("utf-8", "replace") for value in values]
    gap = blank.encode()
    body = gap + b"[" + gap + (gap + b"," + gap).join(texts) + gap + b"]" + gap
    assert elements(body) == texts


def test_numbers_and_escapes_stay_as_they_were_written():
    body = rb'[{"n":1.0,"e":1E5,"s":"\u00e9\/"},{"n":100000000000000000000000}]'
    assert elements(body) == [rb'{"n":1.0,"e":1E5,"s":"\u00e9\/"}', rb'{"n":100000000000000000000000}']


@pytest.mark.parametrize("body", [b'{"a":[1]}', b" {}", b"", b"nonsense"])
def test_what_is_no_array_is_one_text(body):
    assert elements(body) == [body]


@pytest.mark.parametrize(
    "body", [b"[", b"[1", b"[1,", b"[1,]", b"[,1]", b"[1 2]", b"[1] x", b"[]]", b"[\xff]", b"[{]", b"[" * 50_000]
)
def test_what_is_no_json(body):
    with pytest.raises(ValueError, match=r"\S"):
        elements(body)


def sender():
    numbers = itertools.count()
    return Sender(NOW, lambda: f"new-{next(numbers)}")


def test_what_segment_has_finished_goes_on_as_it_came():
    text = b'{ "type":"delete","userId":"u","messageId":"m","receivedAt":"' + RECEIVED.encode() + b'","n":1.0 }'
    assert taken([text], sender()).messages == [text]


def test_what_is_missing_is_added():
    found = taken(
        [b'{"type":"track","receivedAt":"2024-10-04T11:00:00.000Z"}', b'{"type":"page","messageId":"m"}'], sender()
    )
    first, second = map(orjson.loads, found.messages)
    assert (first["messageId"], first["receivedAt"]) == ("new-0", RECEIVED)
    assert (second["messageId"], second["receivedAt"]) == ("m", "2024-10-04T12:00:00.000Z")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"{", "not_json"),
        (b"[]", "not_an_object"),
        (b"{}", "unknown_type"),
        (b'{"type":5}', "unknown_type"),
        (b'{"type":"track","x":"' + b"y" * MAX_BYTES + b'"}', "too_large"),
    ],
)
def test_what_is_left_out(text, reason):
    found = taken([text], sender())
    assert (found.messages, dict(found.dropped)) == ([], {reason: 1})


def test_more_than_segment_sends():
    found = taken([b'{"type":"track","userId":"u"}'] * (MOST_MESSAGES + 5), sender())
    assert (len(found.messages), dict(found.dropped)) == (MOST_MESSAGES, {"too_many": 5})
