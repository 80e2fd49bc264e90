"""How far heat maps can be trusted: hide the hottest patches, and see how another encoder's cosine falls.

An eye's own cosine proves nothing: hiding what a map sums lowers the sum, and an untrained network passes. So another
encoder, which knows nothing of the map, sees both banners with patches of the query hidden: the hottest, or as many
taken at random. How much more its cosine falls for the hottest is what the map is worth (1 is nothing).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from tqdm.auto import tqdm

from study.exam import some_of
from utils import explain, matching
from utils.banners import Banner
from utils.encoder import Encoder
from utils.matching import Prepared

SHARE = 0.1  # of the patches that are hidden
DRAWS = 4  # of random patches, for each pair

Describe = Callable[[Sequence[np.ndarray]], Tensor]  # pictures uint8 (n, 384, 256, 3) -> float32 (n, dim)


@dataclass(frozen=True)
class Deletion:
    """How far the outside cosine fell, a pair a place."""

    hottest: np.ndarray  # float64 (pairs,), with the hottest patches hidden
    random: np.ndarray  # float64 (pairs,), with as many others hidden, the mean of some draws

    @property
    def ratio(self) -> float:
        """How many times as far it falls for the hottest patches as for random ones."""
        return float(self.hottest.mean() / self.random.mean())

    def interval(self) -> tuple[float, float]:
        """Return the middle 95 % of the ratio over 1,000 bootstrap samples of the pairs."""
        drawn = np.random.default_rng(0).integers(len(self.random), size=(1_000, len(self.random)))
        ratios = self.hottest[drawn].mean(1) / self.random[drawn].mean(1)
        low, high = np.percentile(ratios, [2.5, 97.5])
        return float(low), float(high)

    def __str__(self) -> str:
        low, high = self.interval()
        return f"x{self.ratio:.2f} (x{low:.2f} to x{high:.2f}, {len(self.random)} pairs)"


def deletion(
    eye: Encoder, games: Prepared, album: Mapping[int, Banner], outside: Describe, *, pairs: int = 120
) -> Deletion:
    """Judge an eye's heat maps on at most `pairs` games and their nearest neighbours by what `outside` then sees.

    games: the eye's features, prepared as its matches are. Hidden patches take the banner's mean colour; the outside
    vectors are centred on those of all banners shown. Raises explain.ExplainError where the eye has no heat map.
    """
    asked = np.array(some_of(games.appids.tolist(), pairs))
    nearest = matching.nearest(games, asked, 1)[0][:, 0]
    plain = outside([album[appid].rgb for appid in [*asked, *nearest]]).double().numpy()
    centre = plain.mean(0)
    queries, matches = np.split(plain - centre, 2)
    before = _cosines(queries, matches)
    hottest = np.empty(len(asked))
    random = np.empty(len(asked))
    for place, appid in enumerate(tqdm(asked.tolist(), desc="Deletion test", unit=" pair")):
        shown = _hidden(eye, games, album[appid], album[int(nearest[place])])
        after = _cosines(outside(shown).double().numpy() - centre, matches[place])
        hottest[place] = before[place] - after[0]
        random[place] = before[place] - after[1:].mean()
    return Deletion(hottest, random)


def _hidden(eye: Encoder, games: Prepared, query: Banner, match: Banner) -> list[np.ndarray]:
    """Return the query with its hottest patches hidden, and DRAWS times with random ones."""
    boxes = explain.why(eye, games, query, match).hottest(1.0)
    count = max(1, round(SHARE * len(boxes)))
    rng = np.random.default_rng(query.appid)
    shown = [_without(query.rgb, boxes[:count])]
    return shown + [_without(query.rgb, boxes[rng.permutation(len(boxes))[:count]]) for _ in range(DRAWS)]


def _without(rgb: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return a picture with boxes, whole pixels (n, 4), in its mean colour."""
    shown = rgb.copy()
    colour = rgb.mean((0, 1)).round().astype(np.uint8)
    for left, top, right, bottom in boxes:
        shown[top:bottom, left:right] = colour
    return shown


def _cosines(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the cosines (n,) of vectors (n, dim) with others (n, dim) or one (dim,)."""
    return (some * others).sum(-1) / (np.linalg.norm(some, axis=-1) * np.linalg.norm(others, axis=-1))
