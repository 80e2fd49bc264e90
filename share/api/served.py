"""What the API serves: finished matches, the games' facts, and the eye where it is loaded."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from share.api import answers
from share.api.sight import Near, Sight
from share.errors import ExportError
from share.site import Site, copied_pictures, site, store_pictures
from utils import catalogue, encoder, features, matching
from utils.banners import Album
from utils.matching import Matches
from utils.search import Index
from utils.settings import Settings


@dataclass(frozen=True)
class Served:
    """The matches and their games; `sight` answers pictures and words where it is there."""

    site: Site
    sight: Sight | None = None
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

    @cached_property
    def _texts(self) -> dict[int, str]:
        return {}

    def game_json(self, appid: int) -> str:
        """Return a game that is here as JSON, made when first asked: a match costs a lookup."""
        if appid not in self._texts:
            self._texts[appid] = self.answer(appid).model_dump_json()
        return self._texts[appid]

    def matches_json(self, query: int | None, near: Near) -> str:
        """Return the matches of a game, or of a picture or words (None), as JSON: answers.Matches."""
        found = [f'{{"cosine":{cosine:.4f},"game":{self.game_json(appid)}}}' for appid, cosine in near]
        asked = "null" if query is None else self.game_json(query)
        return f'{{"query":{asked},"matches":[{",".join(found)}]}}'

    def kept(self, appid: int, n: int | None = None) -> Near:
        """Return a game's first n matches, by default all that are kept."""
        row = self.row_of[appid]
        matches = self.site.matches
        return list(zip(matches.neighbours[row, :n].tolist(), matches.cosines[row, :n].tolist(), strict=True))

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


def load(chosen: Settings, *, sees: bool = True) -> Served:
    """Return what the match notebook left for these settings; with `sees`, the eye is loaded as well.

    Raises ExportError where there are no matches yet, and what loading the features and the checkpoint raises.
    """
    gallery = chosen.gallery if (chosen.gallery / "index.html").is_file() else None
    return Served(_site(chosen), _sight(chosen) if sees else None, gallery)


def _site(chosen: Settings) -> Site:
    """Return the matches' games; away from Steam they have no store page, and their pictures are the gallery's."""
    games = catalogue.load(chosen.catalogue_file)
    matches = _matches(chosen)
    if chosen.source == "steam":
        return site(matches, games, store_pictures(matches, games))
    return site(matches, games, copied_pictures(matches, Album(chosen.snapshots)), store_page=None)


def _sight(chosen: Settings) -> Sight:
    vectors = features.load(chosen.features)
    eye = encoder.load(chosen.checkpoint, chosen.pooling, chosen.image)
    plain = matching.prepare(vectors, "as they are") if eye.reads else None
    return Sight(eye, matching.prepare(vectors), Album(chosen.snapshots), plain)


def _matches(chosen: Settings) -> Matches:
    found = matching.load_matches(chosen.matches_folder)
    if found is None:
        raise ExportError(f"there are no matches in {chosen.matches_folder}; run the match notebook first: make match")
    return found
