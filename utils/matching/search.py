"""The exact search: the k nearest of each query, or of every vector, with the cosines that float64 gives.

A first pass in float32 finds k + SPARE candidates a query; their cosines are computed again in float64 and ranked. A
query whose last candidate is, give or take rounding, as near as its k-th neighbour is asked again with more candidates,
so that nothing is missed, however many copies there are.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from utils.matching.tiles import exact_products, rounding_error, tiles

SPARE = 8  # candidates beyond k, so that few queries are asked again
FOLD = 16  # columns folded into one while looking for the best of a row

_WIDER = 4  # times as many candidates where they were not enough
_QUERIES = 64  # whose products with all vectors are held at a time
_PAIRS = 2048  # of vectors whose cosines are computed in float64 at a time, in the processor's cache


def top_k(vectors: Tensor, queries: Tensor | None, k: int, *, without: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the positions int64 and cosines float32 (q, k) of the nearest vectors, nearest first, then by position.

    Vectors (n, dim) and queries (q, dim) are float32 of length 1; `without` int64 (q,) is one position for each query
    that it is not answered with. With queries None every vector is asked for its nearest others. `k` is at most the
    number of vectors that a query may be answered with.
    """
    if queries is None:
        return _among_themselves(vectors, k)
    return _nearest(vectors, queries, without, k, k + SPARE)


def _among_themselves(vectors: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return what `top_k` does for all pairs: each tile of cosines serves the vectors of its rows and its columns."""
    width = min(k + SPARE, len(vectors))
    best = torch.full((len(vectors), width), -torch.inf, device=vectors.device)
    where = torch.zeros((len(vectors), width), dtype=torch.int64, device=vectors.device)
    for top, left, cosines in tiles(vectors):
        _keep_best(best, where, cosines, top, left)
        if top != left:
            _keep_best(best, where, cosines.T, left, top)
    positions, cosines, doubtful = _settled(vectors, vectors, best, where, k)
    if len(doubtful):
        wider = _nearest(vectors, vectors[doubtful], doubtful, k, _WIDER * width)
        positions[doubtful], cosines[doubtful] = wider
    return positions, cosines


def _keep_best(best: Tensor, where: Tensor, cosines: Tensor, top: int, left: int) -> None:
    """Merge a tile's cosines (rows, columns) into the best of its rows (n, width) and their places, both changed."""
    rows = slice(top, top + len(cosines))
    width = best.shape[1]
    if top == left:
        values, columns = cosines.topk(min(width, cosines.shape[1]), sorted=False)
    else:
        values, columns = _above(cosines, best[rows].amin(1))
    values, order = torch.cat([best[rows], values], 1).topk(width, sorted=False)
    best[rows] = values
    where[rows] = torch.cat([where[rows], columns + left], 1).gather(1, order)


def _above(cosines: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cosines (rows, columns) above each row's floor (rows,) and their columns, both padded to (rows, most).

    There are few. The maxima of columns folded upon each other, which cost little, tell where to look for them.
    """
    fold = math.gcd(cosines.shape[1], FOLD)
    if cosines.is_contiguous():
        maxima = cosines.unflatten(1, (fold, -1)).amax(1)
    else:  # a transposed tile is read as it lies in memory
        maxima = cosines.T.unflatten(0, (fold, -1)).amax(0).T
    row, first = (maxima > floor[:, None]).nonzero().unbind(1)
    columns = first[:, None] + torch.arange(0, cosines.shape[1], maxima.shape[1], device=cosines.device)
    inside = cosines[row[:, None], columns]
    hit, at = (inside > floor[row, None]).nonzero().unbind(1)
    return _padded(row[hit], inside[hit, at], columns[hit, at], len(cosines))


def _padded(row: Tensor, values: Tensor, columns: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Return values and columns, listed by ascending row, as matrices (rows, most), filled up with minus infinity."""
    counts = row.bincount(minlength=rows)
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    matrix = values.new_full((rows, int(counts.max())), -torch.inf)
    matrix[row, place] = values
    theirs = columns.new_zeros(matrix.shape)
    theirs[row, place] = columns
    return matrix, theirs


def _nearest(vectors: Tensor, queries: Tensor, without: Tensor | None, k: int, width: int) -> tuple[Tensor, Tensor]:
    """Return what `top_k` does for some queries; `width` is how many candidates are looked at first."""
    positions, cosines = _blank(queries, k)
    for rows in torch.arange(len(queries), device=queries.device).split(_QUERIES):
        scores = _product(queries[rows], vectors)
        most = width
        if without is not None:
            scores.scatter_(1, without[rows, None], -torch.inf)
        while len(rows):
            near = scores.topk(min(most, len(vectors)))
            positions[rows], cosines[rows], doubtful = _settled(vectors, queries[rows], *near, k)
            rows = rows[doubtful]
            scores = scores[doubtful]
            most *= _WIDER
    return positions, cosines


def _product(queries: Tensor, vectors: Tensor) -> Tensor:
    """Return the float32 products (q, n) of a few queries with all: on a CPU by NumPy, up to twice as fast."""
    if vectors.device.type == "cpu":
        return torch.from_numpy(queries.numpy() @ vectors.numpy().T)
    with exact_products(vectors):
        return queries @ vectors.T


def _settled(
    vectors: Tensor, queries: Tensor, scores: Tensor, candidates: Tensor, k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `top_k` does, computed in float64 from candidates (q, width) and their scores, and the doubtful rows.

    A row is doubtful where its last candidate's score, give or take rounding, reaches the k-th cosine: a vector that is
    no candidate may belong there as well, as among many copies of one picture.
    """
    positions, cosines = _blank(queries, k)
    size = max(1, _PAIRS // candidates.shape[1])
    for start in range(0, len(queries), size):
        rows = slice(start, start + size)
        exact = _cosines(vectors, queries[rows], scores[rows], candidates[rows])
        positions[rows], cosines[rows] = _ranked(exact, candidates[rows], k)
    if candidates.shape[1] == len(vectors):
        return positions, cosines, candidates.new_empty(0)
    return positions, cosines, (cosines[:, -1] <= scores.amin(1) + rounding_error(vectors)).nonzero()[:, 0]


def _blank(queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return room for positions and cosines (q, k): small results between large ones would hold on to memory."""
    return queries.new_empty((len(queries), k), dtype=torch.int64), queries.new_empty((len(queries), k))


def _cosines(vectors: Tensor, queries: Tensor, scores: Tensor, candidates: Tensor) -> Tensor:
    """Return the cosines (q, width) of queries with candidates; a score of minus infinity, for none, stays."""
    theirs = functional.embedding(candidates, vectors).double()
    own = queries[:, None].double()
    lengths = torch.linalg.vector_norm(theirs, dim=-1) * torch.linalg.vector_norm(own, dim=-1)
    return (torch.linalg.vecdot(theirs, own) / lengths).float().masked_fill(scores == -torch.inf, -torch.inf)


def _ranked(cosines: Tensor, positions: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the positions and cosines (q, k) that come first by cosine, then by position, of (q, c).

    Both make one whole number: a float's bits, taken as an integer, order as the float does.
    """
    bits = cosines.view(torch.int32).long()
    keys = torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits) * 2**32 - positions
    order = keys.topk(k).indices
    return positions.gather(1, order), cosines.gather(1, order)
