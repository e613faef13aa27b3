"""An example of every answer and body, the same as in docs/http-api.md. Pure data."""

from __future__ import annotations

from typing import Any

from . import described_collector, described_email, described_slots, described_status

_PEGS = {
    "score": 91.4102337,
    "customers": 37,
    "id": "tent-pegs-titanium",
    "title": "Titanium tent pegs, 6",
    "url": "/p/tent-pegs-titanium",
    "image": "/i/tent-pegs-titanium.webp",
    "price": 24.5,
    "currency": "EUR",
    "brand": "Nord",
    "categories": ["Outdoor", "Camping"],
    "stock": 40,
}
_GAS = {
    "score": 188.700612,
    "customers": 52,
    "because": "stove-primus-lite",
    "id": "gas-cartridge-230g",
    "price": 6.95,
    "currency": "EUR",
}
_MUG = {
    "score": None,
    "customers": None,
    "because": None,
    "rung": "must_include",
    "label": "must_include",
    "id": "mug-enamel-red",
}
_NAMES = {"placement": "default", "relation": "also_viewed", "ranking": "llr", "rung": "pairs", "stale": False}
_UNTESTED = {"experiment": None, "variation": None}

SAMPLES: dict[str, Any] = {
    "Similar": {
        "request_id": "0f6a3ad6f5c94f4c8c3a4d0a3f6b1f55",
        "item": "tent-aurora-2p",
        **_NAMES,
        **_UNTESTED,
        "items": [_PEGS, {"score": 40.2180591, "customers": 29, "id": "sleeping-mat-lofoten"}],
    },
    "Recommendations": {
        "request_id": "b1f0cf4b7f6d4cc0a5c7e4f9a9c2d3e1",
        **_NAMES,
        **_UNTESTED,
        "items": [_GAS],
    },
    "Placements": {
        "request_id": "4be1c0d2a9f3475e8d6c7b5a49382716",
        "placements": {
            "with-this": {**_NAMES, **_UNTESTED, "items": [_MUG, _GAS]},
            "popular": {
                **_NAMES,
                "rung": "popular",
                **_UNTESTED,
                "items": [{"score": 17.2311874, "customers": None, "because": None, "id": "tent-aurora-2p"}],
            },
        },
    },
    "Popular": {
        "request_id": "54d1a7f8f3c84be2a0c9b6d5e4f3a2b1",
        "signal": "view",
        "stale": False,
        "items": [{"id": "tent-aurora-2p", "score": 17.231187438964844}],
    },
    "Items": {
        "request_id": "8c1d6f0e5b2a4c7d9e3f1a0b2c4d6e8f",
        "items": [
            {
                "id": "tent-aurora-2p",
                "title": "Aurora tent, 2 persons",
                "price": 349.0,
                "currency": "EUR",
                "brand": "Nord",
            }
        ],
    },
    "Widget": {
        "version": "3f9a61c2d07be845",
        "url": "https://recs.shop.example/widget/3f9a61c2d07be845/varde-recs.js",
        "integrity": "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC",
        "tag": '<script async src="https://recs.shop.example/widget/3f9a61c2d07be845/varde-recs.js" '
        'integrity="sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC" crossorigin="anonymous" '
        'data-write-key="YOUR-WRITE-KEY"></script>',
    },
    "Explanation": {
        "request_id": "7d7f0a3a2c7e4b0f9d1c5a8e6f4b2c19",
        "item": "tent-aurora-2p",
        "other": "tent-pegs-titanium",
        "relation": "also_viewed",
        "customers": 37,
        "item_customers": 410,
        "other_customers": 96,
        "total_customers": 5210,
        "scores": {"llr": 81.5, "cosine": 0.121, "count": 37.0, "jaccard": 0.0789, "lift": 4.9},
        "window": {"days": 90, "start": "2026-02-01"},
        "text": "37 customers viewed both, of 410 who viewed tent-aurora-2p"
        " and 96 who viewed tent-pegs-titanium, in 90 days",
    },
    "Stats": {
        "messages": 120630,
        "events": 120394,
        "ignored": 224,
        "rejected": 12,
        "customer_pairs": 84120,
        "links": 812,
        "erasures": 3,
        "under_way": 0,
        "freshness_p50_s": 0.8,
        "freshness_p99_s": 1.8,
        "customers": 5210,
        "counters": {"messages": 120630, "accepted": 120394, "ignored:not_counted": 224, "rejected:not_json": 12},
    },
    "Changed": {
        "request_id": "f2a1c6b07e8d4d6c9b5a43210fedcba9",
        "item": "tent-aurora-2p",
        "changed": True,
        "processes": 4,
        "followed": 4,
    },
    "Erasure": {
        "request_id": "0f5a2c1e9b7d4e4f8a6b3c2d1e0f9a8b",
        "message_id": "varde-erase-0f5a2c1e9b7d4e4f8a6b3c2d1e0f9a8b",
        "erased_up_to": "2026-05-04T09:30:00.000Z",
    },
    "Health": {"status": "ok"},
    "Readiness": {"status": "ready", "redis": "ok"},
    **described_collector.SAMPLES,
    **described_email.SAMPLES,
    **described_slots.SAMPLES,
    **described_status.SAMPLES,
}
"""By the name of the answer's schema."""
BODIES: dict[str, Any] = {
    "PlacementsRequest": {
        "uid": "jane@shop.example",
        "cart": ["stove-primus-lite"],
        "placements": [
            {"id": "with-this", "items": ["stove-primus-lite"], "n": 2},
            {"id": "popular", "n": 1, "min_price": 100, "in_stock": True},
        ],
    },
    "ItemChange": {"hidden": True},
    "EraseRequest": {"user_id": "jane@example.org"},
    **described_collector.BODIES,
}
"""By the name of the body's schema."""
