"""The pool: drawn views with what the teacher sees in each of their 64 cells, in chunks; training reads it as it grows.

python -m training.pool WORK FIRST LAST STEP        # chunks FIRST, FIRST + STEP, ... below LAST
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.lettering import find_fonts
from training.teacher import CELLS, DIMENSIONS, Teacher, fast
from training.views import Artist

PAIRS = 128  # in a chunk
STORED = 224  # pixels: a view as the student's pictures are cut from it
WIDTH = 256  # of the student, hence of its target
_LEARN_FROM = 8  # chunks
_HELD_CHUNKS = 4
_FAR = 10_000_000  # seeds of held-out views start here


@dataclass(frozen=True)
class Projection:
    """What takes the teacher's features to the student's target: (x - mean) @ turn, and the spread of each axis."""

    mean: np.ndarray  # (1280,)
    axes: np.ndarray  # (1280, width - 1), principal axes of the pooled feature
    spread: np.ndarray  # (width - 1,), standard deviations along them

    @property
    def turn(self) -> np.ndarray:
        """(1280, width): the axes, turned into the space orthogonal to the vector of ones."""
        return (self.axes @ orthogonal_to_ones(len(self.spread) + 1).T).astype(np.float32)

    def project(self, cells: np.ndarray) -> np.ndarray:
        """(..., 1280) to (..., width) float16."""
        return ((cells - self.mean) @ self.turn).astype(np.float16)

    @property
    def half_whitening(self) -> np.ndarray:
        """(width, width - 1): from the target to its principal axes, each divided by the root of its spread."""
        return orthogonal_to_ones(len(self.spread) + 1) / np.sqrt(self.spread)


def orthogonal_to_ones(width: int) -> np.ndarray:
    """(width, width - 1) orthonormal columns, each of zero sum: a LayerNorm's output lies in their span.

    Helmert's, the same on every machine; a singular value decomposition would choose among equal values by processor.
    """
    row, column = np.ogrid[:width, 1:width]
    below = np.where(row == column, -column, 0)
    return np.where(row < column, 1, below) / np.sqrt(column * (column + 1))


def learn_projection(features: np.ndarray, width: int = WIDTH) -> Projection:
    """Principal axes of pooled features (n, 1280)."""
    mean = features.mean(0)
    _, singular, axes = np.linalg.svd(features - mean, full_matrices=False)
    spread = singular[: width - 1] / np.sqrt(len(features))
    return Projection(mean, axes[: width - 1].T.copy(), spread)


def save_projection(projection: Projection, path: Path) -> None:
    np.savez(path, mean=projection.mean, axes=projection.axes, spread=projection.spread)


def load_projection(path: Path) -> Projection:
    with np.load(path) as stored:
        return Projection(stored["mean"], stored["axes"], stored["spread"])


def look(artist: Artist, teacher: Teacher, seeds: range) -> tuple[np.ndarray, np.ndarray]:
    """Draw the pairs of these seeds: views (2n, 224, 224, 3) uint8, the teacher's cells (2n, 8, 8, 1280).

    The cells are the mean of what the teacher sees in the picture and in its grey copy: on covers the two together find
    more than the picture alone.
    """
    views = []
    cells = np.empty((2 * len(seeds), CELLS, CELLS, DIMENSIONS), np.float32)
    for place, seed in enumerate(seeds):
        pair = artist.pair(seed)
        cells[2 * place : 2 * place + 2] = (teacher(pair) + teacher(grey(pair))) / 2
        views.extend(_smaller(view) for view in pair)
    return np.stack(views), cells


def grey(views: np.ndarray) -> np.ndarray:
    """(n, side, side, 3) uint8 without colour, by ITU-R BT.601's luma, as Pillow's mode L."""
    luma = (views @ np.array([299, 587, 114]) + 500) // 1000
    return np.repeat(luma[..., None], 3, axis=-1).astype(np.uint8)


def _smaller(view: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(view).resize((STORED, STORED), Image.Resampling.BILINEAR))


def place(folder: Path, chunk: int) -> Path:
    """The file of a chunk's views; its targets lie beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{chunk:05d}.views.npy"


def targets_of(path: Path) -> Path:
    return path.with_name(path.name.replace("views", "targets"))


def write_chunk(path: Path, views: np.ndarray, targets: np.ndarray) -> None:
    """Two files; the views last, so that a chunk with views is whole."""
    np.save(targets_of(path), targets)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.save(file, views)
    part.rename(path)


def prepare(work: Path, artist: Artist, held: Artist, teacher: Teacher) -> Projection:
    """Learn the projection from the first chunks, once, and draw the held-out views."""
    path = work / "projection.npz"
    if not path.exists():
        first = [look(artist, teacher, seeds_of(chunk))[1].mean((1, 2)) for chunk in range(_LEARN_FROM)]
        save_projection(learn_projection(np.concatenate(first)), path)
    projection = load_projection(path)
    for chunk in range(_HELD_CHUNKS):
        path = place(work / "held", chunk)
        if not path.exists():
            views, cells = look(held, teacher, seeds_of(chunk, _FAR))
            write_chunk(path, views, projection.project(cells))
    return projection


def seeds_of(chunk: int, start: int = 0) -> range:
    return range(start + chunk * PAIRS, start + (chunk + 1) * PAIRS)


def main(work: Path, chunks: range) -> None:
    fonts = find_fonts(work / "fonts", work / "packages")
    artist = Artist(work / "pictures", fonts, held=False)
    held = Artist(work / "pictures", fonts, held=True)
    teacher = fast()
    projection = prepare(work, artist, held, teacher)
    for chunk in chunks:
        path = place(work / "pool", chunk)
        if not path.exists():
            views, cells = look(artist, teacher, seeds_of(chunk))
            write_chunk(path, views, projection.project(cells))


if __name__ == "__main__":
    main(Path(sys.argv[1]), range(*map(int, sys.argv[2:5])))
