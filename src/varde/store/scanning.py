"""Every key of every node, by SCAN: what is there from the beginning to the end comes at least once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from varde.store.cluster import Cluster
from varde.store.connection import Client

COUNT = 1_000
"""Keys looked at in one SCAN, about."""


class Page(NamedTuple):
    """Some keys of a node, and where the next ones begin: 0 after the last."""

    cursor: int
    keys: list[bytes]


class Node(NamedTuple):
    """A server that takes writes. life: its run id, another one whenever it starts."""

    life: str
    client: Any

    def page(self, match: str, cursor: int) -> Page:
        """The keys at a cursor that match."""
        cursor, found = self.client.execute_command("SCAN", cursor, "MATCH", match, "COUNT", COUNT)
        return Page(int(cursor), list(found))

    def pages(self, match: str, cursor: int = 0) -> Iterator[Page]:
        """All pages from a cursor on."""
        while True:
            page = self.page(match, cursor)
            yield page
            cursor = page.cursor
            if not cursor:
                return


def nodes(client: Client) -> list[Node]:
    """The one server, or those of a cluster that take writes."""
    every = client.primaries() if isinstance(client, Cluster) else [client]
    return [Node(str(one.execute_command("INFO", "server")["run_id"]), one) for one in every]


def keys_of(client: Client, match: str) -> Iterator[list[bytes]]:
    """Keys that match, some at a time; one may come twice."""
    for node in nodes(client):
        for page in node.pages(match):
            if page.keys:
                yield page.keys
