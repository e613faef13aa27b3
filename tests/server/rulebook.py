"""A shop's lists by plain rules over dicts and one item at a time: what the server's answers are held against.

Nothing here is the server's; of the core only the scores are (tests/core holds them against their definitions).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from varde.config import Ranking
from varde.delivery import popularity
from varde.latest import HOUR_MS
from varde.pairs import Relation
from varde.placements import Placement
from varde.ranking import scores

from .shop import CART_HOURS, DAYS, FLOOR, HALF_LIFE, RELATIONS, TOTAL
from .world import NOW


@dataclass
class Rule:
    """What one list must obey, resolved from request, placement and customer; ids throughout."""

    place: Placement
    ranking: Ranking
    relation: Relation
    n: int
    seeds: list
    out: set
    in_stock: bool
    grouped: bool
    category: str | None
    low: float
    high: float
    currency: str
    fill: bool

    @property
    def floor(self):
        return FLOOR if self.ranking.floor is None else self.ranking.floor


def customer(shop, fields):
    """The customer of a request: views of the first key that has any, what any key has done else."""
    known = [shop.people[key] for key in ("uid", "aid") if key in fields]
    views = next((one.views for one in known if one.views), [])
    bought, carts = {}, {}
    for one in known:
        for times, entries in ((bought, one.bought), (carts, one.carts)):
            for item, time in entries:
                times[item] = max(time, times.get(item, -1))
    since = NOW - CART_HOURS * HOUR_MS
    in_cart = {item for item, time in carts.items() if time >= since and time > bought.get(item, -1)}
    return [item for item, _ in views], in_cart, set(bought)


def rule(shop, fields):
    place = shop.config.placements[fields.get("placement", "default")]
    views, in_cart, bought = customer(shop, fields)
    seeds = fields["items"] or views
    out = {*seeds, *fields.get("exclude", ()), *place.exclude}
    if place.exclude_in_cart:
        out |= {*fields.get("cart", ()), *in_cart}
    if place.exclude_bought:
        out |= bought
    currency = fields.get("currency", "")
    known = [seed for seed in seeds if has_a_name(shop, seed)]
    first = shop.entry(known[0]) if known else None
    category = fields.get("category", place.category)
    if category == "same":
        category = first.categories[-1] if first and first.categories else None
    relations = {one.label: one for one in RELATIONS}
    return Rule(
        place,
        shop.config.rankings[fields.get("ranking", place.ranking)],
        relations[fields["relation"]] if "relation" in fields else place.relation,
        fields.get("n", place.n),
        seeds,
        out,
        fields.get("in_stock", place.in_stock),
        fields.get("group_variants", place.group_variants),
        category,
        bound(fields.get("min_price"), place.min_price, price(first, currency), -math.inf),
        bound(fields.get("max_price"), place.max_price, price(first, currency), math.inf),
        currency,
        fields.get("fill", place.fill),
    )


def has_a_name(shop, item):
    named = {item for one in shop.config.placements.values() for item in (*one.static, *one.must_include)}
    return item in shop.numbers or item in shop.catalogue or item in named


def price(entry, currency):
    return None if entry is None else entry.prices.get(currency, entry.price)


def bound(text, configured, of_seed, otherwise):
    if text is None and configured is not None:
        text = f"{configured.value * 100}%" if configured.relative else str(configured.value)
    if text is None:
        return otherwise
    if not text.endswith("%"):
        return float(text)
    return otherwise if of_seed is None else float(text[:-1]) / 100 * of_seed


def family(shop, item):
    """What an item shares with its variants."""
    entry = shop.entry(item)
    return (entry.parent if entry else None) or item


def broken(shop, rule, item):
    """The rules that an item breaks by itself."""
    entry = shop.entry(item)
    brand, categories = (entry.brand, entry.categories) if entry else (None, ())
    cost = price(entry, rule.currency)
    has_catalogue = any(one.listed for one in shop.catalogue.values())
    tests = {
        "hidden": entry is not None and entry.hidden,
        "sold out": rule.in_stock and entry is not None and entry.stock is not None and entry.stock <= 0,
        "excluded, seed, in the cart or bought": item in rule.out,
        "brand": brand in rule.place.exclude_brands,
        "a category that is excluded": bool(rule.place.exclude_categories.intersection(categories)),
        "another category": rule.category is not None and rule.category not in categories,
        "too cheap": rule.low > -math.inf and (cost is None or cost < rule.low),
        "too dear": rule.high < math.inf and (cost is None or cost > rule.high),
        "not listed": rule.place.unlisted == "hide" and has_catalogue and not (entry and entry.listed),
        "a variant of a seed": rule.grouped and family(shop, item) in {family(shop, seed) for seed in rule.seeds},
    }
    return [name for name, breaks in tests.items() if breaks]


def pairs(shop, rule):
    """[(score, item, customers, because)], best first, of the first five seeds."""
    found = {}
    for place, seed in enumerate(rule.seeds[:5]):
        row = shop.rows.get((rule.relation, seed), {})
        for other, k in row.items():
            if k >= rule.floor and other in shop.numbers:
                (score,) = scores(rule.ranking.formula, [k], shop.supports[seed], [shop.supports[other]], TOTAL)
                found.setdefault(other, []).append((float(score) * (1 / (place + 1)), k, seed))
    out = []
    for other, parts in found.items():
        total = 0.0
        for score, _, _ in parts:
            total += score
        best = max(parts, key=lambda part: (part[0], part[1]))  # of equal ones the first
        out.append((total, other, best[1], best[2]))
    return sorted(out, key=lambda one: (-one[0], -one[2], one[1]))


def by_popularity(shop, signal):
    now = popularity(NOW, HALF_LIFE)
    found = sorted(shop.popular[signal].items(), key=lambda one: (-one[1], shop.numbers[one[0]]))
    return [(weight / now, item, None, None) for item, weight in found]


def trending(shop, rule):
    out = []
    for item, n in shop.rising.items():
        if n > 0 and n >= rule.floor:
            expected = shop.supports[item] * 2 / DAYS + 5
            g2 = 2 * (n * math.log(n / expected) - (n - expected))
            if n > expected and g2 > 0:
                out.append((g2, item, n, None))
    return sorted(out, key=lambda one: (-one[0], one[1]))


def ladder(shop, rule):
    """(rung, candidates best first), from the top."""
    source, signal = rule.place.source, int(rule.relation.column_signal)
    if source == "trending":
        yield "trending", trending(shop, rule)
    elif source != "popular":
        yield "pairs", pairs(shop, rule)
    if rule.category is not None:
        categories = [rule.category]
    elif source == "popular":
        categories = []
    else:
        seeds = [shop.entry(seed) for seed in [seed for seed in rule.seeds if has_a_name(shop, seed)][:5]]
        categories = list(dict.fromkeys(name for one in seeds if one for name in reversed(one.categories)))
    liked = by_popularity(shop, signal)
    yield (
        "category",
        [one for name in categories for one in liked if shop.entry(one[1]) and name in shop.entry(one[1]).categories],
    )
    yield "popular", liked
    if signal:
        yield "popular", by_popularity(shop, 0)
    yield "static", [(0.0, item, None, None) for item in rule.place.static]


def boosted(shop, rule, candidates):
    """[(score, item, customers, because, label)] with the placement's factors."""
    out = []
    for score, item, customers, because in candidates:
        entry, factor = shop.entry(item), 1.0
        brand, categories = (entry.brand, entry.categories) if entry else (None, ())
        for boost in rule.place.boost:
            if boost.value in {"item": [item], "brand": [brand], "category": categories}[boost.by]:
                factor *= boost.factor
        label = "boost" if factor != 1.0 else None
        out.append((score * factor if score >= 0 else score / factor, item, customers, because, label))
    return sorted(out, key=lambda one: -one[0]) if any(label for *_, label in out) else out


def expected(shop, rule, taken=()):
    """(rung of the list, [(item, rung, label, score, customers, because)]): what the rules leave, best first."""
    out = []

    def offer(rung, score, item, customers, because, label):
        chosen = [one[0] for one in out]
        if len(out) == rule.n or item in chosen or item in taken or broken(shop, rule, item):
            return
        if rule.grouped and family(shop, item) in {family(shop, one) for one in [*chosen, *taken]}:
            return
        brand = shop.entry(item).brand if shop.entry(item) else None
        same = [one for one in chosen if shop.entry(one) and shop.entry(one).brand == brand]
        if brand and rule.place.max_per_brand and len(same) >= rule.place.max_per_brand:
            return
        out.append((item, rung, label, score, customers, because))

    for item in rule.place.must_include:
        offer("must_include", None, item, None, None, "must_include")
    pinned, rung = len(out), None
    for name, candidates in ladder(shop, rule):
        before = len(out)
        for score, item, customers, because, label in boosted(shop, rule, candidates):
            offer(name, score, item, customers, because, label)
        if len(out) > before:
            rung = rung or name
            if not rule.fill:
                break
    return rung or ("must_include" if pinned else "none"), out
