"""Which banners look alike: exact neighbours by cosine, near-duplicates, the most unique, a picture of one's own.

Every cosine returned is computed in float64 from the unit vectors of `Prepared` and rounded to float32, and ties go to
the lower appid, so that runs, tile sizes and machines agree.
"""

import hashlib
import json
import math
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

from utils.features import Features
from utils.settings import PlainError

if TYPE_CHECKING:
    from utils.encoder import Encoder

PREPARATIONS = ("as they are", "centred", "whitened")

_TILE = 4096  # rows and columns of a tile of cosines, 64 MiB in float32
_FOLD = 16  # columns folded into one while looking for the best of a row
_SPARE = 8  # candidates beyond k, so that the first pass's rounding hides no neighbour
_ROUNDING = 2.0**-24  # float32's unit roundoff
_NOTHING = 1e-6  # what is left of a vector after centring, over its length, where it is rounding and no more
_WIDER = 4  # times as many candidates where they were not enough
_ROWS = 64  # queries whose products with all are held at a time
_PAIRS = 2048  # of vectors whose cosines are computed in float64 at a time, in the processor's cache
_FILE = "matches.parquet"


class MatchError(PlainError, ValueError):
    """A question that these features cannot answer; the message says why and what to do."""


@dataclass(frozen=True)
class Prepared(Features):
    """Features ready for matching: vectors float32 (n, dim) of length 1, in the order of their appids.

    `shift` (dim,) was subtracted and `turn` (dim, dim), if any, applied from the right, both float64, before the
    vectors were brought to length 1; vectors from outside are prepared by the same two.
    """

    shift: np.ndarray
    turn: np.ndarray | None


