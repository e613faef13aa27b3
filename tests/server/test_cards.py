"""Cards: the size that mails expect, texts that fit, colours as configured, and pictures that mean harm left out."""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from varde.cards import Cards
from varde.server import cards
from varde.server.cards import Card

STYLE = Cards()
TENT = Card("Tent for two", "Nord", "3 499,00 kr", "", "sv")


def opened(png):
    image = Image.open(io.BytesIO(png))
    return image.convert("RGBA")


def encoded(image, form="PNG", **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def same(one, other, box):
    return ImageChops.difference(one.convert("RGB").crop(box), other.convert("RGB").crop(box)).getbbox() is None


def test_a_card_is_twice_its_size_and_small():
    for style in (STYLE, Cards(width=120, height=120), Cards(width=640, height=900)):
        data = cards.draw(TENT, style, None)
        image = opened(data)
        assert image.size == (2 * style.width, 2 * style.height)
        assert data.startswith(b"\x89PNG")
        assert len(data) < 60_000
        assert opened(cards.draw_fallback(style)).size == image.size


def test_it_has_the_configured_colours_exactly_and_round_corners():
    style = Cards(background="#102030", panel="#405060", border="#ff0000", text="#f0e0d0")
    image = opened(cards.draw(TENT, style, None))
    width, height = image.size
    assert image.getpixel((0, 0))[3] == 0
    assert image.getpixel((width // 2, 0)) == (255, 0, 0, 255)
    assert image.getpixel((40, 40)) == (0x40, 0x50, 0x60, 255)
    assert image.getpixel((width - 20, height - 60)) == (0x10, 0x20, 0x30, 255)
    edge = {image.getpixel((x, 5)) for x in range(24)}
    assert len({pixel[3] for pixel in edge}) > 2, "corners are smooth"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_fills_the_card(form):
    picture = encoded(Image.new("RGB", (500, 480), (200, 30, 40)), form)
    image = opened(cards.draw(TENT, STYLE, picture)).convert("RGB")
    red, green, blue = image.getpixel((280, 200))
    assert red > 180 and green < 60 and blue < 70


def test_a_picture_of_another_shape_is_shown_whole():
    tall = Image.new("RGBA", (200, 800), (0, 0, 255, 255))
    image = opened(cards.draw(TENT, STYLE, encoded(tall))).convert("RGB")
    assert image.getpixel((280, 10))[2] > 240 and image.getpixel((280, 480))[2] > 240
    assert image.getpixel((20, 250)) == (0xF4, 0xF2, 0xEE)


def test_a_turned_photograph_is_turned_back():
    photograph = Image.new("RGB", (400, 400), (255, 255, 255))
    photograph.paste((255, 0, 0), (0, 0, 400, 100))  # red at the top; the camera was held upside down
    exif = Image.Exif()
    exif[0x0112] = 3
    image = opened(cards.draw(TENT, STYLE, encoded(photograph, "JPEG", exif=exif))).convert("RGB")
    assert image.getpixel((280, 470))[1] < 80 and image.getpixel((280, 30))[1] > 200


def bomb(width, height):
    """A PNG of a few kilobytes that says it has so many dots."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    lines = zlib.compress(bytes((width + 1) * min(height, 1000)), 9)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


GOOD = encoded(Image.new("RGB", (300, 300), (10, 200, 30)))
HARMFUL = {
    "bomb": bomb(20_000, 20_000),
    "wide bomb": bomb(2_000_000, 20),
    "empty": b"",
    "text": b"<html>no</html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "cut off": GOOD[: len(GOOD) // 2],
    "another format": encoded(Image.new("RGB", (30, 30)), "BMP"),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
    "magic only": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("kind", HARMFUL)
def test_a_picture_that_is_none_is_left_out(kind):
    assert cards.picture(HARMFUL[kind], (560, 500), "#ffffff") is None
    assert cards.draw(TENT, STYLE, HARMFUL[kind]) == cards.draw(TENT, STYLE, None)


@settings(max_examples=40)
@given(st.binary(max_size=400), st.integers(0, len(GOOD)), st.integers(0, 60))
def test_whatever_bytes_come_there_is_a_card(noise, place, cut):
    data = GOOD[:place] + noise + GOOD[place + cut :]
    found = cards.picture(data, (60, 50), "#ffffff")
    assert found is None or found.size == (60, 50)


TEXTS = st.text(max_size=300)


@settings(max_examples=25)
@given(st.builds(Card, TEXTS, TEXTS, TEXTS, st.just(""), st.sampled_from(["", "sv", "ar", "he", "pt-BR"])))
def test_whatever_texts_come_there_is_a_card(card):
    assert opened(cards.draw(card, Cards(width=120, height=160), None)).size == (240, 320)


@pytest.mark.parametrize(
    "title",
    [
        "A tent that is much too long a title for any card there is, with more of it",
        "x" * 300,
        "Å" * 80,
        "a b\nc\td\0e",
    ],
)
def test_long_texts_stay_inside(title):
    card = TENT._replace(title=title, brand="B" * 200, price="1 " * 100)
    image = opened(cards.draw(card, STYLE, None))
    empty = opened(cards.draw(Card("", "", "", "", ""), STYLE, None))
    for box in ((4, 500, 30, 730), (image.width - 30, 500, image.width - 4, 730), (30, 740, 530, 755)):
        assert same(image, empty, box)


def test_letters_of_the_north_and_east_are_drawn():
    """The typeface that comes with Pillow has none of these."""
    letters = "åäöÅÄÖøæßčłğıșЯжαβ€₽₺"
    drawn = {cards.draw(Card("", "", letter * 3, "", ""), STYLE, None) for letter in letters}
    assert len(drawn) == len(letters)


def test_a_title_from_the_right_begins_there():
    left, right = (
        opened(cards.draw(Card("abc", "", "", "", lang), Cards(bold_font=""), None))
        .convert("L")
        .crop((30, 520, 280, 640))
        for lang in ("en", "ar")
    )
    assert left.getextrema()[0] < 100 < right.getextrema()[0]


def test_a_font_of_the_shops_own_is_used(tmp_path):
    from importlib import resources

    file = tmp_path / "own.ttf"
    file.write_bytes((resources.files("font_source_sans_pro") / "files" / "SourceSansPro-Black.ttf").read_bytes())
    assert cards.draw(TENT, Cards(font=str(file)), None) != cards.draw(TENT, STYLE, None)
    with pytest.raises(OSError):
        cards.draw(TENT, Cards(font=str(tmp_path / "none.ttf")), None)
