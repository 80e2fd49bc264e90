"""Which games exist: Steam's store services, asked page by page, as a table with one row a game.

The services, their fields and their habits are those of Valve's published protobufs (`service_storequery.proto`,
`service_storebrowse.proto`, `service_steamcharts.proto`): GET, keyless, one `input_json` parameter.
"""

from utils.catalogue.fetching import fetch_catalogue, fetch_games, fetch_most_played, more_like_this, popular
from utils.catalogue.row import COLUMNS
from utils.catalogue.saving import CatalogueError, finished_files, load, load_or_fetch, save
from utils.catalogue.service import StoreError
from utils.catalogue.summary import summary

__all__ = [
    "COLUMNS",
    "CatalogueError",
    "StoreError",
    "fetch_catalogue",
    "fetch_games",
    "fetch_most_played",
    "finished_files",
    "load",
    "load_or_fetch",
    "more_like_this",
    "popular",
    "save",
    "summary",
]
