"""A small drawing surface for product pictures: smooth shapes with a light from above, on a tinted ground."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]

OVERSAMPLE = 2
"""Drawn so many times larger than asked for, then reduced: that makes edges smooth."""
FEW_COLOURS = 320
"""Up to this width a picture has a palette: a third of the bytes, and steps that nobody sees."""
STEPS = 10
"""Straight pieces between two points of a curve."""
_LIGHT = 0.16


def mixed(one: Colour, other: Colour, part: float) -> Colour:
    """A colour between two: 0 is the one, 1 the other."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return red, green, blue


def lighter(colour: Colour, part: float) -> Colour:
    """Nearer to white by this part."""
    return mixed(colour, (255, 255, 255), part)


def darker(colour: Colour, part: float) -> Colour:
    """Nearer to a warm black by this part."""
    return mixed(colour, (24, 24, 30), part)


def curve(points: Points, *, closed: bool = True) -> list[tuple[float, float]]:
    """A smooth line through the points (Catmull-Rom); the same coordinates as theirs."""
    count = len(points)
    out = []
    for place in range(count if closed else count - 1):
        if closed:
            a, b, c, d = (points[(place + step) % count] for step in (-1, 0, 1, 2))
        else:
            a, b, c, d = (points[min(max(place + step, 0), count - 1)] for step in (-1, 0, 1, 2))
        for step in range(STEPS):
            t = step / STEPS
            out.append((_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)))
    return out if closed else [*out, (points[-1][0], points[-1][1])]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


class Canvas:
    """A square picture whose coordinates run from 0 to 100, to the right and down."""

    def __init__(self, width: int, ground: Colour) -> None:
        """Begin with a ground that is lighter above.

        Args:
            width: of the picture in pixels.
            ground: its colour below.
        """
        self.width = width
        self._side = width * OVERSAMPLE
        self._scale = self._side / 100
        self.image = _gradient((self._side, self._side), lighter(ground, 0.55), ground)

    def shadow(self, left: float, right: float, y: float) -> None:
        """The soft shadow of something that stands at height y."""
        mask = Image.new("L", self.image.size)
        depth = (right - left) * 0.07
        ImageDraw.Draw(mask).ellipse(self._box(left, y - depth, right, y + depth), fill=105)
        small = mask.resize((self.width // 4, self.width // 4)).filter(ImageFilter.GaussianBlur(self.width / 130))
        self.image.paste((38, 40, 46), mask=small.resize(self.image.size, Image.Resampling.BICUBIC))

    def shape(self, points: Points, colour: Colour, *, smooth: bool = False, light: float = _LIGHT) -> None:
        """A filled polygon; with `smooth` its corners become curves. `light`: how much lighter it is above."""
        outline = curve(points) if smooth else points
        scaled = [(x * self._scale, y * self._scale) for x, y in outline]
        xs, ys = [x for x, _ in scaled], [y for _, y in scaled]
        self._paint((min(xs), min(ys), max(xs), max(ys)), colour, light, lambda draw, dx, dy: draw.polygon(
            [(x - dx, y - dy) for x, y in scaled], fill=255
        ))  # fmt: skip

    def oval(
        self, left: float, top: float, right: float, bottom: float, colour: Colour, *, light: float = _LIGHT
    ) -> None:
        """An ellipse that fills a box."""
        box = self._box(left, top, right, bottom)
        self._paint(box, colour, light, lambda draw, dx, dy: draw.ellipse(_moved(box, dx, dy), fill=255))

    def block(
        self, left: float, top: float, right: float, bottom: float, round_by: float, colour: Colour,
        *, light: float = _LIGHT,
    ) -> None:  # fmt: skip
        """A box with round corners."""
        box = self._box(left, top, right, bottom)
        radius = round_by * self._scale
        self._paint(
            box, colour, light, lambda draw, dx, dy: draw.rounded_rectangle(_moved(box, dx, dy), radius, fill=255)
        )

    def line(self, points: Points, colour: Colour, width: float, *, smooth: bool = False) -> None:
        """A line with round ends and joints."""
        path = [(x * self._scale, y * self._scale) for x, y in (curve(points, closed=False) if smooth else points)]
        thick = max(1, round(width * self._scale))
        draw = ImageDraw.Draw(self.image)
        draw.line(path, fill=colour, width=thick, joint="curve")
        for x, y in (path[0], path[-1]):
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=colour)

    def png(self) -> bytes:
        """The picture as it is sent."""
        small = self.image.resize((self.width, self.width), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        if self.width <= FEW_COLOURS:
            small = small.quantize(192, dither=Image.Dither.NONE)
        small.save(out, "PNG", optimize=True)
        return out.getvalue()

    def _box(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * self._scale, top * self._scale, right * self._scale, bottom * self._scale

    def _paint(
        self,
        box: tuple[float, float, float, float],
        colour: Colour,
        light: float,
        draw: Callable[[ImageDraw.ImageDraw, int, int], None],
    ) -> None:
        left, top = int(box[0]), int(box[1])
        size = max(1, int(box[2]) - left + 2), max(1, int(box[3]) - top + 2)
        mask = Image.new("L", size)
        draw(ImageDraw.Draw(mask), left, top)
        self.image.paste(_gradient(size, lighter(colour, light), darker(colour, light)), (left, top), mask)


def _moved(box: tuple[float, float, float, float], dx: int, dy: int) -> tuple[float, float, float, float]:
    return box[0] - dx, box[1] - dy, box[2] - dx, box[3] - dy


def _gradient(size: tuple[int, int], above: Colour, below: Colour) -> Image.Image:
    mask = Image.linear_gradient("L").resize(size)
    return Image.composite(Image.new("RGB", size, below), Image.new("RGB", size, above), mask)
