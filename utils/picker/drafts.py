"""Drafts, pictures of games that are not out yet: from wherever they lie, and how distinctive they are among games.

How distinctive is relative: it compares a draft's nearest game with the nearest games of the games loaded. It says
nothing about games that were not loaded, nor about beauty.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from utils import banners, filters, matching, show
from utils.banners import Banner
from utils.encoder import Encoder
from utils.errors import MatchError, PictureError, PlainError
from utils.filters import Filter
from utils.picker.queries import NEAR_DUPLICATE, Query, from_banner

_MOST = 20  # drafts at a time


@dataclass(frozen=True)
class DraftResult:
    """A draft, and how it stands among all games, or those that pass a filter."""

    draft: Banner
    appids: np.ndarray  # int64 (10,), the nearest games, or all where there are fewer
    cosines: np.ndarray  # float32 (10,)
    query: Query  # the draft for the picker; its note says in words how distinctive it is, and what was cut off

    def __str__(self) -> str:
        return f"{self.query.name}: {self.query.note}"


def read(places: str | Path) -> tuple[list[Banner], list[str]]:
    """Return the pictures at some places, cut to the banners' shape, and a line for each that is no usable picture.

    Places are files, folders or web addresses, between `;`; hidden files of a folder are passed over. Drafts are named
    after their files. Raises PictureError where there is none, or more than 20.
    """
    found: list[tuple[str, str | Path]] = []
    for place in filter(None, map(str.strip, str(places).split(";"))):
        path = Path(place).expanduser()
        if place.lower().startswith(("http://", "https://")):
            found.append((place.split("?")[0], place))
        elif path.is_dir():
            found += [(file.name, file) for file in sorted(path.glob("[!.]*")) if not file.is_dir()]
        else:
            found.append((path.name, path))
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
    encoder: Encoder,
    matches: matching.Matches | None = None,
    games: pd.DataFrame | None = None,
    *,
    wanted: Filter | None = None,
) -> list[DraftResult]:
    """Return how drafts stand among all games, or among those of a catalogue that pass, the most distinctive first.

    `matches`, where they are at hand, spare matching all games. Raises MatchError where fewer than two games pass.
    """
    group = ""
    if wanted and games is not None:
        prepared, matches = prepared.only(filters.passing(games, wanted)), None
        if len(prepared) < 2:
            raise MatchError(f"{len(prepared)} of the games to compare with are here; it takes at least two")
        group = f" with the tag {wanted.tag}" if wanted == Filter(tag=wanted.tag) else " that pass the filters"
    matches = matches or matching.all_matches(prepared, 1)
    results = []
    for draft in drafts:
        appids, cosines, percentile = matching.stand_out(prepared, encoder([draft.rgb]).numpy(), matches, 10)
        name = prepared.names[np.searchsorted(prepared.appids, appids[0])]
        said = _sentence(cosines[0], name, percentile, len(prepared), group)
        results.append(DraftResult(draft, appids, cosines, from_banner(draft, said)))
    return sorted(results, key=lambda result: float(result.cosines[0]))


def figure(results: Sequence[DraftResult], album: Mapping[int, Banner]) -> show.Figure:
    """Return one draft beside its ten nearest games, or several, ranked, each beside its nearest three."""
    if not results:
        raise MatchError("there is no draft to show")
    if len(results) == 1:
        return show.matches(album, results[0].draft, results[0].appids.tolist(), results[0].cosines.tolist())
    near = [(each.appids[:3], each.cosines[:3]) for each in results]
    return show.ranked(album, [result.draft for result in results], list(map(str, results)), near)


def _sentence(cosine: float, name: str, percentile: float, games: int, group: str) -> str:
    """Say how distinctive a draft is; without a percentage among fewer than 30 games."""
    likeness = f"“{name}” ({cosine:.2f})"
    if cosine >= NEAR_DUPLICATE:
        return f"Nearly identical to {likeness}."
    if games < 30:
        return f"Most similar to {likeness}."
    return f"More distinctive than {percentile:.0f} % of {games:,} games{group}; most similar to {likeness}."
