"""Finished matches as a read-only JSON API on this machine: `make serve`, or `python -m share.api`.

All routes are GET, but for a picture that is posted as the body; nothing is stored. The settings are those of the
environment (STEAM_BANNERS_SOURCE ...).
"""

import argparse
import asyncio
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import fastapi_offline
import uvicorn
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from share.served import Served, load
from share.site import Game
from utils import settings
from utils.errors import PlainError
from utils.filters import Filter
from utils.picker.queries import QueryOptions
from utils.settings import Settings

_LOOPBACK = "127.0.0.1"
MOST_BYTES = 20_000_000  # of a posted picture
MOST_CONNECTIONS = 100  # more are answered 503: each may hold a posted picture
DEADLINE = 30.0  # seconds until all of a picture's bytes are there

_PALE = ".version, .url, .opblock-summary-method, .json-schema-2020-12-expand-deep-button, .parameter__in"
_READABLE = f"<style>.swagger-ui :is({_PALE}, .parameter__extension) {{ color: #000 !important; }}</style>"


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


class NoParameters(BaseModel, extra="forbid"):
    """What a route without parameters takes."""


class ByName(BaseModel, extra="forbid"):
    """What is typed, and which page of the games found is answered."""

    name: str = Field(min_length=1, max_length=200)
    limit: int = Field(12, ge=1, le=100, description="How many at most")
    offset: int = Field(0, ge=0, le=1000)


class Filters(BaseModel, extra="forbid"):
    """Which matches are answered."""

    n: int = Field(10, ge=1, le=100, description="How many at most")
    tag: str = Field("", max_length=60, description="One of the games' tags")
    since: int = Field(0, ge=0, le=3000, description="Released in this year or later")
    score: int = Field(0, ge=0, le=100, description="Percent of positive reviews, at least")
    others: bool = Field(False, description="Only games of other developers and franchises")


class Turned(Filters):
    """Which matches are answered, and how the query's banner is turned."""

    view: Literal["as-it-is", "mirrored", "upside-down"] = "as-it-is"


class Words(Filters):
    """Which matches of some words are answered."""

    words: str = Field(min_length=1, max_length=200)


Nothing = Annotated[NoParameters, Query()]
router = APIRouter(prefix="/api")


async def _served(request: Request) -> Served:
    return request.app.state.served


HasServed = Annotated[Served, Depends(_served)]


@router.get("/about")
async def about(served: HasServed, _: Nothing) -> dict[str, object]:
    """What made the matches, and what can be asked."""
    matches = served.site.matches
    return {
        "games": len(matches.appids),
        "matches_a_game": matches.neighbours.shape[1],
        "reads_words": served.matcher.supports_text,
        "sees_pictures": served.matcher.encoder is not None,
        "features": matches.manifest,
    }


@router.get("/games")
def find(served: HasServed, asked: Annotated[ByName, Query()]) -> Games:
    """Games by part of a name, an abbreviation, a mistyped name or an appid, the best first."""
    end = asked.offset + asked.limit
    found = served.index.find(asked.name, limit=end + 1)
    page = map(served.games.__getitem__, found[asked.offset : end])
    return Games(games=list(page), next_offset=end if len(found) > end else None)


@router.get("/random")
async def any_game_of(served: HasServed, _: Nothing) -> Game:
    """A game at random."""
    return random.choice(served.site.games)  # noqa: S311 - for play


@router.get("/games/{appid}")
async def game(served: HasServed, appid: int, _: Nothing) -> Game:
    """One game; 404 where it is not here."""
    return _game_of(served, appid)


@router.get("/games/{appid}/matches")
async def matches(served: HasServed, appid: int, asked: Annotated[Turned, Query()]) -> Matches:
    """The matches of one game's banner, as it is or turned; 404 where the game is not here."""
    query, options = _game_of(served, appid), _options(served, asked)
    near = served.stored(appid, options) or await run_in_threadpool(served.of_game, appid, options)
    return _answer(served, query, near)


@router.post("/matches")
async def matches_of_picture(served: HasServed, request: Request, asked: Annotated[Turned, Query()]) -> Matches:
    """The matches of a picture (JPEG, PNG, WebP ...), posted as the body."""
    options = _options(served, asked)
    body = await _received(request)
    async with request.app.state.one_at_a_time:
        return _answer(served, None, await run_in_threadpool(served.of_picture, body, options))


@router.get("/matches")
def matches_of_words(served: HasServed, asked: Annotated[Words, Query()]) -> Matches:
    """The banners that words describe; 422 where the checkpoint was trained on pictures alone."""
    return _answer(served, None, served.of_words(asked.words, _options(served, asked)))


