"""The sample's banners, drawn with Pillow: one art direction a series, a little different for every game.

Lengths are pixels of the finished banner (600 x 900), which is drawn at twice that size and scaled down. A paint is
"#rrggbb", or several of them for a vertical gradient; the canvas turns every colour by the game's hue. Outlines are
written as "x,y x,y".
"""

from __future__ import annotations

import colorsys
import functools
import io
import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter, ImageFont

_SCALE = 2
_WIDTH, _HEIGHT = 600, 900
_SANS, _BOLD, _SLANTED = "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-BoldOblique"
_SERIF, _SERIF_BOLD = "DejaVuSerif", "DejaVuSerif-Bold"
_SERIF_ITALIC, _SERIF_SLANTED = "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic"
_MONO, _MONO_BOLD = "DejaVuSansMono", "DejaVuSansMono-Bold"
_TIMES, _TIMES_BOLD, _TIMES_ITALIC = "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic"

_HUES = (-8, 8, 0, -16, 14, 4)  # degrees, by the number of the game

_Points = np.ndarray | Sequence[Sequence[float]]


def banner(art: str, number: int, title: str, subtitle: str) -> Image.Image:
    """Return the RGB picture (600 x 900) of the `number`-th game, from 0, of a series in the art direction `art`."""
    rng = np.random.default_rng([zlib.crc32(art.encode()), number])
    canvas = _Canvas(title, subtitle, number, _HUES[number % len(_HUES)], rng)
    _ARTS[art](canvas)
    return canvas.image.reduce(_SCALE)


def pattern(series: int, game: int) -> bytes:
    """Return a JPEG (300 x 450) of a colour pattern: one look a `series`, a little different for each `game`; 1 ms."""
    look = np.random.default_rng(series).integers(0, 256, (6, 4, 3))
    change = np.random.default_rng([series, game]).integers(-24, 25, (6, 4, 3))
    small = Image.fromarray((look + change).clip(0, 255).astype(np.uint8))
    return encode(small.resize((300, 450), Image.Resampling.BICUBIC))


def encode(picture: Image.Image, kind: str = "JPEG") -> bytes:
    """Return the picture as the bytes of a file."""
    file = io.BytesIO()
    picture.save(file, kind, quality=90)
    return file.getvalue()


# Tools


class _Mask(NamedTuple):
    """What is painted through: a picture in grey whose corner lies at (x, y) of the canvas."""

    x: float
    y: float
    mask: Image.Image

    def draw(self, polygon: _Points, value: int = 255) -> _Mask:
        ImageDraw.Draw(self.mask).polygon(_flat(np.asarray(polygon, float) - self[:2]), value)
        return self

    def within(self, *polygons: _Points) -> _Mask:
        """What lies in one of the polygons too."""
        other = _Mask(self.x, self.y, Image.new("L", self.mask.size))
        for polygon in polygons:
            other.draw(polygon)
        return self._replace(mask=ImageChops.multiply(self.mask, other.mask))

    def fading(self) -> _Mask:
        """The same, weaker and weaker to the bottom."""
        fade = Image.linear_gradient("L").rotate(180).resize(self.mask.size)
        return self._replace(mask=ImageChops.multiply(self.mask, fade))


def _sheet(x: float = 0, y: float = 0, width: float = _WIDTH, height: float = _HEIGHT) -> _Mask:
    """A mask that shows a whole rectangle."""
    return _Mask(x, y, Image.new("L", (round(width * _SCALE), round(height * _SCALE)), 255))


def _cut(*polygons: _Points, pad: float = 0) -> _Mask:
    """A mask that shows the polygons, with room around them."""
    corners = np.vstack([np.asarray(polygon, float) for polygon in polygons])
    (x, y), (right, bottom) = np.floor(corners.min(0) - pad), np.ceil(corners.max(0) + pad)
    mask = _Mask(x, y, Image.new("L", (round((right - x) * _SCALE), round((bottom - y) * _SCALE))))
    for polygon in polygons:
        mask.draw(polygon)
    return mask


