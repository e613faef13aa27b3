"""Whom a visitor may log in as: some of the simulated shoppers, or anybody under a name. Pure."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass
from functools import cache

from .catalogue import BY_SLUG
from .shoppers import shopper

SHOWN = 8
MOST_OF_A_NAME = 40
NAMES = (
    "Kari Dalen", "Ola Myhre", "Ingrid Solberg", "Jonas Vik", "Sunniva Rud", "Tarjei Moen", "Liv Haugen", "Aslak Bru",
    "Marte Lund", "Eirik Sande", "Solveig Aas", "Per Kleiven",
)  # fmt: skip
_NAME = re.compile(r"[^\W\d_](?:[\w .'-]*\w)?")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account. likes: titles of categories, a brand; empty for somebody who is not simulated."""

    user_id: str
    name: str
    likes: tuple[str, ...] = ()

    @property
    def initials(self) -> str:
        """For a picture of them."""
        words = self.name.split()
        return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


@cache
def people(seed: int) -> tuple[Person, ...]:
    """The first simulated shoppers of a seed who have an account. They come most often, so much is known of them."""
    accounts = (one for one in (shopper(seed, number) for number in itertools.count()) if one.user_id)
    out = []
    for one, name in zip(itertools.islice(accounts, SHOWN), NAMES, strict=False):
        tastes = dict.fromkeys(BY_SLUG[slug].title.lower() for slug in one.tastes)
        out.append(Person(one.user_id or "", name, (*list(tastes)[:2], one.brand)))
    return tuple(out)


def named(name: str) -> Person | None:
    """A person under a name of their own; None where it is no name."""
    shown = " ".join(name.split())
    if len(shown) > MOST_OF_A_NAME or not _NAME.fullmatch(shown):
        return None
    slug = re.sub(r"\W+", "-", shown.lower(), flags=re.ASCII).strip("-")
    digest = hashlib.sha256(shown.lower().encode()).hexdigest()[:6]
    return Person(f"guest-{slug or 'x'}-{digest}", shown)


def known(seed: int, text: str) -> Person | None:
    """Who a cookie says is logged in: the id of a simulated shopper, or a name."""
    return next((one for one in people(seed) if one.user_id == text), None) or named(text)
