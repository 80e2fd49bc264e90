"""The exact search: the k nearest of each query, or of every vector, with the cosines that float64 gives.

A first pass in float32, tile by tile, finds k + SPARE candidates a query; float64 ranks them. A query whose last
candidate is, give or take rounding, as near as its k-th neighbour is asked again with more candidates, so that nothing
is missed, however many copies there are.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

SPARE = 8  # candidates beyond k, so that few queries are asked again
FOLD = 16  # columns folded into one while looking for the best of a row
TILE = 4096  # rows and columns of a tile of cosines, 64 MiB in float32
ROUNDOFF = 2.0**-24  # float32's unit roundoff

_WIDER = 4  # times as many candidates where they were not enough
_QUERIES = 64  # whose products with all vectors are held at a time
_PAIRS = 2048  # of vectors whose cosines are computed in float64 at a time, in the processor's cache
_QUICK = 2.0  # seconds: what is over by then needs no progress bar


def top_k(
    vectors: np.ndarray, queries: np.ndarray | None, k: int, *, exclude: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions int64 and cosines float32 (q, k) of the nearest vectors, nearest first, then by position.

    Vectors (n, dim) and queries (q, dim) are float32 of length 1; `exclude` int64 (q,) is a position for each query
    that is not among its answers. With queries None every vector is asked for its nearest others. `k` is at most the
    number of vectors that a query may be answered with. A tile of queries or more go to the accelerator, if any.
    """
    device = "cuda" if torch.cuda.is_available() and len(vectors if queries is None else queries) >= TILE else "cpu"
    games = torch.from_numpy(vectors).to(device)
    if queries is None:
        found = _nearest_others(games, k)
    else:
        own = None if exclude is None else torch.from_numpy(exclude).to(device)
        found = _nearest(games, torch.from_numpy(queries).to(device), own, k, k + SPARE)
    return found[0].cpu().numpy(), found[1].cpu().numpy()