@functools.cache
def _soft_disc() -> Image.Image:
    """A mask that fades from the middle to the rim."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    return Image.fromarray((255 * np.clip(1 - np.hypot(x, y), 0, 1) ** 2).astype(np.uint8))


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    path = Path(mpl.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


@functools.cache
def _turned(code: str, hue: int) -> tuple[int, ...]:
    h, s, v = colorsys.rgb_to_hsv(*(part / 255 for part in ImageColor.getrgb(code)))
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb((h + hue / 360) % 1, s, v))


def _mix(one: str, two: str, share: float) -> str:
    """The colour that lies `share` (0 to 1) of the way from `one` to `two`."""
    parts = zip(ImageColor.getrgb(one), ImageColor.getrgb(two), strict=True)
    return "#{:02x}{:02x}{:02x}".format(*(round(a + (b - a) * min(max(share, 0), 1)) for a, b in parts))


class _Canvas:
    """A banner in the making."""

    def __init__(self, title: str, subtitle: str, number: int, hue: int, rng: np.random.Generator) -> None:
        self.title, self.subtitle, self.number, self.hue, self.rng = title, subtitle, number, hue, rng
        self.image = Image.new("RGB", (_WIDTH * _SCALE, _HEIGHT * _SCALE))
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def colour(self, code: str, alpha: float = 1) -> tuple[int, ...]:
        return (*_turned(code, self.hue), round(255 * alpha))

    def polygon(self, points: _Points, code: str, alpha: float = 1) -> None:
        self.pen.polygon(_flat(points), self.colour(code, alpha))

    def line(self, points: _Points, width: float, code: str, alpha: float = 1) -> None:
        self.pen.line(_flat(points), self.colour(code, alpha), round(width * _SCALE), joint="curve")

    def box(self, x: float, y: float, wide: float, high: float, code: str, alpha: float = 1, radius: float = 0) -> None:
        self.pen.rounded_rectangle(_flat([(x, y), (x + wide, y + high)]), radius * _SCALE, self.colour(code, alpha))

    def frame(self, inset: float, radius: float, width: float, code: str) -> None:
        corners = _flat([(inset, inset), (_WIDTH - inset, _HEIGHT - inset)])
        self.pen.rounded_rectangle(corners, radius * _SCALE, outline=self.colour(code), width=round(width * _SCALE))

    def disc(self, x: float, y: float, radius: float, code: str, alpha: float = 1, squash: float = 1) -> None:
        half = radius * squash
        self.pen.ellipse(_flat([(x - radius, y - half), (x + radius, y + half)]), self.colour(code, alpha))

    def ring(self, x: float, y: float, radius: float, width: float, code: str, alpha: float = 1) -> None:
        corners = _flat([(x - radius, y - radius), (x + radius, y + radius)])
        self.pen.ellipse(corners, outline=self.colour(code, alpha), width=round(width * _SCALE))

    def glow(self, x: float, y: float, radius: float, code: str, alpha: float = 1, squash: float = 1) -> None:
        """Soft light around a point."""
        size = (round(2 * radius * _SCALE), round(2 * radius * squash * _SCALE))
        mask = _soft_disc().resize(size, Image.Resampling.BILINEAR)
        self.fill(code, _Mask(x - radius, y - radius * squash, mask), alpha=alpha)

    def shapes(self, text: str, x: float = 0, y: float = 0, scale: float = 1, angle: float = 0, flip: bool = False,
               edge: str = "", **paints: str) -> None:  # fmt: skip
        """Polygons, each written as its paint (or the name of one of `paints`), perhaps /alpha, and its outline.

        "~" before the paint smooths the outline; "=" draws its mirror image about x = 0 too. edge: a line around each.
        """
        for marks, paint, outline in re.findall(r"([~=]*)([#a-z]\S*)([-\d.,\s]+)", text):
            code, _, alpha = paint.partition("/")
            points = _smooth(_path(outline)) if "~" in marks else _path(outline)
            for side in (1, -1) if "=" in marks else (1,):
                placed = _place(points * [side, 1], x, y, scale, angle, flip)
                self.polygon(placed, paints.get(code, code), float(alpha or 1))
                if edge:
                    self.line([*placed, placed[0]], 1.5, edge)

    def fill(
        self, paint: str, through: _Mask | None = None, top: float = 0, bottom: float = _HEIGHT, *, alpha: float = 1
    ) -> None:
        """Paints through a mask, or everything; a gradient runs from `top` to `bottom`."""
        x, y, mask = through or (0, 0, None)
        size = mask.size if mask else self.image.size
        if alpha != 1:
            mask = mask.point([round(value * alpha) for value in range(256)])
        stops = np.array([_turned(code, self.hue) for code in paint.split()], float)
        rows, height = np.linspace(top, bottom, len(stops)), y + np.arange(size[1]) / _SCALE
        column = np.stack([np.interp(height, rows, stops[:, part]) for part in range(3)], -1).round()
        ramp = Image.fromarray(column.astype(np.uint8)[:, None])
        colour = self.colour(paint)[:3] if mask and len(stops) == 1 else ramp.resize(size, Image.Resampling.NEAREST)
        self.image.paste(colour, (round(x * _SCALE), round(y * _SCALE)), mask)

    def shadow(self, of: _Mask, blur: float, drop: float, code: str = "#000000", alpha: float = 0.5) -> None:
        """The soft shadow, or light, of what a mask shows, `drop` below it."""
        small = of.mask.reduce(6).filter(ImageFilter.GaussianBlur(blur * _SCALE / 6))
        soft = small.resize(of.mask.size, Image.Resampling.BILINEAR)
        self.fill(code, _Mask(of.x, of.y + drop, soft), alpha=alpha)

    def vignette(self, code: str, alpha: float) -> None:
        y, x = np.mgrid[-1:1:90j, -1:1:60j]
        mask = Image.fromarray((255 * np.clip(np.hypot(x, y) - 0.6, 0, 1)).astype(np.uint8))
        self.fill(code, _Mask(0, 0, mask.resize(self.image.size, Image.Resampling.BILINEAR)), alpha=alpha)

    def letter(
        self, text: str, y: float, size: float, font: str, paint: str, *, x: float = 300, width: float = 530,
        spacing: float = 0, align: float = 0.5, rim: str = "", shadow: str = "",
    ) -> None:  # fmt: skip
        """Writes on the baseline `y`, smaller than `size` where the text would be wider than `width`.

        spacing: between letters, in ems. align: 0 starts at `x`, 0.5 is centred, 1 ends there. rim: "width colour".
        shadow: "blur drop colour alpha".
        """
        em = _font(font, 100).getlength(text) / 100 + spacing * (len(text) - 1)
        size = min(size, width / em)
        edge, edge_paint = rim.split() if rim else ("0", paint)
        blur, drop, shade, alpha = shadow.split() if shadow else ("0", "0", paint, "0")
        pad = 4 + float(edge) + 3 * float(blur)
        room = (round((em * size + 2 * pad) * _SCALE), round((1.35 * size + 2 * pad) * _SCALE))
        draw = functools.partial(_letters, text, _font(font, round(size * _SCALE)), spacing * size, pad, room)
        face, outline = (_Mask(x - em * size * align - pad, y - size - pad, draw(wide)) for wide in (0, float(edge)))
        if shadow:
            self.shadow(outline, float(blur), float(drop), shade, float(alpha))
        if rim:
            self.fill(edge_paint, outline)
        self.fill(paint, face, y - 0.75 * size, y)


def _letters(
    text: str, font: ImageFont.FreeTypeFont, spacing: float, pad: float, room: tuple[int, int], rim: float
) -> Image.Image:
    mask = Image.new("L", room)
    pen, x = ImageDraw.Draw(mask), pad * _SCALE
    for part in text if spacing else [text]:
        pen.text((x, pad * _SCALE + font.size), part, 255, font, anchor="ls", stroke_width=round(rim * _SCALE))
        x += font.getlength(part) + spacing * _SCALE
    return mask


def _flat(points: _Points) -> list[float]:
    return (np.asarray(points, float) * _SCALE).ravel().tolist()


def _path(text: str) -> np.ndarray:
    """Points, or other rows of numbers, written as "x,y x,y"."""
    return np.array([point.split(",") for point in text.split()], float)


def _smooth(points: _Points, steps: int = 12) -> np.ndarray:
    """A closed Catmull-Rom curve through the points."""
    points = np.asarray(points, float)
    return _catmull(np.roll(points, 1, 0), points, np.roll(points, -1, 0), np.roll(points, -2, 0), steps)


def _curve(points: _Points, steps: int = 12) -> np.ndarray:
    """An open Catmull-Rom curve through the points."""
    points = np.asarray(points, float)
    padded = np.vstack([points[:1], points, points[-1:]])
    return np.vstack([_catmull(padded[:-3], padded[1:-2], padded[2:-1], padded[3:], steps), points[-1:]])


def _catmull(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, steps: int) -> np.ndarray:
    a, b, c, d = (part[:, None] for part in (a, b, c, d))
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    curve = (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3) / 2
    return curve.reshape(-1, 2)


def _ribbon(spine: _Points, widths: Sequence[float]) -> np.ndarray:
    """The outline of a band along a line; the widths are spread evenly over it."""
    spine = np.asarray(spine, float)
    along = np.gradient(spine, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], -1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
    half = np.interp(np.linspace(0, 1, len(spine)), np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    return np.vstack([spine + normal * half, (spine - normal * half)[::-1]])


def _brush(points: _Points, *widths: float) -> np.ndarray:
    """A smooth stroke through the points."""
    return _ribbon(_curve(points), widths)


def _place(points: _Points, x: float, y: float, scale: float = 1, angle: float = 0, flip: bool = False) -> np.ndarray:
    """A shape drawn around (0, 0): mirrored, scaled, turned (degrees, clockwise) and moved."""
    turn = np.radians(angle)
    points = np.asarray(points, float) * [-scale if flip else scale, scale]
    return points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + [x, y]


def _polar(x: float, y: float, radius: float | Sequence[float], degrees: float | Iterable[float]) -> np.ndarray:
    turn, radius = np.radians(degrees), np.asarray(radius)
    return np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], -1)


def _hills(rng: np.random.Generator, y: float, height: float, waves: float) -> np.ndarray:
    """A rolling skyline over the whole width (60 points), closed at the bottom."""
    x = np.linspace(-10, _WIDTH + 10, 60)
    one, two = rng.uniform(0, 2 * np.pi, 2)
    wave = np.sin(x / _WIDTH * 2 * np.pi * waves + one) + 0.5 * np.sin(x / _WIDTH * 5 * np.pi * waves + two)
    return np.vstack([np.stack([x, y - height * wave / 1.5], -1), _path("610,910 -10,910")])


def _height(ridge: np.ndarray, x: float) -> float:
    return float(np.interp(x, ridge[:-2, 0], ridge[:-2, 1]))


def _stars(c: _Canvas, count: int, bottom: float) -> None:
    for x, y, size in c.rng.random((count, 3)):
        c.disc(x * _WIDTH, y * bottom, 0.5 + 1.3 * size**3, "#ffffff", 0.35 + 0.6 * size)


def _sparkle(c: _Canvas, x: float, y: float, size: float, code: str) -> None:
    c.polygon([_polar(x, y, size if k % 2 == 0 else size * 0.16, 45 * k) for k in range(8)], code)


def _pine(c: _Canvas, x: float, y: float, height: float, code: str) -> None:
    side = [(0.0, -1.0)]
    for level in range(1, 6):
        side += [(0.055 * level + 0.02, -1 + 0.18 * level), (0.025 * level, -1 + 0.17 * level)]
    side = np.array([*side, (0.03, -0.12), (0.03, 0)])
    c.polygon(_place([*side, *side[::-1] * [-1, 1]], x, y, height), code)


# Art directions


def _mountains(c: _Canvas) -> None:
    """Low-poly peaks before a low sun."""
    c.fill("#2b1b54 #6b2d73 #c9506b #f6935c #ffd08a", bottom=620)
    x, y = c.rng.uniform(180, 420), c.rng.uniform(330, 400)
    c.glow(x, y, 420, "#ffe2a8", 0.75)
    c.disc(x, y, 92, "#fff1cf")
    _facets(c, 520, 150, "#e08a7c", "#a2567c", "#fff4ea")
    _facets(c, 620, 190, "#a9557f", "#5b2f68", "#fff4ea")
    _facets(c, 760, 250, "#5a3b78", "#24183f", "#5a3b78")
    for k in range(26):
        size = c.rng.uniform(50, 120) * (1.5 if abs(k - 13) > 7 else 0.9)
        _pine(c, k * 25 + c.rng.uniform(-8, 8), 915, size, "#150d2b")
    c.letter(c.title.upper(), 135, 84, _BOLD, "#ffffff #ffe1c4", spacing=0.12, shadow="10 4 #2b1b54 0.7")
    c.box(270, 158, 60, 3, "#ffd08a")
    c.letter(c.subtitle.upper(), 194, 24, _SANS, "#ffe9d2", spacing=0.3, shadow="6 2 #2b1b54 0.8")


def _facets(c: _Canvas, base: float, high: float, light: str, dark: str, snow: str) -> None:
    """One range of peaks: a grid of triangles, shaded by their slope."""
    columns, rows = 11, 6
    peaks = np.where(np.arange(columns) % 2, c.rng.uniform(0.55, 1, columns), c.rng.uniform(0, 0.3, columns))
    share = np.linspace(0, 1, rows)[:, None] ** 1.2
    y = (base - high * peaks) * (1 - share) + 930 * share + c.rng.uniform(-14, 14, (rows, columns)) * (share > 0)
    grid = np.stack([np.linspace(-40, 640, columns) + c.rng.uniform(-24, 24, (rows, columns)), y], -1)
    for row, column in np.ndindex(rows - 1, columns - 1):
        one, two, three, four = *grid[row, column : column + 2], *grid[row + 1, column : column + 2]
        for corners in ((one, two, three), (two, four, three)):
            (x0, y0), (x1, y1) = corners[:2]
            shade = 0.5 + 1.5 * np.arctan2(y1 - y0, x1 - x0) / np.pi + c.rng.uniform(-0.12, 0.12)
            capped = row == 0 and min(y0, y1) < base - high * 0.55
            c.polygon(corners, _mix(snow, light, shade * 0.8) if capped else _mix(light, dark, shade))


def _synthwave(c: _Canvas) -> None:
    """A slatted sun over a skyline and a glowing grid."""
    c.fill("#0c0524 #2a0b52 #7a1878 #ff4f8b", bottom=600)
    _stars(c, 130, 420)
    c.glow(300, 450, 360, "#ff5fa2", 0.7)
    sun = _cut(_polar(300, 430, 170, range(360)))
    for slat in range(9):
        top, bottom = 410 + slat * 22, 412 + slat * 24.5
        sun.draw([(100, top), (500, top), (500, bottom), (100, bottom)], 0)
    c.fill("#fff07a #ffb04a #ff3f86", sun, 260, 590)
    x = -10.0
    while x < _WIDTH:
        wide, high = c.rng.uniform(26, 58), c.rng.uniform(30, 120) * (0.45 + abs(x - 290) / 260)
        c.box(x, 600 - high, wide - 3, high + 4, "#14062f")
        for wx in np.arange(x + 6, x + wide - 9, 9):
            for wy in np.arange(608 - high, 594, 13):
                if c.rng.random() < 0.45:
                    c.box(wx, wy, 4, 6, c.rng.choice(["#4be7ff", "#ff6bd0", "#ffe07a"]), 0.9)
        x += wide
    c.fill("#1b0742 #05010f", _sheet(0, 600, 600, 300), 600)
    for place in np.linspace(-1, 1, 27):
        c.line([(300 + place * 330, 600), (300 + place * 2400, 900)], 1.6, "#35e3ff", 0.85)
    for depth in np.arange(0, 1, 0.075):
        c.line([(0, 600 + 300 * depth**2.2), (600, 600 + 300 * depth**2.2)], 1 + 1.8 * depth, "#35e3ff", 0.85)
    c.glow(300, 600, 420, "#ff6fb5", 0.8, 0.09)
    chrome = "#ffffff #7fe9ff #1b3fa8 #ff7ad1 #fff0fb"
    c.letter(c.title.upper(), 165, 96, _SLANTED, chrome, rim="3 #12042b", shadow="12 0 #ff3fae 1")
    c.letter(c.subtitle, 232, 46, _SERIF_SLANTED, "#ff8fd6", width=440, shadow="8 0 #ff1f9a 0.9")


def _papercut(c: _Canvas) -> None:
    """Sheets of cut paper around a clearing with a stag."""
    c.fill("#fff3d6")
    c.glow(300, 470, 430, "#ffd98c")
    c.disc(300 + c.rng.uniform(-60, 60), 400, 104, "#fffbe9")
    for depth, code in enumerate(("#d5e6c6", "#a5d0b2", "#6bae9b", "#3b7f7e", "#205a65", "#0f3744")):
        # A sheet need not reach further than the hole of the next one.
        room = (64 - 26 * depth, 170 - 24 * depth, 472 + 52 * depth, 560 + 48 * depth)
        sheet = _sheet(*room) if depth < 5 else _sheet()
        sheet.draw(_clearing(c.rng, depth), 0)
        for side in (-1, 1):
            _paper_tree(sheet, c.rng, 300 + side * (172 + 20 * depth) * c.rng.uniform(0.7, 0.92), 7 + 2.5 * depth, side)
        for part in _stag() if depth == 3 else ():
            sheet.draw(_place(part, 268 + 30 * (c.number % 3), 664, 2.4, flip=c.number % 2 == 1))
        c.shadow(sheet, 8, 6, "#06222b", 0.6)
        c.fill(code, sheet)
    c.letter(c.title, 118, 66, _SERIF_BOLD, "#fff3d6", width=490, shadow="4 4 #031118 0.8")
    c.letter(c.subtitle, 852, 32, _SERIF_ITALIC, "#d5e6c6", width=460, shadow="3 3 #031118 0.8")


def _clearing(rng: np.random.Generator, depth: int) -> np.ndarray:
    """The hole in one sheet: scalloped leaves above, a grassy hill below; smaller in the sheets further back."""
    across, down = 176 + 22 * depth, 250 + 22 * depth
    bows = [(1 - 0.05 * np.sin(t), a + 4.2 * t) for a in np.arange(180, 360, 13.5) for t in np.linspace(0, np.pi, 5)]
    canopy = _polar(0, 0, *np.transpose(bows)) * [across, down] + [300, 470 + rng.uniform(-6, 6)]
    x = np.linspace(300 + across, 300 - across, 41)
    wave = 16 * np.sin(x / 70 + 2 * depth + rng.uniform(0, 3)) + 40 * np.abs((x - 300) / across) ** 3
    hill = 628 + 26 * depth - wave
    hill[1::2] -= rng.uniform(3, 15, 20)
    return np.vstack([canopy, np.stack([x, hill], -1)])


def _paper_tree(sheet: _Mask, rng: np.random.Generator, x: float, width: float, side: int) -> None:
    trunk = [(x, 130), (x + rng.uniform(-10, 10), 400), (x, 840)]
    sheet.draw(_brush(trunk, width * 0.6, width, width, width * 2))
    for y in rng.uniform(300, 480, 2):
        sheet.draw(_brush([(x, y), (x - side * 26, y - 34), (x - side * 34, y - 70)], width * 0.5, 1))


def _stag() -> list[np.ndarray]:
    """A stag that looks to the right, about 60 wide and 100 high, its feet on y = 0."""
    body = (
        "32,-62 29,-58 24,-57 21,-50 18,-40 17,-33 16,-20 16,0 13,0 12,-18 9,-29 -4,-30 -13,-28 -14,-22 -11,-14 -13,0 "
        "-16,0 -16,-13 -20,-22 -22,-32 -24,-40 -27,-38 -25,-45 -20,-47 -6,-46 6,-47 13,-54 18,-64 14,-68 21,-68 "
        "24,-70 28,-66"
    )
    legs = ("12,-30 8,-16 9,0 6,0 5,-16 5,-30", "-12,-28 -8,-20 -6,-12 -7,0 -10,0 -10,-12 -16,-24")
    antlers = (
        "21,-68 16,-80 19,-92 26,-98", "17,-80 10,-84 8,-92", "18,-89 12,-95 13,-101", "23,-68 28,-79 35,-84 37,-93",
        "29,-80 29,-88 27,-92",
    )  # fmt: skip
    return [_path(body), *map(_path, legs), *(_brush(_path(antler), 2.4, 1) for antler in antlers)]


def _deepsea(c: _Canvas) -> None:
    """Jellyfish that glow in the dark."""
    rng = c.rng
    c.fill("#1787a0 #0b4f78 #08264f #050f2c #02040f")
    for x, wide, lean in rng.uniform([0, 20, -90], [600, 50, 90], (5, 3)):
        ray = _cut([(x, 0), (x + wide, 0), (x + lean + 110, 640), (x + lean, 640)])
        c.fill("#8ff0ff", ray.fading(), alpha=0.16)
    for x, y, size in rng.random((60, 3)):
        c.glow(x * 600, 150 + y * 750, 3 + 10 * size**3, rng.choice(["#7ffcff", "#b6ffd9", "#d6a8ff"]), 0.9)
    for x, y, size in ((140, 645, 46), (475, 455, 62), (280, 405, 128)):
        code = rng.choice(["#6ff7ff", "#ff8fe0", "#b79bff"])
        _jellyfish(c, x + rng.uniform(-50, 50), y + rng.uniform(-40, 40), size, code)
    for depth, code in enumerate(("#041a36", "#020914")):
        c.polygon(_hills(rng, 830 + 34 * depth, 26, 2.4), code)
        for x, high, sway in rng.uniform([0, 40, -24], [600, 150, 24], (16, 3)):
            c.polygon(_brush([(x, 880), (x + sway, 850 - high / 2), (x - sway / 2, 850 - high)], 9, 6, 1), code)
    c.letter(c.title.upper(), 150, 80, _SANS, "#ffffff #9ff8ff", spacing=0.16, shadow="14 0 #35f0ff 1")
    c.letter(c.subtitle, 200, 28, _SERIF_ITALIC, "#bff7ff", spacing=0.08, shadow="8 0 #35f0ff 0.8")


def _jellyfish(c: _Canvas, x: float, y: float, size: float, code: str) -> None:
    c.glow(x, y, size * 2.6, code, 0.45)
    for place in np.linspace(-0.8, 0.8, 9):
        sway = place + c.rng.uniform(-0.5, 0.5, 3)
        arm = [(place, 0), *zip(sway, (0.7, 1.45, 2.2), strict=True)]
        c.polygon(_brush(_place(arm, x, y, size), size * 0.07, size * 0.045, 0.6), _mix(code, "#ffffff", 0.3), 0.6)
    frill = [(1 - k / 5, 0.1 * (k % 2) + 0.04) for k in range(1, 10)]
    bell = _cut(_place([*(_polar(0, 0, 1, range(180, 361, 10)) * [1, 0.86]), *frill], x, y, size), pad=size / 2)
    c.shadow(bell, size / 6, 0, code, 0.9)
    c.fill(f"#ffffff {code} {_mix(code, '#0a2a66', 0.6)}", bell, y - size, y + size * 0.2, alpha=0.82)
    for reach in (0.72, 0.42, 0.14):
        rib = _polar(0, 0, 1, range(-180, 1, 9)) * [reach, 0.8]
        c.line(_place(rib, x, y, size), 1.4, "#ffffff", 0.5)


_SPRITES = {
    "hero": "...1111.... ..111111... ..122221... ..1222214.. ...2222.4.. .33333334.. 3.333334... 3.33333.... "
    "..35553.... ..3...3.... .33...33...",
    "slime": "....6666.... ..66666666.. .6676666666. .6766666666. 666688668866 666688668866 666666666666 .6666666666.",
    "skull": "..22222.. .2222222. .2882882. .2882882. .2228222. ..22222.. ..2.2.2..",
    "chest": "..9999999.. .9aaaaaaa9. .9a99499a9. 99994449999 .9aa949aa9. .9aaaaaaa9. .999999999.",
}
_PIXELS = {
    "1": "#8d99ae", "2": "#f1e3c6", "3": "#3f6fb5", "4": "#ffd166", "5": "#5c3a21", "6": "#63c74d", "7": "#c6f5a8",
    "8": "#181425", "9": "#5c3a21", "a": "#b86f3c",
}  # fmt: skip


def _pixel(c: _Canvas) -> None:
    """A torch-lit dungeon of big pixels."""
    y, x = np.mgrid[:150, :100]

    def tinted(code: str, shades: np.ndarray) -> np.ndarray:
        return np.array(c.colour(code)[:3]) * shades[..., None]

    brick = x + 4 * (y // 8 % 2)
    mortar = (y % 8 == 0) | (brick % 8 == 0)
    door = (np.abs(x - 50) < 17) & (y > 78) | (np.hypot(x - 50, y - 79) < 17)
    stone = c.rng.uniform(0.86, 1.1, (19, 14))[y // 8, brick // 8]
    slabs = c.rng.uniform(0.85, 1.1, (30, 10))[y // 5, x // 10]
    scene = np.where(mortar[..., None], c.colour("#2b2540")[:3], tinted("#5a5573", stone))
    scene = np.where(door[..., None], c.colour("#120d1f")[:3], scene)
    scene = np.where(y[..., None] > 116, tinted("#6d5a4b", slabs), scene)
    light = sum(1.25 * np.clip(1 - np.hypot(x - torch, (y - 74) * 0.9) / 62, 0, 1) ** 1.4 for torch in (18, 82))
    light = np.round((0.34 + light + (x + y) % 2 * 0.06) * 6) / 6
    picture = Image.fromarray((scene * light[..., None] * [1.12, 0.98, 0.86]).clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for torch in (18, 82):
        pen.rectangle((torch - 1, 77, torch + 1, 86), c.colour("#5c3a21")[:3])
        for radius, code in ((4, "#e8542b"), (3, "#ff9e3d"), (1, "#fff3a8")):
            pen.ellipse((torch - radius, 73 - radius, torch + radius, 74 + radius), c.colour(code)[:3])
    foes = ("slime", "skull", "chest")
    _sprite(c, picture, "hero", 14 + 8 * (c.number % 3), 101)
    _sprite(c, picture, foes[c.number % 3], 60, 108)
    if c.number > 2:
        _sprite(c, picture, foes[(c.number + 1) % 3], 40, 129)
    pen.fontmode = "1"
    for word, row, size, code in ((c.title, 32, 17, "4"), (c.subtitle, 50, 10, "2")):
        face = _font(_MONO_BOLD, size)
        left = round((100 - face.getlength(word)) / 2)
        for dx, dy, shade in ((1, 2, "8"), (-1, 0, "8"), (1, 0, "8"), (0, -1, "8"), (0, 1, "9"), (0, 0, code)):
            pen.text((left + dx, row + dy), word, c.colour(_PIXELS[shade])[:3], face, anchor="ls")
    c.image.paste(picture.resize(c.image.size, Image.Resampling.NEAREST))


def _sprite(c: _Canvas, picture: Image.Image, name: str, x: int, y: int) -> None:
    for row, line in enumerate(_SPRITES[name].split()):
        for column, pixel in enumerate(line):
            if pixel != ".":
                left, top = x + 2 * column, y + 2 * row
                picture.paste(c.colour(_PIXELS[pixel])[:3], (left, top, left + 2, top + 2))


_FIGURES = (
    "8,60 28,52 48,50 66,36 84,14 66,36 78,62 92,84 78,62 48,50 30,80",
    "50,8 34,30 40,54 30,86 40,54 62,54 74,88 62,54 68,28 50,8",
    "6,30 20,44 34,40 52,50 64,66 82,70 92,58 88,44 76,40",
    "14,18 36,34 58,30 86,40 70,58 74,84 70,58 44,62 20,78 44,62 36,34",
    "50,6 50,34 24,46 6,40 24,46 40,68 36,92 40,68 62,68 66,92 62,68 76,46 94,40 76,46 50,34",
    "10,84 26,66 50,72 72,58 66,34 44,26 30,40 44,26 58,10",
)


def _astrolabe(c: _Canvas) -> None:
    """Gold rings and a constellation on midnight blue."""
    c.fill("#050b24 #0b1a44 #122a63 #0a1738")
    for x, dx, dy in zip(np.linspace(-40, 640, 16), *c.rng.uniform(-30, 30, (2, 16)), strict=True):
        c.glow(x + dx, 760 - x * 0.85 + dy, 130 + dx + dy, "#5c6fc0", 0.22)
    _stars(c, 260, 900)
    x0, y0, gold = 300, 470, "#e5c276"
    for radius, width in _path("246,2.5 236,1 206,1 96,1.2 250,1"):
        c.ring(x0, y0, radius, width, gold)
    for angle in range(0, 360, 3):
        c.line(_polar(x0, y0, [236, 214 if angle % 30 == 0 else 226], angle), 1.2, gold, 0.9)
    c.ring(*_polar(x0, y0, 62, 70 + 40 * c.number), 142, 1.2, gold, 0.7)
    for angle in np.arange(8) * 45 + c.number * 9:
        c.polygon(_polar(x0, y0, [250, 250, 272], [angle - 1.5, angle + 1.5, angle]), gold)
    places = _path(_FIGURES[c.number]) * 3.1 + [x0 - 155, y0 - 155]
    c.line(places, 1.8, "#fff6dc", 0.9)
    for (x, y), size in zip(places, c.rng.uniform(4, 8, len(places)), strict=True):
        c.glow(x, y, size * 6, "#ffe7ae", 0.8)
        _sparkle(c, x, y, size * 2.2, "#ffffff")
    c.letter(c.title, 132, 64, _SERIF, "#fff3cf #e5c276 #b98a3c", spacing=0.1, shadow="8 2 #000010 0.8")
    c.letter(c.subtitle, 826, 34, _SERIF_ITALIC, "#f2dfae", spacing=0.06)
    c.line([(220, 850), (380, 850)], 1.2, gold)


def _artdeco(c: _Canvas) -> None:
    """A gilded tower before a fan of rays."""
    gold, pale, dark = "#d9a441", "#f7e2a6", "#0a1f1c"
    c.fill("#04110f #0d2f2a #134a40")
    for angle in range(180, 361, 12):
        c.polygon([(300, 560), *_polar(300, 560, 760, [angle - 1.4, angle + 1.4])], gold, 0.38)
    c.glow(300, 540, 380, "#ffdf8f", 0.55)
    for offset, top, share in _path("250,640,0.5 205,560,0.38 160,600,0.26"):
        for x in (300 - offset, 300 + offset):
            roof = [(x - 22, 900), (x - 22, top), (x, top - 26), (x + 22, top), (x + 22, 900)]
            c.polygon(roof, _mix(dark, "#2a6b5c", share))
            for dx in (-11, 0, 11):
                c.line([(x + dx, top + 16), (x + dx, 860)], 2, gold, 0.55)
    storeys = 3 + c.number
    for k in range(storeys):
        half, top = 130 - k * 84 / storeys, 640 - k * 300 / storeys
        c.box(300 - half, top, 2 * half, 900 - top, _mix("#17584b", "#08201b", k / storeys))
        c.box(300 - half, top, 2 * half, 4, pale)
        for x in np.arange(309 - half, 296 + half, 13):
            c.line([(x, top + 12), (x, 900)], 3, pale, 0.8)
    c.shapes("=gold 0,0 0,-150 4,-66 12,-62 32,0 pale 0,0 0,-150 4,-66 12,-62 32,0", 300, top, gold=gold, pale=pale)
    c.glow(300, top - 150, 60, "#fff3c4", 0.9)
    if c.number % 2:
        c.shapes("""
            ~hull -68,0 -40,-15 0,-19 40,-15 68,0 40,15 0,19 -40,15
            pale/0.7 -62,-6 0,-13 58,-5 0,-2
            gold 46,0 74,-18 74,18
            pale -14,18 14,18 12,27 -12,27""", (470, 130)[c.number // 2 % 2], 270,
            hull=_mix(gold, dark, 0.35), gold=gold, pale=pale)  # fmt: skip
    c.box(0, 742, 600, 158, "#06140f")
    corner = _path("300,0 34,0 34,34 0,34")
    for inset, width in ((16, 4), (26, 1.5)):
        quarter = corner * [1 - inset / 300, 1] + [inset, inset]
        left = np.vstack([quarter, (quarter * [1, -1] + [0, 900])[::-1]])
        for half in (left, [600, 0] + left * [-1, 1]):
            c.line(half, width, gold)
    c.line([(40, 742), (560, 742)], 3, gold)
    c.letter(c.title.upper(), 814, 62, _SANS, f"{pale} #fff8de {gold}", width=490, spacing=0.22)
    c.letter(c.subtitle.upper(), 850, 19, _SANS, pale, width=450, spacing=0.42)


def _bauhaus(c: _Canvas) -> None:
    """Tiles of quarter circles, bars and dots."""
    ink, red, blue, paper = "#1b1a1a", "#d8382b", "#1f4e8c", "#f3e9d6"
    c.fill(paper)
    for row, column in np.ndindex(4, 4):
        one, two, three = (c.colour(code)[:3] for code in c.rng.permutation([red, blue, "#f2b632", ink])[:3])
        tile = Image.new("RGB", (264, 264), one if c.rng.random() < 0.35 else c.colour(paper)[:3])
        _bauhaus_tile(ImageDraw.Draw(tile), int(c.rng.integers(6)), two, three)
        turned = tile.rotate(90 * int(c.rng.integers(4)))
        c.image.paste(turned, ((36 + 132 * column) * _SCALE, (36 + 132 * row) * _SCALE))
    c.box(36, 594, 528, 10, ink)
    c.letter(c.title.lower(), 704, 92, _BOLD, ink, x=34, width=532, align=0, spacing=-0.03)
    c.letter(c.subtitle.lower(), 760, 34, _SANS, red, x=37, width=500, align=0)
    for k in range(6):
        c.disc(52 + 42 * k, 828, 15, red if k == c.number else ink)
    c.letter(str(c.number + 1), 858, 112, _BOLD, blue, x=564, align=1)


def _bauhaus_tile(pen: ImageDraw.ImageDraw, kind: int, one: tuple[int, ...], two: tuple[int, ...]) -> None:
    match kind:
        case 0:
            pen.pieslice((-264, -264, 264, 264), 0, 90, one)
            pen.pieslice((-132, -132, 132, 132), 0, 90, two)
        case 1:
            pen.pieslice((0, -132, 264, 132), 0, 180, one)
            pen.pieslice((0, 0, 264, 264), 0, 180, two)
        case 2:
            for bar in range(4):
                pen.rectangle((0, 66 * bar, 264, 66 * bar + 32), one)
        case 3:
            pen.ellipse((20, 20, 244, 244), one)
            pen.ellipse((88, 88, 176, 176), two)
        case 4:
            pen.polygon((0, 264, 264, 264, 264, 0), one)
            pen.ellipse((40, 40, 104, 104), two)
        case _:
            pen.pieslice((0, -264, 528, 264), 90, 180, one)
            pen.pieslice((-264, 0, 264, 528), 270, 360, two)


def _koi(c: _Canvas) -> None:
    """Koi and a brushed circle on rice paper."""
    rng = c.rng
    c.fill("#f4ecd8 #efe4c8 #e6d8b6")
    for x, y, size in rng.random((26, 3)):
        c.glow(x * 600, y * 900, 60 + 130 * size, rng.choice(["#fffaf0", "#d9c9a2"]), 0.25)
    start = rng.uniform(200, 320)
    for _ in range(64):
        offset, width = rng.normal(0, 1), rng.uniform(0.8, 5)
        stroke = np.linspace(start, start + rng.uniform(250, 330), 70)
        arc = _polar(300 + offset * 2, 350 + offset * 2, 232 + offset * 11, stroke)
        c.polygon(_ribbon(arc, [width * 1.4, width, width, width * 0.2]), "#1c1a1d", rng.uniform(0.12, 0.5))
    fish = 2 + c.number % 2
    for k in range(fish):
        angle = 60 * c.number + 360 / fish * k
        size = 1.45 - 0.2 * (fish - 2) - 0.1 * k
        _koi_fish(c, *_polar(300, 350, 96, angle), size, angle + 90, ("#d8402a", "#242126", "#e0912f")[k])
    c.letter(c.title.upper(), 730, 84, _TIMES, "#1c1a1d", width=470, spacing=0.2)
    c.letter(c.subtitle, 786, 36, _TIMES_ITALIC, "#4b4547", spacing=0.06)
    c.box(278, 818, 44, 44, "#b8281c", 0.95, 6)
    c.polygon(_place(_koi_body(), 300, 840, 0.17, 90), "#f4ecd8")


def _koi_body() -> np.ndarray:
    """A koi about 220 long that turns right, around (0, 130)."""
    return _ribbon(_polar(0, 130, 130, np.linspace(-52, -138, 30)), [8, 34, 50, 56, 54, 46, 36, 26, 17, 11, 8])


def _koi_fish(c: _Canvas, x: float, y: float, scale: float, angle: float, code: str) -> None:
    def put(points: _Points) -> np.ndarray:
        return _place(points, x, y, scale, angle)

    # Fins, as distances from the spine and angles along it.
    for fin in ("0,-134 20,-150 32,-170 6,-156", "16,-68 52,-80 62,-96 18,-82", "10,-108 30,-116 32,-125 8,-116"):
        for side in (1, -1):
            away, along = _path(fin).T
            outline = put(_smooth(_polar(0, 130, 130 + side * away, along)))
            c.polygon(outline, _mix(code, "#fff4e6", 0.35), 0.6)
            for ray in (10, 16, 22, 28):
                c.line([outline[0], outline[ray]], 1, code, 0.4)
    body = _cut(put(_koi_body()), pad=20)
    c.shadow(body, 8, 10, "#3a4a50", 0.4)
    c.fill("#fff7ea", body)
    for along in (-58, -78, -100, -124):
        wide, (sx, sy) = c.rng.uniform(12, 27), _polar(0, 130, 130 + c.rng.uniform(-16, 16), along)
        spot = _smooth([(sx + wide, sy), (sx, sy + wide), (sx - wide, sy + 4), (sx - 4, sy - wide)])
        c.fill(code, body.within(put(spot)))
    c.line(put(_polar(0, 130, 130, np.linspace(-66, -132, 20))), 2.5, "#7a2a1e", 0.3)
    for eye in put(_polar(0, 130, [119, 141], -56)):
        c.disc(*eye, 3.2, "#161416")


def _desert(c: _Canvas) -> None:
    """A caravan on the crest of a dune."""
    c.fill("#0f2a52 #2c5f86 #7fa7a0 #f3c98b #f7a15f", bottom=560)
    _stars(c, 120, 300)
    x, y = c.rng.uniform(150, 450), c.rng.uniform(300, 360)
    c.glow(x, y, 300, "#fff0c2", 0.8)
    c.disc(x, y, 62, "#fff6dc")
    sands = (("#eeb06c", "#cf7f52"), ("#e2954f", "#b2603f"), ("#cf7a3e", "#8a4432"), ("#a9552f", "#5c2a28"))
    for depth, (light, dark) in enumerate(sands):
        crest = _dune(c, 500 + 84 * depth, light, dark)
        for k in range(3 + c.number % 3 if depth == 1 else 0):
            at = 105 + 92 * k
            _camel(c, at, np.interp(at, *crest.T) + 3, rider=k % 2 == 0)
    c.letter(c.title, 138, 68, _SERIF_SLANTED, "#fffaf0 #ffdf9f", width=520, shadow="8 3 #0f2a52 0.8")
    c.letter(c.subtitle, 194, 36, _SERIF_ITALIC, "#fff0d0", spacing=0.04, shadow="6 2 #0f2a52 0.8")


def _dune(c: _Canvas, y: float, light: str, dark: str) -> np.ndarray:
    """One dune with its shaded side; gives its crest."""
    x, peak = np.linspace(-10, 610, 40), c.rng.uniform(200, 400)
    crest = np.stack([x, y + 46 * np.abs((x - peak) / 300) ** 1.4 + 10 * np.sin(x / 90 + y) - 20], -1)
    c.polygon([*crest, (610, 910), (-10, 910)], light)
    t = np.linspace(0, 1, 30)
    fold = np.stack([peak + 60 * np.sin(t * 5) * t + 160 * t, np.interp(peak, *crest.T) + 330 * t], -1)
    c.polygon([*crest[x > peak], (610, 910), *fold[::-1]], dark, 0.75)
    return crest


def _camel(c: _Canvas, x: float, y: float, *, rider: bool) -> None:
    c.shapes("""
        #2b1520 -44,-52 -38,-64 -22,-68 -12,-92 0,-94 10,-72 22,-68 34,-66 42,-84 46,-104 58,-112 72,-106 70,-100
            58,-98 54,-82 44,-58 34,-46 22,-40 -20,-38 -38,-36
        #2b1520 34,-52 32,-24 34,0 28,0 26,-24 20,-46
        #2b1520 18,-44 14,-20 20,0 15,0 10,-22 10,-44
        #2b1520 -20,-46 -26,-24 -24,0 -30,0 -32,-24 -38,-46
        #2b1520 -30,-42 -38,-20 -40,0 -45,0 -43,-20 -42,-46
        #2b1520 -44,-54 -52,-34 -50,-32 -40,-48
        #a8322c -20,-72 14,-72 18,-50 -24,-50""", x, y, 0.56)  # fmt: skip
    if rider:
        c.shapes("""
            #f0e2c8 -14,-82 -8,-118 8,-118 12,-82
            #2b1520 -7,-116 -7,-130 8,-130 8,-116
            #f0e2c8 -10,-124 0,-138 10,-124 -12,-112""", x, y, 0.56)  # fmt: skip


