"""The query parameters of every route that matches, and which games pass them."""

from typing import Annotated

from fastapi import HTTPException, Query

from share.site import Game, Site

MOST_MATCHES = 100
DEFAULT = 10  # matches, where n is not given

Limit = Annotated[int, Query(ge=1, le=MOST_MATCHES, description="How many at most")]
Tag = Annotated[str | None, Query(max_length=60, description="One of the games' tags")]
Year = Annotated[int, Query(ge=0, le=3000, description="Released in this year or later")]
Score = Annotated[int, Query(ge=-1, le=100, description="Percent of positive reviews, at least")]
Others = Annotated[bool, Query(description="Only games of other developers and franchises")]


class Filters:
    """Which matches are answered."""

    def __init__(
        self, n: Limit = DEFAULT, tag: Tag = None, since: Year = 0, score: Score = -1, others: Others = False
    ) -> None:
        self.n = n
        self.tag = tag
        self.since = since
        self.score = score
        self.others = others

    @property
    def leaves_some_out(self) -> bool:
        """Whether some matches may not be answered."""
        return bool(self.tag or self.since or self.others or self.score >= 0)

    def tag_number(self, site: Site) -> int | None:
        """Return the number of the tag; raises 422 for one that no game has."""
        if self.tag is None:
            return None
        wanted = self.tag.casefold()
        number = next((number for number, name in enumerate(site.tags) if name.casefold() == wanted), None)
        if number is None:
            raise HTTPException(422, f"no game here has the tag {self.tag!r}")
        return number

    def passes(self, game: Game, query: Game | None, tag: int | None) -> bool:
        """Return whether a match of a query (None for a picture or words of one's own) is answered."""
        if tag is not None and tag not in game.tags:
            return False
        if game.year < self.since or game.score < self.score:
            return False
        return not (self.others and query and set(game.makers) & set(query.makers))
