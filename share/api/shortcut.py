"""The commonest question, a known game's matches as they are, answered before routing and validation."""

import re

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from share.api.filters import DEFAULT
from share.api.served import Served

_QUESTION = re.compile(r"/api/games/(\d{1,10})/matches")


class Shortcut:
    """An app that answers `GET /api/games/{appid}/matches` without parameters itself, and hands on all else.

    The answer is what the route gives, which stays for the rest and in the OpenAPI page.
    """

    def __init__(self, app: ASGIApp, served: Served) -> None:
        self._app = app
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        appid = _asked(scope)
        if appid not in self._served.row_of:
            await self._app(scope, receive, send)
            return
        found = self._served.matches_json(appid, self._served.kept(appid, DEFAULT))
        await Response(found, media_type="application/json")(scope, receive, send)


def _asked(scope: Scope) -> int | None:
    """Return the appid of the question above; None for any other."""
    if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
        return None
    question = _QUESTION.fullmatch(scope["path"])
    return int(question[1]) if question else None
