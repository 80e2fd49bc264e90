"""Groups of banners that are all but the same: editions, demos, re-releases, two games with one picture."""

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from utils.features import Features
from utils.matching.preparation import MatchError, prepared
from utils.matching.tiles import device, rounding_error, tiles


def near_duplicates(features: Features, threshold: float) -> list[np.ndarray]:
    """Return the groups of games linked by cosines of `threshold` or more: appids int64, ascending; the largest first.

    A group is a connected component: two of its games may be less alike than the threshold, but a chain of
    near-duplicates joins them. Exact to within float32's rounding. What a cosine means depends on the checkpoint:
    `judge.duplicate_threshold` proposes one. Raises MatchError for a threshold outside 0 to 1.
    """
    if not 0 < threshold <= 1:
        raise MatchError(f"threshold is {threshold}; allowed are cosines above 0 and up to 1")
    games = prepared(features)
    vectors = torch.from_numpy(games.vectors).to(device())
    groups = np.arange(len(vectors))
    for top, left, cosines in tiles(vectors):
        rows, columns = (cosines >= threshold - rounding_error(vectors)).nonzero().cpu().numpy().T
        if len(rows):
            groups = _joined(groups, rows + top, columns + left)
    return _of_two_or_more(games.appids, groups)


def _joined(groups: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return each game's group (n,), after the groups of the games `rows` and `columns`, pair by pair, became one."""
    links = coo_array((np.ones(len(rows), bool), (groups[rows], groups[columns])), shape=(len(groups),) * 2)
    return connected_components(links, directed=False)[1][groups]


def _of_two_or_more(appids: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
    """Return the appids of each group that has more than one, the largest first, then by the lowest appid."""
    order = np.argsort(groups, kind="stable")
    parts = np.split(appids[order], np.flatnonzero(np.diff(groups[order])) + 1)
    several = [part for part in parts if len(part) > 1]
    return sorted(several, key=lambda part: (-len(part), part[0]))
