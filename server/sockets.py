"""Listening sockets: several processes on one port, and an end that loses no connection."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct

BACKLOG = 1024
_SO_ATTACH_FILTER = 26
"""Linux, asm-generic/socket.h; the module socket has no name for it."""
_NO_SYN = (
    (0x30, 0, 0, 13),  # BPF_LD | BPF_B | BPF_ABS: the byte of the flags, counted from the TCP header
    (0x54, 0, 0, 0x12),  # BPF_ALU | BPF_AND | BPF_K: SYN and ACK of them
    (0x15, 0, 1, 0x02),  # BPF_JMP | BPF_JEQ | BPF_K: SYN alone is the next line, anything else the one after
    (0x06, 0, 0, 0),  # BPF_RET | BPF_K: nothing passes
    (0x06, 0, 0, 0xFFFFFFFF),  # all passes
)
"""A classic BPF program (Linux, networking/filter)."""


def bound(host: str, port: int, *, shared: bool) -> list[socket.socket]:
    """A bound socket for each address of a host, all with the same port; they do not listen yet.

    Args:
        host: a name or an address.
        port: 0 picks a free one.
        shared: whether other processes may bind the port as well (SO_REUSEPORT): the kernel spreads connections.

    Raises:
        OSError: an address cannot be bound.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with contextlib.ExitStack() as opened:
        out: list[socket.socket] = []
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = opened.enter_context(socket.socket(family, kind, protocol))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if shared:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind((address[0], out[0].getsockname()[1] if out else port, *address[2:]))
            one.setblocking(False)
            out.append(one)
        opened.pop_all()
        return out


def reserved(host: str, port: int) -> list[socket.socket]:
    """Sockets that keep a port for processes that share it. They never listen, so they get no connection.

    Raises:
        OSError: another program has the port, be it one that would share it.
    """
    if port:
        for one in bound(host, port, shared=False):  # fails where a shared one would join strangers
            one.close()
    return bound(host, port, shared=True)


def hush(listening: socket.socket) -> None:
    """Have the kernel drop what asks for new connections, while those that are being made can be accepted.

    Closing a listening socket resets the connections that wait in its queue, although their clients may have sent a
    request. With a filter that lets no SYN pass the queue comes to an end first; a dropped SYN is sent again a
    second later, and then meets another process or a closed port. The last packet of a handshake has to pass: its
    client takes itself for connected. Where the system has no such filter nothing happens.
    """
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in _NO_SYN))
    filled = struct.pack("HP", len(_NO_SYN), ctypes.addressof(program))
    with contextlib.suppress(OSError):
        listening.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filled)


def url(listening: socket.socket) -> str:
    """The address as a browser wants it."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
