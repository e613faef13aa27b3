"""The collector's pure part: what becomes of a message's time, id, address and context, whatever SDKs send."""

import itertools
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from varde import addresses, collecting, json_mended
from varde.collecting import MOST_GROWN, MOST_MESSAGES, Sender, batch, iso, known, single, taken
from varde.config import ConfigError, read
from varde.events import MAX_BYTES, Mapping, Rejected, parse
from varde.timestamps import event_time
from varde.timestamps import read as read_time

NOW = 1_728_043_200_000
HOUR = 3_600_000
KEYS = frozenset({"key"})


def sender(**more):
    numbers = itertools.count()
    return Sender(NOW, lambda: f"new-{next(numbers)}", **more)


def one(message, type_="track", **more):
    (data,) = taken(single(dict(message)), type_, sender(**more)).messages
    return orjson.loads(data)


# Times


@pytest.mark.parametrize(
    ("original", "sent", "expected"),
    [
        ("2024-10-04T11:59:00.000Z", "2024-10-04T11:59:30.000Z", NOW - 30_000),  # 30 s on a slow clock
        ("2030-01-01T00:00:00.000Z", "2030-01-01T01:00:00.000Z", NOW - HOUR),  # a clock years ahead
        ("1971-01-01T00:00:00.000Z", "1971-01-01T00:00:10.000Z", NOW - 10_000),
        ("2024-10-04T13:59:00+02:00", "2024-10-04T11:59:30.123456+00:00", NOW - 30_123),
        ("2024-10-01T12:00:00.000Z", None, NOW - 72 * HOUR),  # nothing is known of the clock
        ("2024-10-01T12:00:00.000Z", "soon", NOW - 72 * HOUR),
        ("2024-10-05T12:00:00.000Z", None, NOW),  # later than its receipt
        ("2024-10-04T11:59:40.000Z", "2024-10-04T11:59:30.000Z", NOW),  # after it was sent
        ("once", "2024-10-04T11:59:30.000Z", NOW),
        (None, "2024-10-04T11:59:30.000Z", NOW),
        (1_728_043_140_000, 1_728_043_170_000, NOW - 30_000),
    ],
)
def test_a_clock_that_is_wrong_is_put_right(original, sent, expected):
    found = one({"timestamp": original, "sentAt": sent})
    assert found["timestamp"] == iso(expected)
    assert found["receivedAt"] == iso(NOW)
    assert found.get("originalTimestamp") == original
    assert found.get("sentAt") == (None if sent == "soon" else sent)
    assert event_time(found, NOW + 5)[0] == expected


def test_the_batchs_clock_goes_before_the_messages():
    body = {
        "batch": [{"type": "track", "timestamp": "2024-10-04T10:00:00Z", "sentAt": "2024-10-04T10:00:01Z"}],
        "sentAt": "2024-10-04T11:00:00Z",
    }
    (data,) = taken(batch(body), None, sender()).messages
    assert orjson.loads(data)["timestamp"] == iso(NOW - HOUR)


def test_a_time_before_1970_is_left_to_the_stream_to_judge():
    found = one({"timestamp": "0001-01-01T00:00:00Z", "userId": "u", "event": "Product Viewed"})
    assert found["timestamp"] == "0001-01-01T00:00:00Z"


def test_a_sender_cannot_say_when_it_was_received():
    assert one({"receivedAt": "2035-01-01T00:00:00Z"})["receivedAt"] == iso(NOW)


# Ids


@pytest.mark.parametrize("given_id", [None, "", 0.5, True, [], {}])
def test_a_message_without_an_id_gets_one(given_id):
    assert one({"messageId": given_id})["messageId"] == "new-0"


@pytest.mark.parametrize("given_id", ["x" * 101, "é" * 5_000])
def test_an_id_that_is_too_long_gets_the_same_shorter_one_every_time(given_id):
    first, again, other = (one({"messageId": text})["messageId"] for text in (given_id, given_id, given_id + "y"))
    assert first == again != other
    assert len(first) < 100


@pytest.mark.parametrize(("given_id", "kept"), [("x" * 100, "x" * 100), (17, "17")])
def test_an_id_is_kept(given_id, kept):
    assert one({"messageId": given_id})["messageId"] == kept


