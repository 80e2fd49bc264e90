"""Shards that are verified before they count: img2dataset's files, and what became of each game in them."""

import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from utils import files, images
from utils.errors import DamagedError, PictureError
from utils.snapshot.plan import SCHEMA, Plan, read_plan

STATUSES = (
    "downloaded",
    "missing",  # the store has no vertical banner
    "refused",  # the picture is no banner: blank, tiny, not to be used
    "failed",  # for a reason that may pass; the next update asks again
)
SMALLEST = 64  # pixels; an original with a shorter side is no banner (Steam's are 300 and more wide)
LONGEST = 10  # times its short side; an original that is longer is no banner
RECORD = pa.schema(
    [
        *SCHEMA,  # with the address that it was asked from
        ("status", pa.string()),  # one of STATUSES
        ("reason", pa.string()),  # why it is not downloaded
        ("retryable", pa.bool_()),  # whether the status is "failed"
        ("offset", pa.int64()),  # where the JPEG begins in the tar, bytes; -1 without one
        ("size", pa.int64()),  # bytes of the JPEG
    ]
)
NOTED = {"sha256", "bytes", "mtime_ns", "plan", "shard"}  # beside a record: of the tar, and whose it is

_BANNER_BYTES = 2_500_000  # more than a stored banner of the longest shape takes, with its JSON
_BLANK_BYTES = 8_000  # a 256x384 JPEG larger than this is not blank, so only smaller ones are decoded and looked at
_BLANK_RANGE = 8  # levels of 255; what a blank picture's channels span after JPEG
_STATUS = re.compile(r"status (\d{3})\b")
_REFUSED = {  # what img2dataset says -> what we say
    "image too small": f"the picture is smaller than {SMALLEST} pixels",
    "aspect ratio too large": f"the picture is more than {LONGEST} times as long as wide",
    "disallowed": "the store asks not to use the picture (X-Robots-Tag)",
}


@dataclass(frozen=True)
class Shard:
    """A verified tar of banners, and what was found of each planned game."""

    path: Path
    snapshot: str  # the name of its snapshot, "0001"
    plan: str  # the plan's checksum
    sha256: str  # of the tar, taken when it was verified
    noted: dict[str, str] = field(repr=False, compare=False)  # NOTED
    table: pa.Table = field(repr=False, compare=False)  # RECORD's columns, a row a planned game

    @cached_property
    def rows(self) -> pd.DataFrame:
        """What was found of the banners in it, in the plan's order: RECORD's columns."""
        return self.table.filter(pc.field("status") == "downloaded").to_pandas()

    @cached_property
    def appids(self) -> tuple[int, ...]:
        """The banners in it, in the plan's order."""
        return tuple(self.rows["appid"].tolist())


@dataclass(frozen=True)
class Snapshot:
    """One snapshot as it stands on disk: its plan, if that is whole, and what was found in its verified shards."""

    folder: Path
    plan: Plan | None
    shards: dict[int, Shard]  # the verified ones by their numbers, in order; those that are verified later are added

    def part(self, number: int, ending: str) -> Path:
        """Return the place of one of img2dataset's files of a shard."""
        return self.folder / "shards" / f"{number:05}{ending}"

    def record_file(self, number: int) -> Path:
        """Return the place of what was found in a shard."""
        return self.folder / "verified" / f"{number:05}.parquet"


def read(folder: Path) -> list[Snapshot]:
    """Return the snapshots in a folder, oldest first. What is damaged counts as not there.

    A record counts only beside its plan; where the plan is damaged, for itself. Raises StorageError.
    """
    found = []
    with files.storage_errors(Path(folder)):
        for place in sorted(Path(folder).glob("[0-9][0-9][0-9][0-9]")):
            if (place / "verified").is_dir() or (place / "plan.parquet").exists():
                plan = read_plan(place)
                found.append(Snapshot(place, plan, dict(_verified(place, plan))))
    return found


def verified(folder: Path) -> list[Shard]:
    """Return the verified shards of all snapshots in `folder`, oldest first."""
    return [shard for each in read(folder) for shard in each.shards.values()]


def lacking(snapshot: Snapshot, *, check: bool) -> set[int]:
    """Return the numbers of the planned shards that are not verified, or no longer as they were then.

    One that was finished but not recorded is verified now. Of one that changed, the record goes: it must not be
    verified as it is now.
    """
    for number, shard in list(snapshot.shards.items()):
        if not _is_intact(shard, check=check):
            snapshot.record_file(number).unlink()
            snapshot.part(number, "_stats.json").unlink(missing_ok=True)
            del snapshot.shards[number]
    planned = snapshot.plan.shards if snapshot.plan else ()
    return {number for number in planned if number not in snapshot.shards and not verify(snapshot, number)}


def verify(snapshot: Snapshot, number: int) -> Shard | None:
    """Record what a finished shard holds, and return it; None where it is not finished, or not what was planned.

    img2dataset writes the stats last. A shard is good when its parquet has the planned games, each with its picture,
    and its tar has a JPEG for each row that says so. The tar is on the disk before the record that vouches for it.
    """
    plan, tar = snapshot.plan, snapshot.part(number, ".tar")
    if plan is None or not snapshot.part(number, "_stats.json").is_file():  # a pipe would be waited for
        return None
    try:
        table = _finished_rows(snapshot, plan, number)
        places = _jpeg_places(tar)
    except (OSError, ValueError, LookupError, TypeError, RecursionError, pa.ArrowException, tarfile.TarError):
        return None
    if set(table.filter(pc.field("status") == "success")["key"].to_pylist()) != places.keys():
        return None
    files.flush(tar)
    files.flush(tar.parent)
    found = pa.Table.from_pylist(list(_found(table, tar, places)), schema=RECORD)
    stat = tar.stat()
    noted = {"sha256": files.sha256(tar), "bytes": str(stat.st_size), "mtime_ns": str(stat.st_mtime_ns)}
    noted |= {"plan": plan.sha256, "shard": str(number)}
    files.write_table(snapshot.record_file(number), found, noted)
    snapshot.shards[number] = _shard(tar, noted, found)
    return snapshot.shards[number]


