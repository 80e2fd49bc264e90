"""Groups of banners that are all but the same: editions, demos, re-releases, two games with one picture.

A network says that two banners show the same; it says so of a series as well. A thumbnail says whether the same pixels
lie in the same places, and is the best of all at finding copies (docs/results.md), so it confirms what a network finds.
"""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from utils.banners import Banner
from utils.encoder import Encoder
from utils.errors import MatchError
from utils.features import Features
from utils.images import open_picture
from utils.matching.preparation import Prepared, prepared
from utils.matching.search import pairs, top_k

PICTURES = 24  # banners that are copied to find a threshold
COPIES = 0.9  # the share of copies that count as near-duplicates of their original
LOOSER = 3  # how many times the threshold's distance from 1 a pair may have that thumbnails confirm
NEAREST = 10  # neighbours of each game that thumbnails are asked about
CORRELATION = 0.9  # of two thumbnails, from which they confirm a pair

_REDUCE = 32  # pixels of a banner's width and height that become one of its thumbnail's, 8 x 12


@dataclass(frozen=True)
class DuplicateGroup:
    """Games whose banners are nearly the same; a sequence of their appids."""

    appids: np.ndarray  # int64 (n,), ascending
    cosines: np.ndarray  # float32 (n,), of each with the nearest other game of the group

    def __len__(self) -> int:
        return len(self.appids)

    def __iter__(self) -> Iterator[int]:
        return iter(self.appids.tolist())


def near_duplicates(
    features: Features, threshold: float, album: Mapping[int, Banner] | None = None
) -> list[DuplicateGroup]:
    """Return the groups of games linked by cosines of `threshold` or more, the largest first.

    With an album, which has the games' banners, games are linked with those of their NEAREST that come near the
    threshold, and whose thumbnails correlate by CORRELATION or more. A group is a connected component: two of its games
    may be less alike, but a chain of near-duplicates joins them. Exact to within float32's rounding. Raises MatchError
    for a threshold outside 0 to 1; `duplicate_threshold` proposes one.
    """
    if not 0 < threshold <= 1:
        raise MatchError(f"threshold is {threshold}; allowed are cosines above 0 and up to 1")
    games = prepared(features)
    labels = np.arange(len(games))
    found = pairs(games.vectors, threshold) if album is None else [_confirmed_pairs(games, threshold, album)]
    for rows, columns in found:
        links = coo_array((np.ones(len(rows), bool), (labels[rows], labels[columns])), shape=(len(games),) * 2)
        labels = connected_components(links, directed=False)[1][labels]
    order = np.argsort(labels, kind="stable")
    groups = []
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        if len(rows) > 1:
            _, cosines = top_k(games.vectors[rows], None, 1)
            groups.append(DuplicateGroup(games.appids[rows], cosines[:, 0]))
    return sorted(groups, key=lambda group: (-len(group), group.appids[0]))


def duplicate_threshold(encoder: Encoder, games: Prepared, album: Mapping[int, Banner]) -> float:
    """Return the cosine from which two banners count as near-duplicates, for `near_duplicates` and the picker.

    A cosine means something else for every checkpoint, pooling and preparation. So copies are made of at most PICTURES
    banners, recompressed and with a badge as an edition, a demo or a re-release has it: COPIES of them are at least so
    near to their original. `games` are the encoder's features, prepared as they are matched; `album` has
    their banners.
    """
    rows = np.sort(np.random.default_rng(0).permutation(len(games))[:PICTURES])
    originals = [Image.fromarray(album[appid].rgb) for appid in games.appids[rows].tolist()]
    cosines = []
    for alter in (recompressed, with_badge):
        copies, _ = games.units(encoder([np.asarray(alter(picture)) for picture in originals]).numpy())
        cosines.append((copies * games.vectors[rows]).sum(1))
    return float(np.quantile(cosines, 1 - COPIES))


def recompressed(picture: Image.Image) -> Image.Image:
    """Return a picture as a JPEG of low quality shows it."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=10)
    return open_picture(content.getvalue())


def with_badge(picture: Image.Image) -> Image.Image:
    """Return a banner with a discount's badge in a corner."""
    return written_on(picture, "-75%", (150, 0, 256, 56), "#4c6b22")


def written_on(picture: Image.Image, text: str, box: tuple[int, int, int, int], colour: str) -> Image.Image:
    """Return a picture with text in a box of a colour."""
    drawn = picture.copy()
    pen = ImageDraw.Draw(drawn)
    pen.rectangle(box, fill=colour)
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    pen.text(middle, text, fill="white", font=ImageFont.load_default(36), anchor="mm")
    return drawn


def _confirmed_pairs(games: Prepared, threshold: float, album: Mapping[int, Banner]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the pairs that come near the threshold and whose thumbnails correlate."""
    positions, cosines = top_k(games.vectors, None, min(NEAREST, len(games) - 1))
    rows, places = (cosines >= 1 - LOOSER * (1 - threshold)).nonzero()
    columns = positions[rows, places]
    shown, at = np.unique(games.appids[np.stack([rows, columns])], return_inverse=True)
    pixels = [np.asarray(Image.fromarray(album[appid].rgb).reduce(_REDUCE)) for appid in shown.tolist()]
    thumbnails = np.array(pixels, float).reshape(len(shown), 8 * 12 * 3)
    thumbnails -= thumbnails.mean(1, keepdims=True)
    thumbnails /= np.maximum(np.linalg.norm(thumbnails, axis=1, keepdims=True), 1)  # a plain colour's is 0
    first, second = at.reshape(2, -1)
    confirmed = (thumbnails[first] * thumbnails[second]).sum(1) >= CORRELATION
    return rows[confirmed], columns[confirmed]
