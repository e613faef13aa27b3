"""The demo shop's catalogue and the configuration of its server."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest
from tests.conftest import redis_binary, running_redis

from varde.catalogue import Entry
from varde.config import read
from varde.demo import assortment, shop_command, shop_pages
from varde.demo.catalogue import arrivals, catalogue, products
from varde.settings import Settings
from varde.store.catalogue_sync import CatalogueStore

NOW = 1_785_672_000_000


@pytest.fixture(scope="module")
def entries() -> dict[str, Entry]:
    return {entry.id: entry for entry in assortment.entries()}


@pytest.fixture
def settings() -> Iterator[Settings]:
    with running_redis("7" if redis_binary("7") else "6.2") as server:
        yield Settings(redis_url=server.url)


def test_every_product_has_what_a_page_shows(entries: dict[str, Entry]) -> None:
    known = products() | arrivals()
    assert entries.keys() == known.keys()
    for entry in entries.values():
        assert entry.title == known[entry.id].name
        assert (entry.url, entry.image) == (f"/p/{entry.id}", f"/pictures/{entry.id}.png?w=480")
        assert entry.price
        assert entry.currency
        assert entry.brand
        assert len(entry.categories) == 2
    assert len({entry.categories[-1] for entry in entries.values()}) == len(catalogue())


def test_pages_and_pictures_are_the_shops() -> None:
    shop = "http://127.0.0.1:8090"
    for entry in assortment.entries(shop):
        assert str(entry.url).startswith(f"{shop}/p/")
        assert str(entry.image).startswith(f"{shop}/pictures/")


def test_nobody_knows_what_is_new() -> None:
    """Simulated shoppers choose from the shelves; arrivals can be bought and are on none."""
    known = {product.id for shelf in catalogue().values() for product in shelf}
    assert len(arrivals()) >= 6
    assert not known & arrivals().keys()
    for entry in assortment.entries():
        assert entry.id not in arrivals() or not (entry.hidden or entry.sold_out)


def test_rules_have_something_to_do(entries: dict[str, Entry]) -> None:
    parts = Counter(
        kind
        for entry in entries.values()
        for kind, there in [
            ("hidden", entry.hidden), ("sold out", entry.sold_out), ("untracked", entry.stock is None),
            ("variant", entry.parent is not None),
        ]
        if there
    )  # fmt: skip
    assert 3 <= parts["hidden"] <= 20
    assert 10 <= parts["sold out"] <= 50
    assert 10 <= parts["untracked"] <= 80
    families = defaultdict(set)
    for entry in entries.values():
        if entry.parent:
            families[entry.parent].add((entry.brand, entry.categories))
    assert families
    assert all(len(kinds) == 1 for kinds in families.values()), "variants are of one brand and category"
    assert min(Counter(entry.parent for entry in entries.values() if entry.parent).values()) >= 2
    best = [shelf[0].id for shelf in catalogue().values()]
    assert not any(entries[item].hidden for item in best), "what sells best is not hidden"


def test_it_is_loaded_and_may_be_loaded_again(settings: Settings, entries: dict[str, Entry]) -> None:
    assert assortment.load(settings, NOW).written == len(entries)
    assert assortment.load(settings, NOW + 1)[:3] == (0, len(entries), 0)
    store = CatalogueStore.from_settings(settings)
    assert store.entry("base-019") == entries["base-019"]
    store.close()


@pytest.mark.parametrize("rankings", [("llr", "cosine", "count"), ("jaccard",)])
def test_the_configuration_of_its_server_names_what_there_is(
    rankings: tuple[str, ...], entries: dict[str, Entry]
) -> None:
    """With any VARDE_RANKINGS: it names none."""
    config = read(assortment.CONFIG.read_text(encoding="utf-8"), rankings)
    assert config.access.public == {"read", "explain"}
    assert {"default", "product-page", "also-viewed", "for-you", "cart", "home", "popular"} <= config.placements.keys()
    assert config.placements.keys() >= set(shop_pages.TELLS.values()), "what the shop's pages ask for"
    assert shop_command.WRITE_KEY in config.collector.write_keys
    assert "also-viewed" not in {name for one in config.experiments.values() for name in one.placements}
    named = set(config.static)
    for placement in config.placements.values():
        named |= {*placement.must_include, *(placement.static or ())}
    assert named <= entries.keys()
    assert not any(entries[item].hidden or entries[item].sold_out for item in named)
    brands = {entry.brand for entry in entries.values()}
    assert {boost.value for placement in config.placements.values() for boost in placement.boost} <= brands