def finished_files(folder: Path, *, check: bool = False) -> list[tuple[Path, ...]]:
    """Return the finished files in a folder of snapshots, those that count together in one tuple, oldest first.

    The last of a tuple is written last and makes the others count. A plan stands before its shards. With `check`,
    each tar is read: one that is not as it was when it was verified is left out.
    """
    found: list[tuple[Path, ...]] = []
    for each in read(folder):
        if each.plan:
            found.append((each.folder / "plan.parquet",))
        for number, shard in each.shards.items():
            if not check or _is_intact(shard, check=True):
                endings = (".tar", ".parquet", "_stats.json")
                found.append((*(each.part(number, ending) for ending in endings), each.record_file(number)))
    return found


def of_picture(jpeg: bytes) -> tuple[str, str]:
    """Judge a stored picture: one of STATUSES, and the reason why it is not downloaded, or ""."""
    if len(jpeg) >= _BLANK_BYTES:
        return "downloaded", ""
    with suppress(PictureError):
        pixels = np.asarray(images.upright_rgb(images.open_picture(jpeg)))
        if np.ptp(pixels, axis=(0, 1)).max() >= _BLANK_RANGE:
            return "downloaded", ""
    return "refused", "the picture is blank"


def of_error(error: str) -> tuple[str, str]:
    """Judge a download that gave no picture, by the message that the downloader left: one of STATUSES, and why."""
    status = _STATUS.match(error)
    if status and status[1] in ("404", "410"):
        return "missing", f"the store has no picture there (status {status[1]})"
    if status:
        return "failed", f"the store answered with status {status[1]}"
    if error.startswith(images.TOO_LARGE):
        return "refused", error
    if error.startswith("damaged: ") or "decod" in error.lower():
        return "failed", "what came is not a picture, or not a whole one"
    refused = next((reason for said, reason in _REFUSED.items() if said in error), None)
    return ("refused", refused) if refused else ("failed", error)


def _verified(place: Path, plan: Plan | None) -> Iterator[tuple[int, Shard]]:
    """Yield the shards whose records belong to a snapshot's plan; all that have records where that is damaged."""
    for file in sorted((place / "verified").glob("[0-9][0-9][0-9][0-9][0-9].parquet")):
        try:
            table, noted = files.read_table(file, RECORD)
        except DamagedError:
            continue
        belongs = noted.keys() >= NOTED and (plan is None or plan.sha256 == noted["plan"])
        if belongs and noted["shard"].zfill(5) == file.stem:
            yield int(file.stem), _shard(place / "shards" / f"{file.stem}.tar", noted, table)


def _shard(tar: Path, noted: dict[str, str], table: pa.Table) -> Shard:
    return Shard(tar, tar.parent.parent.name, noted["plan"], noted["sha256"], noted, table)


def _is_intact(shard: Shard, *, check: bool) -> bool:
    """Return whether a tar is as it was when it was verified.

    Compares its size and time of change, and its checksum where the time differs, or with `check`.
    """
    try:
        stat = shard.path.stat()
        if str(stat.st_size) != shard.noted["bytes"]:
            return False
        unchanged = not check and str(stat.st_mtime_ns) == shard.noted["mtime_ns"]
        return unchanged or files.sha256(shard.path) == shard.sha256
    except OSError:
        return False


def _finished_rows(snapshot: Snapshot, plan: Plan, number: int) -> pa.Table:
    """Return img2dataset's rows of a shard, in the plan's order; raises ValueError where they are not as planned."""
    planned = plan.part_of_table(number)[["appid", "picture"]]
    is_small = snapshot.part(number, ".tar").stat().st_size <= len(planned) * _BANNER_BYTES
    table = pq.read_table(snapshot.part(number, ".parquet"), partitioning=None).sort_by("key")
    is_whole = json.loads(snapshot.part(number, "_stats.json").read_text())["count"] == len(table)
    rows = table.select(["appid", "picture"]).to_pandas()
    if not is_small or not is_whole or rows.to_numpy().tolist() != planned.to_numpy().tolist():
        raise ValueError("a shard is not what was planned")
    return table


def _jpeg_places(tar: Path) -> dict[str, tuple[int, int]]:
    """Return where each sample's JPEG lies in a tar: key -> (offset, size), in bytes."""
    with tarfile.open(tar, "r:") as members:
        jpegs = filter(lambda each: each.isreg() and each.name.endswith(".jpg"), members)
        return {each.name[:-4]: (each.offset_data, each.size) for each in jpegs}


def _found(table: pa.Table, tar: Path, places: dict[str, tuple[int, int]]) -> Iterator[dict]:
    """Yield the record of each game from img2dataset's row and, if there is one, its picture."""
    with tar.open("rb") as content:
        for row in table.to_pylist():
            offset, size = places.get(row["key"], (-1, 0))
            content.seek(max(offset, 0))
            jpeg = content.read(size)
            said = row["error_message"] or "no reason given"
            status, reason = of_picture(jpeg) if jpeg else of_error(said)
            asked = {name: row[name] for name in ("appid", "name", "picture")} | {"banner_url": row["url"]}
            became = {"status": status, "reason": reason, "retryable": status == "failed"}
            yield {**asked, **became, "offset": offset, "size": size}
