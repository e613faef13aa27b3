"""Files of events -> Segment messages: `online-retail`, `sessions` and `segment`. Generators; they only read the file.

A line that cannot be read is passed on as it is: the pipeline's dead letters are where somebody looks for it. Blank
lines are no lines.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from varde import timestamps
from varde.events import MAX_BYTES

from .messages import EPOCH, Message, delivered, encode

RETAIL_COLUMNS = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
SESSION_COLUMNS = "SessionId\tItemId\tTime"
RETAIL_ZONE = ZoneInfo("Europe/London")
CODE_DIGITS = 5
"""A stock code begins with five digits; others are postage, fees, samples and corrections."""
WATCH_EVERY = 1000

Watch = Callable[[float], None]
"""Told the part of the file that has been read, 0 to 1."""


class FormatError(ValueError):
    """A file that is not what it was said to be: other columns, or a broken archive."""


def read(form: str, path: Path, limit: int | None = None, watch: Watch | None = None) -> Iterator[Message]:
    """The messages of a file.

    Args:
        form: a key of FORMATS.
        path: the file, plain or .gz.
        limit: how many source units are read at most: invoices, clicks or lines.
        watch: told how much of the file has been read.

    Raises:
        FormatError: the file is not of this format.
        OSError: it cannot be opened.
    """
    return FORMATS[form](path, limit, watch)


def online_retail(path: Path, limit: int | None = None, watch: Watch | None = None) -> Iterator[Message]:
    """The UCI "Online Retail" table: one `Order Completed`, or `Order Cancelled` (InvoiceNo C…), per invoice.

    An invoice is a run of consecutive lines with the same InvoiceNo, at the time of its first line (local UK time in
    the file). Lines of codes that are no products, and of quantity 0 or less outside a cancellation (stock
    corrections), are left out; an invoice without any other line gives no message. Without a customer, anonymousId is
    guest-INVOICE. A message over Segment's 32 kB loses name and price of its products; if that is not enough it is
    split, halves first, into several with the same order_id: to the shopper it was one order, and so it is in counts.
    """
    with _lines(path, watch) as lines:
        _expect(next(lines, b""), RETAIL_COLUMNS, path)
        numbered = enumerate(lines, start=2)
        groups = itertools.groupby(_retail_lines(numbered), key=lambda line: line.invoice)
        for _, group in itertools.islice(groups, limit):
            yield from _invoice(list(group))


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the table, or (with `raw`) one that is none."""

    number: int
    invoice: str
    code: str = ""
    name: str = ""
    quantity: int = 0
    time: int = 0
    price: float = 0.0
    customer: str = ""
    raw: bytes | None = None


def _retail_lines(numbered: Iterable[tuple[int, bytes]]) -> Iterator[_Line]:
    for number, data in numbered:
        try:
            invoice, code, name, quantity, date, price, customer, _ = next(csv.reader([data.decode()]))
            local = datetime.fromisoformat(date).replace(tzinfo=RETAIL_ZONE)
            time = int((local - EPOCH).total_seconds()) * 1000
            customer = customer.removesuffix(".0")
            yield _Line(number, invoice, code, name.strip(), int(quantity), time, float(price), customer)
        except (ValueError, csv.Error, StopIteration, OverflowError):
            yield _Line(number, f"line {number}", raw=data)


def _invoice(lines: list[_Line]) -> Iterator[Message]:
    first = lines[0]
    if first.raw is not None:
        yield Message(first.raw, 0)
        return
    cancelled = first.invoice.startswith("C")
    products = [
        {"product_id": line.code, "name": line.name, "price": line.price, "quantity": abs(line.quantity)}
        for line in lines
        if line.code[:CODE_DIGITS].isdecimal() and len(line.code) >= CODE_DIGITS and (line.quantity > 0 or cancelled)
    ]
    if not products:
        return
    # The line number makes the id unique: one invoice of the file is interrupted by another.
    name = f"retail-{first.invoice}-{first.number}"
    yield from _orders(first, "Order Cancelled" if cancelled else "Order Completed", name, products)