def _game_of(served: Served, appid: int) -> Game:
    if appid not in served.games:
        raise HTTPException(404, f"no game here has the appid {appid}; /api/games?name= finds those that are")
    return served.games[appid]


def _options(served: Served, asked: Filters) -> QueryOptions:
    """Return what is asked for in the picker's terms; raises 422 for a tag that no game has."""
    tag = next((name for name in ["", *served.site.tags] if name.casefold() == asked.tag.casefold()), None)
    if tag is None:
        raise HTTPException(422, f"no game here has the tag {asked.tag!r}")
    view = getattr(asked, "view", "")
    return QueryOptions(
        k=asked.n,
        mirrored=view == "mirrored",
        upside_down=view == "upside-down",
        exclude_same_studio=asked.others,
        filter=Filter(tag=tag, since=asked.since or None, score=asked.score),
    )


def _answer(served: Served, query: Game | None, near: list[tuple[int, float]]) -> Matches:
    found = [Match(cosine=round(cosine, 4), game=served.games[appid]) for appid, cosine in near]
    return Matches(query=query, matches=found)


async def _received(request: Request) -> bytes:
    """Return a request's body; raises 408 and 413 where it comes too slowly or is too large."""
    body = bytearray()
    try:
        async with asyncio.timeout(DEADLINE):
            async for some in request.stream():
                body += some
                if len(body) > MOST_BYTES:
                    raise HTTPException(413, f"the picture has more than {MOST_BYTES:,} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the picture was not here after {DEADLINE:.0f} seconds") from None
    return bytes(body)


def create(served: Served, *, hosts: tuple[str, ...] = ()) -> FastAPI:
    """Return the app over finished matches.

    `hosts`: the names by which it may be asked, any by default; a page whose own name was pointed at this machine (DNS
    rebinding) asks by another.
    """
    app = FastAPI(title="Games that look alike", version="1", docs_url=None, redoc_url=None)
    app.state.served = served
    app.state.one_at_a_time = asyncio.Semaphore(1)  # a decoded picture may take hundreds of MB, whatever its bytes
    if hosts:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(_alike)

    @app.exception_handler(PlainError)
    async def refuse(_: Request, error: PlainError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)

    app.include_router(router)
    _add_docs(app)
    if served.gallery:
        app.mount("/", StaticFiles(directory=served.gallery, html=True), name="gallery")
    return app


def _alike(app: ASGIApp) -> ASGIApp:
    """Answer HEAD as GET, whose body the server leaves out, and an address with a slash at its end as without."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            method = "GET" if scope["method"] == "HEAD" else scope["method"]
            scope = {**scope, "path": scope["path"].rstrip("/") or "/", "method": method}
        await app(scope, receive, send)

    return answer


def _add_docs(app: FastAPI) -> None:
    """Have FastAPI's own page at /docs, its files from this machine, in colours that everybody can read."""
    app.mount("/docs/assets", StaticFiles(directory=Path(fastapi_offline.__file__).with_name("static")))
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=app.title,
        swagger_js_url="/docs/assets/swagger-ui-bundle.js",
        swagger_css_url="/docs/assets/swagger-ui.css",
        swagger_favicon_url="/docs/assets/favicon.png",
        swagger_ui_parameters={"deepLinking": False},  # its links would be controls within controls
    )
    text = bytes(page.body).decode().replace("<html>", '<html lang="en">').replace("</head>", f"{_READABLE}</head>")
    app.add_route("/docs", lambda _: HTMLResponse(text))


def main(choose: Callable[[], Settings] = settings.read) -> None:
    """Read the command line and serve, until interrupted, what was made with the settings that `choose` returns."""
    parser = argparse.ArgumentParser(prog="python -m share.api", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default=_LOOPBACK, help="0.0.0.0 lets other machines in: for a container only")
    parser.add_argument("--only-matches", action="store_true", help="do not load the checkpoint: no pictures, no words")
    asked = parser.parse_args()
    try:
        served = load(choose(), with_encoder=not asked.only_matches)
    except PlainError as error:
        sys.exit(str(error))
    threading.Thread(target=lambda: served.index, daemon=True).start()  # the first search need not wait for it
    here = f"http://{asked.host}:{asked.port}"
    gallery = f"the gallery is {here}/, " if served.gallery else ""
    print(f"Serving {len(served.games):,} games: {gallery}the API {here}/docs", flush=True)  # noqa: T201
    app = create(served, hosts=(_LOOPBACK, "localhost") if asked.host == _LOOPBACK else ())
    place = {"host": asked.host, "port": asked.port}
    uvicorn.run(app, **place, limit_concurrency=MOST_CONNECTIONS, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
