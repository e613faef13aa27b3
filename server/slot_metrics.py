"""What open-time pictures and their links count about themselves; docs/metrics.md describes each."""

from __future__ import annotations

from prometheus_client import Counter

COUNTERS = {
    "varde_email_slots": "Pictures of slots in mails, by what they showed.",
    "varde_email_clicks": "Links of slots in mails that were opened, by what became of the click.",
    "varde_cards": "Product cards, by how they were had.",
    "varde_card_picture_failures": "Pictures of the catalogue that could not be had for a card.",
}


class Slotted:
    """The counters of a process."""

    def __init__(self) -> None:
        def counter(name: str, *labels: str) -> Counter:
            return Counter(name, COUNTERS[name], labels, registry=None)

        self._slots = counter("varde_email_slots", "result", "reason")
        self._clicks = counter("varde_email_clicks", "result", "reason")
        self._cards = counter("varde_cards", "result")
        self._pictures = counter("varde_card_picture_failures", "reason")
        self.counters = (self._slots, self._clicks, self._cards, self._pictures)

    def showed(self, result: str, reason: str = "") -> None:
        """A slot's picture was answered."""
        self._slots.labels(result, reason).inc()

    def clicked(self, result: str, reason: str = "", n: int = 1) -> None:
        """So many clicks became this."""
        self._clicks.labels(result, reason).inc(n)

    def carded(self, result: str) -> None:
        """A card was wanted."""
        self._cards.labels(result).inc()

    def without_picture(self, reason: str) -> None:
        """A picture could not be had."""
        self._pictures.labels(reason).inc()