def _farm(c: _Canvas) -> None:
    """A little farm on a floating board of tiles."""
    c.fill("#bfe9f2 #e9f7e4 #fdf1cf")
    for x, y in c.rng.uniform([40, 60], [560, 330], (5, 2)):
        for dx, size in ((-34, 20), (0, 30), (32, 22)):
            c.disc(x + dx, y, size, "#ffffff", 0.55, 0.7)
    side, tops = 6, {"grass": "#8ccf5f", "soil": "#a8714a", "wheat": "#ecc95a", "water": "#69c3e6"}
    for row, column in np.ndindex(side, side):
        x, y = 300 + 47 * (column - row), 388 + 34 * (column + row)
        kind = c.rng.choice(["grass", "grass", "soil", "soil", "wheat", "water"])
        for edge, depth, code in ((-1, 70, "#8a5a3c"), (-1, 14, "#5fa043"), (1, 70, "#6e442f"), (1, 14, "#4c8638")):
            c.polygon([(x + edge * 47, y), (x, y + 34), (x, y + 34 + depth), (x + edge * 47, y + depth)], code)
        c.shapes("top 0,-34 47,0 0,34 -47,0", x, y, top=_mix(tops[kind], "#ffffff", c.rng.uniform(0, 0.1)))
        _crops(c, kind, x, y)
        if (row, column) == (1, 1 + c.number % 3):
            _barn(c, x, y)
        elif kind == "grass" and c.rng.random() < 0.55:
            _round_tree(c, x, y, c.rng.uniform(0.8, 1.15))
    c.box(58, 96, 484, 108, "#7b4a2d", radius=26)
    c.box(66, 102, 468, 92, "#a9693d", radius=20)
    for y in (124, 148, 172):
        c.line([(84, y), (516, y + 3)], 1.5, "#8d5631", 0.7)
    c.letter(c.title, 170, 58, _BOLD, "#fffbe8 #ffe39a", width=430, rim="5 #5a3320", shadow="3 5 #3b2012 0.6")
    c.box(150, 216, 300, 48, "#fff8e1", radius=24)
    c.letter(c.subtitle, 249, 26, _BOLD, "#6b8f3a", width=260)