def pairs(vectors: np.ndarray, threshold: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield, tile by tile, the positions of all pairs whose cosine is the threshold or more, to float32's rounding.

    Vectors (n, dim) are float32 of length 1.
    """
    games = torch.from_numpy(vectors).to("cuda" if torch.cuda.is_available() else "cpu")
    least = threshold - _rounding_error(games)
    for top, left, cosines in _tiles(games):
        rows, columns = (cosines >= least).nonzero().cpu().numpy().T
        if len(rows):
            yield rows + top, columns + left


@contextmanager
def exact_products(vectors: Tensor) -> Iterator[None]:
    """Use torch's "medium" float32 products where a sample shows that they are as exact as the full ones.

    On CPUs without hardware for it, "medium" is another library at full precision, 1.3 to 3 times as fast; on
    others it is bfloat16, on GPUs TF32, and then refused. The process's own choice is restored.
    """
    sample, others = vectors[:256], vectors[:TILE]
    exact = sample.double() @ others.double().T
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        if (sample @ others.T - exact).abs().max() > _rounding_error(vectors) / 8:
            torch.set_float32_matmul_precision("highest")
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _rounding_error(vectors: Tensor) -> float:
    """Return how far a float32 product of unit vectors (., dim) may be off: their own rounding and the product's.

    The bound of Higham, Accuracy and Stability of Numerical Algorithms, 3.1, for any order of summation.
    """
    return (vectors.shape[1] + 4) * ROUNDOFF


def _nearest_others(vectors: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return what `top_k` does for all vectors."""
    width = min(k + SPARE, len(vectors))
    best = torch.full((len(vectors), width), -torch.inf, device=vectors.device)
    where = torch.zeros((len(vectors), width), dtype=torch.int64, device=vectors.device)
    for top, left, cosines in _tiles(vectors):  # each serves the vectors of its rows and those of its columns
        _keep_best(best, where, cosines, top, left)
        if top != left:
            _keep_best(best, where, cosines.T, left, top)
    positions, cosines, doubtful = _settled(vectors, vectors, best, where, k)
    positions[doubtful], cosines[doubtful] = _nearest(vectors, vectors[doubtful], doubtful, k, _WIDER * width)
    return positions, cosines


def _tiles(vectors: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """Yield the cosines of unit vectors (n, dim) with each other: the tiles of the diagonal, then all above it.

    A tile is its first row, its first column and float32 cosines (rows, columns), each vector's with itself minus
    infinity; the next tile takes its place in memory.
    """
    starts = range(0, len(vectors), TILE)
    corners = [(top, top + apart) for apart in starts for top in starts[: len(starts) - apart // TILE]]
    buffer = vectors.new_empty(min(len(vectors), TILE) ** 2)
    with exact_products(vectors):
        for top, left in tqdm(corners, desc="All pairs", unit="tile", delay=_QUICK):
            rows, columns = vectors[top : top + TILE], vectors[left : left + TILE]
            tile = torch.mm(rows, columns.T, out=buffer[: len(rows) * len(columns)].view(len(rows), len(columns)))
            yield top, left, tile.fill_diagonal_(-torch.inf) if top == left else tile


def _keep_best(best: Tensor, where: Tensor, cosines: Tensor, top: int, left: int) -> None:
    """Merge a tile's cosines (rows, columns) into the best of its rows (n, width) and their places, both changed.

    Columns are folded upon each other: a row's best are in the groups with the greatest maxima, which are found faster.
    """
    rows = slice(top, top + len(cosines))
    width = best.shape[1]
    fold = math.gcd(cosines.shape[1], FOLD)
    if cosines.is_contiguous():
        maxima = cosines.unflatten(1, (fold, -1)).amax(1)
    else:  # a transposed tile is read as it lies in memory
        maxima = cosines.T.unflatten(0, (fold, -1)).amax(0).T.contiguous()
    most = int((maxima > best[rows].amin(1, keepdim=True)).sum(1).amax())  # groups with something better, in any row
    groups = maxima.topk(min(most, width), sorted=False).indices
    members = torch.arange(0, cosines.shape[1], maxima.shape[1], device=cosines.device)
    columns = (groups[:, :, None] + members).flatten(1)
    values, order = torch.cat([best[rows], cosines.gather(1, columns)], 1).topk(width, sorted=False)
    best[rows] = values
    where[rows] = torch.cat([where[rows], columns + left], 1).gather(1, order)


def _nearest(vectors: Tensor, queries: Tensor, exclude: Tensor | None, k: int, width: int) -> tuple[Tensor, Tensor]:
    """Return what `top_k` does for some queries; `width` is how many candidates are looked at first."""
    positions, cosines = _blank(queries, k)
    for rows in torch.arange(len(queries), device=queries.device).split(_QUERIES):
        scores = _products(queries[rows], vectors)
        if exclude is not None:
            scores.scatter_(1, exclude[rows, None], -torch.inf)
        most = width
        while len(rows):
            near = scores.topk(min(most, len(vectors)))
            positions[rows], cosines[rows], doubtful = _settled(vectors, queries[rows], *near, k)
            rows, scores = rows[doubtful], scores[doubtful]
            most *= _WIDER
    return positions, cosines


def _products(queries: Tensor, vectors: Tensor) -> Tensor:
    """Return the float32 products (q, n) of a few queries with all: on a CPU by NumPy, up to twice as fast."""
    if vectors.device.type == "cpu":
        return torch.from_numpy(queries.numpy() @ vectors.numpy().T)
    with exact_products(vectors):
        return queries @ vectors.T


def _settled(
    vectors: Tensor, queries: Tensor, scores: Tensor, candidates: Tensor, k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `top_k` does, computed in float64 from candidates (q, width) and their scores, and the doubtful rows.

    A score of minus infinity stands for no candidate. A row is doubtful where its last candidate's score, give or take
    rounding, reaches the k-th cosine: a vector that is no candidate may belong there as well, as among many copies.
    """
    positions, cosines = _blank(queries, k)
    size = max(1, _PAIRS // candidates.shape[1])
    for start in range(0, len(queries), size):
        rows = slice(start, start + size)
        near, order = candidates[rows].sort(1)
        theirs = functional.embedding(near, vectors).double()
        own = queries[rows, None].double()
        lengths = torch.linalg.vector_norm(theirs, dim=-1) * torch.linalg.vector_norm(own, dim=-1)
        exact = (torch.linalg.vecdot(theirs, own) / lengths).float()
        exact[scores[rows].gather(1, order) == -torch.inf] = -torch.inf
        exact, order = exact.sort(dim=1, descending=True, stable=True)  # ties stay in the order of positions
        positions[rows], cosines[rows] = near.gather(1, order)[:, :k], exact[:, :k]
    is_doubtful = cosines[:, -1] <= scores.amin(1) + _rounding_error(vectors)
    is_doubtful &= candidates.shape[1] < len(vectors)
    return positions, cosines, is_doubtful.nonzero()[:, 0]


def _blank(queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return room for positions and cosines (q, k): small results between large ones would hold on to memory."""
    return queries.new_empty((len(queries), k), dtype=torch.int64), queries.new_empty((len(queries), k))
