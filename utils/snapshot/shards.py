"""Shards that are verified before they count: img2dataset's files, and what was found in them.

0001/shards/00000.tar          img2dataset's webdataset, KEY.jpg and KEY.json a banner, beside its parquet and stats
0001/verified/00000.parquet    a row a game with its outcome and place, and the tar's checksum; written last
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from utils import files
from utils.errors import DamagedError
from utils.snapshot import outcome
from utils.snapshot.plan import Plan, read_plan

RECORD = pa.schema(
    [
        ("appid", pa.int64()),
        ("name", pa.string()),
        ("picture", pa.string()),  # path and version of the picture at the store, whatever the host
        ("status", pa.string()),  # one of outcome.STATUSES
        ("reason", pa.string()),  # why it is not downloaded
        ("retryable", pa.bool_()),  # whether the reason may pass, so that another try is worth it
        ("offset", pa.int64()),  # where the JPEG begins in the tar, bytes; -1 without one
        ("size", pa.int64()),  # bytes of the JPEG
    ]
)

NOTED = {"sha256", "bytes", "mtime_ns", "plan", "shard"}  # beside a record

_BANNER_BYTES = 2_500_000  # more than a stored banner of the longest shape takes, with its JSON


@dataclass(frozen=True)
class Shard:
    """A verified tar of banners."""

    path: Path
    snapshot: str  # the name of its snapshot, "0001"
    plan: str  # the plan's checksum
    sha256: str  # of the tar, taken when it was verified
    rows: pd.DataFrame = field(repr=False, compare=False)  # RECORD's columns of the banners in it, in the plan's order

    @cached_property
    def appids(self) -> tuple[int, ...]:
        """The banners in it, in the plan's order."""
        return tuple(self.rows["appid"].tolist())


@dataclass(frozen=True)
class Record:
    """What was found in a verified shard."""

    table: pa.Table  # RECORD's columns, a row a planned game
    noted: dict[str, str]  # NOTED: of the tar, and whose it is


@dataclass(frozen=True)
class Snapshot:
    """One snapshot as it stands on disk: its plan, if that is whole, and what was found in its verified shards."""

    folder: Path
    plan: Plan | None
    records: dict[int, Record]  # by the shard's number; those that are verified later are added

    def part(self, number: int, ending: str) -> Path:
        """Return the place of one of img2dataset's files of a shard."""
        return self.folder / "shards" / f"{number:05}{ending}"

    def record_file(self, number: int) -> Path:
        """Return the place of what was found in a shard."""
        return self.folder / "verified" / f"{number:05}.parquet"


def read(folder: Path) -> list[Snapshot]:
    """Return the snapshots in a folder, oldest first. What is damaged counts as not there.

    A record counts only beside its plan; where the plan is damaged, for itself.
    """
    found = []
    for place in sorted(Path(folder).glob("[0-9][0-9][0-9][0-9]")):
        if (place / "verified").is_dir() or (place / "plan.parquet").exists():
            plan = read_plan(place)
            found.append(Snapshot(place, plan, dict(_records(place, plan))))
    return found


def history(snapshots: list[Snapshot]) -> pd.DataFrame:
    """Return what was found in all verified shards, oldest first: a row a game and snapshot.

    Columns: RECORD's, and `path`, the shard's tar.
    """
    tables = [RECORD.empty_table().to_pandas().assign(path="")]
    for each in snapshots:
        for number, record in sorted(each.records.items()):
            tables.append(record.table.to_pandas().assign(path=str(each.part(number, ".tar"))))
    return pd.concat(tables[1:] or tables, ignore_index=True)


def verified(snapshots: list[Snapshot]) -> list[Shard]:
    """Return the verified shards of snapshots, in their order."""
    shards = []
    for each in snapshots:
        for number, record in sorted(each.records.items()):
            rows = record.table.filter(pc.field("status") == "downloaded").to_pandas()
            tar = each.part(number, ".tar")
            shards.append(Shard(tar, each.folder.name, record.noted["plan"], record.noted["sha256"], rows))
    return shards


def lacking(snapshot: Snapshot, *, check: bool) -> set[int]:
    """Return the numbers of the planned shards that are not verified, or no longer as they were then.

    One that was finished but not recorded is verified now. Of one that changed, the record goes: it must not be
    verified as it is now.
    """
    for number, record in list(snapshot.records.items()):
        if not _is_intact(snapshot.part(number, ".tar"), record, check=check):
            snapshot.record_file(number).unlink()
            snapshot.part(number, "_stats.json").unlink(missing_ok=True)
            del snapshot.records[number]
    planned = snapshot.plan.shards if snapshot.plan else ()
    return {number for number in planned if number not in snapshot.records and not verify(snapshot, number)}