# Addresses


@pytest.mark.parametrize(
    ("address", "truncated"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:1:2:3::4", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("fe80::1%eth0", "fe80::"),
        ("somewhere", None),
        ("", None),
    ],
)
def test_how_much_of_an_address_is_kept(address, truncated):
    assert addresses.kept(address, addresses.TRUNCATED) == truncated
    assert addresses.kept(address, addresses.NONE) is None
    full = addresses.kept(address, addresses.FULL)
    assert (full is None) == (truncated is None)


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        ("1.1.1.1", 0, "9.9.9.9"),
        ("1.1.1.1", 1, "1.1.1.1"),
        ("forged, 1.1.1.1", 1, "1.1.1.1"),
        ("forged, 1.1.1.1 , 2.2.2.2", 2, "1.1.1.1"),
        ("1.1.1.1", 2, "9.9.9.9"),
        ("", 1, "9.9.9.9"),
        (" , ", 1, "9.9.9.9"),
    ],
)
def test_who_asked_behind_proxies(forwarded, proxies, expected):
    assert addresses.asked_from("9.9.9.9", forwarded, proxies) == expected


LIBRARY = {"library": {"name": "analytics.js"}}


@pytest.mark.parametrize(
    ("context", "browser", "ip"),
    [
        (None, True, "1.2.3.0"),
        (LIBRARY, False, "1.2.3.0"),
        ({"direct": True}, False, "1.2.3.0"),
        (None, False, None),
        ({"direct": "yes"}, False, None),
        ({"ip": "8.8.8.8"}, False, "8.8.8.0"),  # a server's SDK says whose it is
        ({"ip": "8.8.8.8"}, True, "8.8.8.0"),
        ({"ip": "nowhere"}, True, "1.2.3.0"),
        ({"ip": "nowhere"}, False, None),
        ({"ip": None}, False, None),
    ],
)
def test_whose_address_a_message_gets(context, browser, ip):
    message = {} if context is None else {"context": context}
    found = one(message, ip="1.2.3.4", browser=browser, agent="Mozilla")
    assert found.get("context", {}).get("ip") == ip
    assert one(message, ip="1.2.3.4", browser=browser, kept=addresses.NONE).get("context", {}).get("ip") is None
    agent = "Mozilla" if browser or context == LIBRARY else None
    assert found.get("context", {}).get("userAgent") == agent


def test_an_agent_that_is_said_is_kept():
    assert one({"context": {"userAgent": "own"}}, browser=True, agent="x")["context"]["userAgent"] == "own"


@pytest.mark.parametrize("context", ["text", 5, []])
def test_a_context_that_is_none_stays_as_it_came(context):
    assert one({"context": context}, ip="1.2.3.4", browser=True)["context"] == context


# What is left out


def test_no_key_and_no_note_of_the_sdk_is_passed_on():
    found = one({"writeKey": "key", "_metadata": {"retryCount": 1}, "userId": "u"})
    assert not {"writeKey", "_metadata"} & set(found)


def test_the_path_says_what_a_message_is():
    assert one({"type": "delete", "userId": "u"}, "identify")["type"] == "identify"


@pytest.mark.parametrize("type_", ["delete", "Track", "", None, 5, ["track"], {}])
def test_types_that_no_sdk_has(type_):
    found = taken(batch({"batch": [{"type": type_, "userId": "u"}]}), None, sender())
    assert (found.messages, dict(found.dropped)) == ([], {"unknown_type": 1})


@pytest.mark.parametrize("body", [{}, {"batch": None}, {"batch": {}}, {"batch": "x"}])
def test_no_batch(body):
    assert batch(body) is None


def test_the_bound_is_of_what_is_published():
    base = len(taken(single({"x": ""}), "track", sender()).messages[0])
    for size, dropped in ((MAX_BYTES, {}), (MAX_BYTES + 1, {"too_large": 1})):
        found = taken(single({"x": "y" * (size - base)}), "track", sender())
        assert dict(found.dropped) == dropped
        assert not found.messages or len(found.messages[0]) == MAX_BYTES


