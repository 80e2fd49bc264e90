"""Which banners look alike: exact neighbours by cosine, near-duplicates, the most unique, a picture of your own.

Every cosine is computed in float64 from the unit vectors of `Prepared` and rounded to float32, and ties go to the lower
appid, so that runs, tile sizes and machines agree.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from utils import files
from utils.errors import DamagedError, MatchError
from utils.features import Features
from utils.matching.duplicates import DuplicateGroup as DuplicateGroup
from utils.matching.duplicates import duplicate_threshold as duplicate_threshold
from utils.matching.duplicates import near_duplicates as near_duplicates
from utils.matching.preparation import Prepared, prepared, rows_of
from utils.matching.preparation import prepare as prepare
from utils.matching.search import top_k
from utils.names import compare_key

FILE = "matches.parquet"  # the match cache
SCHEMA = pa.schema(
    [
        ("appid", pa.int64()),
        ("name", pa.string()),
        ("neighbours", pa.list_(pa.int64())),  # appids, nearest first, as many for each game
        ("cosines", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class Matches:
    """The neighbours of all games, nearest first: what `all_matches` returns and keeps."""

    appids: np.ndarray  # int64 (n,), ascending
    names: np.ndarray  # str (n,)
    neighbours: np.ndarray  # int64 (n, k), appids
    cosines: np.ndarray  # float32 (n, k)
    manifest: dict  # that of the prepared features

    def of(self, appid: int, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return one game's first k (default: all) neighbours and cosines, both (k,); raises MatchError."""
        row = rows_of(self.appids, [appid])[0]
        return self.neighbours[row, :k], self.cosines[row, :k]


