"""The shapes of the tables that describe the server (described): errors, parameters, operations."""

from __future__ import annotations

from typing import Any, NamedTuple


class Error(NamedTuple):
    """An error code's HTTP status, and when it comes."""

    status: int
    when: str


class Parameter(NamedTuple):
    """A parameter of a path or a query string. joined: an array's items are separated by commas."""

    schema: dict[str, Any]
    text: str
    example: Any
    joined: bool = False
    place: str = "query"
    required: bool = False


class Operation(NamedTuple):
    """A route as the document describes it.

    answer: the name of a schema of `schemas`, or None when it is no JSON. parameters: names of PARAMETERS. codes:
    errors beside those of every route and of keys. body: the request's schema. cached: 304 is possible.
    also: further statuses with the same answer. more: media types that it may have, too.
    """

    name: str
    tag: str
    summary: str
    text: str
    answer: str | None = None
    parameters: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    status: int = 200
    media: str = "application/json"
    body: str | None = None
    cached: bool = False
    also: tuple[int, ...] = ()
    more: tuple[str, ...] = ()
