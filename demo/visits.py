"""Shoppers who look at the lists of the running server, and click: the traffic of which experiments are made."""

from __future__ import annotations

import itertools
import time
from contextlib import closing
from typing import NamedTuple

from . import landing
from .progress import Meter
from .replay import publish
from .simulate import POPULATION, as_they_happen
from .storefront import PLACEMENT, Storefront
from .system import System

AT_ONCE_PER_S = 20.0
"""As many visits are under way at once as make so many messages a second elsewhere; these do not wait."""


class Played(NamedTuple):
    """messages: published. lists: asked for. exposures: published by the server, each of one list in an experiment."""

    messages: int
    lists: int
    exposures: int


def play(system: System, seed: int, limit: int, population: int = POPULATION, placement: str = PLACEMENT) -> Played:
    """Publish so many messages of visits that happen now; return when the exposures are published, too.

    Args:
        system: whose server is asked.
        seed: the same people as those of `simulate.shoppers`.
        limit: messages.
        population: how many shoppers there are.
        placement: the list beside a product.

    Raises:
        UnaccountedError: the server did not say what became of its exposures.
    """
    with closing(Storefront(system.url, placement)) as shop, Meter("visits") as meter:
        begun = _now()
        story = as_they_happen(seed, begun, AT_ONCE_PER_S, population, shop.ask, _now)
        sent = publish(itertools.islice(story, limit), system.publisher, system.names.topic, progress=meter.count)
        return Played(sent.messages, shop.asked, landing.exposures(system.url, shop.tried)["sent"])


def _now() -> int:
    return time.time_ns() // 1_000_000
