"""The eye that made the matches, loaded: it answers turned banners, posted pictures and words."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from share.errors import ExportError
from utils import matching
from utils.banners import Banner
from utils.encoder import Encoder
from utils.matching import Prepared

TURNS = {"mirrored": {"mirror": True}, "upside-down": {"flip": True}}  # words of matching.query_vector

Near = list[tuple[int, float]]  # appids and cosines, nearest first


@dataclass(frozen=True)
class Sight:
    """An eye, the features that it made, and the banners."""

    eye: Encoder
    prepared: Prepared
    album: Mapping[int, Banner]
    plain: Prepared | None = None  # as they are: the space that words share

    def of_game(self, appid: int, k: int) -> Near:
        """Return the k games nearest to a game."""
        return _pairs(matching.nearest(self.prepared, np.array([appid]), k))

    def of_picture(self, rgb: np.ndarray, k: int) -> Near:
        """Return the k games nearest to a picture, uint8 RGB (384, 256, 3)."""
        return _pairs(matching.nearest(self.prepared, matching.query_vector(self.eye, rgb), k))

    def of_turned(self, appid: int, view: str, k: int) -> Near:
        """Return the k games nearest to a game's banner turned as a key of TURNS; raises ExportError without it."""
        banner = self.album.get(appid)
        if banner is None:
            raise ExportError(f"the banner of {appid} is not on disk, so it cannot be turned")
        vector = matching.query_vector(self.eye, banner.rgb, **TURNS[view])
        appids, cosines = matching.nearest_of_any(self.prepared, vector, k, without=appid)
        return list(zip(appids.tolist(), cosines.tolist(), strict=True))

    def of_words(self, words: str, k: int) -> Near:
        """Return the k banners nearest to words; raises ExportError where the eye does not read."""
        if self.plain is None:
            raise ExportError(self.eye.silence)
        return _pairs(matching.nearest_to_words(self.plain, self.eye.words([words]).numpy(), k))


def _pairs(found: tuple[np.ndarray, np.ndarray]) -> Near:
    """Return the appids and cosines of a single query."""
    appids, cosines = found
    return list(zip(appids[0].tolist(), cosines[0].tolist(), strict=True))
