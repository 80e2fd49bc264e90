"""From a query and what somebody wants to the matches that are shown."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from utils import banners, filters, matching
from utils.filters import Filter
from utils.picker.queries import NoPicture, Query

if TYPE_CHECKING:
    from utils.encoder import Encoder
    from utils.features import Features

_FEW = 20_000  # games up to which those that pass a filter are matched alone

Ask = Callable[[int], tuple[np.ndarray, np.ndarray]]


class Eye:
    """A network's view of all games.

    features: prepared, if how they are matched matters. encoder: theirs, for pictures that have no features yet.
    plain: the features before they were prepared, for words. threshold: the cosine from which two banners are
    near-duplicates.
    """

    def __init__(
        self,
        features: "Features",
        encoder: "Encoder | None" = None,
        plain: "Features | None" = None,
        threshold: float = 0.95,
    ) -> None:
        self.features = matching.prepared(features)
        self.encoder = encoder
        self.plain = None if plain is None else matching.prepared(plain)
        self.threshold = threshold

    @property
    def reads(self) -> bool:
        """Whether words can be compared with its pictures."""
        return self.plain is not None and self.encoder is not None and self.encoder.supports_text


@dataclass(frozen=True)
class Wishes:
    """What somebody wants to see."""

    k: int = 10
    mirrored: bool = False
    upside_down: bool = False
    mirrored_copies: bool = False  # look with the query and with its mirror image
    others: bool = False  # only other people's games
    distinct: bool = False  # one of each near-identical group
    least: float = -1.0  # the smallest cosine shown
    filter: Filter = field(default_factory=Filter)

    @property
    def turned(self) -> bool:
        """Whether the query is another picture than the stored one."""
        return self.mirrored or self.upside_down or self.mirrored_copies


def matches_of(eye: Eye, query: Query, wishes: Wishes, catalogue: pd.DataFrame | None) -> list[tuple[int, float]]:
    """Return appid and cosine of the first k matches that pass: more are asked for until enough pass or none are left.

    Raises NoPicture where the eye cannot look at the query.
    """
    search = _Search(eye, query, wishes, catalogue)
    most = len(search.games) - search.asks_for_a_game_of_its_own
    if most < 1:
        return []
    ask = search.asking()
    depth = min(most, 4 * wishes.k + 20 if search.is_strict else wishes.k)
    while True:
        appids, cosines = ask(depth)
        passing = search.passing(appids, cosines)[: wishes.k]
        if len(passing) == wishes.k or depth == most or cosines[-1] < wishes.least:
            return [(int(appids[at]), float(cosines[at])) for at in passing]
        depth = min(most, 4 * depth)


class _Search:
    """One query to one eye, and the games that may be found."""

    def __init__(self, eye: Eye, query: Query, wishes: Wishes, catalogue: pd.DataFrame | None) -> None:
        self.eye = eye
        self.query = query
        self.wishes = wishes
        self.catalogue = catalogue
        self.allowed = None
        if wishes.filter and catalogue is not None:
            self.allowed = filters.passing(catalogue, wishes.filter)
        self.games = (eye.plain if query.words else None) or eye.features
        if self.allowed is not None and len(self.allowed) <= _FEW:
            self.games = self.games.only(np.append(self.allowed, query.own))

    @property
    def asks_for_a_game_of_its_own(self) -> bool:
        return bool(np.isin(self.query.own, self.games.appids))

    @property
    def is_strict(self) -> bool:
        return self.wishes.others or self.wishes.distinct or self.allowed is not None

    def asking(self) -> Ask:
        """Return what gives the k nearest games; a picture is encoded once, whatever k."""
        if self.query.words:
            words = self._encoder.words([self.query.words]).numpy()
            return lambda k: _first(matching.nearest_to_words(self.games, words, k))
        if self.query.here and not self.wishes.turned:
            appid = np.array([self.query.own])
            return lambda k: _first(matching.nearest(self.games, appid, k))
        views = self._views()
        without = self.query.own if self.query.here else None
        return lambda k: matching.nearest_of_any(self.games, views, k, without=without)

    def passing(self, appids: np.ndarray, cosines: np.ndarray) -> np.ndarray:
        """Return the positions of the matches that pass."""
        passes = cosines >= self.wishes.least
        if self.allowed is not None:
            passes &= np.isin(appids, self.allowed)
        positions = np.flatnonzero(passes)
        if self.wishes.others and self.query.appid is not None and self.catalogue is not None:
            positions = positions[matching.by_others(appids[positions], self.query.appid, self.catalogue)]
        if self.wishes.distinct:
            rows = np.searchsorted(self.games.appids, appids[positions])
            vectors = self.games.vectors[rows]
            kept = filters.distinct(vectors, cosines[positions], self.eye.threshold, self.wishes.k)
            positions = positions[kept]
        return positions

    def _views(self) -> np.ndarray:
        """Return the query as vectors (1 or 2, dim), turned as wished, and its mirror image too if that is wished."""
        pixels = banners.decode(self.query.jpeg)
        mirrored = self.wishes.mirrored
        sides = [mirrored, not mirrored] if self.wishes.mirrored_copies else [mirrored]
        encoder = self._encoder
        flip = self.wishes.upside_down
        return np.concatenate([matching.query_vector(encoder, pixels, mirror=side, flip=flip) for side in sides])

    @property
    def _encoder(self) -> "Encoder":
        if self.eye.encoder is None:
            raise NoPicture("These features came without their network: no other picture can be compared with them.")
        return self.eye.encoder


def _first(found: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    appids, cosines = found
    return appids[0], cosines[0]
