"""GET /docs: the OpenAPI document as one page of HTML, rendered here, without scripts and with its style in it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from aiohttp import web

from .openapi import DESCRIBED
from .parts import PARTS

Json = Mapping[str, Any]

_STYLE = files(__package__).joinpath("docs.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ICON = (
    "data:image/svg+xml,%3Csvg%20xmlns=%22http://www.w3.org/2000/svg%22%20viewBox=%220%200%2032%2032%22%20"
    "fill=%22%232f6f5e%22%3E%3Cellipse%20cx=%2216%22%20cy=%2226%22%20rx=%2214%22%20ry=%225%22/%3E%3Cellipse%20"
    "cx=%2216%22%20cy=%2217%22%20rx=%2210%22%20ry=%224.5%22/%3E%3Cellipse%20cx=%2216%22%20cy=%228%22%20rx=%226%22%20"
    "ry=%224%22/%3E%3C/svg%3E"
)
_MARK = (
    '<svg viewBox="0 0 32 32" width="34" height="34" aria-hidden="true"><ellipse cx="16" cy="27" rx="13" ry="4"/>'
    '<ellipse cx="15.5" cy="19.5" rx="9.5" ry="3.6"/><ellipse cx="16.5" cy="12.6" rx="6.6" ry="3.1"/>'
    '<ellipse cx="16" cy="6.6" rx="3.8" ry="2.5"/></svg>'
)


async def docs(request: web.Request) -> web.Response:
    """GET /docs."""
    document = request.app[DESCRIBED].of(request.app[PARTS].config)
    return web.Response(
        body=page(document).encode(),
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"},
    )


def page(document: Json) -> str:
    """The whole page of an OpenAPI document of this server."""
    info = document["info"]
    sections = "".join(_section(tag, document) for tag in document["tags"])
    links = "".join(_links(tag, document) for tag in document["tags"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" '
        f'content="light dark"><title>Varde · HTTP API</title><link rel="icon" href="{_ICON}"><style>{_STYLE}</style>'
        f'</head><body><header class="top">{_MARK}<div><h1>Varde <span>HTTP API</span></h1>'
        f'<p class="sub">Version {escape(info["version"])} · <a href="/openapi.json">openapi.json</a> · '
        '<a href="/explore">explore</a></p></div></header>'
        f'<div class="columns"><nav aria-label="Routes">{links}</nav><main><section class="card">'
        f"{_paragraphs(info['description'])}</section>{sections}</main></div></body></html>"
    )


def _operations(tag: Json, document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method != "head" and tag["name"] in operation["tags"]:
                yield path, method, operation


def _links(tag: Json, document: Json) -> str:
    links = "".join(
        f'<li><a href="#{operation["operationId"]}">{_method(method)}<span>{_breakable(path)}</span></a></li>'
        for path, method, operation in _operations(tag, document)
    )
    return f"<h2>{escape(tag['name'])}</h2><ul>{links}</ul>"


def _section(tag: Json, document: Json) -> str:
    found = "".join(_operation(*one, document) for one in _operations(tag, document))
    return f'<section><h2>{escape(tag["name"])}</h2><p class="sub">{_prose(tag["description"])}</p>{found}</section>'


def _operation(path: str, method: str, operation: Json, document: Json) -> str:
    parts = [
        f'<article class="card" id="{operation["operationId"]}">'
        f"<h3>{_method(method)}<code>{_breakable(path)}</code></h3>"
        f"<p><strong>{escape(operation['summary'])}.</strong> {_prose(operation['description'])}</p>"
    ]
    if operation.get("parameters"):
        rows = (
            (_name(one), _kind(one["schema"], document), _prose(one["description"])) for one in operation["parameters"]
        )
        parts.append(_fold("Parameters", _fields(rows), opened=True))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        schema = _resolved(body["schema"], document)
        parts.append(_fold("Body", _fields(_rows(schema, document)) + _code(body["example"]), opened=True))
    parts += [
        _answer(path, method, operation, document),
        _fold("Errors", _errors(operation), opened=False),
        "</article>",
    ]
    return "".join(parts)


def _answer(path: str, method: str, operation: Json, document: Json) -> str:
    status, response = next(iter(operation["responses"].items()))
    media, content = next(iter(response["content"].items()))
    if "example" not in content:
        return f'<p class="sub">{status} <code>{media}</code></p>'
    schema = _resolved(content["schema"], document)
    call = f"curl {_target(path, operation)}" if method == "get" else _sent(method, path, operation)
    return _fold("Example", _shell(call) + _code(content["example"]), opened=True) + _fold(
        f"Fields of the answer ({status})", _fields(_rows(schema, document)), opened=False
    )


def _target(path: str, operation: Json) -> str:
    """The address of the example: ids in the path, and the first parameter that is no alternative to another."""
    asked = []
    for one in operation.get("parameters", ()):
        example = one["example"]
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(str(example), safe=""))
        elif one["name"] in ("items", "n"):
            asked.append((one["name"], ",".join(example) if isinstance(example, list) else example))
    return f"'localhost:8080{path}{'?' if asked else ''}{urlencode(asked)}'"


def _sent(method: str, path: str, operation: Json) -> str:
    key = "-H 'Authorization: Bearer KEY' " if {} not in operation.get("security", [{}]) else ""
    verb = "" if method == "post" else f"-X {method.upper()} "
    return f"curl {verb}{key}-d @body.json {_target(path, operation)}"


def _errors(operation: Json) -> str:
    rows = (
        (f"<code>{status}</code>", "", _prose(said["description"])) for status, said in operation["responses"].items()
    )
    return _fields(list(rows)[1:])


def _rows(schema: Json, document: Json, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Name, kind and meaning of every field, those of objects within after their own."""
    for name, field in schema.get("properties", {}).items():
        solid = _solid(field, document)
        shown = f"<code>{prefix}{escape(name)}</code>"
        yield shown, _kind(field, document), _prose(field.get("description", solid.get("description", "")))
        inner, mark = solid, "."
        if solid.get("type") == "array":
            inner, mark = _solid(solid["items"], document), "[]."
        elif isinstance(solid.get("additionalProperties"), dict) and "properties" not in solid:
            inner, mark = _solid(solid["additionalProperties"], document), ".<i>name</i>."
        yield from _rows(inner, document, f"{prefix}{escape(name)}{mark}")


