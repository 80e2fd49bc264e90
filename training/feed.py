"""Batches from the growing pool; the same for the same seed, step and pool."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from training import alter
from training.pool import targets_of
from training.student import PATCH


@dataclass(frozen=True)
class Batch:
    pictures: Tensor  # (n, 3, side, side), -1 to 1
    target: Tensor  # (n, width)
    cells: Tensor  # (n, patches, width)


class Pool:
    """Chunks of views and targets in a folder; `refresh` finds new ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rotation = rotation_of(folder.parent)
        self.chunks: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.refresh()

    def refresh(self) -> int:
        """Open chunks that came since; return the number of views."""
        for path in sorted(self.folder.glob("*.views.npy")):
            if path.name not in self.chunks:
                targets = np.load(targets_of(path), mmap_mode="r")
                self.chunks[path.name] = (np.load(path, mmap_mode="r"), targets)
        return sum(len(views) for views, _ in self.chunks.values())

    def draw(self, count: int, random: Generator) -> tuple[Tensor, Tensor]:
        """`count` views as pairs: (count, 3, side, side) in -1 to 1 and the teacher's cells (count, width, 8, 8)."""
        names = list(self.chunks)
        views = []
        targets = []
        for _ in range(count // 2):
            chunk = self.chunks[names[_below(len(names), random)]]
            place = 2 * _below(len(chunk[0]) // 2, random)
            views.append(chunk[0][place : place + 2])
            targets.append(chunk[1][place : place + 2])
        return as_pixels(np.concatenate(views)), as_planes(np.concatenate(targets), self.rotation)


def rotation_of(work: Path) -> Tensor | None:
    """The rotation (width, width) from the pool's targets to the space of a released checkpoint, if it was fitted."""
    path = work / "rotation.npy"
    return torch.from_numpy(np.load(path)).float() if path.exists() else None


def _below(limit: int, random: Generator) -> int:
    return int(torch.randint(limit, (1,), generator=random))


def as_pixels(views: np.ndarray) -> Tensor:
    """(n, side, side, 3) uint8 to (n, 3, side, side) float32 in -1 to 1, as the checkpoint's processor has it."""
    return torch.from_numpy(views).permute(0, 3, 1, 2).float() / 127.5 - 1


def as_planes(targets: np.ndarray, rotation: Tensor | None = None) -> Tensor:
    planes = torch.from_numpy(targets).float()
    return (planes if rotation is None else planes @ rotation).permute(0, 3, 1, 2)


def batch(pool: Pool, count: int, random: Generator, *, side: int, least: float, whole: float) -> Batch:
    """A training batch: each view through a window of its own, and what the teacher saw in that window."""
    views, planes = pool.draw(count, random)
    maps = alter.windows(count, least, whole, random)
    pictures = alter.altered(alter.seen_through(maps, views, side), random)
    cells = alter.seen_through(maps, planes, side // PATCH).flatten(2).mT
    return Batch(pictures, cells.mean(1), cells)


def held_out(folder: Path, side: int, *, recolour: bool) -> Batch:
    """All held-out views, whole; recoloured by a fixed seed if asked."""
    pool = Pool(folder)
    chunks = pool.chunks.values()
    views = as_pixels(np.concatenate([views for views, _ in chunks]))
    planes = as_planes(np.concatenate([targets for _, targets in chunks]), pool.rotation)
    pictures = interpolate(views, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
    if recolour:
        pictures = alter.recoloured(pictures, torch.Generator().manual_seed(0))
    cells = planes.flatten(2).mT
    return Batch(pictures, cells.mean(1), cells)
