"""Addresses of clients: which one asked, behind proxies, and how much of it is kept. Pure."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

TRUNCATED, FULL, NONE = "truncated", "full", "none"
KEPT: Final = (TRUNCATED, FULL, NONE)
"""How much of an address is kept: its network, all, nothing."""
_PREFIX = {4: 24, 6: 48}


def asked_from(peer: str | None, forwarded: str, proxies: int) -> str | None:
    """The address that a request came from.

    Args:
        peer: the other end of the connection.
        forwarded: the header X-Forwarded-For, to which each proxy appends; its beginning is whatever the client sent.
        proxies: addresses at its end that proxies of the shop wrote; 0: the header is not looked at.
    """
    if proxies:
        written = [one.strip() for one in forwarded.split(",") if one.strip()]
        if len(written) >= proxies:
            return written[-proxies]
    return peer


@lru_cache(maxsize=4096)
def kept(address: str, how: str) -> str | None:
    """What is kept of an address; None of one that is none, too.

    Args:
        address: as text.
        how: one of KEPT. `truncated`: the first 24 bits of IPv4, the first 48 of IPv6, zeros after them.
    """
    if how == NONE:
        return None
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        # A socket for both families shows IPv4 as ::ffff:1.2.3.4, of which 48 bits would say nothing.
        parsed = parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed))  # without a zone: it means nothing elsewhere
    if how == FULL:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, _PREFIX[parsed.version]), strict=False).network_address)
