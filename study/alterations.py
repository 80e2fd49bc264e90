"""Banners changed in known ways: queries that only seeing answers, and copies that must find their original.

Their embeddings are kept on disk with the seconds that they took, so that a second run takes no time.
"""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from tqdm.auto import tqdm

from study.baselines import Pixels
from utils import banners, files
from utils.banners import Banner
from utils.encoder import Encoder
from utils.matching.duplicates import recompressed, with_badge, written_on

Altered = dict[str, np.ndarray]  # alteration -> the vectors of altered banners, float32 (banners, dim)


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


def embed_altered(
    embedder: Encoder | Pixels, shown: Mapping[str, list[int]], album: Mapping[int, Banner], folder: Path
) -> tuple[Altered, float]:
    """Return the vectors of banners altered as `shown` says, alteration -> appids, and the pictures a second.

    What the same embedder made of the same banners before is read from `folder`, with the seconds that it took, from
    pixels to vectors. Each alteration is a file, so that a crash costs one.
    """
    vectors: Altered = {}
    seconds = 0.0
    name = Path(str(embedder.identity["checkpoint"])).name
    for alteration, appids in tqdm(shown.items(), desc=f"Altered banners, {name}", unit=" alteration"):
        if appids:
            vectors[alteration], taken = _embedded(embedder, alteration, [album[appid] for appid in appids], folder)
            seconds += taken
    return vectors, sum(map(len, vectors.values())) / seconds


def _embedded(
    embedder: Encoder | Pixels, alteration: str, originals: list[Banner], folder: Path
) -> tuple[np.ndarray, float]:
    """Return the vectors of banners after an alteration and the seconds that they took, from disk if they are there."""
    about = [dict(embedder.identity), alteration, [banner.sha256 for banner in originals]]
    file = folder / f"{hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]}.npz"
    with suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile), np.load(file) as kept:
        return kept["vectors"], float(kept["seconds"])  # zip checks its members' checksums
    pictures = [alter(banner.rgb, alteration) for banner in originals]
    began = time.perf_counter()
    vectors = embedder(pictures).numpy()
    seconds = time.perf_counter() - began
    with files.writing(file) as part, part.open("wb") as content:
        np.savez(content, seconds=seconds, vectors=vectors)
    return vectors, seconds