def _crops(c: _Canvas, kind: str, x: float, y: float) -> None:
    if kind == "soil":
        root = "#f3e7f0" if c.number % 2 else "#f08a3c"
        for k in range(4):
            px, py = x - 36 + 16 * k, y + 7.3 + 1.5 * k
            c.line([(px, py), (px + 28, py - 19)], 4, "#855335")
            for step in (0.15, 0.55, 0.95):
                c.disc(px + 28 * step, py - 5 - 19 * step, 4.4, "#5fb04a")
                c.disc(px + 28 * step, py - 2 - 19 * step, 2.4, root)
    elif kind == "wheat":
        for dx, dy in c.rng.uniform([-26, -10], [26, 10], (26, 2)):
            straw = c.rng.choice(["#d9a93a", "#f7de86", "#c9902c"])
            c.line([(x + dx, y + dy), (x + dx + 2, y + dy - 14)], 2.2, straw)
    elif kind == "water":
        for dx, dy in ((-12, -3), (8, 4), (2, -9)):
            c.line([(x + dx - 7, y + dy), (x + dx + 7, y + dy)], 2, "#c9eefb")
        if c.rng.random() < 0.6:
            c.disc(x + 4, y, 8, "#fff6dc", squash=0.7)
            c.disc(x + 11, y - 7, 4.6, "#fff6dc")
            c.shapes("#f2952d 15,-8 21,-6 15,-4", x, y)


def _round_tree(c: _Canvas, x: float, y: float, size: float) -> None:
    c.disc(x + 4, y + 3, 17 * size, "#3c6b2c", 0.3, 0.5)
    c.box(x - 4, y - 20 * size, 8, 22 * size, "#7a4c2e")
    for dx, dy, radius, code in ((0, -36, 22, "#3f8f4a"), (-5, -42, 17, "#55ab57"), (-8, -47, 10, "#7cc86a")):
        c.disc(x + dx * size, y + dy * size, radius * size, code)
    for dx, dy in ((6, -32), (-10, -34), (4, -46)):
        c.disc(x + dx * size, y + dy * size, 2.8, "#e5533d")


def _barn(c: _Canvas, x: float, y: float) -> None:
    c.shapes("""
        #c9483c -38,-4 0,18 0,-30 -38,-50
        #a33830 38,-4 0,18 0,-30 38,-50
        #a33830 0,-30 38,-50 19,-82
        #e9d3a1 -44,-48 2,-24 20,-88 -24,-108
        #f3e4c4 8,13 28,1 28,-28 8,-16
        #ffe9a8 -26,-22 -14,-15 -14,-30 -26,-37""", x, y)  # fmt: skip
    for k in range(1, 5):
        c.line([(x - 44 + 5 * k, y - 48 - 12.3 * k), (x + 2 + 4 * k, y - 24 - 13 * k)], 1.5, "#c9a868")
    c.line([(x + 8, y + 13), (x + 28, y - 28)], 2, "#a33830")


def _noir(c: _Canvas) -> None:
    """A man in a hat, blinds, and rain."""
    light, lean, side = "#f4eedb", c.rng.uniform(-60, 60), (1, -1)[c.number % 2]
    accent = ("#c2261d", "#d8982a", "#3f8f9f", "#9a4a8c", "#5f8f4a", "#c2561d")[c.number]
    c.fill("#15161a #26282e #101114")
    c.glow(300 + lean, 330, 460, _mix("#d9d2bd", accent, 0.35), 0.55)
    for k in range(15):
        slat = _place(_path("-230,8 230,-8 230,11 -230,27"), 300 + lean * 0.4, 142 + 34 * k, flip=side < 0)
        c.polygon(slat, light, 0.82 - 0.03 * k)
    for x in (150, 450):
        c.line([(x + lean * 0.4, 130), (x + lean * 0.4, 680)], 3, "#15161a")
    x, y = 300 - lean * 0.8, 440
    man = _cut(*(_place(part, x, 0, flip=side < 0) for part in _detective()), pad=40)
    c.shadow(man, 16, 6, "#000000", 0.7)
    c.fill("#08080a", man)
    bands = [_place(_path("-300,0 300,-22 300,-10 -300,12"), x, 560 + 58 * k, flip=side < 0) for k in range(6)]
    c.fill(light, man.within(*bands), alpha=0.13)
    x += side * 78
    smoke = [(x + 24 * np.sin(t * 1.3 + lean) * t / 3, y - 46 * t) for t in range(7)]
    c.polygon(_brush(smoke, 1, 5, 9, 16, 10, 24), light, 0.2)
    c.line([(x - side * 34, 446), (x, y)], 4, "#e9e2cf")
    c.glow(x, y, 22, "#ff3b24")
    c.disc(x, y, 3.4, "#ffb08a")
    for x, y, far in c.rng.random((190, 3)):
        x, y = x * 640 - 20, y * 900
        c.line([(x, y), (x - 5 - 9 * far, y + 22 + 44 * far)], 1, "#dfe4ea", 0.16 + 0.2 * far)
    c.vignette("#000000", 0.9)
    c.box(0, 742, 600, 6, accent)
    c.letter(c.title.upper(), 818, 70, _TIMES_BOLD, light, width=520, spacing=0.06, shadow="5 4 #000000 0.9")
    c.letter(c.subtitle, 862, 28, _MONO, "#d8d1bd", width=500)


def _detective() -> list[np.ndarray]:
    """Hat, face and coat of a man who looks to the right, around x = 0."""
    hat = "-112,352 -66,338 -62,300 -50,262 -20,252 0,262 22,250 52,262 62,300 66,336 116,346 96,366 0,380 -92,372"
    face = "-48,350 -50,400 -40,446 -14,476 10,480 40,458 50,430 62,420 50,396 48,350"
    coat = (
        "-66,486 -46,440 -20,478 20,482 52,446 74,490 150,524 206,580 232,700 250,910 -250,910 -236,700 -204,580 "
        "-146,522"
    )
    return [_smooth(_path(hat)), _smooth(_path(face)), _path(coat)]


def _candy(c: _Canvas) -> None:
    """A board of glossy sweets."""
    codes = ("#ff4f7b", "#ffb02e", "#4fc3f7", "#7bd84b", "#b06cf0")
    c.fill("#ff9ed2 #d98bff #8fa8ff")
    for angle in range(0, 360, 24):
        c.polygon([(300, 200), *_polar(300, 200, 1000, [angle, angle + 12])], "#ffffff", 0.13)
    for x, y, size in c.rng.random((40, 3)):
        c.disc(x * 600, y * 900, 2 + 7 * size, "#ffffff", 0.35)
    c.box(44, 302, 512, 518, "#5a2a8a", 0.35, 40)
    c.box(44, 294, 512, 514, "#fff3fb", 1, 40)
    c.box(58, 308, 484, 486, "#7a3fb5", 1, 30)
    for row, column in np.ndindex(5, 5):
        x, y, kind = 108 + 96 * column, 359 + 96 * row, int(c.rng.integers(5))
        c.box(x - 43, y - 43, 86, 86, "#9a62cf", 0.75, 18)
        _sweet(c, kind, codes[(kind + c.number) % 5], x, y)
    paints = ("#ffffff #fff27a #ff9d2e", "#ffffff #ffd3ea #ff4f9b")
    for y, word, paint in zip((138, 226), c.title.split(" "), paints, strict=True):
        c.letter(word, y, 100, _BOLD, paint, width=470, rim="9 #6a1f8f", shadow="3 8 #3f0f63 0.75")
    for x, y, size in c.rng.uniform([60, 60, 14], [540, 260, 30], (5, 3)):
        _sparkle(c, x, y, size, "#ffffff")
    c.box(130, 826, 340, 50, "#ff4f9b", 1, 25)
    c.letter(c.subtitle, 861, 30, _BOLD, "#ffffff", width=300)


