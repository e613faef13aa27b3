"""Items as a mail prints them: flat texts, whole addresses, prices as people of the language write them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_decimal, get_currency_precision

from varde.catalogue import Entry
from varde.mail_formats import FIELDS, Pairs
from varde.mailing import PLACEHOLDERS, Email

from .shelf import Shelf

MOST = 20_000
"""Items that are kept ready, over all languages and currencies: some 20 MB."""
_OTHERWISE = "en"
_UNSAFE = re.compile(r"[\s\"'<>]")
"""What would end an attribute of HTML, or a line."""
_PLACE = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")


class Where(NamedTuple):
    """What tags of links may name, beside the item and its position."""

    campaign: str = ""
    send_id: str = ""
    placement: str = ""
    experiment: str = ""
    variation: str = ""


class Printer:
    """Makes items ready for one configuration; an item is made anew when the catalogue says something else of it."""

    def __init__(self, email: Email) -> None:
        self._email = email
        self._ready: dict[tuple[int, str, str], tuple[Entry | None, dict[str, str]]] = {}

    def item(self, shelf: Shelf, slot: int, lang: str, currency: str) -> Mapping[str, str]:
        """An item's fields, but for its position and what a click leads over.

        Args:
            shelf: all items.
            slot: of the item.
            lang: of title, address and price; "" for the catalogue's own.
            currency: of the price, where the catalogue has it.
        """
        key, entry = (slot, lang, currency), shelf.entries[slot]
        kept = self._ready.get(key)
        if kept is not None and kept[0] is entry:
            return kept[1]
        if len(self._ready) >= MOST:
            self._ready.clear()
        made = _fields(shelf.ids[slot], entry, lang, currency, self._email)
        self._ready[key] = entry, made
        return made

    def link(self, address: str, item: str, position: int, where: Where) -> str:
        """An address with the configured parameters."""
        tags = self._email.utm
        if not tags or not address:
            return address
        return _tagged(address, tags, item, position, where)


def _fields(item: str, entry: Entry | None, lang: str, currency: str, email: Email) -> dict[str, str]:
    out = dict.fromkeys(FIELDS, "")
    out["id"] = item
    if entry is None:
        out["url"] = email.shop_url
        return out
    text = entry.texts.get(lang) or entry.texts.get(lang.partition("-")[0]) if lang else None
    title, url = (text.title, text.url) if text else (None, None)
    out["title"] = title or entry.title or item
    out["url"] = whole(url or entry.url or "", email.shop_url)
    out["image_url"] = whole(entry.image, email.shop_url) if entry.image else ""
    out["brand"], out["parent"] = entry.brand or "", entry.parent or ""
    out["category"] = entry.categories[-1] if entry.categories else ""
    price, of = entry.price, entry.currency or ""
    if currency and currency in entry.prices:
        price, of = entry.prices[currency], currency
    if price is not None:
        out["price"], out["currency"] = plain(price, of), of
        out["price_formatted"] = written(price, of, lang or email.lang)
    return out


def whole(address: str, shop: str) -> str:
    """An address of the catalogue as a whole one: a path is on the shop's."""
    try:
        found = urljoin(shop if shop.endswith("/") else f"{shop}/", address) if shop else address
    except ValueError:  # such as an unfinished IPv6 address
        return shop
    return _UNSAFE.sub(lambda char: quote(char[0]), found)


def plain(price: float, currency: str) -> str:
    """A price for programs: a point, and as many decimals as the currency has."""
    return f"{price:.{_decimals(currency)}f}"


def written(price: float, currency: str, lang: str) -> str:
    """A price for people, as CLDR has it for the language; English where that is not known."""
    locale = _locale(lang)
    if not currency:
        return format_decimal(price, "#,##0.00", locale=locale)
    return format_currency(price, currency, locale=locale)


@lru_cache(maxsize=512)
def _decimals(currency: str) -> int:
    return get_currency_precision(currency) if currency else 2


@lru_cache(maxsize=512)
def _locale(lang: str) -> Locale:
    for tag in (lang, lang.partition("-")[0], _OTHERWISE):
        try:
            return Locale.parse(tag, sep="-")
        except (UnknownLocaleError, ValueError, TypeError):
            continue
    return Locale(_OTHERWISE)


@lru_cache(maxsize=65_536)
def _tagged(address: str, tags: Pairs, item: str, position: int, where: Where) -> str:
    said = {**where._asdict(), "item": item, "position": str(position)}
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    there = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    more = urlencode(
        [(name, _PLACE.sub(lambda found: said[found[1]], text)) for name, text in tags if name not in there],
        quote_via=quote,
        errors="replace",
    )
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, more)))))
