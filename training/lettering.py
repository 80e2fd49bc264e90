"""Titles on views: random words in one of many fonts, with outline and tilt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFont

_STARTS = "ar bel cal dra el for gal hel in kor lor mor neb or pal quin ras star tal ul val wor xen yar zel"
_ENDS = "a alon ark den dor eth fall ia in is land mere nix on or os quest rim storm th tia um us vale ward zone"
_WORDS = "the of dark world wars hero tales lost city super age rise return dragon racing night space 2 3 ii iii"
_SIZES = (18, 24, 30, 38, 48, 60)


@dataclass(frozen=True)
class Title:
    """Lines of a title and the font file that both views of a pair set it in."""

    lines: tuple[str, ...]
    font: Path


def find_fonts(*folders: Path) -> list[Path]:
    """Font files that can write Latin letters, sorted."""
    found = []
    for folder in folders:
        found.extend(path for path in folder.rglob("*") if path.suffix.lower() in {".ttf", ".otf"})
    return [path for path in sorted(found) if "pieces" not in path.parts and _writes_latin(path)]


def _writes_latin(path: Path) -> bool:
    try:
        font = ImageFont.truetype(path, 20)
        marks = {bytes(font.getmask(letter)) for letter in "AGMRax"}  # ty: ignore[invalid-argument-type]
    except (OSError, ValueError):
        return False
    return len(marks) == 6


def title(fonts: list[Path], random: Generator) -> Title:
    """One to three lines, each a made-up name or a common word."""
    count = int(random.choice([1, 2, 3], p=[0.45, 0.4, 0.15]))
    lines = [_word(random) for _ in range(count)]
    return Title(tuple(lines), fonts[int(random.integers(len(fonts)))])


def _word(random: Generator) -> str:
    if random.random() < 0.35:
        word = str(random.choice(_WORDS.split()))
    else:
        word = str(random.choice(_STARTS.split())) + str(random.choice(_ENDS.split()))
    return word.upper() if random.random() < 0.6 else word.capitalize()


@lru_cache(maxsize=256)
def _font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def letter(canvas: Image.Image, text: Title, inks: tuple[tuple[int, int, int], ...], random: Generator) -> None:
    """Write the title onto the canvas, in place: at the top or the bottom, upright or tilted."""
    font = _font(text.font, int(random.choice(_SIZES)))
    sheet = Image.new("RGBA", (canvas.width, min(canvas.height // 2, 20 + int(font.size * 1.3) * len(text.lines))))
    draw = ImageDraw.Draw(sheet)
    light = random.random() < 0.6
    fill = (255, 255, 255) if light and random.random() < 0.5 else inks[int(random.integers(3))]
    stroke = int(random.integers(0, 4))
    for row, line in enumerate(text.lines):
        middle = (canvas.width // 2, 10 + int(font.size * 1.3) * row + font.size // 2)
        draw.text(
            middle, line, fill, font, anchor="mm", stroke_width=stroke, stroke_fill=(0, 0, 0) if light else inks[0]
        )
    if random.random() < 0.3:
        sheet = sheet.rotate(float(random.uniform(-12, 12)), Image.Resampling.BILINEAR)
    high = random.random() < 0.45
    top = int(
        random.uniform(0, 0.12) * canvas.height if high else random.uniform(0.5, 0.95) * canvas.height - sheet.height
    )
    canvas.paste(sheet, (0, max(top, 0)), sheet)
