import gzip
import itertools
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varde import timestamps
from varde.demo import formats
from varde.demo.messages import Message
from varde.events import MAX_BYTES, Interaction, Mapping, Rejected, parse
from varde.history import Signal

HEADER = formats.RETAIL_COLUMNS


def retail(tmp_path: Path, *lines: str, header: str = HEADER) -> list[Message]:
    path = tmp_path / "retail.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return list(formats.online_retail(path))


def bodies(messages: Iterable[Message]) -> list[dict[str, Any]]:
    return [orjson.loads(message.data) for message in messages]


def line(
    invoice: str, code: str, quantity: int = 1, when: str = "2011-06-01 12:00:00", customer: str = "17850.0"
) -> str:
    return f'{invoice},{code},"A, name",{quantity},{when},2.55,{customer},United Kingdom'


def test_the_lines_of_an_invoice_become_one_order(tmp_path: Path) -> None:
    (order,) = bodies(retail(tmp_path, line("536365", "85123A", 6), line("536365", "71053")))
    assert (order["event"], order["userId"], order.get("anonymousId")) == ("Order Completed", "17850", None)
    assert order["properties"]["order_id"] == "536365"
    assert order["properties"]["products"] == [
        {"product_id": "85123A", "name": "A, name", "price": 2.55, "quantity": 6},
        {"product_id": "71053", "name": "A, name", "price": 2.55, "quantity": 1},
    ]


def test_times_are_local_in_the_file_and_utc_in_the_message(tmp_path: Path) -> None:
    summer, winter = retail(tmp_path, line("1", "85123A"), line("2", "85123A", when="2011-12-01 12:00:00"))
    assert summer.time == timestamps.read("2011-06-01T11:00:00Z")
    assert winter.time == timestamps.read("2011-12-01T12:00:00Z")
    assert [timestamps.read(body["timestamp"]) for body in bodies([summer, winter])] == [summer.time, winter.time]


def test_a_guest_is_known_by_the_invoice_only(tmp_path: Path) -> None:
    (order,) = bodies(retail(tmp_path, line("536365", "85123A", customer="")))
    assert order["anonymousId"] == "guest-536365"
    assert "userId" not in order


def test_cancellations_postage_and_corrections(tmp_path: Path) -> None:
    made = bodies(
        retail(
            tmp_path,
            line("C1", "85123A", -3),
            line("2", "POST"),
            line("3", "85123A", -10, customer=""),
            line("4", "DOT"),
            line("4", "22423"),
        )
    )
    assert [(body["event"], body["properties"]["order_id"]) for body in made] == [
        ("Order Cancelled", "C1"),
        ("Order Completed", "4"),
    ]
    assert made[0]["properties"]["products"][0]["quantity"] == 3
    assert [p["product_id"] for p in made[1]["properties"]["products"]] == ["22423"]


@pytest.mark.parametrize("lines", [100, 500, 1_200])
def test_no_message_is_over_segments_limit_and_no_product_is_lost(tmp_path: Path, lines: int) -> None:
    made = retail(tmp_path, *(line("536365", f"{n:05d}") for n in range(lines)))
    products = [p for body in bodies(made) for p in body["properties"]["products"]]
    assert [p["product_id"] for p in products] == [f"{n:05d}" for n in range(lines)]
    assert all(len(message.data) <= MAX_BYTES for message in made)
    assert len({body["messageId"] for body in bodies(made)}) == len(made)
    assert {body["properties"]["order_id"] for body in bodies(made)} == {"536365"}
    assert {len(made)} <= ({1} if lines <= 500 else {2, 3, 4})
    assert ("name" in products[0]) == (lines == 100)


def test_lines_that_cannot_be_read_are_passed_on(tmp_path: Path) -> None:
    made = retail(tmp_path, line("1", "85123A"), "only,three,columns", line("2", "85123A", when="someday"))
    assert len(made) == 3
    assert made[1].data == b"only,three,columns"
    assert b"someday" in made[2].data
    for message in made[1:]:
        assert isinstance(parse(message.data, 0, Mapping()), Rejected)


@pytest.mark.parametrize("form", ["online-retail", "sessions"])
def test_another_table_is_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / "other.csv"
    for content in ("a,b,c\n1,2,3\n", ""):
        path.write_text(content)
        with pytest.raises(formats.FormatError, match="first line"):
            list(formats.read(form, path))


