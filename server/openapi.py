"""GET /openapi.json: OpenAPI 3.1 out of the tables of `described` and `schemas`, and the names that are configured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from aiohttp import web

from varde.config import Config

from .access import KEY_IN_QUERY
from .described import ANYWHERE, ERRORS, OF_SCOPES, OPERATIONS, PARAMETERS, TAGS, Operation
from .parts import PARTS, json_answer
from .samples import BODIES, SAMPLES
from .schemas import ANSWERS, bodies

Json = dict[str, Any]
Routes = Iterable[tuple[str, tuple[str, ...], str | None]]
"""Paths, their methods, and what a key must be for, if one may be needed."""

_TEXT = """\
Recommendations out of what customers also did, and how many of them.

Answers are JSON in UTF-8 and carry the header `X-Request-Id`. Item ids are the shop's own and may hold anything, up to
256 bytes of UTF-8, percent-encoded in addresses. A request line or a header of more than 8,190 bytes, or one that is
not HTTP, is refused with 400 in plain text before any route is looked up.\
"""
_HEADERS = {"X-Request-Id": {"description": "The request's id.", "required": True, "schema": {"type": "string"}}}
_CACHED = {
    "ETag": {"description": "Of everything but the request id.", "schema": {"type": "string"}},
    "Cache-Control": {"description": "Who may keep the answer.", "schema": {"type": "string"}},
}
_OF_STATUS = {
    401: {"WWW-Authenticate": {"description": "How to show a key.", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}},
}


def document(routes: Routes, config: Config) -> Json:
    """The document.

    Args:
        routes: what the server answers; each path is one of OPERATIONS.
        config: whose rankings and placements a request may name.
    """
    names = {"ranking": list(config.rankings), "placement": list(config.placements)}
    names |= {"format": list(config.email.formats), "feed": list(config.feeds)}
    schemas = {name: value.schema | _choice(names.get(name)) for name, value in PARAMETERS.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Varde",
            "version": version("varde"),
            "description": _TEXT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": {path: _methods(path, methods, scope, schemas, config) for path, methods, scope in routes},
        "components": {
            "schemas": {**ANSWERS, **bodies({name: _told(name, schema) for name, schema in schemas.items()})},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "query": {"type": "apiKey", "in": "query", "name": "key"},
            },
        },
    }


def _told(name: str, schema: Json) -> Json:
    return schema | {"description": PARAMETERS[name].text}


def _choice(names: list[str] | None) -> Json:
    return {"enum": names} if names else {}


def _methods(path: str, methods: Iterable[str], scope: str | None, schemas: Mapping[str, Json], config: Config) -> Json:
    out: Json = {}
    for method in methods:
        one = _operation(OPERATIONS[path], scope, schemas)
        if scope is not None:
            one["security"] = [*([{}] if scope in config.access.public else []), {"bearer": []}, {"header": []}]
            one["security"] += [{"query": []}] if path.startswith(KEY_IN_QUERY) else []
        if method == "HEAD":
            one["operationId"] += "Head"
            one["summary"] += ", without the body"
            for answer in one["responses"].values():
                answer.pop("content", None)
        out[method.lower()] = one
    return out


def _operation(operation: Operation, scope: str | None, schemas: Mapping[str, Json]) -> Json:
    out: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.text,
        "responses": _responses(operation, scope),
    }
    if operation.parameters:
        out["parameters"] = [_parameter(name, schemas[name]) for name in operation.parameters]
    if operation.body:
        content = {"schema": {"$ref": f"#/components/schemas/{operation.body}"}, "example": BODIES[operation.body]}
        out["requestBody"] = {"required": True, "content": {"application/json": content}}
    return out


def _parameter(name: str, schema: Json) -> Json:
    table = PARAMETERS[name]
    out: Json = {
        "name": "item" if name == "item_path" else name,
        "in": table.place,
        "description": table.text,
        "schema": schema,
        "example": table.example,
    }
    if table.required or table.place == "path":
        out["required"] = True
    if schema.get("type") == "array":
        out |= {"style": "form", "explode": not table.joined}
    return out


def _responses(operation: Operation, scope: str | None) -> Json:
    out = {str(operation.status): _answer(operation, operation.status)}
    if operation.cached:
        out["304"] = {"description": "The answer is the one that `If-None-Match` names.", "headers": _HEADERS | _CACHED}
    out |= {str(status): _answer(operation, status) for status in operation.also}
    codes = (*operation.codes, *(OF_SCOPES if scope else ()), *ANYWHERE)
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(ERRORS[code].status, []).append(code)
    for status, some in sorted(by_status.items()):
        out[str(status)] = _refusal(status, some)
    return out


def _answer(operation: Operation, status: int) -> Json:
    if operation.answer is None:
        content: Json = {"schema": {"type": "string"}}
    else:
        content = {"schema": {"$ref": f"#/components/schemas/{operation.answer}"}}
        if operation.answer in SAMPLES:
            content["example"] = SAMPLES[operation.answer]
    headers = _HEADERS | (_CACHED if operation.cached else {})
    phrase = HTTPStatus(status).phrase
    if status == HTTPStatus.NO_CONTENT:
        return {"description": phrase, "headers": headers}
    contents = {operation.media: content, **{media: {"schema": {"type": "string"}} for media in operation.more}}
    return {"description": phrase, "headers": headers, "content": contents}


def _refusal(status: int, codes: list[str]) -> Json:
    schema = {"$ref": "#/components/schemas/Error"}
    examples = {
        code: {"value": {"error": {"code": code, "message": ERRORS[code].when, "field": None}}} for code in codes
    }
    content: Json = {"application/json": {"schema": schema, "examples": examples}}
    text = "; ".join(f"`{code}`: {ERRORS[code].when}" for code in codes)
    return {"description": text, "headers": _HEADERS | _OF_STATUS.get(status, {}), "content": content}


class Described:
    """The document of this server; made anew when another configuration is in force."""

    def __init__(self, routes: Routes) -> None:
        self._routes = tuple(routes)
        self._of: tuple[Config, Json] | None = None

    def of(self, config: Config) -> Json:
        """The document under a configuration."""
        if self._of is None or self._of[0] is not config:
            self._of = config, document(self._routes, config)
        return self._of[1]


DESCRIBED: web.AppKey[Described] = web.AppKey("described", Described)


async def openapi(request: web.Request) -> web.Response:
    """GET /openapi.json."""
    return json_answer(request.app[DESCRIBED].of(request.app[PARTS].config))
