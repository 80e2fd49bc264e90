"""What the API serves: finished matches, the games' facts, and the eye that made them where it is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from utils import catalogue, encoder, features, matching
from utils.banners import Album, Banner
from utils.encoder import Encoder
from utils.export.api import answers
from utils.export.errors import ExportError
from utils.export.site import Site, site, store_pictures
from utils.matching import Matches, Prepared
from utils.search import Index
from utils.settings import Settings


@dataclass(frozen=True)
class Served:
    """The matches and their games; `prepared`, `eye` and `album` answer pictures and words where they are there."""

    site: Site
    prepared: Prepared | None = None
    plain: Prepared | None = None  # as they are: the space that words share
    eye: Encoder | None = None
    album: Mapping[int, Banner] = field(default_factory=dict)
    gallery: Path | None = None

    @cached_property
    def index(self) -> Index:
        """The games by name."""
        games = [self.site.games[row] for row in self.site.by_reviews]
        return Index([game.appid for game in games], [game.name for game in games])

    @cached_property
    def row_of(self) -> dict[int, int]:
        """Return appid -> row."""
        return {game.appid: row for row, game in enumerate(self.site.games)}

    def answer(self, appid: int) -> answers.Game:
        """Return a game that is here as the API answers it."""
        game = self.site.games[self.row_of[appid]]
        page = self.site.store_page and self.site.store_page.format(appid=appid)
        return answers.Game(
            appid=appid,
            name=game.name,
            picture=game.picture,
            year=game.year,
            score=game.score,
            tags=[self.site.tags[number] for number in game.tags],
            store_page=page,
        )

    def described(self, words: str, k: int) -> list[tuple[int, float]]:
        """Return the appids and cosines of the k banners nearest to words; raises ExportError where it reads none."""
        if not self.eye.reads:
            raise ExportError(self.eye.silence)
        appids, cosines = matching.nearest_to_words(self.plain, self.eye.words([words]).numpy(), k)
        return list(zip(appids[0].tolist(), cosines[0].tolist(), strict=True))

    def near(self, vectors: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Return the appids and cosines of the k games nearest to a vector (1, dim)."""
        appids, cosines = matching.nearest(self.prepared, vectors, k)
        return list(zip(appids[0].tolist(), cosines[0].tolist(), strict=True))


def load(chosen: Settings, *, sees: bool = True) -> Served:
    """Return what the match notebook left for these settings; with `sees`, the eye is loaded as well.

    Raises ExportError where there are no matches yet, and what loading the features and the checkpoint raises.
    """
    games = catalogue.load(chosen.catalogue_file)
    matches = _matches(chosen)
    shown = site(matches, games, store_pictures(matches, games))
    gallery = chosen.gallery if (chosen.gallery / "index.html").is_file() else None
    if not sees:
        return Served(shown, gallery=gallery)
    vectors = features.load(chosen.features)
    eye = encoder.load(chosen.checkpoint, chosen.pooling, chosen.image)
    plain = matching.prepare(vectors, "as they are") if eye.reads else None
    return Served(shown, matching.prepare(vectors), plain, eye, Album(chosen.snapshots), gallery)


def _matches(chosen: Settings) -> Matches:
    found = matching.load_matches(chosen.matches_folder)
    if found is None:
        raise ExportError(f"there are no matches in {chosen.matches_folder}; run the match notebook first: make match")
    return found