@pytest.mark.parametrize("form", sorted(formats.FORMATS))
def test_a_broken_archive_is_refused(tmp_path: Path, form: str) -> None:
    head = {"online-retail": HEADER, "sessions": formats.SESSION_COLUMNS, "segment": "{}"}[form]
    whole = gzip.compress((head + "\n" + "{}\n" * 50_000).encode())
    path = tmp_path / "broken.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(formats.FormatError):
        list(formats.read(form, path))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.sampled_from(sorted(formats.FORMATS)), rest=st.binary(max_size=300))
def test_any_bytes_after_the_header_give_messages_and_none_is_lost(tmp_path: Path, form: str, rest: bytes) -> None:
    head = {"online-retail": HEADER, "sessions": formats.SESSION_COLUMNS, "segment": "{}"}[form]
    path = tmp_path / "any"
    path.write_bytes(head.encode() + b"\n" + rest)
    made = list(formats.read(form, path))
    assert all(message.data.strip() for message in made)
    if form != "online-retail":
        assert len(made) == sum(1 for part in rest.split(b"\n") if part.strip()) + (form == "segment")


def test_sessions_are_views_of_anonymous_customers(tmp_path: Path) -> None:
    path = tmp_path / "clicks.txt.gz"
    path.write_bytes(
        gzip.compress(b"SessionId\tItemId\tTime\n7\t14957\t1592337718.0\n7\t14713\t1592337765.0\nbad line\n")
    )
    first, second, bad = formats.sessions(path)
    (event,) = parse(first.data, 0, Mapping())  # type: ignore[misc]
    assert event == Interaction(None, "7", Signal.VIEW, ("14957",), 1592337718000)
    assert second.time == 1592337765000
    assert bad.data == b"bad line"


def test_segment_lines_pass_byte_by_byte_with_their_time(tmp_path: Path) -> None:
    path = tmp_path / "segment.ndjson"
    lines = [
        b'{"timestamp": "2026-08-01T12:00:00Z"}',
        b"not json \xff",
        b'{"receivedAt":"2026-08-01T13:00:00+01:00", "timestamp": 7}',  # of 1970
        b"[1]",
    ]
    path.write_bytes(b"\n\r\n".join(lines) + b"\r\n")
    made = list(formats.segment(path))
    assert [message.data for message in made] == lines
    assert [message.time for message in made] == [timestamps.read("2026-08-01T12:00:00Z")] * 4


def test_a_limit_counts_source_units(tmp_path: Path) -> None:
    path = tmp_path / "retail.csv"
    lines = [line("1", "85123A"), line("1", "71053"), line("2", "POST"), line("3", "71053")]
    path.write_text("\n".join([HEADER, *lines]))
    assert len(list(formats.read("online-retail", path, 1))) == 1
    assert len(list(formats.read("online-retail", path, 2))) == 1
    assert len(list(formats.read("online-retail", path, 3))) == 2


def test_the_part_that_was_read_goes_up_to_all(tmp_path: Path) -> None:
    path, parts = tmp_path / "segment.ndjson", list[float]()
    path.write_bytes(b'{"type":"page"}\n' * 50_000)
    assert len(list(formats.read("segment", path, watch=parts.append))) == 50_000
    assert parts == sorted(parts)
    assert parts[0] < 0.5 < parts[-1] <= 1


@pytest.mark.data
def test_the_real_invoices(shared_data: Path) -> None:
    seen: Counter[str] = Counter()
    for message in formats.read("online-retail", shared_data / "online_retail.csv.gz", 3_000):
        parsed = parse(message.data, message.time, Mapping())
        name = parsed.reason if isinstance(parsed, Rejected) else type(parsed[0]).__name__
        seen[name] += 1
    assert seen["Interaction"] > 2_000
    assert set(seen) == {"Interaction", "Return"}


@pytest.mark.data
def test_the_real_sessions(shared_data: Path) -> None:
    path = shared_data / "serenade-example" / "train.txt.gz"
    made = list(itertools.islice(formats.read("sessions", path), 5_000))
    assert all(not isinstance(parse(m.data, m.time, Mapping()), Rejected) for m in made)
    assert len({body["messageId"] for body in bodies(made)}) == 5_000
