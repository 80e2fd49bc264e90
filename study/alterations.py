"""Banners changed in known ways: queries that only seeing answers, and copies that must find their original."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from utils import banners

Alteration = Callable[[Image.Image], Image.Image]


def _cut(picture: Image.Image) -> Image.Image:
    return picture.crop((26, 58, 231, 327)).resize(picture.size)  # 0.8 of the width, 0.7 of the height


def _turned(picture: Image.Image, levels: int) -> Image.Image:
    """Return a picture whose hue is turned by `levels` of 256, saturation and value kept."""
    hue, saturation, value = picture.convert("HSV").split()
    hue = hue.point(lambda level: (level + levels) % 256)
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _hue(picture: Image.Image) -> Image.Image:
    return _turned(picture, 90)  # 127 degrees


def _grey(picture: Image.Image) -> Image.Image:
    return picture.convert("L").convert("RGB")


def _crop(picture: Image.Image) -> Image.Image:
    return picture.crop((26, 38, 230, 346))  # four fifths of each side


def _jpeg(picture: Image.Image) -> Image.Image:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=10)
    return banners.open_picture(content.getvalue())


def _blur(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(4))


def _colour(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(_turned(picture, 32)).enhance(1.2)


def _badge(picture: Image.Image) -> Image.Image:
    return _written(picture, "-75%", (150, 0, 256, 56), "#4c6b22")


def _text(picture: Image.Image) -> Image.Image:
    return _written(picture, "SOUNDTRACK", (0, 160, 256, 224), "#1b2838")


def _ratio(picture: Image.Image) -> Image.Image:
    return picture.resize((384, 384))  # half as wide again; its middle is what a banner shows of it


def _written(picture: Image.Image, text: str, box: tuple[int, int, int, int], colour: str) -> Image.Image:
    drawn = picture.copy()
    pen = ImageDraw.Draw(drawn)
    pen.rectangle(box, fill=colour)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    pen.text(middle, text, fill="white", font=ImageFont.load_default(36), anchor="mm")
    return drawn


QUERIES: dict[str, Alteration] = {"mirrored": ImageOps.mirror, "cut": _cut, "hue": _hue, "grey": _grey}
COPIES: dict[str, Alteration] = {
    "crop": _crop,
    "JPEG": _jpeg,
    "blur": _blur,
    "colour": _colour,
    "badge": _badge,
    "text": _text,
    "ratio": _ratio,
}
ALTERATIONS = QUERIES | COPIES


def alter(rgb: np.ndarray, name: str) -> np.ndarray:
    """Return a banner, uint8 (384, 256, 3), altered by one of ALTERATIONS and read again as any picture file is."""
    content = io.BytesIO()
    ALTERATIONS[name](Image.fromarray(rgb)).save(content, "BMP")
    return banners.decode(content.getvalue())
