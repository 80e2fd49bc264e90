"""An immutable plan a snapshot: which games, in which order, in shards of which size. Written once, never changed."""

import hashlib
import io
import json
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from utils import files
from utils.snapshot.errors import SnapshotError

COLUMNS = ["appid", "name", "picture", "banner_url"]

_MOST_GAMES = 10_000_000  # of a plan that is believed
_LAST = 9_999  # the last number of a snapshot
_CONTENT_HASH = re.compile(r"/[0-9a-f]{40}/")


@dataclass(frozen=True)
class Plan:
    """The plan of one snapshot as it stands on disk."""

    folder: Path
    games: int
    shard_size: int
    sha256: str  # of plan.parquet

    @property
    def shards(self) -> range:
        """The numbers of its shards."""
        return range(math.ceil(self.games / self.shard_size))

    def size(self, number: int) -> int:
        """Return how many games a shard has."""
        return min(self.shard_size, self.games - number * self.shard_size)

    def part(self, number: int, ending: str) -> Path:
        """Return the place of one of img2dataset's files of a shard."""
        return self.folder / "shards" / f"{number:05}{ending}"

    def record(self, number: int) -> Path:
        """Return the place of what was found in a shard."""
        return self.folder / "verified" / f"{number:05}.parquet"

    @cached_property
    def table(self) -> pd.DataFrame | None:
        """The planned games, with COLUMNS; None where plan.parquet is not what was planned."""
        try:
            content = (self.folder / "plan.parquet").read_bytes()
            if hashlib.sha256(content).hexdigest() != self.sha256:
                return None
            table = pd.read_parquet(io.BytesIO(content)).reindex(columns=COLUMNS)
        except (OSError, ValueError, pa.ArrowException):
            return None
        return table if len(table) == self.games else None

    def part_of_table(self, number: int) -> pd.DataFrame | None:
        """Return the planned games of one shard; None where plan.parquet is not what was planned."""
        start = number * self.shard_size
        return None if self.table is None else self.table.iloc[start : start + self.size(number)]


def picture_identity(url: object) -> str:
    """Return what identifies a version of a picture, whichever of the store's hosts serves it; "" without a picture.

    Its path alone where that holds a content hash of 40 digits; else path and query, whose `t` moves with every
    picture of a game, so that it may move while this one stays the same.
    """
    try:
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    except ValueError:
        return ""
    if not parts.path or _CONTENT_HASH.search(parts.path):
        return parts.path
    return f"{parts.path}?{parts.query}"


def read_plans(folder: Path) -> tuple[list[Plan], list[str]]:
    """Return the plans in a folder, oldest first, and a sentence for each that cannot be used."""
    plans = []
    notes = []
    for place in sorted(Path(folder).glob("[0-9][0-9][0-9][0-9]")):
        file = place / "plan.json"
        plan = (_read(file) if file.is_file() else None) or _recovered(file)  # a pipe would be waited for
        if plan:
            plans.append(plan)
        elif file.exists():
            notes.append(f"{place} is left aside: its plan.json is damaged, and nothing there can replace it")
    return plans, notes


def write_plan(folder: Path, games: pd.DataFrame, shard_size: int | None, older: Sequence[Plan]) -> Plan:
    """Write the plan of a new snapshot, whole or not at all, and return it.

    games: COLUMNS. shard_size: banners a shard; None is 1,000, fewer for fewer games.
    """
    shard_size = shard_size or max(50, min(1_000, math.ceil(len(games) / 8)))
    place = folder / f"{_next_number(folder, older):04}"
    part = place.with_name(f"{place.name}.part")
    with files.storage_errors(folder):
        shutil.rmtree(part, ignore_errors=True)  # what a crash left of an earlier attempt
        (part / "shards").mkdir(parents=True)
        (part / "verified").mkdir()
        games[COLUMNS].to_parquet(part / "plan.parquet", index=False)
        files.flush(part / "plan.parquet")
        plan = Plan(place, len(games), shard_size, files.sha256(part / "plan.parquet"))
        _write_description(part, plan)
        part.rename(place)
        files.flush(folder)
    return plan


def _write_description(place: Path, plan: Plan) -> None:
    planned = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"games": plan.games, "shard_size": plan.shard_size, "sha256": plan.sha256, "planned": planned}
    content["seal"] = _seal(plan)
    files.write(place / "plan.json", json.dumps(content, indent=1).encode())


def _next_number(folder: Path, older: Sequence[Plan]) -> int:
    """Return the first number after the last plan's where nothing stands."""
    number = 1 + max((int(plan.folder.name) for plan in older), default=0)
    while (folder / f"{number:04}").exists():
        number += 1
    if number > _LAST:
        raise SnapshotError(f"{folder} has no number free after {_LAST}; move the snapshot {_LAST:04} out of it")
    return number


def _read(file: Path) -> Plan | None:
    """Return the plan that a plan.json describes; None where it is damaged or describes none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        plan = Plan(file.parent, content["games"], content["shard_size"], content["sha256"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    counts = (plan.games, plan.shard_size)
    if not all(type(count) is int and 0 < count <= _MOST_GAMES for count in counts) or not isinstance(plan.sha256, str):
        return None
    return plan if content.get("seal", _seal(plan)) == _seal(plan) and _fits(plan) else None


def _fits(plan: Plan) -> bool:
    """Return whether plan.parquet has as many games as plan.json says; also where it cannot be read."""
    try:
        return pq.read_metadata(plan.folder / "plan.parquet").num_rows == plan.games
    except (OSError, pa.ArrowException):
        return True


def _recovered(file: Path) -> Plan | None:
    """Return the plan of a damaged plan.json, made again from plan.parquet and its first shard, and write it."""
    try:
        games = pq.read_metadata(file.parent / "plan.parquet").num_rows
        shard_size = pq.read_metadata(file.parent / "verified" / "00000.parquet").num_rows
        plan = Plan(file.parent, games, shard_size, files.sha256(file.parent / "plan.parquet"))
    except (OSError, pa.ArrowException):
        return None
    if not 0 < shard_size <= games or plan.table is None:
        return None
    _write_description(file.parent, plan)
    return plan


def _seal(plan: Plan) -> str:
    """Return the hash of what plan.json says."""
    return hashlib.sha256(f"{plan.games} games, {plan.shard_size} a shard, {plan.sha256}".encode()).hexdigest()
