"""An outdoor shop's customers, each after one kind of trip: what the page shows in tests and in its picture."""

import random

from varde.pairs import Histories

from .world import NOW

TRIPS = {
    "camping": [
        "tent-aurora-2p", "tent-pegs-titanium", "sleeping-bag-dunlin-5c", "sleeping-mat-lofoten", "stove-primus-lite",
        "gas-cartridge-230g", "headlamp-polaris-400", "mug-enamel-red", "tarp-ridgeline-3x3", "camp-chair-heron",
        "footprint-aurora-2p", "cookset-anodised-1l", "water-filter-brook", "dry-bag-20l", "pillow-inflatable",
    ],
    "climbing": [
        "rope-spire-9.5mm-70m", "harness-kestrel-m", "quickdraws-set-6", "climbing-shoes-gecko-42", "chalk-bag-lichen",
        "helmet-granite", "belay-device-anchor", "carabiner-hms-3", "crash-pad-boulder", "finger-tape-15mm",
    ],
    "hiking": [
        "boots-fjell-gtx-43", "socks-merino-light", "poles-carbon-fold", "backpack-skarv-38l", "rain-jacket-fulmar-m",
        "map-jotunheimen-1-50000", "compass-azimuth", "bottle-steel-0.75l", "first-aid-kit-trail", "gaiters-moss-m",
    ],
}  # fmt: skip


def shoppers(n, seed=11):
    """n customers: most items from one trip, the first ones more often, now and then something else."""
    chance = random.Random(seed)
    everything = [item for items in TRIPS.values() for item in items]
    out = []
    for _ in range(n):
        trip = TRIPS[chance.choices(list(TRIPS), [5, 2, 4])[0]]
        weights = [1 / (place + 2) for place in range(len(trip))]
        items = chance.choices(trip, weights, k=chance.randint(2, 9))
        if chance.random() < 0.35:
            items += chance.choices(everything, k=2)
        viewed = {item: NOW - chance.randint(0, 20 * 86_400_000) for item in items}
        bought = {item: time + 60_000 for item, time in viewed.items() if chance.random() < 0.3}
        out.append(Histories(view=viewed, purchase=bought))
    return out
