"""Product cards: from texts and a picture to a PNG, at twice the size that it has in a mail. Pure, but for the fonts.

Drawn in a thread: a card takes some 30 ms. Nothing here fails for what a picture holds; a bad one is left out.
"""

from __future__ import annotations

import io
from functools import lru_cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont, ImageOps, features

from varde.cards import Cards

SCALE = 2
"""Picture dots per CSS pixel: mail clients on phones have two or three."""
MOST_DOTS = 24_000_000
"""Largest picture that is decoded: 96 MB of memory while it is."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
"""Of what is fetched; Pillow reads many more, and each is another way in."""
_CORNER = 15
_EXACT = 5
_OPAQUE = 256 - _EXACT - _CORNER
_RTL = frozenset({"ar", "fa", "he", "ur", "yi", "ps", "dv", "ckb"})
_ELLIPSIS = "…"
_PAD = 18
_RADIUS = 12

_FONTS = resources.files("font_source_sans_pro") / "files"
Font = ImageFont.FreeTypeFont


class Card(NamedTuple):
    """What stands on a card. lang: decides on which side texts begin. image: address of the picture, or ""."""

    title: str
    brand: str
    price: str
    image: str
    lang: str


class _Texts(NamedTuple):
    """Where texts go: dots from the left, the width, and whether they begin on the right."""

    left: int
    width: int
    rtl: bool


def picture(data: bytes, size: tuple[int, int], panel: str) -> Image.Image | None:
    """A product's picture in a size; None when the bytes are no picture, a broken one, or one that is too large.

    Args:
        data: as fetched.
        size: dots.
        panel: colour behind what is transparent, and beside a picture of another shape.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as found:
            wide, high = found.size
            if wide * high > MOST_DOTS or not wide or not high:
                return None
            found.draft("RGB", (2 * size[0], 2 * size[1]))  # a JPEG is then decoded at an eighth to a half
            image = ImageOps.exif_transpose(found).convert("RGBA")
    except Exception:  # noqa: BLE001 - decoders raise whatever they like, MemoryError included
        return None
    area = Image.new("RGBA", size, panel)
    ratio = image.width / image.height * size[1] / size[0]
    if 0.8 <= ratio <= 1.25:  # nearly the same shape: filled, and a little cut
        fitted = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
        area.alpha_composite(fitted)
        return area
    fitted = ImageOps.contain(image, size, Image.Resampling.LANCZOS)
    area.alpha_composite(fitted, ((size[0] - fitted.width) // 2, (size[1] - fitted.height) // 2))
    return area


def draw(card: Card, style: Cards, data: bytes | None) -> bytes:
    """The PNG of a product's card.

    Args:
        card: its texts.
        style: sizes and colours.
        data: the picture's bytes; None for a card without.
    """
    width, height = style.width * SCALE, style.height * SCALE
    text_px = min(height // 2, _px(132))
    area = (width, height - text_px)
    found = None if data is None else picture(data, area, style.panel)
    image = Image.new("RGBA", (width, height), style.background)
    if found is None:
        image.paste(Image.new("RGBA", area, style.panel), (0, 0))
        _initial(image, area, card, style)
    else:
        image.paste(found, (0, 0))
    _texts(image, card, style, area[1])
    return _png(_framed(image, style), style)


def draw_fallback(style: Cards) -> bytes:
    """The PNG of the card that stands in for a product."""
    width, height = style.width * SCALE, style.height * SCALE
    image = Image.new("RGBA", (width, height), style.panel)
    pen = ImageDraw.Draw(image)
    font = _bold(style, 17)
    room = _Texts(_px(_PAD) + _px(16), width - 2 * _px(_PAD) - 2 * _px(16), False)
    lines = _lines(style.fallback, font, room.width, 3)
    step = round(font.size * 1.3)
    tall = step * len(lines) + _px(24)
    wide = max(round(font.getlength(line)) for line in lines) + _px(48)
    left, top = (width - wide) // 2, (height - tall) // 2
    pen.rounded_rectangle((left, top, left + wide, top + tall), min(tall // 2, _px(28)), style.accent)
    for place, line in enumerate(lines):
        middle = top + _px(12) + step * place + step // 2
        pen.text((width // 2, middle), line, style.background, font, anchor="mm")
    return _png(_framed(image, style), style)


def _texts(image: Image.Image, card: Card, style: Cards, top: int) -> None:
    """Brand, title and price under the picture; the price at the foot, so that the cards of a row agree."""
    pen = ImageDraw.Draw(image)
    rtl = card.lang.split("-")[0].lower() in _RTL
    room = _Texts(_px(_PAD), image.width - 2 * _px(_PAD), rtl)
    y = top + _px(14)
    if card.brand:
        font = _plain(style, 12.5)
        y = _write(pen, _lines(card.brand, font, room.width, 1), font, style.muted, room, y) + _px(2)
    price = _bold(style, 18)
    foot = image.height - _px(16) - round(price.size)
    font = _bold(style, 16)
    most = max(1, min(2, (foot - y) // round(font.size * 1.25)))
    _write(pen, _lines(card.title, font, room.width, most), font, style.text, room, y)
    if card.price:
        _write(pen, _lines(card.price, price, room.width, 1), price, style.text, room, foot - _px(3))


def _write(pen: ImageDraw.ImageDraw, lines: list[str], font: Font, colour: str, room: _Texts, y: int) -> int:
    """Write lines; where the next one begins."""
    step = round(font.size * 1.25)
    for line in lines:
        at = (room.left + room.width, y) if room.rtl else (room.left, y)
        direction = "rtl" if room.rtl and features.check_feature("raqm") else None
        pen.text(at, line, colour, font, anchor="ra" if room.rtl else "la", direction=direction)
        y += step
    return y


def _lines(text: str, font: Font, width: int, most: int) -> list[str]:
    """A text in at most so many lines of a width; what does not fit ends in an ellipsis."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split()).split(" ")
    lines = [""]
    while words:
        word = words.pop(0)
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if font.getlength(longer) <= width:
            lines[-1] = longer
        elif len(lines) == most:
            lines[-1] = _cut(longer, font, width)
            return lines
        elif lines[-1]:
            lines.append("")
            words.insert(0, word)
        else:  # a word that is wider than the card
            fits = _fitting(word, font, width)
            lines[-1] = word[:fits]
            lines.append("")
            words.insert(0, word[fits:])
    return lines


def _cut(text: str, font: Font, width: int) -> str:
    fits = _fitting(text, font, width - round(font.getlength(_ELLIPSIS)))
    return text[:fits].rstrip(" ,.;:-") + _ELLIPSIS


def _fitting(text: str, font: Font, width: int) -> int:
    """How many characters of a text fit, at least 1."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle]) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def _initial(image: Image.Image, area: tuple[int, int], card: Card, style: Cards) -> None:
    """The first letter of the title instead of a picture."""
    letter = next((c for c in card.title if c.isalnum()), "")
    if letter:
        font = _bold(style, min(area) / SCALE * 0.42)
        ImageDraw.Draw(image).text((area[0] // 2, area[1] // 2), letter.upper(), style.border, font, anchor="mm")


def _framed(image: Image.Image, style: Cards) -> Image.Image:
    """With round corners, transparent outside, and a line round it."""
    shape, line = _frame(image.size)
    image.paste(Image.new("RGBA", image.size, style.border), mask=line)
    image.putalpha(shape)
    return image


@lru_cache(maxsize=4)
def _frame(size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Masks of a card, and of the line round it. Drawn larger and made smaller: Pillow's own arcs have steps."""
    fine = 4
    large = Image.new("L", (size[0] * fine, size[1] * fine), 0)
    right, foot, line = large.width - 1, large.height - 1, SCALE * fine
    ImageDraw.Draw(large).rounded_rectangle((0, 0, right, foot), _px(_RADIUS) * fine, 255)
    shape = large.resize(size, Image.Resampling.BOX)
    inner = (line, line, right - line, foot - line)
    ImageDraw.Draw(large).rounded_rectangle(inner, _px(_RADIUS) * fine - line, 0)
    return shape, large.resize(size, Image.Resampling.BOX)


def _png(image: Image.Image, style: Cards) -> bytes:
    """A PNG with a palette: a photograph has a third of the bytes then.

    The last 15 colours are those of the line in the round corners, less and less transparent; the five before them are
    what a shop says, so that they stay exactly that.
    """
    plain = image.convert("RGB")
    few = plain.quantize(_OPAQUE, Image.Quantize.MEDIANCUT)
    places = np.array(plain.quantize(palette=few, dither=Image.Dither.FLOYDSTEINBERG))
    said = (style.accent, style.muted, style.text, style.panel, style.background)
    exact = [ImageColor.getrgb(colour)[:3] for colour in said]
    for place, colour in enumerate(exact):
        places[(np.asarray(plain) == colour).all(axis=2)] = _OPAQUE + place
    alpha = np.asarray(image.getchannel("A"))
    corner = alpha < 255
    places[corner] = _OPAQUE + _EXACT + alpha[corner] // 17
    palette = (few.getpalette() or [])[: 3 * _OPAQUE]
    palette += [0] * (3 * _OPAQUE - len(palette)) + [part for one in exact for part in one]
    line = image.getpixel((image.width // 2, 0))
    assert isinstance(line, tuple)
    out, packed = io.BytesIO(), Image.fromarray(places)
    packed.putpalette(palette + [*line[:3]] * _CORNER)
    packed.save(out, "PNG", transparency=bytes([255] * (_OPAQUE + _EXACT)) + bytes(range(0, 17 * _CORNER, 17)))
    return out.getvalue()


def _px(pixels: float) -> int:
    return round(pixels * SCALE)


def _plain(style: Cards, pixels: float) -> Font:
    return _font(style.font, "SourceSansPro-Regular.ttf", _px(pixels))


def _bold(style: Cards, pixels: float) -> Font:
    return _font(style.bold_font or style.font, "SourceSansPro-Semibold.ttf", _px(pixels))


@lru_cache(maxsize=32)
def _font(path: str, otherwise: str, size: int) -> Font:
    """A font in a size, dots. Raises OSError where the configured file is none: then every card would fail."""
    if path:
        return ImageFont.truetype(path, size)
    with resources.as_file(_FONTS / otherwise) as file:
        return ImageFont.truetype(str(file), size)
