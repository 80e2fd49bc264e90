"""Banners changed in known ways: queries that only seeing answers, and copies that must find their original."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from utils import banners
from utils.matching.duplicates import recompressed, with_badge, written_on


def _turned(picture: Image.Image, levels: int) -> Image.Image:
    """Return a picture whose hue is turned by `levels` of 256, saturation and value kept."""
    hue, saturation, value = picture.convert("HSV").split()
    hue = hue.point(lambda level: (level + levels) % 256)
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


QUERIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "cut": lambda picture: picture.crop((26, 58, 231, 327)).resize(picture.size),  # 0.8 of the width, 0.7 of the height
    "hue": lambda picture: _turned(picture, 90),  # 127 degrees
    "grey": lambda picture: picture.convert("L").convert("RGB"),
}
COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "crop": lambda picture: picture.crop((26, 38, 230, 346)),  # four fifths of each side
    "JPEG": recompressed,
    "blur": lambda picture: picture.filter(ImageFilter.GaussianBlur(4)),
    "colour": lambda picture: ImageEnhance.Brightness(_turned(picture, 32)).enhance(1.2),
    "badge": with_badge,
    "text": lambda picture: written_on(picture, "SOUNDTRACK", (0, 160, 256, 224), "#1b2838"),
    "ratio": lambda picture: picture.resize((384, 384)),  # half as wide again; its middle is what a banner shows of it
}
ALTERATIONS = QUERIES | COPIES


def alter(rgb: np.ndarray, name: str) -> np.ndarray:
    """Return a banner, uint8 (384, 256, 3), altered by one of ALTERATIONS and read again as any picture file is."""
    content = io.BytesIO()
    ALTERATIONS[name](Image.fromarray(rgb)).save(content, "BMP")
    return banners.decode(content.getvalue())
