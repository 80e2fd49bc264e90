"""What is looked for, a game, a picture of one's own or words, and the games that are found: one search for all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from utils import banners, catalogue, explain, filters, matching
from utils.banners import Banner
from utils.errors import MatchError, PictureError
from utils.explain import Explanation
from utils.filters import Filter
from utils.search import Index

if TYPE_CHECKING:
    from utils.encoder import Encoder
    from utils.features import Features
    from utils.matching import Prepared
    from utils.settings import Settings

_FEW = 20_000  # games up to which those that pass a filter are matched alone
_NEARLY = 0.02  # how far from a banner's ratio a picture may be to count as whole


@dataclass(frozen=True)
class Query:
    """What is looked for: a picture, or words."""

    name: str
    jpeg: bytes = b""
    appid: int | None = None  # of a game of the store
    here: bool = False  # whether that game has features
    words: str = ""
    note: str = ""  # what to know about it

    @property
    def own(self) -> int:
        """The appid of its own game among the features; -1 where there is none."""
        return self.appid if self.here and self.appid is not None else -1


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
    filter: Filter = field(default_factory=Filter)

    @property
    def turns(self) -> bool:
        """Whether the query is another picture than the stored one."""
        return self.mirrored or self.upside_down or self.mirrored_copies


class Matcher:
    """The games that queries are matched with.

    encoder: the features', for pictures that have no features yet. plain: the features before they were prepared, for
    words. threshold: the cosine from which two banners are near-duplicates.
    """

    def __init__(
        self,
        features: "Features",
        encoder: "Encoder | None" = None,
        games: pd.DataFrame | None = None,
        plain: "Features | None" = None,
        threshold: float = 0.95,
    ) -> None:
        self.features = matching.prepared(features)
        self.encoder = encoder
        self.games = games
        self.plain = None if plain is None else matching.prepared(plain)
        self.threshold = threshold

    @property
    def supports_text(self) -> bool:
        """Whether words can be compared with these pictures."""
        return self.plain is not None and self.encoder is not None and self.encoder.supports_text

    def matches_of(self, query: Query, options: QueryOptions) -> list[tuple[int, float]]:
        """Return appid and cosine of the first k matches that pass, asking for more until enough do or none are left.

        Raises MatchError where a picture or words need an encoder that is not here, and what matching raises.
        """
        allowed = None
        if options.filter and self.games is not None:
            allowed = filters.passing(self.games, options.filter)
        searched = self.plain if query.words and self.plain else self.features
        if allowed is not None and len(allowed) <= _FEW:
            searched = searched.only(np.append(allowed, query.own))
        most = len(searched) - int(query.own in searched.appids)
        if most < 1:
            return []
        nearest = self._nearest(searched, query, options)
        is_strict = options.exclude_same_studio or options.distinct or allowed is not None
        k = min(most, 4 * options.k + 20 if is_strict else options.k)
        while True:
            appids, cosines = nearest(k)
            passes = cosines >= options.least
            if allowed is not None:
                passes &= np.isin(appids, allowed)
            chosen = self._chosen(searched, query, options, appids[passes], cosines[passes])[: options.k]
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
    ) -> tuple[Banner | np.ndarray, Explanation | str]:
        """Return the view of a query that is nearer to a match, and why the two match."""
        if query.words:
            raise MatchError("words lie nowhere in a banner, so there are no reasons to show")
        views = self.views(query, options) if options.turns else [Banner(0, query.name, query.jpeg)]
        reasons = [explain.reason(self.require_encoder(), self.features, view, match) for view in views]
        nearer = max(range(len(views)), key=lambda at: getattr(reasons[at], "cosine", 0.0))
        return views[nearer], reasons[nearer]

    def require_encoder(self) -> "Encoder":
        """Return the encoder; raises MatchError where there is none."""
        if self.encoder is None:
            raise MatchError("these features came without their network: no other picture can be compared with them")
        return self.encoder

    def _nearest(
        self, searched: "Prepared", query: Query, options: QueryOptions
    ) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
        """Return what gives the k nearest games, appids and cosines (k,); the query is encoded once, whatever k."""
        if query.here and not options.turns:
            return lambda k: _first(matching.nearest(searched, [query.own], k))
        encoder = self.require_encoder()
        if query.words:
            words = encoder.words([query.words]).numpy()
            return lambda k: _first(matching.nearest_to_words(searched, words, k))
        views = np.concatenate([matching.query_vector(encoder, view) for view in self.views(query, options)])
        exclude = query.own if query.here else None
        return lambda k: matching.nearest_of_any(searched, views, k, exclude=exclude)

    def _chosen(
        self, searched: "Prepared", query: Query, options: QueryOptions, appids: np.ndarray, cosines: np.ndarray
    ) -> list[tuple[int, float]]:
        """Return those of ranked games that are by others and distinct, as far as that is wanted."""
        if options.exclude_same_studio and query.appid is not None and self.games is not None:
            kept = matching.exclude_same_studio(appids, query.appid, self.games)
            appids, cosines = appids[kept], cosines[kept]
        if options.distinct:
            vectors = searched.vectors[np.searchsorted(searched.appids, appids)]
            kept = filters.distinct(vectors, cosines, self.threshold, options.k)
            appids, cosines = appids[kept], cosines[kept]
        return list(zip(appids.tolist(), cosines.tolist(), strict=True))


def index_of(features: "Features", games: pd.DataFrame | None) -> Index:
    """Return the search over the names of the games that have features, the most reviewed first."""
    if games is None:
        return Index(features.appids.tolist(), features.names.tolist())
    reviews = games.set_index("appid")["review_count"].reindex(features.appids).fillna(-1)
    return Index(features.appids.tolist(), features.names.tolist(), reviews.tolist())


def find(features: "Features", text: str | int, games: pd.DataFrame | None = None) -> int:
    """Return the appid of the game that somebody means by an appid or part of a name; raises MatchError."""
    found = index_of(features, games).find(str(text), limit=1)
    if not found:
        raise MatchError(f"no game here is called “{text}”, nor nearly so; write part of another name, or an appid")
    return found[0]


def from_store(appid: int, store: "Settings") -> Query:
    """Return a game that has no features here, its banner fetched from the store.

    Raises PictureError where the store has no such game or no banner of it, and what asking the store raises.
    """
    games = catalogue.fetch_games([appid], api_url=store.api_url, assets_url=store.assets_url)
    if games.empty:
        raise PictureError(f"the store has no game with the appid {appid}: {games.attrs['unknown'][appid]}")
    name, address = games[["name", "banner_url"]].iloc[0]
    if not address:
        raise PictureError(f"the store has no vertical banner of {name}")
    banner = banners.own(address, name)
    note = f"It is not among the games here: just fetched. {crop_note(banner)}"
    return Query(name, banner.jpeg, appid, note=note.strip())


def from_address(address: str) -> Banner:
    """Return a picture of the web as a banner; raises PictureError for any other address."""
    if not address.lower().startswith(("http://", "https://")):  # others may use the picker: no files of this machine
        raise PictureError(f"“{address}” is no web address; it must begin with http:// or https://")
    return banners.own(address, "A picture from the web")


def from_banner(banner: Banner, note: str = "") -> Query:
    """Return a picture of one's own as a query, with what there is to know about it."""
    return Query(banner.name, banner.jpeg, note=f"{note} {crop_note(banner)}".strip())


def crop_note(banner: Banner) -> str:
    """Say whether a picture's sides, or its top and bottom, were cut off to make it a banner; nothing where not."""
    cut = banner.ratio / (banners.WIDTH / banners.HEIGHT)
    if abs(cut - 1) <= _NEARLY:
        return ""
    shape, lost = ("wider", "its sides were cut off") if cut > 1 else ("taller", "its top and bottom were cut off")
    return f"It is {shape} than a banner (2:3): {lost}, and what you see was compared."


def _first(found: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    appids, cosines = found
    return appids[0], cosines[0]
