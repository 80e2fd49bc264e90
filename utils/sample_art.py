"""The sample's banners, drawn with Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def pattern(series: int, game: int) -> bytes:
    """JPEG bytes (300 x 450) of a colour pattern: one look a `series`, a little different for every `game`; 1 ms."""
    look = np.random.default_rng(series).integers(0, 256, (6, 4, 3))
    change = np.random.default_rng([series, game]).integers(-24, 25, (6, 4, 3))
    small = Image.fromarray((look + change).clip(0, 255).astype(np.uint8))
    return encode(small.resize((300, 450), Image.Resampling.BICUBIC))


def encode(picture: Image.Image, **options: object) -> bytes:
    """The picture as JPEG bytes."""
    file = io.BytesIO()
    picture.save(file, "JPEG", **{"quality": 90, **options})
    return file.getvalue()
