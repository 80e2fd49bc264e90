"""Does a heat map point at what counts? Hide what an encoder finds hottest and ask the teacher, not the encoder itself.

    python -m training.hide COVERS CHECKPOINT

COVERS holds `covers.csv` (appid, name, title, platform) and `images/APPID.jpg`; equal title and platform is one game.
For each cover that has another of its game, the encoder says which tenth of the cover's 64 patches speaks most for the
pair; these are painted in the cover's mean colour. Printed is how far the teacher's centred cosine falls, over how far
it falls when as large a part is hidden at random.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate
from transformers import BeitForImageClassification

from training.feed import as_pixels
from training.student import see, side_of
from training.teacher import SIDE, fast

Maps = Callable[[list[Image.Image]], np.ndarray]  # covers to (n, patches, dims), whose mean over patches is the feature
_GRID = 8
_HIDDEN = 6  # of 64 patches
_DRAWS = 4  # of random patches, for each pair


def beit_shares(net: BeitForImageClassification) -> Maps:
    side = side_of(net)

    @torch.no_grad()
    def look(covers: list[Image.Image]) -> np.ndarray:
        return torch.cat([see(net, part)[1] for part in as_pixels(squares(covers, side)).split(64)]).numpy()

    return look


def teacher_cells() -> Maps:
    look_at = fast()

    def look(covers: list[Image.Image]) -> np.ndarray:
        return np.concatenate([look_at(each[None]).reshape(1, _GRID * _GRID, -1) for each in squares(covers, SIDE)])

    return look


def squares(covers: list[Image.Image], side: int) -> np.ndarray:
    """(n, side, side, 3) uint8: covers squashed as the encoder squashes them."""
    return np.stack([np.asarray(cover.resize((side, side), Image.Resampling.BILINEAR)) for cover in covers])


def read(folder: Path) -> tuple[list[Image.Image], np.ndarray]:
    """The covers of a folder, and the number of each one's game (n,)."""
    with (folder / "covers.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [f"{row['title']}|{row['platform']}" for row in rows]
    covers = [Image.open(folder / "images" / f"{row['appid']}.jpg").convert("RGB") for row in rows]
    return covers, np.unique(names, return_inverse=True)[1]


def pairs_of(groups: np.ndarray) -> list[tuple[int, int]]:
    """Each cover with the next of its game, both ways round."""
    pairs = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        for place, member in enumerate(members[: len(members) if len(members) > 1 else 0]):
            pairs.append((int(member), int(members[(place + 1) % len(members)])))
    return pairs


def heat(shares: np.ndarray, pairs: list[tuple[int, int]]) -> np.ndarray:
    """(pairs, 64): each patch's part of the pair's centred dot product, on 8 x 8 patches, if it has others."""
    features = shares.mean(1)
    mean = features.mean(0)
    parts = np.stack([(shares[query] - mean) @ (features[match] - mean) for query, match in pairs])
    side = math.isqrt(parts.shape[1])
    planes = torch.from_numpy(parts).reshape(-1, 1, side, side)
    return interpolate(planes, size=(_GRID, _GRID), mode="bilinear", antialias=True).flatten(1).numpy()


def hide(cover: Image.Image, patches: np.ndarray) -> Image.Image:
    """The cover with these of its 8 x 8 patches painted in its mean colour."""
    pixels = np.asarray(cover).copy()
    colour = pixels.mean((0, 1)).astype(np.uint8)
    rows = np.linspace(0, cover.height, _GRID + 1).astype(int)
    columns = np.linspace(0, cover.width, _GRID + 1).astype(int)
    for patch in patches:
        row = int(patch) // _GRID
        column = int(patch) % _GRID
        pixels[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = colour
    return Image.fromarray(pixels)


class Witness:
    """The teacher's centred cosine of pairs of covers."""

    def __init__(self, covers: list[Image.Image]) -> None:
        self.covers = covers
        self.look_at = teacher_cells()
        features = self.look_at(covers).mean(1)
        self.mean = features.mean(0)
        self.features = self._unit(features)

    def _unit(self, features: np.ndarray) -> np.ndarray:
        centred = features - self.mean
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    def falls(self, pairs: list[tuple[int, int]], hidden: np.ndarray) -> np.ndarray:
        """How far each pair's cosine falls where `hidden` (pairs, k) patches of the first cover are hidden."""
        painted = [hide(self.covers[query], patches) for (query, _), patches in zip(pairs, hidden, strict=True)]
        seen = self._unit(self.look_at(painted).mean(1))
        queries = self.features[[query for query, _ in pairs]]
        matches = self.features[[match for _, match in pairs]]
        return ((queries - seen) * matches).sum(1)


def main() -> None:
    parser = argparse.ArgumentParser(description="fall of the teacher's cosine, hottest patches over random ones")
    parser.add_argument("covers", type=Path)
    parser.add_argument("checkpoint", type=Path)
    chosen = parser.parse_args()
    covers, groups = read(chosen.covers)
    pairs = pairs_of(groups)
    witness = Witness(covers)
    random = np.random.default_rng(0)
    drawn = [random.permuted(np.tile(np.arange(64), (len(pairs), 1)), axis=1)[:, :_HIDDEN] for _ in range(_DRAWS)]
    chance = np.mean([witness.falls(pairs, patches) for patches in drawn])
    net = BeitForImageClassification.from_pretrained(chosen.checkpoint, dtype=torch.float32).eval()
    own = heat(teacher_cells()(covers), pairs)
    torch.manual_seed(0)
    untrained = BeitForImageClassification(net.config).eval()
    maps = {"teacher": own}
    for name, network in (("student", net), ("untrained", untrained)):
        maps[name] = heat(beit_shares(network)(covers), pairs)
    print(f"{len(pairs)} pairs; hidden at random, the teacher's cosine falls by {chance:.3f}")
    for name, warm in maps.items():
        fall = witness.falls(pairs, np.argsort(-warm, axis=1)[:, :_HIDDEN]).mean()
        alike = np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(warm, own, strict=True)])
        print(f"{name}: falls by {fall:.3f}, x{fall / chance:.2f}; correlation with the teacher's map {alike:.2f}")


if __name__ == "__main__":
    main()
