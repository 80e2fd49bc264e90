"""What can be asked of the games themselves: a game's neighbours, all games' neighbours, the most unique."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from utils.features import Features
from utils.matching import kept
from utils.matching.kept import Matches, rows_of
from utils.matching.preparation import MatchError, Prepared, prepared
from utils.matching.search import top_k
from utils.matching.tiles import device
from utils.names import compare_key


def nearest(features: Features, queries: Sequence[int] | np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest games of each query: appids int64 (q, k) and cosines float32 (q, k), nearest first.

    Queries are appids (q,), whose own game is left out, or vectors (q, dim) as an Encoder gives them, which are
    rounded to float16 and prepared as the games' were. Features that are not `Prepared` are matched as they are;
    prepare them once where there is more than one call. Where there are fewer than k games to choose from, all of them
    are returned.

    Raises MatchError for no queries, a game that is not here, vectors of another shape or without direction, and k
    below 1.
    """
    games = prepared(features)
    vectors, own = _queries(games, np.asarray(queries))
    k = _allowed(k, len(games) - (own is not None))
    positions, cosines = top_k(torch.from_numpy(games.vectors), vectors, k, without=own)
    return games.appids[positions.numpy()], cosines.numpy()


def all_matches(features: Features, k: int, folder: Path | None = None) -> Matches:
    """Return the k nearest games of every game, itself left out; with a folder, keep them there and read them again.

    What is kept is taken if it is whole and was made from the same features, prepared alike, with k or more neighbours.
    It is computed on the accelerator where there is one; beyond the features it takes less than 1 GB. Raises MatchError
    for k below 1.
    """
    games = prepared(features)
    k = _allowed(k, len(games) - 1)
    before = None if folder is None else kept.load(folder)
    if before and before.manifest["fingerprint"] == games.manifest["fingerprint"] and before.neighbours.shape[1] >= k:
        return replace(before, names=games.names, neighbours=before.neighbours[:, :k], cosines=before.cosines[:, :k])
    positions, cosines = top_k(torch.from_numpy(games.vectors).to(device()), None, k)
    neighbours = games.appids[positions.cpu().numpy()]
    matches = Matches(games.appids, games.names, neighbours, cosines.cpu().numpy(), games.manifest)
    if folder is not None:
        kept.save(matches, folder)
    return matches


def mirrored_matches(games: Prepared, mirrored: Features, k: int) -> Matches:
    """Return the k nearest games of every game's mirror image, itself left out.

    mirrored: what features.extract gives with `Encoder.mirrored()`. Raises MatchError for k below 1, and for a game
    whose mirror image is not there.
    """
    k = _allowed(k, len(games) - 1)
    order = np.argsort(mirrored.appids)
    rows = order[rows_of(mirrored.appids[order], games.appids)]
    units, _ = games.units(mirrored.vectors[rows])
    own = torch.arange(len(games), device=device())
    vectors = torch.from_numpy(games.vectors).to(device())
    positions, cosines = top_k(vectors, torch.from_numpy(units).to(device()), k, without=own)
    neighbours = games.appids[positions.cpu().numpy()]
    return Matches(games.appids, games.names, neighbours, cosines.cpu().numpy(), games.manifest)


def most_unique(games: Features | Matches, n: int | None = None) -> pd.DataFrame:
    """Return the n games (all by default) whose nearest neighbour is furthest, the most unique first.

    Columns: appid, name, nearest (its appid), cosine (to it), percentile: how many percent of the games have a nearer
    nearest neighbour. Pass Matches where they are at hand: Features are matched first.
    """
    matches = games if isinstance(games, Matches) else all_matches(games, 1)
    cosines = matches.cosines[:, 0]
    nearer = len(cosines) - np.searchsorted(np.sort(cosines), cosines, side="right")
    table = pd.DataFrame(
        {
            "appid": matches.appids,
            "name": matches.names,
            "nearest": matches.neighbours[:, 0],
            "cosine": cosines,
            "percentile": 100 * nearer / len(cosines),
        }
    )
    return table.sort_values(["cosine", "appid"], ignore_index=True)[:n]


def by_others(ranked: np.ndarray, appid: int, catalogue: pd.DataFrame) -> np.ndarray:
    """Return the positions, int64 (m,), in a ranked list of appids (k,) of games by other people than a game's.

    Other people: no developer and no franchise in common, as the catalogue names them, whatever the case, the spaces
    and the punctuation. A game that the catalogue does not have counts as somebody else's.
    """
    asked = catalogue[catalogue["appid"].isin([appid, *ranked])]
    people = {}
    for game, *names in zip(asked["appid"], asked["developers"], asked["franchises"], strict=True):
        people[game] = set(map(compare_key, np.concatenate([[], *names])))
    own = people.get(appid, set())
    return np.flatnonzero([own.isdisjoint(people.get(game, ())) for game in ranked.tolist()])


def _allowed(k: int, most: int) -> int:
    if k < 1:
        raise MatchError(f"k is {k}; allowed are 1 and more")
    return min(k, most)


def _queries(games: Prepared, queries: np.ndarray) -> tuple[Tensor, Tensor | None]:
    """Return the queries' unit vectors (q, dim), and the rows of their own games (q,) where they are appids."""
    if not len(queries):
        raise MatchError("there are no queries; give at least one appid or vector")
    if queries.ndim == 1 and np.issubdtype(queries.dtype, np.integer):
        own = rows_of(games.appids, queries)
        return torch.from_numpy(games.vectors[own]), torch.from_numpy(own)
    if queries.ndim != 2 or queries.shape[1] != len(games.shift):
        allowed = f"appids (q,) or vectors (q, {len(games.shift)})"
        raise MatchError(f"queries are {queries.dtype} of shape {queries.shape}; allowed are {allowed}")
    vectors, pointing = games.units(queries)
    if not pointing.all():
        number = int(np.argmin(pointing))
        raise MatchError(f"query {number} is zero, not finite, or just the mean of all games: it points nowhere")
    return torch.from_numpy(vectors), None
