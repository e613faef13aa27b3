"""Answers to email tools as JSON or XML, under the names that a tool wants. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from xml.etree import ElementTree as ET

import orjson

from varde.mail_formats import EMPTY, LINKS, Format

Value = str | bool | int | Sequence[str]
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""
_MEDIA = {"json": "application/json", "xml": "application/xml"}


def media(shape: str) -> str:
    """The Content-Type of a shape, with its charset: some tools take another one otherwise."""
    return f"{_MEDIA[shape]}; charset=utf-8"


def body(head: Mapping[str, Value], items: Iterable[Mapping[str, str]], form: Format) -> bytes:
    """An answer: an object (or element) with the head's fields and the list of items.

    Args:
        head: fields of the whole.
        items: every one of ours.
        form: the tool's names of them.
    """
    pairs = form.pairs
    if form.escape:
        items = [{name: text if name in LINKS else html.escape(text) for name, text in item.items()} for item in items]
    named = [{theirs: "" if ours == EMPTY else item[ours] for theirs, ours in pairs} for item in items]
    return _xml(head, named, form) if form.shape == "xml" else _json({**head, form.items: named})


def _json(whole: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(whole)
    except TypeError:  # a lone surrogate, which is no Unicode text
        return orjson.dumps(_sound(whole))


def _sound(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {name: _sound(each) for name, each in value.items()}
    return [_sound(each) for each in value] if isinstance(value, (list, tuple)) else value


def _xml(head: Mapping[str, Value], items: Sequence[Mapping[str, str]], form: Format) -> bytes:
    root = ET.Element("varde")
    for name, value in head.items():
        if isinstance(value, (str, bool, int)):
            ET.SubElement(root, name).text = _text(value)
        else:
            for one in value:
                ET.SubElement(root, name).text = _text(one)
    listed = ET.SubElement(root, form.items)
    for item in items:
        element = ET.SubElement(listed, "item")
        for name, text in item.items():
            ET.SubElement(element, name).text = _text(text)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content


def _text(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else _NOT_XML.sub("", str(value))
