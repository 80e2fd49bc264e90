"""Shards that are verified before they count: img2dataset's files, and what was found in them.

0001/shards/00000.tar          img2dataset's webdataset, KEY.jpg and KEY.json a banner, beside its parquet and stats
0001/verified/00000.parquet    a row a game with its status and place, and the tar's checksum; written last
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from utils import files
from utils.snapshot import found
from utils.snapshot.plan import Plan, read_plans

RECORD = pa.schema(
    [
        ("appid", pa.int64()),
        ("name", pa.string()),
        ("picture", pa.string()),  # path and version of the picture at the store, whatever the host
        ("status", pa.string()),  # one of found.STATUSES
        ("reason", pa.string()),  # why it is not downloaded
        ("passing", pa.bool_()),  # whether the reason may pass, so that another try is worth it
        ("offset", pa.int64()),  # where the JPEG begins in the tar, bytes; -1 without one
        ("size", pa.int64()),  # bytes of the JPEG
        ("rotation", pa.int16()),  # degrees counter-clockwise that make the picture upright
    ]
)

_BANNER_BYTES = 2_500_000  # more than a stored banner of the longest shape takes, with its JSON


@dataclass(frozen=True)
class Shard:
    """A verified tar of banners."""

    path: Path
    snapshot: str  # the name of its snapshot, "0001"
    plan: str  # the plan's checksum
    sha256: str  # of the tar, taken when it was verified
    appids: tuple[int, ...]  # the banners in it, in the plan's order


def verified(folder: Path) -> list[Shard]:
    """Return the verified shards of all snapshots in `folder`, oldest first."""
    shards = []
    for plan, number, record in _records(folder):
        appids = tuple(_downloaded(record)["appid"].to_pylist())
        shards.append(Shard(plan.part(number, ".tar"), plan.folder.name, plan.sha256, _noted(record, "sha256"), appids))
    return shards


def rows(shard: Shard) -> pd.DataFrame:
    """Return what was found of each banner in a shard: appid, name, picture, offset, size, rotation, in bytes.

    Empty where the record is gone.
    """
    record = _opened(shard.path.parent.parent / "verified" / f"{shard.path.stem}.parquet")
    return _downloaded(record or RECORD.empty_table()).to_pandas()


def records(folder: Path) -> pd.DataFrame:
    """Return what was found in all verified shards of `folder`, oldest first: a row a game and snapshot.

    Columns: those of the files in `verified/`, and `path`, the shard's tar.
    """
    tables = [RECORD.empty_table().to_pandas().assign(path="")]
    for plan, number, record in _records(folder):
        tables.append(record.to_pandas().assign(path=str(plan.part(number, ".tar"))))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def record_of(plan: Plan, number: int) -> pa.Table | None:
    """Return what was found in a verified shard; None where it is not verified or belongs to another plan."""
    record = _opened(plan.record(number))
    if record is None:
        return None
    if b"plan" in record.schema.metadata:
        belongs = (_noted(record, "plan"), _noted(record, "shard")) == (plan.sha256, str(number))
    else:  # of the first edition
        belongs = _as_planned(plan, number, record.select(["appid", "picture"]).to_pandas())
    return record if belongs else None


def is_intact(plan: Plan, number: int, *, check: bool) -> bool:
    """Return whether a verified shard is as it was when it was verified.

    Compares the tar's size and time of change, and its checksum where these differ, or with `check`.
    """
    record = record_of(plan, number)
    tar = plan.part(number, ".tar")
    if record is None or not tar.is_file():
        return False
    stat = tar.stat()
    if _noted(record, "bytes") != str(stat.st_size):
        return False
    if not check and _noted(record, "mtime_ns") == str(stat.st_mtime_ns):
        return True
    return files.sha256(tar) == _noted(record, "sha256")


def verify(plan: Plan, number: int) -> pa.Table | None:
    """Record what a finished shard holds, and return it; None where it is not finished, or not what was planned.

    img2dataset writes the stats last. A shard is good when its parquet has the planned games, each with its picture,
    and its tar has a JPEG for each row that says so.
    """
    tar = plan.part(number, ".tar")
    stats = plan.part(number, "_stats.json")
    try:
        count = json.loads(stats.read_text())["count"] if stats.is_file() else -1
        if tar.stat().st_size > plan.size(number) * _BANNER_BYTES:
            return None
        table = pq.read_table(plan.part(number, ".parquet")).sort_by("key")
        places = dict(jpeg_places(tar))
        checksum = files.sha256(tar)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, pa.ArrowException, tarfile.TarError):
        return None
    if count != len(table) or not _as_planned(plan, number, table.select(["appid", "picture"]).to_pandas()):
        return None
    good = set(table.filter(pc.field("status") == "success")["key"].to_pylist())
    if good != places.keys():
        return None
    stat = tar.stat()
    noted = {"sha256": checksum, "bytes": str(stat.st_size), "mtime_ns": str(stat.st_mtime_ns)}
    noted |= {"plan": plan.sha256, "shard": str(number)}
    record = pa.Table.from_pylist(list(_found(table, tar, places)), schema=RECORD.with_metadata(noted))
    with files.writing(plan.record(number)) as part:
        pq.write_table(record, part)
    return record


def jpeg_places(tar: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield where each sample's JPEG lies in a tar: key, (offset, size), in bytes."""
    with tarfile.open(tar, "r:") as members:
        for each in members:
            if each.isreg() and each.name.endswith(".jpg"):
                yield each.name[:-4], (each.offset_data, each.size)


def _found(table: pa.Table, tar: Path, places: dict[str, tuple[int, int]]) -> Iterator[dict]:
    """Yield the record of each game from img2dataset's row and, if there is one, its picture."""
    with tar.open("rb") as content:
        for row in table.to_pylist():
            offset, size = places.get(row["key"], (-1, 0))
            if size:
                content.seek(offset)
                verdict = found.of_picture(content.read(size))
            else:
                verdict = found.of_error(row["error_message"] or "no reason given")
            yield {
                **{name: row[name] for name in ("appid", "name", "picture")},
                **verdict._asdict(),
                "offset": offset,
                "size": size,
                "rotation": found.rotation(row.get("exif")),
            }


def _as_planned(plan: Plan, number: int, pictures: pd.DataFrame) -> bool:
    """Return whether appid and picture of each row are those of a planned shard, in its order."""
    planned = plan.part_of_table(number)
    if planned is None or len(planned) != len(pictures):
        return False
    columns = ["appid", "picture"]
    return bool((planned[columns].to_numpy() == pictures[columns].to_numpy()).all())


def _records(folder: Path) -> Iterator[tuple[Plan, int, pa.Table]]:
    for plan in read_plans(folder)[0]:
        for number in plan.shards:
            record = record_of(plan, number)
            if record is not None:
                yield plan, number, record


def _opened(file: Path) -> pa.Table | None:
    """Return a record as it stands on disk; None where it is absent or damaged."""
    try:
        record = pq.read_table(file)
    except (OSError, pa.ArrowException):
        return None
    noted = record.schema.metadata or {}
    whole = record.schema.equals(RECORD) and {b"sha256", b"bytes", b"mtime_ns"} <= noted.keys()
    return record if whole else None


def _downloaded(record: pa.Table) -> pa.Table:
    return record.filter(pc.field("status") == "downloaded")


def _noted(record: pa.Table, what: str) -> str:
    return record.schema.metadata[what.encode()].decode(errors="replace")