@dataclass(frozen=True)
class Matches:
    """The neighbours of all games, nearest first: what `all_matches` returns and keeps."""

    appids: np.ndarray  # int64 (n,), ascending
    names: np.ndarray  # str (n,)
    neighbours: np.ndarray  # int64 (n, k), appids
    cosines: np.ndarray  # float32 (n, k)
    manifest: dict  # that of the prepared features

    def of(self, appid: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one game's neighbours (k,) and cosines (k,); raises MatchError for a game that is not here."""
        row = _rows(self.appids, [appid])[0]
        return self.neighbours[row], self.cosines[row]

    def save(self, folder: Path) -> None:
        """Write all of it to one parquet file in a folder, whole or not at all: a row a game, lists of k."""
        k = self.neighbours.shape[1]
        table = pa.table(
            {
                "appid": self.appids,
                "name": pa.array(self.names, pa.string()),
                "neighbours": pa.FixedSizeListArray.from_arrays(self.neighbours.ravel(), k),
                "cosines": pa.FixedSizeListArray.from_arrays(self.cosines.ravel(), k),
            }
        )
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f"{_FILE}.part"
        pq.write_table(table.replace_schema_metadata({"manifest": json.dumps(self.manifest)}), beside)
        beside.replace(folder / _FILE)


@dataclass(frozen=True)
class StandOut:
    """How a picture of one's own stands among all games."""

    appids: np.ndarray  # int64 (k,), the nearest games
    cosines: np.ndarray  # float32 (k,)
    percentile: float  # percent of the games whose nearest neighbour is nearer than this picture's: 100 stands out most


def load_matches(folder: Path, features: Features) -> Matches:
    """Return the matches kept in a folder; raises MatchError where there are none, or those of other features."""
    matches = _read(folder)
    if matches is None:
        raise MatchError(f"there are no matches in {folder}; matching.all_matches(features, k, folder) makes them")
    _check_same(_prepared(features), matches.manifest)
    return matches


def prepare(features: Features, how: str = "whitened", *, exponent: float = 0.5, floor: float = 0.01) -> Prepared:
    """Return features made ready for matching, with what was done to them as the manifest's "preparation".

    `how` is "as they are" (brought to length 1 only), "centred" (the mean of all games subtracted first, as SSCD does,
    https://arxiv.org/abs/2202.10261) or "whitened" (centred, then each principal axis divided by its eigenvalue to the
    power exponent / 2, eigenvalues below `floor` of the largest raised to that; fitted on all the games given). The
    default is what utils.judge found best, with few games as with many. Games whose vector is zero, not finite, or
    nothing but the mean point nowhere: they are left out, with a warning that names them and in the manifest under
    "left_out". All is computed in float64.

    Raises MatchError for a preparation or number that is not allowed, for features that are prepared already, and
    where fewer than two games are left.
    """
    _check_preparation(features, how, exponent, floor)
    shift, turn = _fit(features.vectors[_usable(features.vectors)], how, exponent, floor)
    vectors, pointing = _transform(features.vectors, shift, turn)
    order = np.argsort(features.appids, kind="stable")
    kept = order[pointing[order]]
    if len(kept) < 2:
        raise MatchError(f"matching needs two games at least; {len(kept)} of {len(order)} have a vector to match")
    left_out = _left_out(features, order[~pointing[order]])
    done = f"whitened (exponent {exponent:g}, floor {floor:g})" if how == "whitened" else how
    manifest = features.manifest | {"preparation": done, "left_out": left_out, "fingerprint": _hash(features, done)}
    return Prepared(features.appids[kept], features.names[kept], vectors[kept], manifest, shift, turn)


def nearest(features: Features, queries: Sequence[int] | np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest games of each query: appids int64 (q, k) and cosines float32 (q, k), nearest first.

    Queries are appids (q,), whose own game is left out, or vectors (q, dim) as an Encoder gives them, which are
    rounded to float16 and prepared as the games' were. Features that are not `Prepared` are matched as they are;
    prepare them once where there is more than one call. Where there are fewer than k games to choose from, all of them
    are returned.

    Raises MatchError for no queries, a game that is not here, vectors of another shape or without direction, and k
    below 1.
    """
    games = _prepared(features)
    vectors, own = _queries(games, queries)
    k = _checked(k, len(games) - (own is not None))
    positions, cosines = _nearest(torch.from_numpy(games.vectors), vectors, own, k, k + _SPARE)
    return games.appids[positions.numpy()], cosines.numpy()


def all_matches(features: Features, k: int, folder: Path | None = None, *, device: str | None = None) -> Matches:
    """Return the k nearest games of every game, itself left out; with a folder, keep them there and re-read them.

    What is kept is taken if it was made from the same features, prepared alike, with k or more neighbours. The cosines
    are computed in tiles, each serving the games of its rows and of its columns, on the accelerator where there is one:
    beyond the features it takes less than 1 GB. Raises MatchError for k below 1.
    """
    games = _prepared(features)
    k = _checked(k, len(games) - 1)
    kept = None if folder is None else _read(folder)
    if kept and kept.manifest["fingerprint"] == games.manifest["fingerprint"] and kept.neighbours.shape[1] >= k:
        return replace(kept, names=games.names, neighbours=kept.neighbours[:, :k], cosines=kept.cosines[:, :k])
    positions, cosines = _all_pairs(torch.from_numpy(games.vectors).to(device or _device()), k)
    matches = Matches(games.appids, games.names, games.appids[positions], cosines, games.manifest)
    if folder is not None:
        matches.save(folder)
    return matches


def most_unique(games: Features | Matches, n: int | None = None) -> pd.DataFrame:
    """Return the n games (all by default) whose nearest neighbour is furthest, the most unique first.

    Columns: appid, name, nearest (its appid), cosine (to it), percentile: how many percent of the games have a nearer
    nearest neighbour. Matches, where they are at hand, save computing them.
    """
    matches = games if isinstance(games, Matches) else all_matches(games, 1)
    cosines = matches.cosines[:, 0]
    table = pd.DataFrame(
        {
            "appid": matches.appids,
            "name": matches.names,
            "nearest": matches.neighbours[:, 0],
            "cosine": cosines,
            "percentile": _percentile(cosines, cosines),
        }
    )
    return table.sort_values(["cosine", "appid"], ignore_index=True).head(n)


def near_duplicates(features: Features, threshold: float) -> list[np.ndarray]:
    """Return the groups of games linked by cosines of `threshold` or more: appids int64, ascending; the largest first.

    A group is a connected component: two of its games may be less alike than the threshold, but a chain of
    near-duplicates joins them. Exact to within float32's rounding. Raises MatchError for a threshold outside 0 to 1.
    """
    if not 0 < threshold <= 1:
        raise MatchError(f"threshold is {threshold}; allowed are cosines above 0 and up to 1")
    games = _prepared(features)
    vectors = torch.from_numpy(games.vectors).to(_device())
    groups = np.arange(len(vectors))
    for top, left, cosines in _tiles(vectors):
        rows, columns = (cosines >= threshold - _error(vectors)).nonzero().cpu().numpy().T
        if len(rows):
            groups = _joined(groups, rows + top, columns + left)
    order = np.argsort(groups, kind="stable")
    parts = np.split(games.appids[order], np.flatnonzero(np.diff(groups[order])) + 1)
    return sorted((part for part in parts if len(part) > 1), key=lambda part: (-len(part), part[0]))


def one_per_group(ranked: np.ndarray, groups: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return which of a ranked list of appids (k,) to show so that each near-duplicate group is shown once.

    The first is the positions shown, int64 (m,), ascending; the second, int64 (m,), how many later ones of the list
    each stands for ("+3 like it").
    """
    group_of = {appid: number for number, group in enumerate(groups) for appid in group.tolist()}
    keys = np.array([group_of.get(appid, -1 - place) for place, appid in enumerate(ranked.tolist())], dtype=np.int64)
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], counts[order] - 1


def by_others(ranked: np.ndarray, appid: int, catalogue: pd.DataFrame) -> np.ndarray:
    """Return the positions, int64 (m,), in a ranked list of appids (k,) of games by other people than a game's.

    Other people: no developer and no franchise in common, as the catalogue names them, whatever the case, the spaces
    and the punctuation. A game that the catalogue does not have counts as somebody else's.
    """
    asked = catalogue[catalogue["appid"].isin([appid, *ranked])]
    columns = zip(asked["appid"], asked["developers"], asked["franchises"], strict=True)
    people = {game: {name_key(name) for name in [*developers, *franchises]} for game, developers, franchises in columns}
    own = people.get(appid, set())
    return np.flatnonzero([own.isdisjoint(people.get(game, ())) for game in ranked.tolist()])


def name_key(name: str) -> str:
    """Return what two spellings of one name have in common: its letters and digits, whatever the case."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", name).casefold()))


def query_vector(encoder: "Encoder", picture: np.ndarray, *, mirror: bool = False, flip: bool = False) -> np.ndarray:
    """Return a picture, uint8 RGB (384, 256, 3) as `banners.decode` gives it, as a query: float32 (1, dim).

    `mirror` swaps left and right, `flip` top and bottom.
    """
    turned = picture[:: -1 if flip else 1, :: -1 if mirror else 1]
    return encoder([np.ascontiguousarray(turned)]).numpy()


def stand_out(features: Features, vector: np.ndarray, matches: Matches, k: int = 10) -> StandOut:
    """Say how much a picture of one's own, a vector (1, dim) of `query_vector`, stands out among all games.

    Raises MatchError where the matches are those of other features.
    """
    games = _prepared(features)
    _check_same(games, matches.manifest)
    appids, cosines = nearest(games, vector, k)
    return StandOut(appids[0], cosines[0], float(_percentile(cosines[0, 0], matches.cosines[:, 0])))


def _check_preparation(features: Features, how: str, exponent: float, floor: float) -> None:
    if how not in PREPARATIONS:
        raise MatchError(f"preparation is {how!r}; allowed are {', '.join(map(repr, PREPARATIONS))}")
    if isinstance(features, Prepared):
        done = features.manifest["preparation"]
        raise MatchError(f"these features are prepared already ({done}); give those that features.load returns")
    if not (0 <= exponent <= 2 and 0 < floor <= 1):
        raise MatchError(f"exponent is {exponent}, floor {floor}; allowed are 0 to 2, and above 0 up to 1")


def _prepared(features: Features) -> Prepared:
    return features if isinstance(features, Prepared) else prepare(features, "as they are")


def _fit(vectors: np.ndarray, how: str, exponent: float, floor: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what to subtract (dim,) and what to multiply by (dim, dim) or None, float64, learned from (n, dim)."""
    count, dims = vectors.shape
    if how == "as they are" or not count:
        return np.zeros(dims), None
    shift = vectors.mean(0, dtype=np.float64)
    if how == "centred":
        return shift, None
    covariance = np.zeros((dims, dims))
    for rows in _slices(count, _TILE):
        centred = vectors[rows] - shift
        covariance += centred.T @ centred / count
    eigenvalues, axes = np.linalg.eigh(covariance)
    raised = np.maximum(eigenvalues, max(floor * eigenvalues[-1], np.finfo(np.float64).tiny))
    return shift, axes * raised ** (-exponent / 2)


def _transform(vectors: np.ndarray, shift: np.ndarray, turn: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors (n, dim) prepared, float32 of length 1, and which of them point anywhere, bool (n,).

    Those that do not (zero, not finite, or nothing but the mean) come out as zeros.
    """
    unit = np.zeros(vectors.shape, np.float32)
    pointing = _usable(vectors)
    for rows in _slices(len(vectors), _TILE):
        exact = np.where(pointing[rows, None], vectors[rows], 0).astype(np.float64)
        moved = exact - shift
        pointing[rows] &= np.linalg.norm(moved, axis=1) > _NOTHING * np.linalg.norm(exact, axis=1)
        turned = (moved if turn is None else moved @ turn)[pointing[rows]]
        unit[rows][pointing[rows]] = turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return unit, pointing


def _usable(vectors: np.ndarray) -> np.ndarray:
    return np.isfinite(vectors).all(1) & vectors.any(1)


def _left_out(features: Features, rows: np.ndarray) -> list[int]:
    """Return the appids of games without a vector to match, after a warning that names them."""
    if len(rows):
        named = ", ".join(f"{features.names[row]} ({features.appids[row]})" for row in rows[:10])
        more = f" and {len(rows) - 10:,} more" if len(rows) > 10 else ""
        warnings.warn(f"left out, their vectors are zero, not finite, or just the mean: {named}{more}", stacklevel=3)
    return features.appids[rows].tolist()


def _hash(features: Features, done: str) -> str:
    """Return what tells these features, prepared like this, from all others."""
    told = hashlib.sha256(done.encode())
    for part in (features.appids, features.vectors):
        told.update(np.ascontiguousarray(part).data)
    return told.hexdigest()


def _check_same(games: Prepared, manifest: dict) -> None:
    """Raise MatchError unless matches with this manifest were made from these games."""
    if manifest["fingerprint"] != games.manifest["fingerprint"]:
        raise MatchError(
            f"these matches are those of {_described(manifest)}, not of {_described(games.manifest)}, or of another "
            "snapshot; matching.all_matches(features, k, folder) makes them anew"
        )


def _described(manifest: dict) -> str:
    return ", ".join(str(manifest.get(name, "?")) for name in ("checkpoint", "image", "pooling", "preparation"))


def _checked(k: int, most: int) -> int:
    if k < 1:
        raise MatchError(f"k is {k}; allowed are 1 and more")
    return min(k, most)


def _queries(games: Prepared, queries: Sequence[int] | np.ndarray) -> tuple[Tensor, Tensor | None]:
    """Return the queries' unit vectors (q, dim), and the rows of their own games (q,) where they are appids."""
    queries = np.asarray(queries)
    if not len(queries):
        raise MatchError("there are no queries; give one appid or vector at least")
    if queries.ndim == 1 and np.issubdtype(queries.dtype, np.integer):
        own = _rows(games.appids, queries)
        return torch.from_numpy(games.vectors[own]), torch.from_numpy(own)
    if queries.ndim != 2 or queries.shape[1] != len(games.shift):
        allowed = f"appids (q,) or vectors (q, {len(games.shift)})"
        raise MatchError(f"queries are {queries.dtype} of shape {queries.shape}; allowed are {allowed}")
    vectors, pointing = _transform(queries.astype(np.float16), games.shift, games.turn)
    if not pointing.all():
        number = int(np.argmin(pointing))
        raise MatchError(f"query {number} is zero, not finite, or just the mean of all games: it points nowhere")
    return torch.from_numpy(vectors), None


def _rows(appids: np.ndarray, wanted: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return where in ascending appids the wanted ones stand; raises MatchError for one that is not there."""
    wanted = np.asarray(wanted)
    rows = np.searchsorted(appids, wanted).clip(max=len(appids) - 1)
    if (missing := appids[rows] != wanted).any():
        raise MatchError(f"game {wanted[missing][0]} is not among the {len(appids):,} games with a vector to match")
    return rows


def _slices(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _error(vectors: Tensor) -> float:
    """Return how far a float32 product of unit vectors (., dim) may be off: theirs and its own rounding.

    The bound of Higham, Accuracy and Stability of Numerical Algorithms, 3.1, for any order of summation.
    """
    return (vectors.shape[1] + 4) * _ROUNDING


def _all_pairs(vectors: Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions int64 and cosines float32 (n, k) of each vector's nearest others, vectors unit (n, dim)."""
    count, width = len(vectors), min(k + _SPARE, len(vectors))
    best = torch.full((count, width), -torch.inf, device=vectors.device)
    where = torch.zeros((count, width), dtype=torch.int64, device=vectors.device)
    for top, left, cosines in _tiles(vectors):
        _keep_best(best, where, cosines, top, left)
        if top != left:
            _keep_best(best, where, cosines.T, left, top)
    positions, cosines, doubtful = _settled(vectors, vectors, best, where, k)
    if len(doubtful):
        wider = _nearest(vectors, vectors[doubtful], doubtful, k, _WIDER * width)
        positions[doubtful], cosines[doubtful] = wider
    return positions.cpu().numpy(), cosines.cpu().numpy()


def _tiles(vectors: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    """Yield the cosines of unit vectors (n, dim) with each other, tile by tile: the diagonal, then all above it.

    A tile is its first row, its first column and float32 cosines, each vector's with itself minus infinity; the next
    one takes its place in memory.
    """
    buffer = vectors.new_empty(min(len(vectors), _TILE) ** 2)
    starts = range(0, len(vectors), _TILE)
    pairs = [(top, top + apart) for apart in starts for top in starts if top + apart in starts]
    with _exact_products(vectors):
        for top, left in tqdm(pairs, desc="All pairs", unit="tile", disable=len(pairs) < 10):
            rows, columns = vectors[top : top + _TILE], vectors[left : left + _TILE]
            tile = torch.mm(rows, columns.T, out=buffer[: len(rows) * len(columns)].view(len(rows), len(columns)))
            yield top, left, tile.fill_diagonal_(-torch.inf) if top == left else tile


@contextmanager
def _exact_products(vectors: Tensor) -> Iterator[None]:
    """Use torch's "medium" float32 products where they are as exact as the full ones, which a sample tells.

    On CPUs without hardware for it, "medium" is another library at full precision, twice to three times as fast; on
    others it is bfloat16, on GPUs TF32, and then refused. The process's own choice is restored.
    """
    some, others = vectors[:256], vectors[:_TILE]
    exact = some.double() @ others.double().T
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        if (some @ others.T - exact).abs().max() > _error(vectors) / 8:
            torch.set_float32_matmul_precision("highest")
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _keep_best(best: Tensor, where: Tensor, cosines: Tensor, top: int, left: int) -> None:
    """Merge a tile's cosines (rows, columns) into the best of its rows (n, width) and their places, both changed."""
    rows, width = slice(top, top + len(cosines)), best.shape[1]
    if top == left:
        values, columns = cosines.topk(min(width, cosines.shape[1]), sorted=False)
    else:
        values, columns = _above(cosines, best[rows].amin(1))
    values, order = torch.cat([best[rows], values], 1).topk(width, sorted=False)
    best[rows], where[rows] = values, torch.cat([where[rows], columns + left], 1).gather(1, order)


def _above(cosines: Tensor, floor: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cosines (rows, columns) above each row's floor (rows,) and their columns, both padded to (rows, most).

    There are few. The maxima of columns folded upon each other, which cost little, tell where to look for them.
    """
    fold = math.gcd(cosines.shape[1], _FOLD)
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


def _nearest(gallery: Tensor, queries: Tensor, own: Tensor | None, k: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the positions int64 and cosines float32 (q, k) of queries' nearest in a gallery, unit (q, dim), (n, dim).

    `own` (q,) are positions left out, each for its query; `width` is how many candidates are looked at first.
    """
    positions, cosines = _blank(queries, k)
    for rows in torch.arange(len(queries), device=queries.device).split(_ROWS):
        scores, most = _product(queries[rows], gallery), width
        if own is not None:
            scores.scatter_(1, own[rows, None], -torch.inf)
        while len(rows):
            near = scores.topk(min(most, len(gallery)))
            positions[rows], cosines[rows], doubtful = _settled(gallery, queries[rows], *near, k)
            rows, scores, most = rows[doubtful], scores[doubtful], _WIDER * most
    return positions, cosines


def _product(queries: Tensor, gallery: Tensor) -> Tensor:
    """Return the float32 products (q, n) of a few queries with all: on a CPU by NumPy, twice as fast for one query."""
    if gallery.device.type == "cpu":
        return torch.from_numpy(queries.numpy() @ gallery.numpy().T)
    with _exact_products(gallery):
        return queries @ gallery.T


def _settled(
    gallery: Tensor, queries: Tensor, scores: Tensor, candidates: Tensor, k: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what `_nearest` does, computed exactly from candidates (q, width) and their scores, and the doubtful rows.

    A row is doubtful where its last candidate's score, give or take rounding, reaches the k-th cosine: a vector that is
    no candidate may belong there as well, as among many copies of one picture.
    """
    positions, cosines = _blank(queries, k)
    for rows in _slices(len(queries), max(1, _PAIRS // candidates.shape[1])):
        exact = _exact(gallery, queries[rows], scores[rows], candidates[rows])
        positions[rows], cosines[rows] = _ranked(exact, candidates[rows], k)
    beyond = scores.amin(1) if candidates.shape[1] < len(gallery) else torch.full_like(scores[:, 0], -torch.inf)
    return positions, cosines, (cosines[:, -1] <= beyond + _error(gallery)).nonzero()[:, 0]


def _blank(queries: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return room for positions and cosines (q, k): small results between large ones would hold on to memory."""
    return queries.new_empty((len(queries), k), dtype=torch.int64), queries.new_empty((len(queries), k))


def _exact(gallery: Tensor, queries: Tensor, scores: Tensor, candidates: Tensor) -> Tensor:
    """Return the cosines (q, width) of queries with candidates; a score of minus infinity, for none, stays."""
    theirs, own = functional.embedding(candidates, gallery).double(), queries[:, None].double()
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


def _read(folder: Path) -> Matches | None:
    """Return the matches kept in a folder, or None where there are none."""
    if not (folder / _FILE).is_file():
        return None
    table = pq.read_table(folder / _FILE)
    columns = (table[name].combine_chunks() for name in ("neighbours", "cosines"))
    neighbours, cosines = (each.flatten().to_numpy().reshape(len(table), -1) for each in columns)
    names = np.array(table["name"].to_pylist(), dtype=object)
    return Matches(
        table["appid"].to_numpy(), names, neighbours, cosines, json.loads(table.schema.metadata[b"manifest"])
    )


def _percentile(cosines: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return how many percent of the cosines `among` (n,) are greater than each of `cosines`."""
    return 100 * (1 - np.searchsorted(np.sort(among), cosines, side="right") / len(among))


def _joined(groups: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return each game's group (n,), after the groups of the games `rows` and `columns`, pair by pair, became one."""
    links = coo_array((np.ones(len(rows), bool), (groups[rows], groups[columns])), shape=(len(groups),) * 2)
    return connected_components(links, directed=False)[1][groups]
