"""The cosines of all vectors with each other, tile by tile, in float32 products whose rounding error is bounded."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from tqdm.auto import tqdm

TILE = 4096  # rows and columns of a tile of cosines, 64 MiB in float32
ROUNDOFF = 2.0**-24  # float32's unit roundoff

_QUICK = 2.0  # seconds: what is over by then needs no progress bar


def device() -> str:
    """Return where large products go."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def rounding_error(vectors: Tensor) -> float:
    """Return how far a float32 product of unit vectors (., dim) may be off: their own rounding and the product's.

    The bound of Higham, Accuracy and Stability of Numerical Algorithms, 3.1, for any order of summation.
    """
    return (vectors.shape[1] + 4) * ROUNDOFF


def tiles(vectors: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """Yield the cosines of unit vectors (n, dim) with each other: the tiles of the diagonal, then all above it.

    A tile is its first row, its first column and float32 cosines (rows, columns), each vector's with itself minus
    infinity; the next tile takes its place in memory.
    """
    buffer = vectors.new_empty(min(len(vectors), TILE) ** 2)
    corners = _corners(len(vectors))
    with exact_products(vectors):
        for top, left in tqdm(corners, desc="All pairs", unit="tile", delay=_QUICK):
            rows = vectors[top : top + TILE]
            columns = vectors[left : left + TILE]
            tile = torch.mm(rows, columns.T, out=buffer[: len(rows) * len(columns)].view(len(rows), len(columns)))
            yield top, left, tile.fill_diagonal_(-torch.inf) if top == left else tile


@contextmanager
def exact_products(vectors: Tensor) -> Iterator[None]:
    """Use torch's "medium" float32 products where a sample shows that they are as exact as the full ones.

    On CPUs without hardware for it, "medium" is another library at full precision, 1.3 to 3 times as fast; on
    others it is bfloat16, on GPUs TF32, and then refused. The process's own choice is restored.
    """
    sample = vectors[:256]
    others = vectors[:TILE]
    exact = sample.double() @ others.double().T
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        if (sample @ others.T - exact).abs().max() > rounding_error(vectors) / 8:
            torch.set_float32_matmul_precision("highest")
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _corners(count: int) -> list[tuple[int, int]]:
    """Return the first row and column of each tile on the diagonal and above it, diagonal by diagonal."""
    starts = range(0, count, TILE)
    return [(top, top + apart) for apart in starts for top in starts[: len(starts) - apart // TILE]]
