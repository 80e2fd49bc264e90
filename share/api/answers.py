"""What the API answers, as types: the OpenAPI page shows them."""

from pydantic import BaseModel, Field


class Game(BaseModel):
    """A game."""

    appid: int
    name: str
    picture: str | None = Field(description="The banner's address, at the store or under this one")
    year: int = Field(description="Of its release; 0 where unknown")
    score: int = Field(description="Percent of positive reviews; -1 without reviews")
    tags: list[str]
    store_page: str | None


class Match(BaseModel):
    """A game, and how like the query its banner is."""

    cosine: float = Field(description="1 is the same direction; compare cosines of one checkpoint only")
    game: Game


class Games(BaseModel):
    """A page of games found by name, the best first."""

    games: list[Game]
    next_offset: int | None = Field(description="Ask for this offset to go on; null at the end")


class Matches(BaseModel):
    """The matches of a query, the nearest first."""

    query: Game | None = Field(description="Null for a picture or words of your own")
    matches: list[Match]


class About(BaseModel):
    """What made the matches."""

    games: int
    matches_a_game: int
    reads_words: bool
    sees_pictures: bool
    features: dict[str, object]


class Problem(BaseModel):
    """Problem details for HTTP APIs, RFC 9457 (application/problem+json)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
