"""Drafts, pictures of games that are not out yet: from wherever they lie, and how distinctive they are among games.

How distinctive is relative: it compares a draft's nearest game with the nearest games of the games loaded. It says
nothing about games that were not loaded, nor about beauty.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from utils import banners, filters, matching, show
from utils.banners import Banner
from utils.errors import MatchError, PictureError, PlainError
from utils.filters import Filter
from utils.picker.queries import crop_note

if TYPE_CHECKING:
    from utils.encoder import Encoder

NEAREST = 10  # games that a result names
BESIDE = 3  # games beside each of several drafts

_MOST = 20  # drafts at a time
_BETWEEN = ";"
_FEWEST = 30  # games of which a percentage says something


@dataclass(frozen=True)
class DraftResult:
    """A draft, and how it stands among all games, or those that pass a filter."""

    draft: Banner
    stand: matching.StandOut
    nearest_name: str
    wanted: Filter = field(default_factory=Filter)
    threshold: float = 0.95  # the cosine from which two banners are nearly identical

    @property
    def sentence(self) -> str:
        """How distinctive it is, in words; without a percentage among fewer than 30 games."""
        likeness = f"“{self.nearest_name}” ({self.stand.cosines[0]:.2f})"
        if self.stand.cosines[0] >= self.threshold:
            return f"Nearly identical to {likeness}."
        if self.stand.games < _FEWEST:
            return f"Most similar to {likeness}."
        group = ""
        if self.wanted:
            tag_alone = self.wanted == Filter(tag=self.wanted.tag)
            group = f" with the tag {self.wanted.tag}" if tag_alone else " that pass the filters"
        games = f"{self.stand.games:,} games{group}"
        return f"More distinctive than {self.stand.percentile:.0f} % of {games}; most similar to {likeness}."

    def __str__(self) -> str:
        return f"{self.draft.name}: {self.sentence} {crop_note(self.draft)}".strip()


def read(places: str | Path) -> tuple[list[Banner], list[str]]:
    """Return the pictures at some places, cut to the banners' shape, and a line for each that is no usable picture.

    Places are files, folders or web addresses, between `;`; hidden files of a folder are passed over. Drafts are named
    after their files. Raises PictureError where there is none, or more than 20.
    """
    found: list[tuple[str, str | Path]] = []
    for place in map(str.strip, str(places).split(_BETWEEN)):
        if place:
            found += _pictures_at(place)
    if not found:
        raise PictureError("no draft was named; give the path of a picture, of a folder of pictures, or a web address")
    drafts, skipped = decoded(found)
    if not drafts:
        raise PictureError("no draft can be used: " + "; ".join(skipped))
    return drafts, skipped


def decoded(found: Sequence[tuple[str, str | Path | bytes]]) -> tuple[list[Banner], list[str]]:
    """Return named pictures, wherever they are, as banners, and a line for each that cannot be used."""
    if len(found) > _MOST:
        raise PictureError(f"{len(found)} drafts are too many at a time; give up to {_MOST}")
    drafts, skipped = [], []
    for file, picture in found:
        name = Path(file).stem.replace("_", " ").replace("-", " ").strip()
        try:
            drafts.append(banners.own(picture, name or "Your draft"))
        except PlainError as error:
            skipped.append(f"{file} was skipped: {error}")
    return drafts, skipped


def compare(
    drafts: Iterable[Banner],
    prepared: matching.Prepared,
    encoder: "Encoder",
    matches: matching.Matches | None = None,
    games: pd.DataFrame | None = None,
    *,
    wanted: Filter | None = None,
    threshold: float = 0.95,
) -> list[DraftResult]:
    """Return how drafts stand among all games, or among those of a catalogue that pass, the most distinctive first.

    `matches`, where they are at hand, spare matching all games. Raises MatchError where fewer than two games pass.
    """
    wanted = wanted or Filter()
    among = filters.passing(games, wanted) if wanted and games is not None else None
    results = []
    for draft in drafts:
        vector = matching.query_vector(encoder, draft.rgb)
        stand = matching.stand_out(prepared, vector, matches, NEAREST, among=among)
        name = prepared.names[np.searchsorted(prepared.appids, stand.appids[0])]
        results.append(DraftResult(draft, stand, str(name), wanted, threshold))
    return sorted(results, key=lambda result: float(result.stand.cosines[0]))


def figure(results: Sequence[DraftResult], album: Mapping[int, Banner]) -> show.Figure:
    """Return one draft beside its ten nearest games, or several, ranked, each beside its nearest three."""
    if not results:
        raise MatchError("there is no draft to show")
    if len(results) == 1:
        stand = results[0].stand
        return show.matches(album, results[0].draft, stand.appids.tolist(), stand.cosines.tolist())
    near = [(each.stand.appids[:BESIDE].tolist(), each.stand.cosines[:BESIDE].tolist()) for each in results]
    return show.ranked(album, [result.draft for result in results], list(map(str, results)), near)


def _pictures_at(place: str) -> list[tuple[str, str | Path]]:
    """Return the name and the place of each picture at a file's path, a folder's, or a web address."""
    if place.lower().startswith(("http://", "https://")):
        return [(place.split("?")[0], place)]
    path = Path(place).expanduser()
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(file.name, file) for file in files if file == path or not (file.name.startswith(".") or file.is_dir())]
