"""Cover-like views drawn from kept pictures, in pairs that share their art and differ in layout; the same by seed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.random import Generator
from PIL import Image

from training.layout import Art, graded, lay_out, second
from training.lettering import title
from training.pictures import Picture, kept

_FLATTEN = 0.65  # a package of n pictures weighs n ** (1 - 0.65)
# Photographs and paintings are few; textures, sheets and buttons are many.
_FAVOUR = {
    "plasma-workspace-wallpapers": 6.0,
    "mate-backgrounds": 6.0,
    "lomiri-wallpapers-16.04": 6.0,
    "lomiri-wallpapers-20.04": 6.0,
    "ukui-wallpapers": 6.0,
    "gnome-backgrounds": 4.0,
    "tuxpaint-stamps-default": 4.0,
    "openclipart-png": 3.0,
    "wesnoth-1.16-data": 3.0,
    "freecol": 2.0,
    "fillets-ng-data": 2.0,
    "endless-sky-data": 2.0,
    "widelands-data": 0.4,
    "trigger-rally-data": 0.4,
    "torcs-data": 0.4,
    "ufoai-data": 0.5,
    "redeclipse-data": 0.5,
    "nexuiz-textures": 0.5,
    "openarena-081-textures": 0.5,
    "pychess": 0.3,
}


class Artist:
    """Draws views from the kept pictures of one side of the split: held out, or not."""

    def __init__(self, folder: Path, fonts: list[Path], *, held: bool) -> None:
        pictures = [picture for picture in kept(folder) if picture.held == held]
        self.folder = folder
        self.fonts = fonts
        self.scenes = _Urn([picture for picture in pictures if not picture.cutout])
        self.sprites = _Urn([picture for picture in pictures if picture.cutout])

    def pair(self, seed: int) -> np.ndarray:
        """Two views of shared art, (2, 256, 256, 3) uint8."""
        random = np.random.default_rng(seed)
        art = self._art(random)
        first = lay_out(art, random)
        views = (first, second(first, art, random))
        return np.stack([np.asarray(graded(view, random)) for view in views])

    def _art(self, random: Generator) -> Art:
        plan = str(random.choice(["scene", "poster", "full", "collage"], p=[0.36, 0.24, 0.28, 0.12]))
        scenes = [self._open(self.scenes.draw(random)) for _ in range(4 if plan == "collage" else 1)]
        sprites = [self._open(self.sprites.draw(random)) for _ in range(int(random.integers(1, 4)))]
        inks = tuple(_ink(scenes[0] if random.random() < 0.5 else sprites[0], random) for _ in range(3))
        return Art(tuple(scenes), tuple(sprites), inks, title(self.fonts, random), plan)

    def _open(self, picture: Picture) -> Image.Image:
        return _load(self.folder / picture.file, "RGBA" if picture.cutout else "RGB")


class _Urn:
    """Pictures to draw from, those of large packages less often."""

    def __init__(self, pictures: list[Picture]) -> None:
        self.pictures = pictures
        packages = [picture.package for picture in pictures]
        sizes = {package: packages.count(package) for package in set(packages)}
        weights = np.array([_FAVOUR.get(package, 1.0) * sizes[package] ** -_FLATTEN for package in packages])
        self.edges = np.cumsum(weights / weights.sum())

    def draw(self, random: Generator) -> Picture:
        place = int(np.searchsorted(self.edges, random.random()))
        return self.pictures[min(place, len(self.pictures) - 1)]


@lru_cache(maxsize=512)
def _load(path: Path, mode: str) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert(mode)


def _ink(image: Image.Image, random: Generator) -> tuple[int, int, int]:
    """A colour of the picture half of the time, else any."""
    if random.random() < 0.5:
        place = (int(random.integers(image.width)), int(random.integers(image.height)))
        red, green, blue = cast("tuple[int, ...]", image.getpixel(place))[:3]
        return red, green, blue
    red, green, blue = random.integers(0, 256, 3).tolist()
    return red, green, blue