def _sweet(c: _Canvas, kind: int, code: str, x: float, y: float) -> None:
    outline = (
        _polar(0, 0, 34, range(0, 360, 6)),
        _smooth(_path("-31,-31 0,-34 31,-31 34,0 31,31 0,34 -31,31 -34,0")),
        _smooth(_polar(0, 0, [37, 24] * 5, range(-90, 270, 36))),
        _smooth(_path("0,-38 16,-12 30,12 20,31 0,36 -20,31 -30,12 -16,-12")),
        _polar(0, 0, 36, range(-90, 270, 60)),
    )[kind]
    c.polygon(_place(outline, x, y + 5), "#3a0a4a", 0.35)
    c.polygon(_place(outline, x, y), _mix(code, "#3a0a4a", 0.35))
    c.polygon(_place(outline, x, y - 2, 0.9), code)
    c.polygon(_place(outline, x, y - 5, 0.62), _mix(code, "#ffffff", 0.22))
    c.disc(x - 11, y - 16, 9, _mix(code, "#ffffff", 0.55), 0.95, 0.62)
    c.disc(x + 3, y - 20, 3.4, "#ffffff", 0.95)


def _racing(c: _Canvas) -> None:
    """Stripes that sweep down into a coupé."""
    navy, red, white, black = "#12305e", "#e2542f", "#fffaf0", "#16181f"
    c.fill("#f5e8cf")
    bend = 262 + 10 * c.number
    for k, code in enumerate((navy, "#1f63b5", "#35a0d8", "#f3b63b", red)):
        inner, y = bend - 46 * k, 716 - 46 * k
        turn = _polar(310, 716 - bend, inner, np.linspace(180, 90, 40))
        c.polygon(_ribbon([(310 - inner, -20), (310 - inner, 300), *turn, (500, y), (640, y)], [47]), code)
    c.disc(300, 760, 262, black, 0.3, 0.06)
    _coupe(c, 300, 752, 5.5, ("#1f63b5", red, "#f3b63b", navy, "#2e8f6b", "#c9cfd6")[c.number])
    for k, row in np.ndindex(43, 2):
        c.box(k * 14, 784 + 14 * row, 14, 14, black if (k + row) % 2 else white)
    for y, word, code in zip((150, 240), c.title.upper().split(" "), (navy, red), strict=True):
        c.letter(word, y, 84, _SLANTED, code, x=572, width=284, align=1, spacing=0.02)
    c.disc(502, 330, 68, black)
    c.disc(502, 330, 60, white)
    c.letter(str(7 + 12 * c.number), 360, 80, _SLANTED, black, x=498, width=96)
    c.letter(c.subtitle.upper(), 868, 34, _SLANTED, navy, x=34, width=400, align=0, spacing=0.08)
    c.letter("★" * (c.number % 3 + 1), 868, 34, _BOLD, red, x=566, align=1)


def _coupe(c: _Canvas, x: float, y: float, scale: float, code: str) -> None:
    body = _path(
        "-46,-7 -47,-14 -45,-19 -38,-20.5 -26,-21.5 -14,-28 0,-30 10,-28.5 22,-21.5 36,-18.5 45,-14 48,-9 46,-5 "
        "20,-4 -20,-4 -42,-4"
    )
    paint = f"{_mix(code, '#ffffff', 0.45)} {code} {_mix(code, '#05070d', 0.55)}"
    c.fill(paint, _cut(_place(_smooth(body), x, y, scale)), y - 30 * scale, y - 4 * scale)
    c.shapes("""
        ~#10202e -24,-21 -13,-26.5 0,-28.4 9,-27 18,-21.2 0,-20.4
        #8fc3da/0.8 -12,-26 -6,-27.6 -12,-20.8 -19,-21
        code 0.5,-28.4 1.5,-28.4 2.5,-20.5 1.5,-20.5
        #fffaf0 -45.5,-15.6 -10,-14.6 20,-14.1 46,-11.6 46,-10.4 20,-12.9 -10,-13.4 -45.5,-14.4
        #16181f -50,-27 -38,-27.5 -38,-25.6 -50,-25
        #16181f -43.5,-26 -42.5,-26 -40.5,-20 -41.5,-20
        #fff6c9 43,-15 47,-11.5 41,-12.5
        #ff5a3c -47,-16 -44,-17 -44,-13 -47,-13""", x, y, scale, code=code)  # fmt: skip
    c.line(_place([(2, -20.5), (4, -12), (2, -5.5)], x, y, scale), 1.4, "#05070d", 0.6)
    for wheel in (-28, 29):
        cx, cy = x + wheel * scale, y - 6.5 * scale
        for radius, shade in ((8.6, "#05070d"), (7.6, "#1d2026"), (5.2, "#d7dbe0"), (4.4, "#3a3f48")):
            c.disc(cx, cy, radius * scale, shade)
        for angle in range(18, 378, 72):
            c.line([(cx, cy), _polar(cx, cy, 4.8 * scale, angle)], 7, "#d7dbe0")
        c.disc(cx, cy, 1.4 * scale, "#e2542f")


def _cabin(c: _Canvas) -> None:
    """A lit cabin in the snow under northern lights."""
    rng = c.rng
    c.fill("#050d2b #0c2350 #1d4a7c #4f83a8", bottom=640)
    _stars(c, 160, 420)
    for k, code in enumerate(("#4dffc3", "#5be0ff", "#a98bff")):
        c.fill(code, _aurora(rng, 230 + 50 * k), alpha=0.75)
    for depth, code in enumerate(("#2f6189", "#1c4468")):
        c.polygon(_hills(rng, 560 + 60 * depth, 30, 1.2), _mix(code, "#ffffff", 0.14))
        for x in np.arange(-10, 620, 24 + 9 * depth):
            high = rng.uniform(90, 150) * (0.75 + 0.4 * depth)
            _pine(c, x + rng.uniform(-9, 9), 604 + 60 * depth, high, code)
    c.polygon(_hills(rng, 690, 14, 0.8), "#dcebf7")
    c.fill("#dcebf7 #a9c6e2 #6f97c2", _cut(_hills(rng, 712, 12, 0.7)), 690)
    _log_house(c, rng.choice([200, 300, 390]), 742)
    for side in (1, -1):
        _pine(c, 300 + 278 * side, 905, 330, "#0b2440")
        _pine(c, 300 + 218 * side, 915, 200, "#0f2f50")
    for x, y, size in rng.random((150, 3)):
        c.disc(x * 600, y * 900, 1 + 3.4 * size**4, "#ffffff", 0.75)
    c.letter(c.title, 140, 104, _SERIF_BOLD, "#ffffff #d5f3ff #8fd2f5", width=500, shadow="10 3 #041028 0.9")
    c.letter(c.subtitle, 190, 34, _SERIF_ITALIC, "#e4f6ff", spacing=0.04, shadow="6 2 #041028 0.9")


def _aurora(rng: np.random.Generator, y0: float) -> _Mask:
    """A curtain of light: it falls off slowly upward, quickly downward."""
    y, x = np.mgrid[0:900:10, 0:600:10]
    one, two = rng.uniform(0, 6, 2)
    high = y0 + 44 * np.sin(x / 95 + one) + 16 * np.sin(x / 31 + two) - y
    folds = 0.55 + 0.3 * np.sin(x / 47 + two) + 0.15 * np.sin(x / 13)
    light = folds * np.exp(np.where(high > 0, -high / 80, high / 16))
    mask = Image.fromarray((255 * light).astype(np.uint8))
    return _Mask(0, 0, mask.resize((_WIDTH * _SCALE, _HEIGHT * _SCALE), Image.Resampling.BICUBIC))


def _log_house(c: _Canvas, x: float, y: float) -> None:
    c.glow(x, y - 40, 220, "#ffb65c", 0.6)
    c.box(x - 84, y - 74, 168, 78, "#4a2c20")
    for k in range(5):
        c.line([(x - 88, y - 68 + 16 * k), (x + 88, y - 68 + 16 * k)], 5, "#6b412c")
    c.box(x + 40, y - 150, 24, 46, "#3a2530")
    c.box(x + 36, y - 156, 32, 9, "#f4faff", radius=4)
    c.shapes("""
        #38202a -112,-66 0,-140 112,-66
        #f4faff -118,-68 0,-150 118,-68 96,-72 40,-104 0,-126 -44,-102 -96,-74""", x, y)  # fmt: skip
    for wx in (x - 40, x + 40):
        c.glow(wx, y - 34, 52, "#ffd37a", 0.9)
        c.box(wx - 18, y - 54, 36, 36, "#ffe9a3", radius=3)
        c.line([(wx, y - 54), (wx, y - 18)], 3, "#6b412c")
        c.line([(wx - 18, y - 36), (wx + 18, y - 36)], 3, "#6b412c")
    c.box(x - 14, y - 52, 28, 56, "#7a3b26", radius=3)
    smoke = [(x + 52 + 10 * t * np.sin(t * 0.9), y - 156 - 40 * t) for t in range(6)]
    c.polygon(_brush(smoke, 8, 18, 24, 34, 20, 4), "#e8f2fb", 0.24)


def _botanical(c: _Canvas) -> None:
    """A pressed plant with its label."""
    rng, ink = c.rng, "#24382b"
    c.fill("#21372c")
    c.box(26, 26, 548, 848, "#f6eedb", radius=8)
    c.frame(38, 6, 1, ink)
    c.frame(44, 6, 1, ink)
    stem = _curve(_path("300,640 292,520 306,380 300,236") + rng.uniform([-14, 0], [14, 1], (4, 2)), 20)
    pairs = 5 + c.number % 3
    for k in range(pairs):
        x, y = stem[int(8 + k * (len(stem) - 16) / pairs)]
        for side in (1, -1):
            size, angle = (150 - 13 * k) * rng.uniform(0.88, 1.1), (-24 - 7 * k + rng.uniform(-8, 8)) * side
            _leaf(c, x, y, size, angle, rng.choice(["#3f6b4a", "#557f4f", "#2f5a47"]), flip=side < 0)
    c.polygon(_ribbon(stem, [9, 7, 5, 3]), "#3a5d3a")
    bloom = ("#c8504f", "#7a5aa6", "#d98a32", "#c96a92", "#4f76b0", "#b33a3a")[c.number]
    for dx, dy, size in ((0, 0, 66), (-84, 66, 42), (88, 58, 46)):
        x, y = stem[-1] + [dx, dy]
        c.line(_curve([(x, y), (x - dx * 0.4, y + 40), stem[-26]]), 3.5, "#3a5d3a")
        _flower(c, x, y, size, bloom, 6 + c.number % 4)
    c.letter(f"FIG. {('I', 'II', 'III', 'IV', 'V', 'VI')[c.number]}", 92, 22, _TIMES_ITALIC, ink, x=70, align=0)
    c.letter("a.", 330, 24, _TIMES_ITALIC, ink, x=100)
    c.letter("b.", 250, 24, _TIMES_ITALIC, ink, x=500)
    c.line([(70, 672), (530, 672)], 1.5, ink)
    large, small = c.title.upper().split(" ")
    c.letter(large, 742, 76, _TIMES, ink, width=470, spacing=0.1)
    c.letter(small, 786, 30, _TIMES, ink, width=400, spacing=0.5)
    c.letter(c.subtitle, 836, 32, _TIMES_ITALIC, "#8a4b3c", width=440)


def _leaf(c: _Canvas, x: float, y: float, size: float, angle: float, code: str, *, flip: bool) -> None:
    c.shapes("""
        ~code 0,0 0.22,-0.2 0.55,-0.2 0.85,-0.08 1,0 0.85,0.07 0.55,0.17 0.22,0.16
        ~pale 0,0 0.22,-0.2 0.55,-0.2 0.85,-0.08 1,0 0.5,0""", x, y, size, angle, flip,
        code=code, pale=_mix(code, "#ffffff", 0.16))  # fmt: skip
    for vein in (0.25, 0.42, 0.6, 0.78):
        twigs = [(vein + 0.12, -0.12 * (1.2 - vein)), (vein, 0), (vein + 0.12, 0.1 * (1.2 - vein))]
        c.line(_place(twigs, x, y, size, angle, flip), 1, "#cfdcb2", 0.6)
    c.line(_place([(0, 0), (0.95, 0)], x, y, size, angle, flip), 1.6, "#cfdcb2", 0.8)


def _flower(c: _Canvas, x: float, y: float, size: float, code: str, petals: int) -> None:
    petal = _smooth(_path("0.1,0 0.4,-0.24 0.85,-0.26 1,0 0.85,0.26 0.4,0.24"))
    shades = (_mix(code, "#3a1020", 0.25), code, _mix(code, "#ffffff", 0.35))
    for ring, (scale, shade) in enumerate(zip((1, 0.78, 0.5), shades, strict=True)):
        for k in range(petals):
            angle = 360 / petals * (k + ring / 2) - 90
            c.polygon(_place(petal, x, y, size * scale, angle), shade)
            c.line(_polar(x, y, [0.2 * size * scale, 0.9 * size * scale], angle), 1, "#fff3e4", 0.35)
    c.disc(x, y, size * 0.2, "#e9c04f")
    for dot in _polar(x, y, size * 0.2, range(0, 360, 30)):
        c.disc(*dot, size * 0.045, "#9b6a1c")


