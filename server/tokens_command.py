"""`varde email-tokens`: a token for each recipient of a mailing, for tools that cannot ask the server for them."""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple

from varde import tables
from varde.mailing import address
from varde.settings import from_env

from . import tokens
from .asked import CAMPAIGN_BYTES
from .email_token import urls
from .params import CUSTOMER_BYTES, MOST_ITEMS
from .tokens import Link

TOKEN = "varde_token"  # noqa: S105 - the name of a column
MOST_FIELD = 1_000_000
"""Longest field of the file, characters."""
_LANG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

_DESCRIPTION = """\
Give each recipient of a mailing the token that stands in the links of the mail, so that a mailbox shows no id: reads a
CSV file with a header from standard input and writes it to standard output with one more column, varde_token. The
tool puts it into addresses such as https://SERVER/v1/email/slot/1.png?t=TOKEN (docs/email.md).
"""
_EPILOG = """\
Columns named lang and currency are used where they are and hold something. A recipient without an id, or with one that
makes no sense, gets an empty token. The same recipient and sending always have the same token on one day (UTC).

exit codes: 0 all have a token; 1 some have none; 2 wrong use

  varde email-tokens --send-id spring-1 --placement mail < recipients.csv > with-tokens.csv
  varde email-tokens --send-id spring-1 --slots 3 --public-url https://r.shop.example < recipients.csv
"""


class Sending(NamedTuple):
    """What all recipients have in common. column: of their ids; None: the first one."""

    send_id: str
    placement: str
    campaign: str | None
    lang: str
    currency: str
    column: str | None
    kind: str
    slots: int
    public_url: str


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="varde email-tokens",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--send-id", required=True, type=_bounded, help="names the sending: what it shows is frozen")
    parser.add_argument("--placement", type=_name, default="default", help="placement of the list (default)")
    parser.add_argument("--campaign", type=_bounded, help="for reports and parameters of links")
    parser.add_argument("--lang", type=_lang, help="language where the file names none")
    parser.add_argument("--currency", type=_currency, help="currency where the file names none")
    parser.add_argument("--column", help="column of the ids; default: the first")
    parser.add_argument("--kind", choices=("uid", "aid"), default="uid", help="ids are userIds (uid) or anonymousIds")
    parser.add_argument("--slots", type=_slots, default=0, help="write addresses of so many slots, too")
    parser.add_argument("--public-url", type=_address, help="address of the server for --slots")
    return parser


def command(argv: Sequence[str]) -> int:
    """`varde email-tokens` with command line words; the exit code.

    Raises:
        SettingsError: a VARDE_* variable makes no sense.
    """
    settings = from_env(os.environ)
    parser = _arguments()
    given = parser.parse_args(argv)
    if not settings.link_secret:
        parser.error("no secret: set VARDE_LINK_SECRET to that of the server")
    if given.slots and not given.public_url:
        parser.error("--slots needs --public-url")
    sending = Sending(
        given.send_id,
        given.placement,
        given.campaign,
        given.lang or "",
        given.currency or "",
        given.column,
        given.kind,
        given.slots,
        given.public_url or "",
    )
    csv.field_size_limit(MOST_FIELD)
    source = open(sys.stdin.fileno(), encoding="utf-8-sig", newline="", closefd=False)  # noqa: SIM115 - stdin
    try:
        return _run(source, sys.stdout, sending, settings.link_secret, time.time_ns() // 1_000_000)
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        sys.stdout.flush()
        why = f"no column {error}" if isinstance(error, KeyError) else f"is no CSV in UTF-8: {error}"
        sys.stderr.write(f"varde email-tokens: standard input: {why}\n")
        return 2


def _run(source: Iterable[str], out: IO[str], sending: Sending, secrets: Sequence[str], now: int) -> int:
    writer = csv.writer(out, lineterminator="\n")
    without = 0
    for row, token in tokened(csv.reader(source), sending, secrets, now):
        without += token == ""
        writer.writerow(row)
    if without:
        sys.stderr.write(f"varde email-tokens: {without} recipients have no id that makes sense, and no token\n")
    return 1 if without else 0


def tokened(
    rows: Iterator[list[str]], sending: Sending, secrets: Sequence[str], now: int
) -> Iterator[tuple[list[str], str | None]]:
    """The rows of a file with what they get, and the token; None for the header, "" for none.

    Args:
        rows: the header first.
        sending: what all have in common.
        secrets: the first makes tokens.
        now: ms since the epoch.

    Raises:
        KeyError: there is no such column.
    """
    header = next(rows, [])
    if not header or (sending.column is not None and sending.column not in header):
        raise KeyError(sending.column or "at all")
    at = 0 if sending.column is None else header.index(sending.column)
    said = {name: header.index(name) for name in ("lang", "currency") if name in header}
    more = [f"varde_{what}_{n}" for n in range(1, sending.slots + 1) for what in ("image", "click")]
    yield [*header, TOKEN, *more], None
    for row in rows:
        if not row:
            continue
        row += [""] * (len(header) - len(row))
        link = _link(row[at], {name: row[place] for name, place in said.items()}, sending, now)
        token = "" if link is None else tokens.make(secrets, link)
        slots = urls(sending.public_url, token, sending.slots) if token else [("", "")] * sending.slots
        yield [*row, token, *(address for pair in slots for address in pair)], token


def _link(who: str, said: dict[str, str], sending: Sending, now: int) -> Link | None:
    if not 1 <= len(who.encode("utf-8", "surrogatepass")) <= CUSTOMER_BYTES:
        return None
    lang, currency = said.get("lang", "").replace("_", "-"), said.get("currency", "").upper()
    return Link(
        who if sending.kind == "uid" else None,
        who if sending.kind == "aid" else None,
        sending.send_id,
        sending.placement,
        sending.campaign,
        lang if _is_lang(lang) else sending.lang,
        currency if _CURRENCY.fullmatch(currency) else sending.currency,
        tokens.expiry(now),
    )


def _is_lang(text: str) -> bool:
    return _LANG.fullmatch(text) is not None and len(text) <= tokens.LANG_CHARACTERS


def _bounded(text: str) -> str:
    if not 1 <= len(text.encode("utf-8", "surrogateescape")) <= CAMPAIGN_BYTES:
        msg = f"must have 1 to {CAMPAIGN_BYTES} bytes"
        raise argparse.ArgumentTypeError(msg)
    return text


def _name(text: str) -> str:
    try:
        return tables.name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _lang(text: str) -> str:
    if not _is_lang(text):
        msg = "must be a language tag as in BCP 47, such as sv or pt-BR"
        raise argparse.ArgumentTypeError(msg)
    return text


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        msg = "must be three capital letters as in ISO 4217"
        raise argparse.ArgumentTypeError(msg)
    return text


def _slots(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MOST_ITEMS):
        msg = f"must be a whole number from 1 to {MOST_ITEMS}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _address(text: str) -> str:
    try:
        return address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