def _orders(first: _Line, event: str, message_id: str, products: list[dict[str, Any]]) -> Iterator[Message]:
    ids = {"userId": first.customer} if first.customer else {"anonymousId": f"guest-{first.invoice}"}
    properties = {"order_id": first.invoice, "currency": "GBP", "products": products}
    body = {"type": "track", "event": event, **ids, "properties": properties}
    message = encode(delivered(body, message_id, first.time, server=True), first.time)
    if len(message.data) <= MAX_BYTES:
        yield message
    elif "name" in products[0]:
        short = [{"product_id": p["product_id"], "quantity": p["quantity"]} for p in products]
        yield from _orders(first, event, message_id, short)
    else:
        half = len(products) // 2
        yield from _orders(first, event, f"{message_id}-1", products[:half])
        yield from _orders(first, event, f"{message_id}-2", products[half:])


def sessions(path: Path, limit: int | None = None, watch: Watch | None = None) -> Iterator[Message]:
    """Tab separated SessionId, ItemId, Time (seconds since the epoch): one `Product Viewed` per click.

    A session stands for a customer: it becomes the anonymousId.
    """
    with _lines(path, watch) as lines:
        _expect(next(lines, b""), SESSION_COLUMNS, path)
        for number, data in enumerate(itertools.islice(lines, limit), start=2):
            try:
                session, item, seconds = data.decode().split("\t")
                time = round(float(seconds) * 1000)
                viewed = {"type": "track", "event": "Product Viewed", "anonymousId": session}
                message = delivered(viewed | {"properties": {"product_id": item}}, f"click-{session}-{number}", time)
            except (ValueError, OverflowError):
                yield Message(data, 0)
            else:
                yield encode(message, time)


def segment(path: Path, limit: int | None = None, watch: Watch | None = None) -> Iterator[Message]:
    """Segment messages, one JSON object per line. Lines are passed on byte by byte.

    The time is that of `timestamp`, else of `receivedAt`, else that of the line before; dates that no shop's event can
    have (timestamps.EARLIEST) do not count.
    """
    time = 0
    with _lines(path, watch) as lines:
        for data in itertools.islice(lines, limit):
            time = _time_of(data, time)
            yield Message(data, time)


def _time_of(data: bytes, otherwise: int) -> int:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        return otherwise
    if not isinstance(body, dict):
        return otherwise
    for name in ("timestamp", "receivedAt"):
        time = timestamps.read(body.get(name))
        if time is not None and time >= timestamps.EARLIEST:
            return time
    return otherwise


FORMATS: dict[str, Callable[[Path, int | None, Watch | None], Iterator[Message]]] = {
    "online-retail": online_retail,
    "sessions": sessions,
    "segment": segment,
}


def _expect(line: bytes, columns: str, path: Path) -> None:
    if line.removeprefix(b"\xef\xbb\xbf") != columns.encode():
        shown = columns.replace("\t", "<tab>")
        msg = f"{path}: the first line is not {shown}"
        raise FormatError(msg)


@contextmanager
def _lines(path: Path, watch: Watch | None) -> Iterator[Iterator[bytes]]:
    size = path.stat().st_size or 1
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        content: Iterable[bytes] = gzip.GzipFile(fileobj=file) if packed else file
        yield _watched(content, watch, lambda: file.tell() / size, path)


def _watched(content: Iterable[bytes], watch: Watch | None, part: Callable[[], float], path: Path) -> Iterator[bytes]:
    try:
        for number, line in enumerate(content):
            if watch is not None and number % WATCH_EVERY == 0:
                watch(part())
            if line.strip():
                yield line.rstrip(b"\r\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        msg = f"{path}: {error}"
        raise FormatError(msg) from error
