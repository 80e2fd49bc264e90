"""How a draft stands among games, in numbers and in a sentence that a painter understands."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from utils import filters, matching, show
from utils.banners import Banner
from utils.filters import Filter

if TYPE_CHECKING:
    from utils.encoder import Encoder

NEAREST = 10
RELATIVE = "This is relative to the games loaded here: among others, a nearer twin may be waiting."

_STANDS_OUT = 75  # percent of the games with a nearer twin
_IS_CLOSE = 25


@dataclass(frozen=True)
class Verdict:
    """A draft and how it stands among all games, or those of a tag."""

    draft: Banner
    stand: matching.StandOut
    tag: str = ""

    def __str__(self) -> str:
        games = f"{self.stand.games:,} games" + (f" with the tag {self.tag}" if self.tag else "")
        count = f"Of {games}, {self.stand.nearer:,} have a nearer twin than “{self.draft.name or 'your draft'}”"
        return f"{count}: {self._meaning()}"

    def _meaning(self) -> str:
        if self.stand.percentile >= _STANDS_OUT:
            return "it stands out."
        if self.stand.percentile >= _IS_CLOSE:
            return "it is about as close to the others as they are to each other."
        return "it looks like others that are there; see how near the first of them comes."

    def figure(self, album: Mapping[int, Banner]) -> show.Figure:
        """Return the draft beside its nearest games, each with its cosine."""
        return show.matches(album, self.draft, self.stand.appids.tolist(), self.stand.cosines.tolist())


def compare(
    draft: Banner,
    prepared: matching.Prepared,
    encoder: "Encoder",
    *,
    matches: matching.Matches | None = None,
    catalogue: pd.DataFrame | None = None,
    tag: str = "",
) -> Verdict:
    """Return how a draft stands among all games, or among those of one of the catalogue's tags.

    `matches`, where they are at hand, spare matching all games. Raises matching.MatchError where a tag has fewer than
    two games.
    """
    among = filters.passing(catalogue, Filter(tag=tag)) if tag and catalogue is not None else None
    vector = matching.query_vector(encoder, draft.rgb)
    stand = matching.stand_out(prepared, vector, matches, NEAREST, among=among)
    return Verdict(draft, stand, tag)
