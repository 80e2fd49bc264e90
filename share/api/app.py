"""The API's routes. All are GET, but for a picture that is posted as the body; nothing is stored."""

import asyncio
import random
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool

from share.api import answers, problems
from share.api.docs import add_docs
from share.api.filters import Filters, Limit
from share.api.served import Served
from share.api.shortcut import Shortcut
from share.api.sight import TURNS, Near, Sight
from share.site import Game
from utils import banners

MOST_BYTES = 20_000_000  # of a posted picture
DEADLINE = 30.0  # seconds until all of its bytes are there
WIDER = 10  # times as many candidates where filters leave some out

Text = Annotated[str, Query(min_length=1, max_length=200)]
Asked = Annotated[Filters, Depends()]
View = Annotated[
    str, Query(pattern="^(as-it-is|mirrored|upside-down)$", description="How the query's banner is turned")
]


def create(served: Served, *, origins: tuple[str, ...] = (), hosts: tuple[str, ...] = ()) -> FastAPI:
    """Return the app over finished matches.

    `origins`: other pages that may ask (CORS), none by default. `hosts`: the names by which it may be asked, any by
    default; a page whose own name was pointed at this machine (DNS rebinding) asks by another.
    """
    app = FastAPI(
        title="Games that look alike", version="1", responses=problems.RESPONSES, docs_url=None, redoc_url=None
    )
    problems.handle(app)
    add_docs(app)
    app.add_middleware(Shortcut, served=served)
    if origins:
        app.add_middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"])
    if hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    _add_games(app, served)
    _add_matches(app, served)
    if served.sight:
        _add_own_queries(app, served, served.sight)
    if served.gallery:
        app.mount("/", StaticFiles(directory=served.gallery, html=True), name="gallery")
    return app


def _add_games(app: FastAPI, served: Served) -> None:
    games = served.site.games

    @app.get("/api/about")
    async def about() -> answers.About:
        """What made the matches."""
        k = served.site.matches.neighbours.shape[1]
        reads = served.sight is not None and served.sight.eye.reads
        return answers.About(
            games=len(games),
            matches_a_game=k,
            sees_pictures=served.sight is not None,
            reads_words=reads,
            features=served.site.matches.manifest,
        )

    @app.get("/api/games")
    def find(name: Text, limit: Limit = 12, offset: Annotated[int, Query(ge=0, le=1000)] = 0) -> answers.Games:
        """Games by part of a name, an abbreviation, a mistyped name or an appid, the best first."""
        found = served.index.find(name, limit=offset + limit + 1)
        page = [served.answer(appid) for appid in found[offset : offset + limit]]
        return answers.Games(games=page, next_offset=offset + limit if len(found) > offset + limit else None)

    @app.get("/api/random")
    async def any_game() -> answers.Game:
        """A game at random."""
        return served.answer(random.choice(games).appid)  # noqa: S311 - for play

    @app.get("/api/games/{appid}")
    async def game(appid: int) -> answers.Game:
        """One game; 404 where it is not here."""
        return served.answer(_known(served, appid).appid)


def _add_matches(app: FastAPI, served: Served) -> None:
    @app.get("/api/games/{appid}/matches", response_model=answers.Matches)
    async def matches(appid: int, asked: Asked, view: View = "as-it-is") -> Response:
        """The matches of one game's banner, as it is or turned; 404 where the game is not here."""
        query = _known(served, appid)
        if view == "as-it-is" and not asked.leaves_some_out and asked.n <= served.site.matches.neighbours.shape[1]:
            near = served.kept(appid, asked.n)
        else:
            near = await run_in_threadpool(_computed, served, query, view, asked)
        return _answer(served, query, near, asked)


def _add_own_queries(app: FastAPI, served: Served, sight: Sight) -> None:
    one_at_a_time = asyncio.Semaphore(1)  # a decoded picture may take hundreds of MB, whatever its bytes

    @app.post("/api/matches", response_model=answers.Matches)
    async def of_a_picture(request: Request, asked: Asked) -> Response:
        """The matches of a picture (JPEG, PNG, WebP ...), posted as the body."""
        body = await _bounded(request)
        async with one_at_a_time:
            near = await run_in_threadpool(lambda: sight.of_picture(banners.decode(body), _wide(asked)))
        return _answer(served, None, near, asked)

    @app.get("/api/matches", response_model=answers.Matches)
    def of_words(words: Text, asked: Asked) -> Response:
        """The banners that words describe; 422 where the checkpoint was trained on pictures alone."""
        return _answer(served, None, sight.of_words(words, _wide(asked)), asked)


def _known(served: Served, appid: int) -> Game:
    row = served.row_of.get(appid)
    if row is None:
        raise HTTPException(404, f"no game here has the appid {appid}; /api/games?name= finds those that are")
    return served.site.games[row]


def _computed(served: Served, query: Game, view: str, asked: Filters) -> Near:
    """Return the matches of a turned banner, or enough of those of a banner as it is to filter."""
    if served.sight and view in TURNS:
        return served.sight.of_turned(query.appid, view, _wide(asked))
    if view in TURNS:
        raise HTTPException(409, "only matches are served here, no banners, so none can be turned")
    return served.sight.of_game(query.appid, _wide(asked)) if served.sight else served.kept(query.appid)


def _wide(asked: Filters) -> int:
    return asked.n * WIDER if asked.leaves_some_out else asked.n


async def _bounded(request: Request) -> bytes:
    try:
        async with asyncio.timeout(DEADLINE):
            return await _body(request)
    except TimeoutError:
        raise HTTPException(408, f"the picture was not here after {DEADLINE:.0f} seconds") from None


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for some in request.stream():
        body += some
        if len(body) > MOST_BYTES:
            raise HTTPException(413, f"the picture has more than {MOST_BYTES:,} bytes")
    return bytes(body)


def _answer(served: Served, query: Game | None, near: Near, asked: Filters) -> Response:
    tag = asked.tag_number(served.site)
    games = served.site.games
    passed = [(appid, cosine) for appid, cosine in near if asked.passes(games[served.row_of[appid]], query, tag)]
    found = served.matches_json(query.appid if query else None, passed[: asked.n])
    return Response(found, media_type="application/json")
