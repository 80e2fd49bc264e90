"""From which cosine two banners are near-duplicates, for one checkpoint and preparation."""

from collections.abc import Mapping

import numpy as np

from study.alterations import alter
from study.benchmark import some_of
from utils.banners import Banner
from utils.encoder import Encoder
from utils.matching import Prepared

LIGHT = ("JPEG", "badge")  # what tells an edition, a demo or a re-release from the banner it was made of
KEPT = 0.9  # the share of such copies that count as near-duplicates of their original


def duplicate_threshold(eye: Encoder, games: Prepared, album: Mapping[int, Banner], pictures: int = 24) -> float:
    """Return the cosine from which two banners count as near-duplicates, for `near_duplicates` and the picker.

    A cosine means something else for every checkpoint, pooling and preparation. So copies are made of at most
    `pictures` banners, by each alteration of LIGHT: KEPT of them are at least so near to their original. `games` are
    the eye's features, prepared as they are matched; `album` has their banners.
    """
    appids = some_of(games.appids.tolist(), pictures)
    originals = games.vectors[np.searchsorted(games.appids, appids)]
    cosines = []
    for name in LIGHT:
        copies, _ = games.units(eye([alter(album[appid].rgb, name) for appid in appids]).numpy())
        cosines.append((copies * originals).sum(1))
    return float(np.quantile(np.concatenate(cosines), 1 - KEPT))