def verify(snapshot: Snapshot, number: int) -> Record | None:
    """Record what a finished shard holds, and return it; None where it is not finished, or not what was planned.

    img2dataset writes the stats last. A shard is good when its parquet has the planned games, each with its picture,
    and its tar has a JPEG for each row that says so. The tar is on the disk before the record that vouches for it.
    """
    plan, tar = snapshot.plan, snapshot.part(number, ".tar")
    if plan is None:
        return None
    try:
        table = _finished_rows(snapshot, plan, number)
        places = {} if table is None else dict(_jpeg_places(tar))
        good = table and set(table.filter(pc.field("status") == "success")["key"].to_pylist()) == places.keys()
    except (OSError, ValueError, LookupError, TypeError, RecursionError, pa.ArrowException, tarfile.TarError):
        return None
    if not good:
        return None
    files.flush(tar)
    files.flush(tar.parent)
    found = pa.Table.from_pylist(list(_found(table, tar, places)), schema=RECORD)
    stat = tar.stat()
    noted = {"sha256": files.sha256(tar), "bytes": str(stat.st_size), "mtime_ns": str(stat.st_mtime_ns)}
    noted |= {"plan": plan.sha256, "shard": str(number)}
    files.write_table(snapshot.record_file(number), found, noted)
    snapshot.records[number] = Record(found, noted)
    return snapshot.records[number]


def finished_files(snapshots: list[Snapshot], *, check: bool = False) -> list[tuple[Path, ...]]:
    """Return the finished files of snapshots, those that count together in one tuple, oldest first.

    The last of a tuple is written last and makes the others count. A plan stands before its shards. With `check`,
    each tar is read: one that is not as it was when it was verified is left out.
    """
    found: list[tuple[Path, ...]] = []
    for each in snapshots:
        if each.plan:
            found.append((each.folder / "plan.parquet",))
        for number, record in sorted(each.records.items()):
            if not check or _is_intact(each.part(number, ".tar"), record, check=True):
                endings = (".tar", ".parquet", "_stats.json")
                found.append((*(each.part(number, ending) for ending in endings), each.record_file(number)))
    return found


def _records(place: Path, plan: Plan | None) -> Iterator[tuple[int, Record]]:
    """Yield the records in a snapshot's folder that belong to its plan; all of them where that is damaged."""
    for file in sorted((place / "verified").glob("[0-9][0-9][0-9][0-9][0-9].parquet")):
        try:
            table, noted = files.read_table(file, RECORD)
        except DamagedError:
            continue
        belongs = noted.keys() >= NOTED and (plan is None or plan.sha256 == noted["plan"])
        if belongs and noted["shard"].zfill(5) == file.stem:
            yield int(file.stem), Record(table, noted)


def _is_intact(tar: Path, record: Record, *, check: bool) -> bool:
    """Return whether a tar is as it was when it was verified.

    Compares its size and time of change, and its checksum where the time differs, or with `check`.
    """
    try:
        stat = tar.stat()
        if str(stat.st_size) != record.noted["bytes"]:
            return False
        unchanged = not check and str(stat.st_mtime_ns) == record.noted["mtime_ns"]
        return unchanged or files.sha256(tar) == record.noted["sha256"]
    except OSError:
        return False


def _finished_rows(snapshot: Snapshot, plan: Plan, number: int) -> pa.Table | None:
    """Return img2dataset's rows of a shard, in the plan's order; None where they are not there, or not as planned."""
    stats = snapshot.part(number, "_stats.json")
    if not stats.is_file():  # a pipe would be waited for
        return None
    if snapshot.part(number, ".tar").stat().st_size > plan.size(number) * _BANNER_BYTES:
        return None
    table = pq.read_table(snapshot.part(number, ".parquet"), partitioning=None).sort_by("key")
    columns = ["appid", "picture"]
    planned = plan.part_of_table(number)[columns].to_numpy().tolist()
    whole = json.loads(stats.read_text())["count"] == len(table)
    return table if whole and table.select(columns).to_pandas().to_numpy().tolist() == planned else None


def _jpeg_places(tar: Path) -> Iterator[tuple[str, tuple[int, int]]]:
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
            content.seek(max(offset, 0))
            jpeg = content.read(size)
            said = row["error_message"] or "no reason given"
            became = outcome.of_picture(jpeg) if jpeg else outcome.of_error(said)
            asked = {name: row[name] for name in ("appid", "name", "picture")}
            yield {**asked, **became._asdict(), "offset": offset, "size": size}