def _solid(schema: Json, document: Json) -> Json:
    """A schema without its reference, and without the null that it may be instead."""
    found = _resolved(schema, document)
    choices = [one for one in found.get("anyOf", ()) if one.get("type") != "null"]
    return _resolved(choices[0], document) if len(choices) == 1 else found


def _resolved(schema: Json, document: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def _kind(schema: Json, document: Json) -> str:
    solid = _solid(schema, document)
    if "anyOf" in solid:
        return " or ".join(_kind(one, document) for one in solid["anyOf"] if one.get("type") != "null")
    if "enum" in solid:
        return " ".join(f"<code>{escape(str(value))}</code>" for value in solid["enum"])
    kinds = solid.get("type", "")
    text = " or ".join(kinds) if isinstance(kinds, list) else str(kinds)
    if text == "array":
        text = f"array of {_kind(solid['items'], document)}"
    if "maximum" in solid and "minimum" in solid and solid["maximum"] <= 10_000:
        text += f" {solid['minimum']} to {solid['maximum']}"
    if "maxItems" in solid:
        text += f", at most {solid['maxItems']}"
    return text


def _name(parameter: Json) -> str:
    place = ' <i class="place">in the path</i>' if parameter["in"] == "path" else ""
    return f"<code>{escape(parameter['name'])}</code>{place}"


def _fields(rows: Iterable[tuple[str, str, str]]) -> str:
    shown = "".join(
        f"<div><dt>{name}{f'<small>{kind}</small>' if kind else ''}</dt><dd>{text}</dd></div>"
        for name, kind, text in rows
    )
    return f"<dl>{shown}</dl>"


def _fold(title: str, content: str, *, opened: bool) -> str:
    return f"<details{' open' if opened else ''}><summary>{title}</summary>{content}</details>"


def _method(method: str) -> str:
    return f'<b class="{method}">{method.upper()}</b>'


def _breakable(path: str) -> str:
    """A path that a narrow screen may break after a slash."""
    return escape(path).replace("/", "/<wbr>")


def _shell(line: str) -> str:
    return f'<pre class="shell">$ {escape(line)}</pre>'


def _code(value: Any) -> str:
    return f"<pre>{escape(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), quote=False)}</pre>"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{_prose(part)}</p>" for part in text.split("\n\n"))


def _prose(text: str) -> str:
    """Text in which `this` is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
