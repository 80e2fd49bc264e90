"""Ask eyes for another region's cover, of queries as they are and altered, beside baselines and the teacher.

    python -m training.evaluate COVERS CHECKPOINT [--teacher]

COVERS holds `covers.csv` (appid, name, title, platform) and `images/APPID.jpg`; equal title and platform is one game.
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
from transformers import BeitForImageClassification

from training.student import side_of
from training.teacher import fast

Eye = Callable[[list[Image.Image]], np.ndarray]
_HUE = 127.0  # degrees
_FIRST = 10


def mirrored(cover: Image.Image) -> Image.Image:
    return cover.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def cut(cover: Image.Image) -> Image.Image:
    """The middle 0.8 of the width and 0.7 of the height."""
    left = round(0.1 * cover.width)
    top = round(0.15 * cover.height)
    return cover.crop((left, top, cover.width - left, cover.height - top)).resize(cover.size, Image.Resampling.BICUBIC)


def hue_turned(cover: Image.Image) -> Image.Image:
    """HSV's hue turned by 127 degrees."""
    hue, saturation, value = cover.convert("HSV").split()
    step = round(_HUE / 360 * 256)
    turned = hue.point(lambda level: (level + step) % 256)
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")


def grey(cover: Image.Image) -> Image.Image:
    return cover.convert("L").convert("RGB")


ALTERED = {"plain": lambda cover: cover, "mirrored": mirrored, "cut": cut, "hue": hue_turned, "grey": grey}


def thumbnail(covers: list[Image.Image]) -> np.ndarray:
    small = [np.asarray(cover.resize((8, 12), Image.Resampling.BOX), np.float32).ravel() for cover in covers]
    return np.stack(small)


def histogram(covers: list[Image.Image]) -> np.ndarray:
    """Share of the pixels in each of 4 x 4 x 4 colours."""
    rows = []
    for cover in covers:
        bins = (np.asarray(cover, np.int64) // 64) @ np.array([16, 4, 1])
        rows.append(np.bincount(bins.ravel(), minlength=64) / bins.size)
    return np.stack(rows)


def beit(net: BeitForImageClassification) -> Eye:
    side = side_of(net)

    @torch.no_grad()
    def look(covers: list[Image.Image]) -> np.ndarray:
        pixels = squashed(covers, side)
        return torch.cat([net.beit(part).pooler_output for part in pixels.split(64)]).numpy()

    return look


def squashed(covers: list[Image.Image], side: int) -> torch.Tensor:
    """(n, 3, side, side) from -1 to 1, as the checkpoint's processor makes them."""
    squares = [np.asarray(cover.resize((side, side), Image.Resampling.BILINEAR)) for cover in covers]
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 127.5 - 1


def fresh(net: BeitForImageClassification) -> BeitForImageClassification:
    """A network of the same shape that was never trained."""
    torch.manual_seed(0)
    return BeitForImageClassification(net.config).eval()


def teacher() -> Eye:
    see = fast()

    def look(covers: list[Image.Image]) -> np.ndarray:
        squares = [np.asarray(cover.resize((256, 256), Image.Resampling.BILINEAR)) for cover in covers]
        return np.concatenate([see(square[None]).mean((1, 2)) for square in squares])

    return look


def centred(features: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    mean = features.mean(0)
    return lambda rows: _unit(rows - mean)


def whitened(features: np.ndarray, exponent: float = 0.5) -> Callable[[np.ndarray], np.ndarray]:
    """Principal axes of the gallery, each divided by its standard deviation to the power 2 * `exponent`."""
    mean = features.mean(0)
    _, singular, axes = np.linalg.svd(features - mean, full_matrices=False)
    spread = singular / math.sqrt(len(features))
    keep = spread > 1e-3 * spread[0]
    scale = spread[keep] ** (2 * exponent)
    return lambda rows: _unit((rows - mean) @ axes[keep].T / scale)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def retrieval(gallery: np.ndarray, queries: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """hit@1 and recall@10 (of at most 10 relevant ones) over covers that have another of their group."""
    cosines = queries @ gallery.T
    np.fill_diagonal(cosines, -2)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :_FIRST]
    same = groups[:, None] == groups[None]
    np.fill_diagonal(same, False)
    asked = same.any(1)
    found = np.take_along_axis(same, order, 1)[asked]
    relevant = np.minimum(same[asked].sum(1), _FIRST)
    return float(found[:, 0].mean()), float((found.sum(1) / relevant).mean())


def read(folder: Path) -> tuple[list[Image.Image], np.ndarray]:
    with (folder / "covers.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [f"{row['title']}|{row['platform']}" for row in rows]
    covers = [Image.open(folder / "images" / f"{row['appid']}.jpg").convert("RGB") for row in rows]
    return covers, np.unique(names, return_inverse=True)[1]


def judge(eye: Eye, covers: list[Image.Image], groups: np.ndarray) -> list[str]:
    """A table row: hit@1/recall@10 for each kind of query, centred, with the whitened result in brackets."""
    gallery = eye(covers)
    cells = []
    for change in ALTERED.values():
        queries = eye([change(cover) for cover in covers])
        results = []
        for prepare in (centred(gallery), whitened(gallery, 0.25)):
            hit, recall = retrieval(prepare(gallery), prepare(queries), groups)
            results.append(f"{hit:.2f}/{recall:.2f}".replace("0.", "."))
        cells.append(f"{results[0]} ({results[1]})")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description="hit@1/recall@10 of eyes on covers, whitened results in brackets")
    parser.add_argument("covers", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--teacher", action="store_true")
    chosen = parser.parse_args()
    covers, groups = read(chosen.covers)
    net = BeitForImageClassification.from_pretrained(chosen.checkpoint, dtype=torch.float32).eval()
    eyes = {"histogram": histogram, "thumbnail": thumbnail, "untrained": beit(fresh(net)), "student": beit(net)}
    if chosen.teacher:
        eyes["teacher"] = teacher()
    print("| eye |", " | ".join(ALTERED), "|")
    print("|---" * (len(ALTERED) + 1) + "|")
    for name, eye in eyes.items():
        print(f"| {name} |", " | ".join(judge(eye, covers, groups)), "|", flush=True)


if __name__ == "__main__":
    main()
