"""What comes from outside the games: a picture of your own, a mirrored banner, words."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from utils.features import Features
from utils.matching.kept import Matches
from utils.matching.preparation import MatchError, prepared
from utils.matching.questions import all_matches, nearest

if TYPE_CHECKING:
    from utils.encoder import Encoder


@dataclass(frozen=True)
class StandOut:
    """How a picture of your own stands among some games."""

    appids: np.ndarray  # int64 (k,), the nearest games
    cosines: np.ndarray  # float32 (k,)
    games: int  # how many it was compared with
    nearer: int  # how many of them have a nearest neighbour, among them, that is nearer than this picture's

    @property
    def percentile(self) -> float:
        """The percent of the games with a nearer twin than this picture: 100 stands out most."""
        return 100 * self.nearer / self.games

    def __str__(self) -> str:
        return f"Of {self.games:,} games, {self.nearer:,} have a nearer twin than this picture."


def query_vector(encoder: "Encoder", picture: np.ndarray, *, mirror: bool = False, flip: bool = False) -> np.ndarray:
    """Return a picture, uint8 RGB (384, 256, 3) as `banners.own` gives it, as a query: float32 (1, dim).

    `mirror` swaps left and right, `flip` top and bottom.
    """
    turned = picture[:: -1 if flip else 1, :: -1 if mirror else 1]
    return encoder([np.ascontiguousarray(turned)]).numpy()


def nearest_of_any(
    features: Features, views: np.ndarray, k: int, *, without: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k games nearest to any of some views of one picture: appids int64 (k,), cosines float32 (k,).

    views: vectors (v, dim), as `query_vector` gives them, of the picture, its mirror image, ...; a game's cosine is
    that of the view it is nearest to. `without` is an appid to leave out, such as the picture's own. Raises what
    `nearest` does.
    """
    found, cosines = nearest(features, views, k + (without is not None))
    order = np.lexsort([found.ravel(), -cosines.ravel()])  # by cosine, then by appid
    ranked = found.ravel()[order]
    _, first = np.unique(ranked, return_index=True)
    places = np.sort(first[ranked[first] != without])[:k]
    return ranked[places], cosines.ravel()[order][places]


def nearest_to_words(features: Features, words: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k games nearest to each text: appids int64 (t, k) and cosines float32 (t, k), nearest first.

    words: vectors (t, dim) as `Encoder.words` gives them. Texts and pictures meet in the space they were trained in, so
    features have to be as they are; raises MatchError for centred or whitened ones, and what `nearest` does.
    """
    games = prepared(features)
    done = games.manifest["preparation"]
    if done != "as they are":
        raise MatchError(
            f"these features are {done}; words need them as they are: matching.prepare(features, 'as they are')"
        )
    return nearest(games, words, k)


def stand_out(
    features: Features,
    vector: np.ndarray,
    matches: Matches | None = None,
    k: int = 10,
    *,
    among: np.ndarray | None = None,
) -> StandOut:
    """Say how much a picture of your own, a vector (1, dim) of `query_vector`, stands out among all games, or some.

    `matches` are those of the same features, and save matching all games first. `among` are the appids of games to
    compare with instead of all, such as those of one tag: then the nearest twins are looked for among them alone.
    Raises MatchError where the matches are those of other features, and where `among` leaves fewer than two games.
    """
    games = prepared(features)
    if among is not None:
        games = games.only(among)
        if len(games) < 2:
            raise MatchError(f"{len(games)} of the games to compare with are here; it takes at least two")
        matches = None
    matches = matches or all_matches(games, 1)
    _check_same(games.manifest, matches.manifest)
    appids, cosines = nearest(games, vector, k)
    nearer = int((matches.cosines[:, 0] > cosines[0, 0]).sum())
    return StandOut(appids[0], cosines[0], len(games), nearer)


def _check_same(games: dict, matches: dict) -> None:
    """Raise MatchError unless these manifests say that the matches were made from the games."""
    if games["fingerprint"] != matches["fingerprint"]:
        raise MatchError(
            f"these matches are of {_described(matches)}, not of {_described(games)}, or of another snapshot; "
            "matching.all_matches(features, k, folder) makes the right ones"
        )


def _described(manifest: dict) -> str:
    return ", ".join(str(manifest.get(name, "?")) for name in ("checkpoint", "image", "pooling", "preparation"))