def _mecha(c: _Canvas) -> None:
    """A war machine in its hangar."""
    c.fill("#2a2f36 #555a5e #8a7f70 #3a342f", bottom=780)
    for x in range(0, 640, 60):
        c.box(x - 3, 0, 6, 760, "#1d2126", 0.55)
    for y in range(40, 760, 90):
        c.line([(0, y), (600, y)], 3, "#1d2126", 0.45)
    for x in (90, 300, 510):
        foot = 180 + 0.4 * x
        beam = _cut([(x - 14, 0), (x + 14, 0), (foot + 150, 780), (foot - 150, 780)])
        c.fill("#ffe2ae", beam.fading(), alpha=0.4)
    c.glow(300, 470, 360, "#ffb45a", 0.55)
    _colossus(c, 300, 770, 2.3)
    c.fill("#231f1c #0f0d0c", _sheet(0, 744, 600, 156), 744)
    for k in range(-2, 16):
        c.shapes("#f2a91f 0,32 22,32 44,0 22,0", k * 44, 744)
    for x, y, size in c.rng.random((36, 3)):
        c.glow(x * 600, 400 + y * 380, 3 + 5 * size, "#ffc368", 0.9)
    c.letter(c.title.upper(), 840, 60, _MONO_BOLD, "#ffd98a #f2a91f #b56a12", shadow="4 3 #000000 0.9")
    c.box(34, 858, 532, 2, "#f2a91f")
    c.letter(c.subtitle.upper(), 886, 22, _MONO_BOLD, "#e9e2d6", width=500, spacing=0.24)
    c.letter(f"HGR-{c.number + 1:02d}", 66, 26, _MONO_BOLD, "#f2a91f", x=30, align=0)


def _colossus(c: _Canvas, x: float, y: float, scale: float) -> None:
    trim = ("#c8862f", "#b5572c", "#8f9a4a", "#4f86a0", "#b0413e", "#d2c39a")[c.number]
    plates = """
        =dark 8,-118 34,-112 36,-60 40,0 12,0 10,-56
        =steel 10,-104 38,-100 42,-62 12,-58
        =trim 8,-54 44,-58 50,-8 54,0 6,0 8,-10
        =dark 14,-46 36,-48 40,-16 12,-14
        =dark 0,-132 30,-130 26,-108 0,-100
        =steel 0,-196 44,-200 52,-176 34,-128 0,-122
        =trim 4,-190 40,-194 46,-174 30,-152 4,-146
        =dark 66,-166 86,-168 92,-112 70,-108
        =steel 64,-120 96,-124 104,-66 98,-44 70,-46 62,-70
        =dark 72,-48 96,-46 94,-26 86,-20 76,-26
        =trim 44,-206 84,-214 104,-190 100,-158 62,-154 48,-172
        =pale 44,-206 84,-214 104,-190 54,-190
        =dark 0,-214 16,-212 14,-194 0,-192
        =steel 0,-246 16,-242 24,-226 18,-206 0,-200
        =trim 0,-252 10,-246 8,-232 0,-230
        =ivory HORN
        =eye 3,-224 16,-228 14,-221 3,-219"""
    horn = ("8,-246 30,-280 16,-238", "8,-246 44,-262 16,-238", "8,-246 14,-292 16,-238")[c.number % 3]
    pale = _mix(trim, "#ffffff", 0.3)
    c.shapes(plates.replace("HORN", horn), x, y, scale, steel="#5d666e", dark="#2b3036", trim=trim, pale=pale,
             ivory="#e9d8a6", eye="#ff5a2c", edge="#1a1e22")  # fmt: skip
    for side in (1, -1):
        c.glow(x + side * 9 * scale, y - 224 * scale, 34, "#ff7a3c", 0.9)
    c.disc(x, y - 166 * scale, 12 * scale, "#2b3036")
    c.glow(x, y - 166 * scale, 60, "#63e6ff", 0.9)
    c.disc(x, y - 166 * scale, 7 * scale, "#c9f8ff")


_PIECES = {
    "pawn": "0,-104 7,-103 13,-99 17,-93 18,-86 17,-79 13,-73 9,-68 16,-64 16,-60 8,-57 10,-36 18,-22 26,-16 28,-4 "
    "28,0",
    "rook": "0,-104 6,-104 6,-112 14,-112 14,-104 18,-104 18,-112 26,-112 26,-92 18,-84 17,-50 21,-30 28,-18 32,-4 "
    "32,0",
    "bishop": "0,-134 4,-132 5,-127 3,-124 9,-119 14,-111 17,-102 17,-95 13,-87 10,-83 18,-80 18,-76 9,-72 11,-44 "
    "20,-24 29,-16 31,-4 31,0",
    "queen": "0,-150 5,-146 5,-139 9,-136 17,-146 21,-134 27,-140 21,-108 14,-98 20,-92 20,-87 10,-83 12,-48 22,-26 "
    "31,-17 34,-4 34,0",
    "king": "0,-168 4,-168 4,-159 12,-159 12,-151 4,-151 4,-142 18,-138 24,-124 16,-102 22,-96 22,-91 11,-87 13,-50 "
    "23,-27 32,-18 35,-4 35,0",
    "knight": "0,-58 20,-56 23,-50 18,-44 23,-30 30,-18 34,-4 34,0",
}


def _chess(c: _Canvas) -> None:
    """Tall pieces on a board in half light."""
    ivory, wine, red = "#efe2c4", "#4a1424", "#7a2536"
    c.fill("#14070d #3a0f1d #6e2230 #a8523f", bottom=640)
    c.glow(300, 470, 430, "#f2b27a", 0.7)
    c.box(0, 620, 600, 280, wine)
    rows = 620 + 280 * np.linspace(0, 1, 7) ** 1.7
    for row, column in np.ndindex(6, 10):
        if (row + column) % 2:
            corners = ((row, 0), (row, 1), (row + 1, 1), (row + 1, 0))
            tile = [(300 + (column + step - 5) * (0.46 * rows[at] - 215), rows[at]) for at, step in corners]
            c.polygon(tile, _mix(ivory, wine, 0.45 - 0.07 * row))
    kinds = ("king", "queen", "bishop", "rook", "knight", "king")
    others = c.rng.permutation([kind for kind in ("pawn", *kinds[:4]) if kind != kinds[c.number]])
    for kind, place in zip(others[:4], _path("112,668,1.7 492,672,1.75 196,716,1.9 424,722,1.9"), strict=True):
        _piece(c, kind, *place, ivory if place[1] > 700 else red)
    tall = (2.9, 3.2, 3.5, 3.7, 3.3, 2.9)[c.number]
    _piece(c, kinds[c.number], 308, 806, tall, red if c.number % 2 else ivory)
    c.vignette("#0a0306", 0.75)
    c.letter(c.title.upper(), 128, 62, _TIMES_BOLD, "#fff8e6 #f0d9a0 #c99a55", spacing=0.05, shadow="8 3 #0a0306 0.9")
    c.line([(200, 150), (400, 150)], 1.5, "#f0d9a0")
    c.letter(c.subtitle, 190, 34, _TIMES_ITALIC, "#f7e8c8", width=480, spacing=0.03, shadow="6 2 #0a0306 0.9")


def _piece(c: _Canvas, kind: str, x: float, y: float, scale: float, code: str) -> None:
    """A turned piece, lit from the left."""
    c.glow(x + 14 * scale, y, 62 * scale, "#12040a", 0.8, 0.25)
    half = np.vstack([_path(_PIECES[kind]), (0, 0)])
    for share, light in _path("1,-0.62 0.86,-0.3 0.66,0 0.36,0.25 0.14,0.6"):
        turned = np.vstack([half * [share, 1], half[::-1] * [-share, 1]]) - [9 - 9 * share, 0]
        c.polygon(_place(turned, x, y, scale), _mix(code, "#ffffff" if light > 0 else "#16050c", abs(light)))
    for high in np.unique(half[(half[:, 0] > 14) & (half[:, 1] > -100), 1])[::2]:
        wide = np.interp(-high, -half[::-1, 1], half[::-1, 0])
        c.line(_place([(-wide, high), (wide, high)], x, y, scale), 1.6, "#16050c", 0.4)
    if kind == "knight":
        _horse(c, x, y, scale, code)


def _horse(c: _Canvas, x: float, y: float, scale: float, code: str) -> None:
    head = _path(
        "20,-52 25,-78 22,-106 10,-130 -4,-140 -6,-150 -12,-140 -20,-128 -36,-108 -44,-98 -40,-90 -32,-90 -20,-96 "
        "-12,-92 -10,-80 -20,-66 -20,-52"
    )
    placed = _place(_smooth(head, 4), x, y, scale)
    c.polygon(_place(placed, 3 * scale, 0), _mix(code, "#16050c", 0.55))
    paint = f"{_mix(code, '#ffffff', 0.7)} {code} {_mix(code, '#16050c', 0.35)}"
    c.fill(paint, _cut(placed), y - 150 * scale, y - 40 * scale)
    for k in range(6):
        lock = [(22, -66 - 11 * k), (8 - 2 * k, -62 - 12 * k), (14 - 2 * k, -74 - 11 * k)]
        c.polygon(_place(_smooth(lock), x, y, scale), _mix(code, "#16050c", 0.4), 0.5)
    c.shapes("#16050c -12,-126 -5,-129 -7,-123", x, y, scale)
    c.disc(x - 36 * scale, y - 99 * scale, 2 * scale, "#16050c", 0.8)


def _volcano(c: _Canvas) -> None:
    """An island that erupts at dusk."""
    rng = c.rng
    c.fill("#1d0f3c #55195a #b52f5b #f4713f #ffc05c", bottom=600)
    _stars(c, 80, 300)
    peak = 300 + rng.uniform(-50, 50)
    for x, y, size in rng.random((46, 3)):
        rise = y**0.8
        smoke, radius = _mix("#ff8a3d", "#2a1330", rise * 0.9 + 0.1), 40 + 70 * rise * (0.4 + size)
        c.glow(peak + x * 60 - 30 + rise * (330 * x - 105), 350 - 190 * rise, radius, smoke, 0.55)
    c.glow(peak, 350, 190, "#ffd36b", 0.9)
    for angle, speed in rng.uniform([-125, 40], [-55, 190], (60, 2)):
        t = np.linspace(0, 1, 9)
        spark = _polar(peak, 348, speed * t, angle) + np.stack([0 * t, 130 * t**2], -1)
        c.line(spark[5:], rng.uniform(1, 3), "#ffe28a", 0.9)
    cone = _path("-34,350 -12,358 14,352 36,348 100,470 190,590 330,680 -330,680 -185,590 -95,470")
    c.fill("#6b2a3f #3a1735 #1c0d28", _cut(_place(cone, peak, 0)), 350, 670)
    c.shapes("#12081f/0.55 14,352 36,348 100,470 190,590 330,680 120,680 70,560", peak)
    for lean, reach in zip(rng.uniform(-70, 80, 4), (300, 240, 190, 270), strict=True):
        bed = [(0.25 * lean, 0), (0.55 * lean + 8, 0.3 * reach), (0.95 * lean - 8, 0.62 * reach), (1.55 * lean, reach)]
        lava = _cut(_brush(_place(bed, peak, 352), 12, 9, 13, 7), pad=30)
        c.shadow(lava, 9, 0, "#ff5a1f", 0.9)
        c.fill("#fff3a0 #ffa02e #e8341c", lava, 350, 600)
    c.fill("#f0703f #8a2a56 #2a1240", _sheet(0, 660, 600, 240), 660, 880)
    for x, y, wide in rng.random((80, 3)):
        near = np.exp(-(((x * 600 - peak) / 110) ** 2))
        wave = _mix("#7a2a5c", "#ffd98a", near)
        c.box(x * 600 - 40 * wide, 664 + 220 * y**1.6, 20 + 70 * wide, 2 + 3 * y, wave, 0.35 + 0.5 * near, 2)
    for x, size, lean in _path("-30,1.15,1 626,1,-1 40,0.7,1"):
        _palm(c, x + rng.uniform(-16, 16), 935 + rng.uniform(-20, 30), size, lean)
    small, large = c.title.upper().split(" ")
    c.letter(small, 92, 44, _BOLD, "#fff0c9", spacing=0.6, shadow="6 2 #1d0f3c 0.9")
    fire = "#fff6b0 #ffb02e #f0451f #9c1436"
    c.letter(large, 182, 88, _BOLD, fire, width=540, rim="4 #1d0a28", shadow="12 2 #ff6a2c 0.8")
    c.letter(c.subtitle, 228, 30, _SERIF_ITALIC, "#ffe9c4", shadow="5 2 #1d0f3c 0.9")


def _palm(c: _Canvas, x: float, y: float, size: float, lean: float) -> None:
    trunk = _place([(0, 0), (lean * 16, -170), (lean * 78, -330)], x, y, size)
    c.polygon(_brush(trunk, 24 * size, 15 * size, 9 * size), "#0d0618")
    for angle in (-172, -142, -106, -66, -34, -4, 24, 158):
        tip = _polar(0, 60, 150, angle)
        rib = _place(_curve([(0, 0), _polar(0, 0, 84, angle), tip], 14), *trunk[-1], size)
        c.polygon(_ribbon(rib, [3, 5, 1]), "#0d0618")
        for k in range(2, len(rib) - 1):
            fall = (1 - abs(k / len(rib) - 0.45)) * 44 * size
            for side in (-0.5, 0.5):
                c.line([rib[k], rib[k] + [side * fall, fall * 0.86]], 2.6, "#0d0618")