def nearest(features: Features, queries: Sequence[int] | np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k nearest games of each query: appids int64 (q, k) and cosines float32 (q, k), nearest first.

    Queries are appids (q,), whose own game is left out, or vectors (q, dim) as an Encoder gives them, which are
    rounded to float16 and prepared as the games' were. Features that are not `Prepared` are matched as they are;
    prepare them once where there is more than one call. Fewer than k games are all returned. Raises MatchError for no
    queries, a game that is not here, vectors of another shape or without direction, and k below 1.
    """
    games = prepared(features)
    asked = np.asarray(queries)
    if not len(asked):
        raise MatchError("there are no queries; give at least one appid or vector")
    if asked.ndim == 1 and np.issubdtype(asked.dtype, np.integer):
        own = rows_of(games.appids, asked)
        positions, cosines = top_k(games.vectors, games.vectors[own], _allowed(k, len(games) - 1), exclude=own)
    else:
        positions, cosines = top_k(games.vectors, _query_vectors(games, asked), _allowed(k, len(games)))
    return games.appids[positions], cosines


def all_matches(features: Features, k: int, folder: Path | None = None) -> Matches:
    """Return the k nearest games of every game, itself left out; with a folder, keep them there and read them again.

    What is kept is taken if it is whole and of the same features, prepared alike, with k or more neighbours. Matching
    runs on the accelerator where there is one; beyond the features it takes less than 1 GB. Raises MatchError for k
    below 1, and StorageError, also where another process is matching into the folder.
    """
    games = prepared(features)
    k = _allowed(k, len(games) - 1)
    if folder is None:
        return _matches(games, None, k)
    kept = load_matches(folder)
    if kept and kept.manifest["fingerprint"] == games.manifest["fingerprint"] and kept.neighbours.shape[1] >= k:
        return replace(kept, names=games.names, neighbours=kept.neighbours[:, :k], cosines=kept.cosines[:, :k])
    with files.locked(Path(folder)):
        matches = _matches(games, None, k)
        columns = [matches.appids, matches.names, list(matches.neighbours), list(matches.cosines)]
        about = {"manifest": json.dumps(matches.manifest)}
        files.write_table(Path(folder) / FILE, pa.table(columns, schema=SCHEMA), about)
    return matches


def load_matches(folder: Path) -> Matches | None:
    """Return the matches kept in a folder, or None where there are none or the file is damaged."""
    try:
        table, about = files.read_table(Path(folder) / FILE, SCHEMA)
    except DamagedError:
        return None
    appids, names, neighbours, cosines = (column.to_numpy() for column in table.columns)
    return Matches(appids, names, np.stack(neighbours), np.stack(cosines), json.loads(about["manifest"]))


def mirrored_matches(games: Prepared, mirrored: Features, k: int) -> Matches:
    """Return the k nearest games of every game's mirror image, itself left out.

    mirrored: what features.extract gives with `Encoder.mirrored()`. Raises MatchError for k below 1 and a lacking game.
    """
    order = np.argsort(mirrored.appids)
    rows = order[rows_of(mirrored.appids[order], games.appids)]
    units, _ = games.units(mirrored.vectors[rows])
    return _matches(games, units, _allowed(k, len(games) - 1))


def most_unique(matches: Matches, n: int | None = None) -> pd.DataFrame:
    """Return the n games (all by default) whose nearest neighbour is furthest, the most unique first.

    Columns: appid, name, nearest (its appid), cosine (to it), percentile (of the games with a nearer neighbour).
    """
    table = pd.DataFrame({"appid": matches.appids, "name": matches.names, "nearest": matches.neighbours[:, 0]})
    table["cosine"] = matches.cosines[:, 0]
    table["percentile"] = 100 * (len(table) - table["cosine"].rank(method="max")) / len(table)
    return table.sort_values(["cosine", "appid"], ignore_index=True)[:n]


def exclude_same_studio(ranked: np.ndarray, appid: int, catalogue: pd.DataFrame) -> np.ndarray:
    """Return the positions, int64 (m,), in a ranked list of appids (k,) of games by other people than a game's.

    They have no developer and no franchise in common, whatever the case, the spaces and the punctuation. A game that
    the catalogue does not have counts as somebody else's.
    """
    asked = catalogue[catalogue["appid"].isin([appid, *ranked])]
    people = {}
    for game, *names in zip(asked["appid"], asked["developers"], asked["franchises"], strict=True):
        people[game] = set(map(compare_key, np.concatenate([[], *names])))
    own = people.get(appid, set())
    return np.flatnonzero([own.isdisjoint(people.get(game, ())) for game in ranked.tolist()])


def nearest_of_any(
    features: Features, views: np.ndarray, k: int, *, exclude: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k games nearest to any of some views of one picture: appids int64 (k,), cosines float32 (k,).

    views: an Encoder's vectors (v, dim) of the picture, its mirror image, ...; a game's cosine is that of the view that
    it is nearest to. `exclude` is an appid to leave out. Raises what `nearest` does.
    """
    found, cosines = nearest(features, views, k + (exclude is not None))
    order = np.lexsort([found.ravel(), -cosines.ravel()])  # by cosine, then by appid
    ranked = found.ravel()[order]
    _, first = np.unique(ranked, return_index=True)
    places = np.sort(first[ranked[first] != exclude])[:k]
    return ranked[places], cosines.ravel()[order][places]


def nearest_to_words(features: Features, words: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k games nearest to each text: appids int64 (t, k) and cosines float32 (t, k), nearest first.

    words: vectors (t, dim) as `Encoder.words` gives them. Texts and pictures meet in the space they were trained in, so
    features have to be as they are; raises MatchError for centred or whitened ones, and what `nearest` does.
    """
    done = features.manifest["preparation"]
    if done != "as they are":
        remedy = "matching.prepare(features, 'as they are')"
        raise MatchError(f"these features are {done}; words need them as they are: {remedy}")
    return nearest(features, words, k)


def stand_out(games: Prepared, vector: np.ndarray, matches: Matches, k: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the k games nearest to your own picture, appids int64 (k,) and cosines float32 (k,), and a percentile.

    It is the percent of the games with a nearer twin, among the `matches` of all, than the picture, an Encoder's vector
    (1, dim), has: 100 stands out most. Raises MatchError where the matches are those of other games or features.
    """
    if matches.manifest["fingerprint"] != games.manifest["fingerprint"]:
        raise MatchError("these matches are of other features; make them of these by matching.all_matches(features, k)")
    appids, cosines = nearest(games, vector, k)
    nearer = int((matches.cosines[:, 0] > cosines[0, 0]).sum())
    return appids[0], cosines[0], 100 * nearer / len(games)


def _matches(games: Prepared, queries: np.ndarray | None, k: int) -> Matches:
    """Return the k nearest games of each game, or of its query (n, dim), itself left out."""
    positions, cosines = top_k(games.vectors, queries, k, exclude=np.arange(len(games)))
    return Matches(games.appids, games.names, games.appids[positions], cosines, games.manifest)


def _query_vectors(games: Prepared, queries: np.ndarray) -> np.ndarray:
    """Return an Encoder's vectors (q, dim) as unit vectors, prepared as the games' were; raises MatchError."""
    if queries.shape[1:] != games.mean.shape:
        allowed = f"appids (q,) or vectors (q, {len(games.mean)})"
        raise MatchError(f"queries are {queries.dtype} of shape {queries.shape}; allowed are {allowed}")
    vectors, usable = games.units(queries)
    if not usable.all():
        raise MatchError(f"query {int(np.argmin(usable))} is a zero vector, not finite, or just the mean of all games")
    return vectors


def _allowed(k: int, most: int) -> int:
    if k < 1:
        raise MatchError(f"k is {k}; allowed are 1 and more")
    return min(k, most)
