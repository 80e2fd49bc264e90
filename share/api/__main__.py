"""Serve the finished matches on 127.0.0.1, with the settings of the environment (STEAM_BANNERS_SOURCE ...)."""

import argparse
import sys
import threading
from collections.abc import Callable

import uvicorn

from share import api
from utils import settings
from utils.errors import PlainError
from utils.settings import Settings

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 100  # more are answered 503: each may hold a posted picture


def main(choose: Callable[[], Settings] = settings.read) -> None:
    """Read the command line and serve, until interrupted, what was made with the settings that `choose` returns."""
    parser = argparse.ArgumentParser(prog="python -m share.api", description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--host", default=LOOPBACK, help="0.0.0.0 lets other machines in: for a container only")
    parser.add_argument("--only-matches", action="store_true", help="do not load the checkpoint: no pictures, no words")
    parser.add_argument("--origin", action="append", default=[], help="a page that may ask from elsewhere (CORS)")
    asked = parser.parse_args()
    try:
        served = api.load(choose(), sees=not asked.only_matches)
    except PlainError as error:
        sys.exit(str(error))
    threading.Thread(target=lambda: served.index, daemon=True).start()  # the first search need not wait for it
    print(f"Serving {len(served.site.games):,} games: http://{asked.host}:{asked.port}/docs", flush=True)  # noqa: T201
    hosts = (LOOPBACK, "localhost") if asked.host == LOOPBACK else ()
    app = api.create(served, origins=tuple(asked.origin), hosts=hosts)
    uvicorn.run(
        app,
        host=asked.host,
        port=asked.port,
        limit_concurrency=MOST_CONNECTIONS,
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