def _rocket(c: _Canvas) -> None:
    """A parcel rocket on a travel poster."""
    cream, orange, red = "#f7ead0", "#ef8b3a", "#d1432f"
    c.fill("#17515c")
    for angle in range(-98, 28, 7):
        c.polygon([(120, 980), *_polar(120, 980, 1400, [angle, angle + 3.5])], "#1f6974")
    for x, y, size in c.rng.random((16, 3)):
        _sparkle(c, x * 600, 200 + y * 440, 5 + 20 * size**2, cream)
    planets = "130,330,62 470,610,74 120,560,54 480,300,58 130,300,80 476,560,56"
    _planet(c, *_path(planets)[c.number], (orange, "#e7c15a", red, "#7fb7a3", "#c98ab0", cream)[c.number])
    c.disc(300, 1180, 460, "#e9d6ae")
    for x, y, radius in _path("150,790,34 300,770,20 452,800,40 240,850,26 380,868,30 80,866,24"):
        c.disc(x, y, radius, "#cdb585", squash=0.36)
        c.disc(x, y + 3, radius * 0.84, "#dcc596", squash=0.32)
    angle = (-14, 7, 27, -8, 13, 33)[c.number]
    x, y = 300 + 2.2 * angle, 412
    trail = [*_place([(0, 120), (0, 220)], x, y, 1, angle), (262, 724), (210, 800)]
    for widths, code in (((34, 50, 84, 130), cream), ((22, 30, 52, 84), orange), ((10, 14, 22, 40), red)):
        c.polygon(_brush(trail, *widths), code)
    c.shapes("""
        =red 30,40 84,110 80,158 58,128 26,112
        =cream 0,-150 8,-137 14,-122 20,-108 28,-88 36,-64 42,-40 45,-10 46,20 44,50 40,74 34,94 24,122 0,122
        #d3bf97 0,-150 20,-108 36,-64 42,-40 45,-10 46,20 44,50 40,74 34,94 24,122 6,122 14,30 12,-60
        =red 0,-150 7,-138 14,-122 24,-96 0,-96
        =orange 24,122 30,104 0,104
        red -5,60 5,60 5,150 -5,150
        #b98043 -26,26 26,26 26,66 -26,66
        cream -4,26 4,26 4,66 -4,66
        cream -26,42 26,42 26,49 -26,49""", x, y, 1.15, angle, cream=cream, orange=orange, red=red)  # fmt: skip
    wx, wy = _place([(0, -36)], x, y, 1.15, angle)[0]
    for radius, code in ((28, orange), (21, "#123a44"), (16, "#8fd0d2")):
        c.disc(wx, wy, radius, code)
    c.disc(wx - 5, wy - 6, 5, "#ffffff", 0.9)
    small, large = c.title.split(" ")
    c.letter(small, 122, 96, _SERIF_SLANTED, cream, x=50, width=330, align=0)
    c.letter(large, 202, 84, _SERIF_SLANTED, orange, x=552, width=470, align=1)
    c.polygon([(0, 838), (600, 812), (600, 868), (0, 894)], red)
    c.letter(c.subtitle.upper(), 862, 30, _BOLD, cream, width=520, spacing=0.12)


def _planet(c: _Canvas, x: float, y: float, size: float, code: str) -> None:
    ring = _place(_polar(0, 0, 1, range(0, 361, 5)) * [1.75, 0.42], x, y, size, -20)
    c.line(ring[36:], size * 0.12, "#f7ead0")
    globe = _cut(_polar(x, y, size, range(0, 360, 4)))
    c.fill(code, globe)
    night = globe.within(_polar(x + size * 0.45, y + size * 0.3, size, range(0, 360, 4)))
    c.fill(_mix(code, "#3a1f2b", 0.35), night, alpha=0.6)
    c.line(ring[:37], size * 0.12, "#f7ead0")


def _tarot(c: _Canvas) -> None:
    """One gilded card of a deck."""
    gold, pale = "#d8b05a", "#f6e3ae"
    c.fill("#1a0f2e #2c1748 #1a0f2e")
    for inset, width in ((18, 4), (27, 1.4), (44, 1.4)):
        c.frame(inset, 30, width, gold)
    for x, y in ((44, 44), (556, 44), (44, 856), (556, 856)):
        c.disc(x, y, 26, "#1a0f2e")
        c.ring(x, y, 26, 2, gold)
        _sparkle(c, x, y, 20, pale)
    arch = np.vstack([_polar(300, 330, 206, range(180, 361, 4)), (506, 690), (94, 690), (94, 330)])
    window = _cut(arch)
    c.fill("#120a26 #35205f #7b3f78 #c96f6a", window, 120, 720)
    for x, y, size in c.rng.uniform([130, 200, 0.6], [470, 660, 2], (90, 3)):
        c.disc(x, y, size, pale, size / 2)
    c.glow(300, 400, 200, "#ffd58a", 0.5)
    for k, code in enumerate(("#6a3566", "#42234f", "#24133a")):
        c.fill(code, window.within(_hills(c.rng, 600 + 34 * k, 20, 1 + 0.4 * k)))
    (_sun_sign, _moon_sign, _eye_sign, _key_sign, _wheel_sign, _cup_sign)[c.number](c, gold, pale)
    c.line(arch, 3, gold)
    c.line(_place(arch, -12, -16, 1.04), 1.4, gold)
    c.letter(("XIX", "XVIII", "IX", "IV", "X", "XI")[c.number], 100, 40, _TIMES_BOLD, pale, spacing=0.2)
    c.letter(c.title.upper(), 776, 58, _TIMES_BOLD, f"{pale} {gold}", width=430, spacing=0.08)
    c.line([(180, 794), (420, 794)], 1.4, gold)
    c.letter(c.subtitle, 830, 34, _TIMES_ITALIC, pale, width=400, spacing=0.04)


def _sun_sign(c: _Canvas, gold: str, pale: str) -> None:
    for k in range(24):
        wide, reach, code = (5, 160, gold) if k % 2 else (8, 186, pale)
        c.polygon(_polar(300, 390, [92, 92, reach], [15 * k - wide, 15 * k + wide, 15 * k]), code)
    c.disc(300, 390, 86, gold)
    c.disc(300, 390, 78, pale)
    for x in (274, 326):
        c.line(_polar(x, 378, 14, range(200, 341, 10)), 3, "#4a2a4f")
        c.disc(x, 380, 5, "#4a2a4f")
        c.disc(1.54 * x - 162, 408, 11, "#e08a62", 0.6)
    c.line([(300, 378), (294, 406), (305, 408)], 3, "#4a2a4f")
    c.line(_polar(300, 412, 22, range(30, 151, 8)), 3.5, "#4a2a4f")


def _moon_sign(c: _Canvas, gold: str, pale: str) -> None:
    outer, inner = _polar(290, 390, 132, range(62, 299, 4)), _polar(346, 390, 120, range(284, 75, -4))
    c.polygon(np.vstack([outer, inner]), pale)
    c.line(np.vstack([outer, inner, outer[:1]]), 4, gold)
    for x, y, size in _path("356,360,40 400,440,22 330,450,16 410,310,18"):
        _sparkle(c, x, y, size, pale)
        _sparkle(c, x, y, size * 0.5, gold)


def _eye_sign(c: _Canvas, gold: str, pale: str) -> None:
    for k in range(28):
        c.line(_polar(300, 390, [110 + 12 * (k % 2), 176 - 26 * (k % 2)], 360 / 28 * k), 3, gold)
    lid = _smooth(_path("176,390 240,330 300,312 360,330 424,390 360,446 300,464 240,446"))
    c.polygon(lid, pale)
    c.line([*lid, lid[0]], 5, gold)
    for radius, code in ((62, "#4a2a6f"), (52, "#7b54a8"), (30, "#150a26")):
        c.disc(300, 388, radius, code)
    c.disc(286, 372, 10, "#ffffff")
    for angle in range(0, 360, 15):
        c.line(_polar(300, 388, [33, 50], angle), 2, pale, 0.7)


def _key_sign(c: _Canvas, gold: str, pale: str) -> None:
    for x, code in ((304, "#7a5522"), (300, gold)):
        c.box(x - 10, 330, 20, 250, code, radius=8)
        c.box(x, 516, 56, 20, code, radius=4)
        c.box(x, 548, 42, 20, code, radius=4)
        for angle in range(0, 360, 90):
            c.ring(*_polar(x, 288, 44, angle), 34, 13, code)
        c.ring(x, 288, 26, 10, code)
    for y in (338, 350, 496):
        c.box(280, y, 40, 6, pale, radius=3)
    c.disc(300, 288, 12, "#c33b58")
    for x, y, size in _path("180,420,34 420,420,34 204,500,18 396,500,18"):
        _sparkle(c, x, y, size, pale)


def _wheel_sign(c: _Canvas, gold: str, pale: str) -> None:
    for radius, width, code in ((164, 14, gold), (142, 3, pale), (104, 3, pale), (58, 10, gold)):
        c.ring(300, 390, radius, width, code)
    for angle in range(8, 368, 45):
        c.line(_polar(300, 390, [52, 152], angle), 8, gold)
        _sparkle(c, *_polar(300, 390, 123, angle + 22.5), 18, pale)
        c.disc(*_polar(300, 390, 168, angle), 13, pale)
    c.disc(300, 390, 34, pale)
    _sparkle(c, 300, 390, 30, "#4a2a6f")


def _cup_sign(c: _Canvas, gold: str, pale: str) -> None:
    for k in range(15):
        c.line(_polar(300, 300, [30, 120 + 26 * (k % 2)], 180 + 180 / 14 * k), 3, pale, 0.8)
    c.shapes("""
        =gold 0,318 96,318 96,350 92,392 78,422 52,446 14,462 10,490 12,520 26,538 44,546 70,560 0,562
        pale/0.4 -8,330 -62,330 -60,380 -40,424 -14,446""", 300, 0, gold=gold, pale=pale)  # fmt: skip
    c.disc(300, 318, 96, pale, squash=0.2)
    c.disc(300, 320, 84, "#8a2f57", squash=0.17)
    for x in (196, 404):
        c.ring(x, 376, 34, 9, gold)
    for x, code in ((254, "#c33b58"), (300, "#4f86c6"), (346, "#c33b58")):
        c.shapes("code 0,-17 13,0 0,17 -13,0", x, 398, code=code)


def _teashop(c: _Canvas) -> None:
    """The front of a tea shop at dusk."""
    rng, wall, trim, wood = c.rng, "#7d9b83", "#f5ead3", "#4a332e"
    c.fill("#f8d9b0 #f3b99a #c98f9b", bottom=260)
    c.box(0, 216, 600, 684, wall)
    for row, column in np.ndindex(34, 17):
        if rng.random() < 0.16:
            brick = _mix(wall, rng.choice(["#ffffff", "#3f5a4b"]), 0.13)
            c.box(column * 38 + 19 * (row % 2) - 16, 222 + row * 18, 34, 14, brick, radius=3)
    c.box(-10, 206, 620, 18, trim)
    c.box(40, 60, 520, 128, "#3e2a2a", radius=22)
    c.box(48, 68, 504, 112, "#5b3b36", radius=17)
    for x in (120, 480):
        c.line([(x, 188), (x, 210)], 5, "#3e2a2a")
    c.letter(c.title, 136, 62, _SERIF_BOLD, "#fff4d9 #f5cf8a", width=440, shadow="2 3 #1f1212 0.8")
    c.letter(c.subtitle, 168, 25, _SERIF_ITALIC, trim, width=420)
    c.box(52, 330, 330, 330, wood, radius=10)
    c.fill("#ffe9b0 #ffcf7d #f0a95c", _sheet(66, 344, 302, 302), 340, 650)
    for y, wares in ((444, 5), (548, 5), (646, 4)):
        c.box(66, y, 302, 9, "#7b5138")
        for k in range(wares):
            _ware(c, int(rng.integers(4)), 66 + 302 * (k + 0.5) / wares, y)
    c.box(213, 344, 8, 302, wood)
    c.glow(217, 470, 230, "#fff2c0", 0.4)
    c.box(414, 340, 140, 470, wood, radius=8)
    c.box(424, 350, 120, 460, ("#b5544a", "#3f6f73", "#c58a3a", "#6b5a8c", "#4d7a4f", "#a3485f")[c.number], radius=5)
    c.box(440, 368, 88, 210, "#ffdf9c", radius=44)
    c.line([(484, 368), (484, 578)], 4, wood)
    c.line([(440, 470), (528, 470)], 4, wood)
    c.disc(532, 640, 6, "#f5cf8a")
    c.box(452, 600, 64, 30, trim, radius=4)
    c.letter("OPEN", 622, 18, _BOLD, wood, x=484)
    stripe = ("#c8574b", "#3f7f83", "#d69a3d", "#7d6aa3", "#5d8f5a", "#b75a74")[c.number]
    for k in range(12):
        x, code = 24 + 46 * k, stripe if k % 2 else "#fff6e3"
        c.shapes("code 8,238 48,238 46,318 0,318", x, code=code)
        c.disc(x + 23, 318, 23, _mix(code, "#3a2320", 0.1), squash=0.8)
    c.box(20, 231, 564, 12, wood, radius=4)
    c.box(40, 656, 354, 18, "#5b3b36", radius=4)
    for x in range(64, 384, 27):
        _blossoms(c, x, 658, rng.uniform(0.7, 1.1))
    c.box(0, 806, 600, 94, "#8d8078")
    for k in range(9):
        c.box(k * 72 - 20, 812 + 42 * (k % 2), 66, 38, "#a0928a", radius=4)
    c.box(396, 682, 8, 100, "#5b3b28")
    c.disc(400, 666, 40, "#3f6f4a")
    c.disc(391, 656, 24, "#5a8c56")
    c.shapes("#b5694a -26,-46 26,-46 19,0 -19,0", 400, 812)
    c.box(371, 760, 58, 13, "#c97f5c", radius=4)
    _cat(c, 90 + 42 * c.number, 806, "#3b3236" if c.number % 2 else "#d98a4a")