def test_a_batchs_context_multiplies_up_to_a_bound():
    body = {"batch": [{"type": "track"}] * MOST_MESSAGES, "context": {"x": "y" * 30_000}}
    found = taken(batch(body), None, sender())
    assert sum(map(len, found.messages)) <= MOST_GROWN
    assert len(found.messages) + found.dropped["too_large"] == MOST_MESSAGES
    assert found.messages


def test_keys():
    assert known({"writeKey": "key"}, None, KEYS)
    assert known({"writeKey": ["x"]}, "key", KEYS)
    assert not known({"writeKey": ["key"]}, None, KEYS)
    assert not known({}, "", KEYS)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.sampled_from(["track", "key", iso(NOW)]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["ip", "direct", "library"]), inner),
    max_leaves=8,
)
NAMES = ["type", "messageId", "timestamp", "sentAt", "context", "writeKey", "userId", "receivedAt", "originalTimestamp"]
MESSAGES = st.dictionaries(st.sampled_from(NAMES), JSON) | JSON


@given(st.lists(MESSAGES, max_size=4), st.dictionaries(st.sampled_from(["context", "integrations", "sentAt"]), JSON))
def test_nothing_is_lost_and_nothing_is_published_that_the_stream_cannot_read(items, more):
    body = orjson.loads(orjson.dumps({"batch": items, **more}))
    found = taken(batch(body), None, sender(ip="1.2.3.4", browser=True))
    assert len(found.messages) + sum(found.dropped.values()) == len(items)
    for data in found.messages:
        message = orjson.loads(data)
        assert message["type"] in collecting.CALLS
        assert 0 < len(message["messageId"]) <= 100
        assert read_time(message["receivedAt"]) == NOW
        assert event_time(message, NOW)[0] <= NOW
        read_again = parse(data, NOW, Mapping())
        if isinstance(read_again, Rejected):
            assert read_again.reason not in ("not_json", "not_an_object", "too_large", "unknown_type")


# JSON


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b'{"a":NaN,"b":[-Infinity]}', {"a": None, "b": [None]}),
        (rb'{"a":"\ud83d","b":"\ud83d\ude00"}', {"a": "\ufffd", "b": "\N{GRINNING FACE}"}),
        (rb'{"\udc00":1}', {"\ufffd": 1}),
        (b'{"a":123456789012345678901234567890}', {"a": 123456789012345678901234567890.0}),
    ],
)
def test_faults_of_senders_are_mended(text, value):
    assert json_mended.loads(text) == value


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"{'a':1}", b"nan", b"[" * 5_000, b"[" + b"9" * 5_000 + b"x]"])
def test_what_cannot_be_mended(text):
    with pytest.raises(ValueError, match=r"\S"):
        json_mended.loads(text)


ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""With halves of surrogate pairs."""
WRITTEN = st.dictionaries(ANY_TEXT, st.floats() | st.integers() | ANY_TEXT).map(
    lambda value: json.dumps(value).encode()
)


@given(st.binary(max_size=60) | WRITTEN)
def test_reading_json_ends_in_a_value_or_a_value_error(data):
    try:
        value = json_mended.loads(data)
    except ValueError:
        return
    orjson.dumps(value)


# The configuration


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('write_keys = ["a:b"]', "collector.write_keys[1]"),
        ("write_keys = [5]", "collector.write_keys[1]"),
        ('write_keys = [""]', "collector.write_keys[1]"),
        ('ip = "half"', "collector.ip"),
        ("proxies = 11", "collector.proxies"),
        ('public_url = "shop.example"', "collector.public_url"),
        ('public_url = "https://shop.example/"', "collector.public_url"),
        ('public_url = "https://u@shop.example"', "collector.public_url"),
        ('public_url = "https://shop.example:99999"', "collector.public_url"),
        ("keys = []", "collector.keys"),
    ],
)
def test_a_configuration_that_makes_no_sense(text, where):
    with pytest.raises(ConfigError) as caught:
        read(f"[collector]\n{text}", ("llr",))
    assert (caught.value.line, caught.value.where) == (2, where)


def test_without_a_table_the_collector_is_off():
    assert read("", ("llr",)).collector.write_keys == ()
