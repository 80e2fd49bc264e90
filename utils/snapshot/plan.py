"""An immutable plan a snapshot: which games, in which order, in shards of which size. Written once, never changed."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pyarrow as pa

from utils import files, settings
from utils.errors import DamagedError

SCHEMA = pa.schema(
    [
        ("appid", pa.int64()),
        ("name", pa.string()),
        ("picture", pa.string()),  # what identifies the version of the picture
        ("banner_url", pa.string()),
    ]
)

_CONTENT_HASH = re.compile(r"/[0-9a-f]{40}/")
_MIRRORS = (  # hosts of Steam that serve the same files (a fourth, shared.cloudflare, redirects to them)
    "https://shared.fastly.steamstatic.com/store_item_assets/",
    "https://shared.steamstatic.com/store_item_assets/",
    "https://shared.cloudflare.steamstatic.com/store_item_assets/",
)


@dataclass(frozen=True)
class Plan:
    """The plan of one snapshot as it stands on disk."""

    folder: Path
    table: pd.DataFrame  # the planned games, with SCHEMA's columns
    shard_size: int
    sha256: str  # of plan.parquet

    @property
    def shards(self) -> range:
        """The numbers of its shards."""
        return range(math.ceil(len(self.table) / self.shard_size))

    def part_of_table(self, number: int) -> pd.DataFrame:
        """Return the planned games of one shard."""
        return self.table.iloc[number * self.shard_size : (number + 1) * self.shard_size]


def picture_addresses(assets_url: str | None = None) -> tuple[str, ...]:
    """Return what the address of a picture must begin with: the store's address, and for Steam's its mirrors too.

    assets_url: the store's (default: the environment's, or Steam's).
    """
    own = (assets_url or settings.store_urls()[1]).rstrip("/") + "/"
    mirrors = _MIRRORS if own == settings.ASSETS_URL else ()
    return (own, *mirrors)


def lie_under(urls: pd.Series, allowed: Sequence[str]) -> pd.Series:
    """Return for each address (or None) whether it begins with one of those allowed and does not climb out of it."""
    known = urls.map(lambda url: url if isinstance(url, str) else "").astype(str)
    return known.str.startswith(tuple(allowed)) & ~known.str.contains(r"(?:^|/)\.\.(?:/|$)")


def picture_identity(url: object) -> str:
    """Return what identifies a version of a picture, whichever of the store's hosts serves it; "" without a picture.

    Its path alone where that holds a content hash of 40 digits; else path and query, whose `t` moves with every
    picture of a game, so that it may move while this one stays the same. A file's name says nothing of its content.
    """
    try:
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    except ValueError:
        return ""
    if not parts.path or (parts.scheme != "file" and _CONTENT_HASH.search(parts.path)):
        return parts.path
    return f"{parts.path}?{parts.query}"


def read_plan(folder: Path) -> Plan | None:
    """Return the plan of a snapshot's folder; None where plan.parquet is not what was planned."""
    try:
        table, about = files.read_table(folder / "plan.parquet", SCHEMA)
        return Plan(folder, table.to_pandas(), int(about["shard_size"]), files.sha256(folder / "plan.parquet"))
    except (DamagedError, OSError, LookupError, ValueError):
        return None


def write_plan(folder: Path, games: pd.DataFrame, shard_size: int | None = None) -> Plan:
    """Write the plan of a new snapshot in a folder of snapshots, whole or not at all, and return it.

    games: SCHEMA's columns. shard_size: banners a shard; None is 1,000, fewer for fewer games.
    """
    shard_size = shard_size or max(50, min(1_000, math.ceil(len(games) / 8)))
    games = games[SCHEMA.names].reset_index(drop=True)
    number = 1 + max((int(place.name) for place in folder.glob("[0-9][0-9][0-9][0-9]")), default=0)
    place = folder / f"{number:04}"  # without a plan, as a crash leaves it, it is no snapshot
    planned = pa.Table.from_pandas(games, SCHEMA, preserve_index=False)
    files.write_table(place / "plan.parquet", planned, {"shard_size": str(shard_size)})
    files.flush(folder)
    return Plan(place, games, shard_size, files.sha256(place / "plan.parquet"))
