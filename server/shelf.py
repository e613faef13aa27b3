"""What the server knows of every item, held in memory by slot: names, what may be shown, groups, prices, fragments.

A slot is this process's own dense number of an item id; item numbers of Redis (rows) are mapped to slots once a row is
scored. What rules look at for every candidate lies in bytearrays and lists, which a Python loop reads fastest.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from varde.catalogue import Entry

from .fragments import BUYABLE, SHOWN, Fragments
from .places import Places

NOBODY = 0
"""The code of no brand and of no category."""
_FIELDS = ("title", "url", "image", "price", "currency", "brand", "categories", "parent", "stock")


class Codes:
    """Texts as small whole numbers from 1."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self.texts: list[str] = [""]

    def code(self, text: str) -> int:
        """The code of a text, a new one for a new text."""
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = len(self.texts)
            self.texts.append(text)
        return code

    def find(self, text: str) -> int | None:
        """The code of a text that is known, else None."""
        return self._codes.get(text)


class Shelf:
    """All items by slot. `epoch` goes up with every change that an answer made before could contradict."""

    def __init__(self) -> None:
        self.epoch = 0
        self.ids: list[str] = []
        self.slots: dict[str, int] = {}
        self.entries: list[Entry | None] = []
        self.shown = bytearray()
        """1: not hidden."""
        self.buyable = bytearray()
        """1: neither hidden nor sold out."""
        self.listed = bytearray()
        """1: a catalogue feed has it."""
        self.group: list[int] = []
        """Code of the variants' parent; an item without one is its own."""
        self.brand: list[int] = []
        self.categories: list[tuple[int, ...]] = []
        """Codes, the most specific last."""
        self.brands, self.category_names, self._groups = Codes(), Codes(), Codes()
        self.numbers = array("q")
        """Item number in Redis, -1 where Varde has counted nothing of the item."""
        self.entries_listed = 0
        """Items that a catalogue feed has: 0 where the shop has no catalogue."""
        self._of_number: NDArray[np.intp] = np.full(1024, -1, np.intp)
        self.fragments = Fragments()
        """Each item's part of a JSON object in the default language and currency, as `fragment` gives it."""
        self.places = Places()
        """Where the rows in memory lie; HotRows keeps it."""
        self._translated: dict[tuple[str, str], dict[int, bytes]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def some_unlisted(self) -> bool:
        """Whether there are items that no catalogue feed has."""
        return self.entries_listed < len(self.ids)

    def slot(self, item: str) -> int:
        """The slot of an item id, a new one for a new id."""
        slot = self.slots.get(item)
        if slot is None:
            slot = self.slots[item] = len(self.ids)
            self.ids.append(item)
            self.entries.append(None)
            self.group.append(self._groups.code(item))
            self.brand.append(NOBODY)
            self.categories.append(())
            self.numbers.append(-1)
            self.shown.append(1)
            self.buyable.append(1)
            self.listed.append(0)
            name = _fragment(item, None, "", "")
            self.fragments.add(SHOWN | BUYABLE, self.group[slot], name, len(name))
        return slot

    def learn(self, named: Iterable[tuple[str, int]]) -> None:
        """Item ids with their numbers in Redis."""
        for item, number in named:
            slot = self.slot(item)
            if number == self.numbers[slot]:
                continue
            self._let_go(slot)
            self.numbers[slot] = number
            if number >= len(self._of_number):
                grown = np.full(max(number + 1, 2 * len(self._of_number)), -1, np.intp)
                grown[: len(self._of_number)] = self._of_number
                self._of_number = grown
            self._of_number[number] = slot

    def forget_others(self, known: Collection[str]) -> None:
        """Redis knows these items and no others: it has been emptied, or has lost its newest writes."""
        for item, slot in self.slots.items():
            if self.numbers[slot] >= 0 and item not in known:
                self._let_go(slot)
                self.numbers[slot] = -1
        self.epoch += 1

    def _let_go(self, slot: int) -> None:
        """The slot's number is not its own any more, unless another item has been given it already."""
        self.places.let_go(slot)
        number = self.numbers[slot]
        if number >= 0 and self._of_number[number] == slot:
            self._of_number[number] = -1

    def of_numbers(self, numbers: NDArray[np.uint32]) -> NDArray[np.intp]:
        """Slots of item numbers, -1 for unknown ones."""
        if len(numbers) and int(numbers.max()) >= len(self._of_number):
            known = numbers < len(self._of_number)
            return np.where(known, self._of_number[np.where(known, numbers, 0)], np.intp(-1))
        return self._of_number[numbers]

    def put(self, item: str, entry: Entry | None) -> None:
        """An item's catalogue entry is this now; None: it has none any more. Counts at the next answer."""
        slot = self.slot(item)
        before = self.entries[slot]
        if before == entry:
            return
        self.entries[slot] = entry
        self.group[slot] = self._groups.code((entry.parent if entry else None) or item)
        self.brand[slot] = self.brands.code(entry.brand) if entry and entry.brand else NOBODY
        self.categories[slot] = tuple(self.category_names.code(name) for name in entry.categories) if entry else ()
        for (lang, currency), fragments in self._translated.items():
            if slot in fragments:
                fragments[slot] = _fragment(item, entry, lang, currency)
        listed = entry is not None and entry.listed
        self.entries_listed += listed - self.listed[slot]
        self.listed[slot] = listed
        self.shown[slot] = entry is None or not entry.hidden
        self.buyable[slot] = self.shown[slot] and not (entry is not None and entry.sold_out)
        open_ = SHOWN * self.shown[slot] | BUYABLE * self.buyable[slot]
        name, fragment = len(_fragment(item, None, "", "")), _fragment(item, entry, "", "")
        self.fragments.put(slot, open_, self.group[slot], fragment, name)
        self.epoch += 1

    def group_of(self, item: str) -> int | None:
        """The code of an item's variants; of an id that is no item the code of those whose parent it is, if any."""
        slot = self.slots.get(item)
        return self._groups.find(item) if slot is None else self.group[slot]

    def price(self, slot: int, currency: str = "") -> float:
        """The price in a currency, else in the entry's own; NaN without one."""
        entry = self.entries[slot]
        if entry is None:
            return math.nan
        other = entry.prices.get(currency) if currency and currency != entry.currency else None
        price = entry.price if other is None else other
        return math.nan if price is None else price

    def fragment(self, slot: int, lang: str = "", currency: str = "") -> bytes:
        """The item's part of a JSON object, from its id on and without braces."""
        if not lang and not currency:
            return self.fragments[slot]
        fragments = self._translated.get((lang, currency))
        if fragments is None:
            if len(self._translated) >= 64:  # callers choose the keys: bounded
                self._translated.clear()
            fragments = self._translated[lang, currency] = {}
        found = fragments.get(slot)
        if found is None:
            found = fragments[slot] = _fragment(self.ids[slot], self.entries[slot], lang, currency)
        return found


def _fragment(item: str, entry: Entry | None, lang: str, currency: str) -> bytes:
    fields: dict[str, object] = {"id": item}
    if entry is not None:
        for name in _FIELDS:
            value = getattr(entry, name)
            if value is not None and value != () and value != "":
                fields[name] = value
        if (text := entry.texts.get(lang)) is not None:
            fields.update((name, said) for name, said in text._asdict().items() if said is not None)
        if currency in entry.prices:
            fields["price"], fields["currency"] = entry.prices[currency], currency
    return orjson.dumps(fields)[1:-1]


def slots_of(shelf: Shelf, items: Sequence[str]) -> list[int]:
    """The slots of those items that are known."""
    return [slot for item in items if (slot := shelf.slots.get(item)) is not None]
