"""What is looked for, a game, a picture of one's own or words, and the games that are found: one search for all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from utils import banners, catalogue, explain, filters, matching
from utils.banners import Banner
from utils.encoder import Encoder
from utils.errors import MatchError, PictureError
from utils.features import Features
from utils.matching import Prepared
from utils.search import Index
from utils.settings import Settings

NEAR_DUPLICATE = 0.95  # the cosine from which two banners are near-duplicates
_NO_GAME = -1  # instead of an appid
_FEW = 20_000  # games up to which those that pass a filter are matched alone


@dataclass(frozen=True)
class Query:
    """What is looked for: a picture, or words."""

    name: str
    jpeg: bytes = b""
    appid: int | None = None  # of a game of the store
    words: str = ""
    note: str = ""  # what to know about it


@dataclass(frozen=True)
class QueryOptions:
    """Which matches are wanted, and how the query is turned before it is matched."""

    k: int = 10
    mirrored: bool = False
    upside_down: bool = False
    mirrored_copies: bool = False  # look with the query and with its mirror image
    exclude_same_studio: bool = False
    distinct: bool = False  # one of each near-identical group
    least: float = -1.0  # the smallest cosine shown
    filter: filters.Filter = field(default_factory=filters.Filter)

    @property
    def turns(self) -> bool:
        """Whether the query is another picture than the stored one."""
        return self.mirrored or self.upside_down or self.mirrored_copies


@dataclass(frozen=True)
class Matcher:
    """The games that queries are matched with."""

    features: Prepared
    encoder: Encoder | None = None  # the features', for pictures that have no features yet
    games: pd.DataFrame | None = None  # the catalogue
    plain: Prepared | None = None  # the features prepared "as they are", for words

    @property
    def supports_text(self) -> bool:
        """Whether words can be compared with these pictures."""
        return self.plain is not None and self.encoder is not None and self.encoder.supports_text

    def require_encoder(self) -> Encoder:
        """Return the encoder; raises MatchError where there is none."""
        if self.encoder is None:
            raise MatchError("these features came without their network: no other picture can be compared with them")
        return self.encoder

    def matches_of(self, query: Query, options: QueryOptions) -> list[tuple[int, float]]:
        """Return appid and cosine of the first k matches that pass, asking for more until enough do or none are left.

        Raises MatchError where a picture or words need an encoder that is not here, and what matching raises.
        """
        own = query.appid if query.appid is not None and query.appid in self.features.appids else _NO_GAME
        searched = self.plain if query.words and self.plain else self.features
        allowed = None
        if options.filter and self.games is not None:
            allowed = filters.passing(self.games, options.filter)
            if len(allowed) <= _FEW:
                searched = searched.only(np.append(allowed, own))
        most = len(searched) - (own != _NO_GAME)
        if most < 1:
            return []
        nearest = self._nearest(searched, query, options, own)
        k = min(most, 4 * options.k + 20)
        while True:
            appids, cosines = map(np.ravel, nearest(k))
            passes = cosines >= options.least
            if allowed is not None:
                passes &= np.isin(appids, allowed)
            chosen = self._chosen(searched, query, options, appids[passes], cosines[passes])
            if len(chosen) == options.k or k == most or cosines[-1] < options.least:
                return chosen
            k = min(most, 4 * k)

    def views(self, query: Query, options: QueryOptions) -> list[np.ndarray]:
        """Return the query's pixels, uint8 RGB (384, 256, 3), turned as asked, and their mirror image if asked."""
        pixels = banners.decode(query.jpeg)[:: -1 if options.upside_down else 1]
        mirrored = [options.mirrored, not options.mirrored] if options.mirrored_copies else [options.mirrored]
        return [np.ascontiguousarray(pixels[:, :: -1 if side else 1]) for side in mirrored]

    def reason(
        self, query: Query, options: QueryOptions, match: Banner
    ) -> tuple[Banner | np.ndarray, explain.Explanation | str]:
        """Return the view of a query that is nearer to a match, and why the two match."""
        if query.words:
            raise MatchError("words lie nowhere in a banner, so there are no reasons to show")
        views = self.views(query, options) if options.turns else [Banner(0, query.name, query.jpeg)]
        reasons = [(view, explain.reason(self.require_encoder(), self.features, view, match)) for view in views]
        return max(reasons, key=lambda found: getattr(found[1], "cosine", 0.0))

    def _nearest(
        self, searched: Prepared, query: Query, options: QueryOptions, own: int
    ) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
        """Return what gives the appids and cosines of the k nearest games; the query is encoded once, whatever k."""
        if own != _NO_GAME and not options.turns:
            return partial(matching.nearest, searched, [own])
        encoder = self.require_encoder()
        if query.words:
            return partial(matching.nearest_to_words, searched, encoder.words([query.words]).numpy())
        views = encoder(self.views(query, options)).numpy()
        return partial(matching.nearest_of_any, searched, views, exclude=own)

    def _chosen(
        self, searched: Prepared, query: Query, options: QueryOptions, appids: np.ndarray, cosines: np.ndarray
    ) -> list[tuple[int, float]]:
        """Return the first k of ranked games that are by others and distinct, as far as that is wanted."""
        if options.exclude_same_studio and query.appid is not None and self.games is not None:
            kept = matching.exclude_same_studio(appids, query.appid, self.games)
            appids, cosines = appids[kept], cosines[kept]
        if options.distinct:
            vectors = searched.vectors[np.searchsorted(searched.appids, appids)]
            kept = filters.distinct(vectors, cosines, NEAR_DUPLICATE, options.k)
            appids, cosines = appids[kept], cosines[kept]
        return list(zip(appids.tolist(), cosines.tolist(), strict=True))[: options.k]


def index_of(features: Features, games: pd.DataFrame | None) -> Index:
    """Return the search over the names of the games that have features, the most reviewed first."""
    reviews = None if games is None else games.set_index("appid")["review_count"].reindex(features.appids).tolist()
    return Index(features.appids.tolist(), features.names.tolist(), reviews)


def find(features: Features, text: str | int, games: pd.DataFrame | None = None) -> int:
    """Return the appid of the game that somebody means by an appid or part of a name; raises MatchError."""
    found = index_of(features, games).find(str(text), limit=1)
    if not found:
        raise MatchError(f"no game here is called “{text}”, nor nearly so; write part of another name, or an appid")
    return found[0]


def from_store(appid: int, store: Settings) -> Query:
    """Return a game that has no features here, its banner fetched from the store.

    Raises PictureError where the store has no such game or no banner of it, and what asking the store raises.
    """
    games = catalogue.fetch_games([appid], api_url=store.api_url, assets_url=store.assets_url)
    if games.empty:
        raise PictureError(f"the store has no game with the appid {appid}: {games.attrs['unknown'][appid]}")
    name, address = games[["name", "banner_url"]].iloc[0]
    if not address:
        raise PictureError(f"the store has no vertical banner of {name}")
    return from_banner(banners.own(address, name), "It is not among the games here: just fetched.", appid)


def from_banner(banner: Banner, note: str = "", appid: int | None = None) -> Query:
    """Return a picture without features as a query; its note says, too, what was cut off to make it a banner."""
    cut = banner.ratio / (banners.WIDTH / banners.HEIGHT)
    if abs(cut - 1) > 0.02:  # nearer than that it counts as whole
        shape, lost = ("wider", "its sides were cut off") if cut > 1 else ("taller", "its top and bottom were cut off")
        note = f"{note} It is {shape} than a banner (2:3): {lost}, and what you see was compared.".strip()
    return Query(banner.name, banner.jpeg, appid, note=note)