def _ware(c: _Canvas, kind: int, x: float, y: float) -> None:
    """A teapot, a jar, a pile of cups or a plant."""
    code = c.rng.choice(["#b5544a", "#3f6f73", "#f5ead3", "#6f8f5a", "#8a5f9a", "#d9a441"])
    dark = _mix(code, "#2a1a18", 0.3)
    if kind == 0:
        c.line(_polar(x - 25, y - 20, 13, range(90, 271, 12)), 5, code)
        c.shapes("code 16,-12 38,-40 43,-38 24,-4", x, y, code=code)
        c.disc(x, y - 20, 25, code, squash=0.82)
        c.disc(x, y - 40, 14, dark, squash=0.3)
        c.disc(x, y - 46, 5, dark)
    elif kind == 1:
        c.box(x - 17, y - 50, 34, 50, code, radius=7)
        c.box(x - 14, y - 58, 28, 11, dark, radius=3)
        c.box(x - 13, y - 34, 26, 18, "#fff6e3", radius=2)
    elif kind == 2:
        for k in range(3):
            c.box(x - 17 + k, y - 14 - 13 * k, 34 - 2 * k, 12, dark if k % 2 else code, radius=5)
        c.line(_polar(x + 19, y - 34, 7, range(-90, 91, 20)), 3, code)
    else:
        c.shapes("#a8623f -13,-22 13,-22 9,0 -9,0", x, y)
        for angle in (-150, -120, -90, -60, -30):
            c.shapes("~#5d8f5a 0,0 0.5,-0.2 1,0 0.5,0.2", x, y - 22, 30, angle)


def _blossoms(c: _Canvas, x: float, y: float, size: float) -> None:
    for dx, dy in ((-9, -8), (9, -8), (0, -16), (-4, -4), (5, -3)):
        c.disc(x + dx * size, y + dy * size, 9 * size, c.rng.choice(["#4f7f4a", "#6a9a55"]))
    for dx, dy in ((-6, -12), (7, -14), (0, -20)):
        c.disc(x + dx * size, y + dy * size, 3.6 * size, c.rng.choice(["#f2748c", "#fff2d0", "#f0a33c"]))


def _cat(c: _Canvas, x: float, y: float, code: str) -> None:
    c.polygon(_brush(_place([(20, -5), (50, -8), (54, -34), (44, -44)], x, y), 11, 9, 7, 5), code)
    c.shapes("~code -20,0 -16,-34 0,-50 18,-36 28,0", x, y, code=code)
    c.disc(x - 4, y - 56, 18, code, squash=0.88)
    c.shapes("=code 16,-76 17,-56 4,-68", x - 4, y, code=code)
    for dx in (-11, 3):
        c.disc(x + dx, y - 57, 3, "#f5d76a")


def _metro(c: _Canvas) -> None:
    """A transit map with a circle line."""
    rng, ink, paper = c.rng, "#1b2430", "#f6f4ec"
    codes = np.roll(["#d8343c", "#1d6fb8", "#2e9a57", "#f0a11f", "#7b4aa0", "#12a0a8"], -c.number)
    c.fill(paper)
    for k in range(0, 680, 40):
        c.line([(k, 0), (k, 640)], 1, "#dfe3e0")
        c.line([(0, k), (600, k)], 1, "#dfe3e0")
    river = [(-20, 120 + 60 * rng.random()), (160, 200), (300, 330), (430, 380), (640, 520)]
    c.polygon(_brush(river, 46), "#c9e3ee")
    stops = []
    for k in range(5):
        y, rise, one, two = 90 + 110 * k + rng.uniform(-20, 20), *rng.uniform([70, 90, 60], [160, 240, 150])
        down = rng.choice([-1, 1])
        turns = np.cumsum([(-20, y), (one + 20, 0), (rise, down * rise), (two, 0), (90, -down * 90), (640, 0)], 0)
        turns[:, 1] = turns[:, 1].clip(50, 600)
        c.line(turns, 15, codes[k])
        stops += [point for a, b in itertools.pairwise(turns) for point in np.linspace(a, b, 3, endpoint=False)[1:]]
    radius = 150 + 12 * (c.number % 3)
    c.ring(300, 330, radius, 17, ink)
    stops = np.array([*stops, *_polar(300, 330, radius - 8, range(12, 372, 30))])
    stops = stops[(stops[:, 0] > 50) & (stops[:, 0] < 550)]
    for x, y in stops:
        c.disc(x, y, 9.5, ink)
        c.disc(x, y, 6, "#ffffff")
    free = rng.permutation(stops)
    for name in ("Mercado", "Faro", "Puerto", "Jardín", "Museo", "Teatro"):
        x, y = free[0]
        c.letter(name, y - 14, 17, _BOLD, ink, x=x, rim=f"3 {paper}")
        free = free[(np.abs(free[:, 0] - x) > 120) | (np.abs(free[:, 1] - y) > 34)]
    c.box(0, 640, 600, 260, ink)
    for k, code in enumerate(codes):
        c.box(100 * k, 640, 100, 14, code)
    c.disc(88, 738, 52, "#ffffff")
    c.disc(88, 738, 40, codes[0])
    c.letter(str(c.number + 1), 760, 62, _BOLD, "#ffffff", x=88)
    for y, word in zip((730, 794), c.title.split(" "), strict=True):
        c.letter(word, y, 68, _BOLD, "#ffffff", x=164, width=400, align=0)
    c.letter(c.subtitle, 856, 32, _SANS, "#c9d3dc", x=166, width=390, align=0)


def _dragon(c: _Canvas) -> None:
    """A dragon before the moon, over a castle."""
    rng, ink = c.rng, "#04131a"
    c.fill("#06141f #0d3340 #1f6468 #6fa79a", bottom=820)
    _stars(c, 140, 480)
    x, y = 300 + rng.uniform(-50, 50), 400
    c.glow(x, y, 430, "#d7fff0", 0.6)
    c.disc(x, y, 206, "#f3f7e4")
    for angle, away, size in rng.uniform([0, 0, 8], [360, 160, 34], (14, 3)):
        cx, cy = _polar(x, y, away, angle)
        c.disc(cx, cy, size, "#b9cbb8", 0.4)
        c.disc(cx + 2, cy + 2, size * 0.8, "#f3f7e4", 0.4)
    for cx, cy, wide in rng.uniform([0, 470, 90], [600, 600, 230], (8, 3)):
        c.glow(cx, cy, wide, "#0d3340", 0.55, 0.16)
    shift, angle = _path("30,-16 -40,10 10,-4 -20,16 40,-22 0,4")[c.number]
    _wyrm(c, x + shift, 410, 1.14 + 0.06 * (c.number % 3), angle, flip=c.number % 2 == 1)
    c.polygon(_hills(rng, 720, 36, 1.2), "#0b2c36")
    c.polygon(_hills(rng, 790, 26, 1.6), "#061a22")
    base = 150 if c.number % 2 else 440
    for dx, half, high in _path("-69,15,90 -31,21,150 9,17,210 57,23,130 90,14,84"):
        cx, top = base + dx, 800 - high
        c.box(cx - half, top, 2 * half, 200, ink)
        c.polygon([(cx - half - 7, top), (cx, top - half * 3.6), (cx + half + 7, top)], ink)
        c.line([(cx, top - half * 3.6), (cx, top - half * 3.6 - 16)], 2, ink)
        for wy in np.arange(top + 18, 790, 34):
            if rng.random() < 0.7:
                c.box(cx - 3, wy, 6, 12, "#ffcf6b", radius=3)
    c.polygon(_hills(rng, 850, 14, 2.2), "#030d12")
    silver = "#ffffff #d9efe2 #7fb3a2 #e9f7ee"
    c.letter(c.title.upper(), 124, 88, _TIMES_BOLD, silver, width=520, spacing=0.06, rim=f"2 {ink}",
             shadow="10 3 #021016 0.9")  # fmt: skip
    c.letter(c.subtitle, 868, 36, _TIMES_ITALIC, "#d9efe2", width=480, spacing=0.06, shadow="5 2 #000000 0.9")


def _wyrm(c: _Canvas, x: float, y: float, scale: float, angle: float, *, flip: bool) -> None:
    """A flying dragon about 390 wide that looks to the right: wings, tail, head, horns, legs, then body and crest."""
    ink = "#04131a"
    c.shapes("""
        ink 40,6 54,-50 62,-104 70,-112 78,-104 122,-134 170,-150 140,-116 146,-82 116,-88 112,-52 90,-52 82,-10 66,16
        ink 52,8 28,-52 6,-104 -2,-114 -10,-106 -62,-136 -124,-144 -92,-112 -108,-74 -72,-76 -74,-34 -44,-40 -34,4 0,30
        ink -178,54 -204,54 -192,66 -196,84 -176,68
        ink 138,-38 154,-42 168,-34 188,-24 192,-17 170,-18 184,-8 178,-3 156,-8 140,-16
        ink 150,-38 134,-52 116,-56 130,-44 140,-34
        ink 156,-40 146,-56 134,-66 142,-50 148,-38
        ink 64,22 76,44 96,54 106,52 102,62 92,64 70,58 54,32
        ink -28,40 -14,64 -22,82 -8,92 -24,92 -34,84 -34,66 -48,52""", x, y, scale, angle, flip, ink=ink)  # fmt: skip
    line = "150,-22 134,-32 112,-22 92,2 60,14 20,20 -20,30 -58,54 -96,56 -126,34 -158,36 -184,58"
    spine = _curve(_path(line))
    body = _ribbon(spine, [10, 14, 16, 20, 34, 40, 36, 26, 18, 12, 8, 2])
    c.polygon(_place(body, x, y, scale, angle, flip), ink)
    for k in range(20, len(spine) - 12, 6):
        (ax, ay), high = spine[k + 1] - spine[k - 1], np.interp(k, [20, 60, len(spine)], [15, 24, 6])
        out = np.array([-ay, ax]) / np.hypot(ax, ay) * high
        spike = [spine[k - 3] + out / 2, spine[k] + out, spine[k + 3] + out / 2]
        c.polygon(_place(spike, x, y, scale, angle, flip), ink)
    c.disc(*_place([(163, -31)], x, y, scale, angle, flip)[0], 2.6 * scale, "#ffcf6b")


def _samurai(c: _Canvas) -> None:
    """A wanderer on a mountain pass at sunrise."""
    rng, ink = c.rng, "#381526"
    c.fill("#f7e9cf #f6d3a8 #ee9c6f #d9553b", bottom=760)
    x = 300 + rng.uniform(-70, 70)
    c.glow(x, 400, 420, "#fff3d8", 0.7)
    c.disc(x, 400, 188, "#c92a22")
    for k in range(7):
        c.box(x - 200, 430 + 26 * k, 400, 1.5 + 1.5 * k, "#f2ad7f", 0.9)
    for left, top, wide in rng.uniform([-60, 270, 120], [500, 470, 280], (5, 3)):
        c.box(left, top, wide, 12, "#fff4df", 0.75, 6)
        c.box(left + wide * 0.3, top + 16, wide * 0.6, 8, "#fff4df", 0.6, 4)
    flip = c.number % 2 == 1
    for depth, code in enumerate(("#d77a5c", "#a8474a", "#6f2a3b", ink)):
        ridge = _hills(rng, 590 + 70 * depth, 58 - 8 * depth, 0.9 + 0.25 * depth)
        c.polygon(ridge, code)
        if depth < 3:
            c.glow(rng.uniform(100, 500), 690 + 60 * depth, 330, "#f6d3a8", 0.4, 0.14)
        if depth == 1:
            at = 450 if flip else 150
            _torii(c, at, _height(ridge, at) + 8)
    at = (180 if flip else 420) + rng.uniform(-30, 30)
    _wanderer(c, at, _height(ridge, at) + 6, flip=flip)
    for bx, by, size in rng.uniform([90, 230, 7], [510, 420, 14], (6, 3)):
        c.line(_place(_curve([(-1, -0.4), (-0.4, -0.6), (0, 0), (0.4, -0.6), (1, -0.4)]), bx, by, size), 2, ink)
    for x, lean, high in rng.uniform([0, -30, 50], [600, 30, 98], (22, 3)):
        c.polygon(_brush([(x, 910), (x + lean * 0.4, 860), (x + lean, 910 - high)], 6, 4, 0.6), "#1d0a16")
    c.ring(84, 96, 40, 5, ink)
    c.shapes("#c92a22 52,112 84,66 116,112 102,112 84,88 66,112")
    c.letter(c.title.upper(), 112, 66, _TIMES_BOLD, ink, x=148, width=410, align=0, spacing=0.08)
    c.letter(c.subtitle, 158, 34, _TIMES_ITALIC, "#7d2a2c", x=150, width=400, align=0, spacing=0.04)


def _torii(c: _Canvas, x: float, y: float) -> None:
    c.shapes("""
        =code 34,-104 42,-104 48,0 38,0
        =code 0,-118 40,-118 74,-126 70,-108 40,-104 0,-104
        =code 0,-88 56,-88 56,-78 0,-78
        =code 0,-104 6,-104 6,-88 0,-88""", x, y, code="#7d1f24")  # fmt: skip


def _wanderer(c: _Canvas, x: float, y: float, *, flip: bool) -> None:
    c.shapes("""
        ink -34,-128 0,-152 34,-128 0,-122
        ~ink -12,-126 12,-126 14,-112 0,-106 -12,-112
        ink -12,-112 14,-112 28,-94 32,-60 40,-14 22,-20 14,-10 2,-18 -10,-8 -22,-18 -38,-8 -30,-60 -26,-94
        ink -16,-24 -6,-24 -8,0 -20,0
        ink 8,-24 18,-24 22,0 9,0
        ink -66,-38 30,-70 50,-82 52,-78 32,-66 -64,-34
        #c92a22 25,-73 27,-74 35,-62 33,-61
        ~#c92a22 20,-104 52,-112 78,-100 96,-106 76,-92 50,-100""", x, y, 1.5, 0, flip, ink="#1d0a16")  # fmt: skip


_ARTS: dict[str, Callable[[_Canvas], None]] = {
    art.__name__[1:]: art
    for art in (
        _mountains, _synthwave, _papercut, _deepsea, _pixel, _astrolabe, _artdeco, _bauhaus, _koi, _desert, _farm,
        _noir, _candy, _racing, _cabin, _botanical, _mecha, _chess, _volcano, _rocket, _tarot, _teashop, _metro,
        _dragon, _samurai,
    )
}  # fmt: skip
