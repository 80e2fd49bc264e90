"""Banners on disk: one immutable plan an update, run by img2dataset, into shards that are verified before they count.

A folder of snapshots holds `0001/`, `0002/`, ... An update adds one and never edits another:

    0001/plan.parquet, plan.json   which games, in which order and shard size, and the hash of it; written once
    0001/shards/00000.tar          img2dataset's webdataset, KEY.jpg and KEY.json a banner, beside its parquet and stats
    0001/verified/00000.parquet    what we found in that shard: a row a game with its status and place; written last
"""

import hashlib
import importlib.util
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import filelock
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from utils import settings
from utils.pictures import open_picture, upright_rgb

WIDTH, HEIGHT = 256, 384  # pixels of a stored banner
MAX_TRIES = 3  # how many updates ask again for a picture whose download failed for a passing reason
STATUSES = ("downloaded", "missing", "refused", "failed")

_SMALLEST = 64  # pixels; an original with a shorter side is no banner (Steam's are 300 and more wide)
_BLANK_BYTES = 8_000  # a 256x384 JPEG larger than this is not blank, so only smaller ones are decoded and looked at
_BLANK_RANGE = 8  # levels of 255; what a blank picture's channels span after JPEG
_NOWHERE = "http://127.0.0.1:9/"  # the discard port: stands for the address of a picture that is not asked any more
_DISTRIBUTORS = {"multiprocessing": None, "pyspark": "pyspark", "ray": "ray"}  # name -> the package it needs
_ROTATIONS = {"Rotated 180": 180, "Rotated 90 CW": 270, "Rotated 90 CCW": 90}  # exifread's words -> counter-clockwise
_RECORD = pa.schema(
    [
        ("appid", pa.int64()),
        ("name", pa.string()),
        ("picture", pa.string()),  # path and version of the picture at the store, whatever the host
        ("status", pa.string()),  # one of STATUSES
        ("reason", pa.string()),  # why it is not downloaded
        ("passing", pa.bool_()),  # whether the reason may pass, so that another try is worth it
        ("offset", pa.int64()),  # where the JPEG begins in the tar, bytes; -1 without one
        ("size", pa.int64()),  # bytes of the JPEG
        ("rotation", pa.int16()),  # degrees counter-clockwise that make the picture upright
    ]
)

# The download runs in a process group of its own, because img2dataset needs the main thread and leaves workers behind
# when it is killed. It is held on a leash: when our end of its standard input closes, it ends its whole group.
# The sessions of Spark and Ray that img2dataset would make itself take 16 GB and listen on every network card.
_CHILD = """
import json, os, signal, sys, threading
options = json.loads(sys.stdin.buffer.readline())
threading.Thread(target=lambda: (os.read(0, 1), os.killpg(0, signal.SIGKILL)), daemon=True).start()
if options["distributor"] == "pyspark":
    from pyspark.sql import SparkSession
    builder = SparkSession.builder.appName("steam-beit").config("spark.ui.enabled", "false")
    if "SPARK_MASTER" in os.environ:
        builder.master(os.environ["SPARK_MASTER"]).getOrCreate()
    else:
        local = builder.master(f"local[{options['processes_count']}]").config("spark.driver.memory", "2g")
        local.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1").getOrCreate()
if options["distributor"] == "ray" and "RAY_ADDRESS" not in os.environ:
    import ray
    ray.init(num_cpus=options["processes_count"], include_dashboard=False, _node_ip_address="127.0.0.1")
from img2dataset import download
download(**options)
"""


class SnapshotError(settings.PlainError):
    """A download that cannot begin or go on; the message says what is kept and what to do."""


@dataclass(frozen=True)
class Shard:
    """A verified tar of banners."""

    path: Path
    snapshot: str  # the name of its snapshot, "0001"
    sha256: str  # of the tar, taken when it was verified
    appids: tuple[int, ...]  # the banners in it, in the plan's order


@dataclass(frozen=True)
class Report:
    """What became of each game that was asked for."""

    table: pd.DataFrame  # appid, name, status (one of STATUSES), reason ("" where there is none)

    @property
    def asked(self) -> int:
        return len(self.table)

    @property
    def downloaded(self) -> int:
        return self._count("downloaded")

    @property
    def missing(self) -> int:
        """Games without a vertical banner at the store."""
        return self._count("missing")

    @property
    def refused(self) -> int:
        """Games whose picture is no banner: blank, tiny, not to be used."""
        return self._count("refused")

    @property
    def failed(self) -> int:
        """Games whose download failed for a reason that may pass; the next update asks again."""
        return self._count("failed")

    def _count(self, status: str) -> int:
        return int((self.table["status"] == status).sum())

    def __str__(self) -> str:
        shares = ", ".join(f"{self._count(status)} {status}" for status in STATUSES)
        return f"{self.asked} games asked: {shares}"


@dataclass(frozen=True)
class _Plan:
    """The plan of one snapshot, on disk and never changed."""

    folder: Path
    games: int
    shard_size: int

    @property
    def shards(self) -> range:
        return range(math.ceil(self.games / self.shard_size))

    def size(self, number: int) -> int:
        return min(self.shard_size, self.games - number * self.shard_size)

    def part(self, number: int, ending: str) -> Path:
        return self.folder / "shards" / f"{number:05}{ending}"

    def record(self, number: int) -> Path:
        return self.folder / "verified" / f"{number:05}.parquet"


def update(
    catalogue: pd.DataFrame,
    folder: Path,
    *,
    processes: int | None = None,
    threads: int = 32,
    shard_size: int | None = None,
    distributor: str = "multiprocessing",
    patience: float = 900,
    check: bool = False,
) -> Report:
    """Bring the snapshots in `folder` up to date with a catalogue, and report what became of each of its games.

    A run that was interrupted is finished first. Then one new snapshot is planned, of the games not yet had, those
    whose picture changed, and those whose download failed for a reason that may pass (MAX_TRIES times in all).

    `processes` (default: the cores, 8 at most) each download with `threads` connections; a snapshot has shards of
    `shard_size` banners (default: 1,000, fewer for a small catalogue). `distributor` is img2dataset's:
    "multiprocessing", or "pyspark" or "ray" where these packages are installed. Where no shard is finished within
    `patience` seconds, the pictures that hang are given up and the run goes on without them. `check` hashes every shard
    already there and fetches damaged ones again; without it, sizes and times of change are compared.

    Raises SnapshotError if another update runs, and if the disk or img2dataset fails.
    """
    _check(catalogue, distributor)
    folder = Path(folder)
    processes = processes or min(os.cpu_count() or 1, 8)
    options = {"processes_count": processes, "thread_count": threads, "distributor": distributor}
    with locked(folder):
        for plan in _plans(folder):
            _finish(plan, catalogue, options, patience, check)
        if plan := _plan(catalogue, folder, shard_size):
            _finish(plan, catalogue, options, patience)
    return report(catalogue, folder)


def verified(folder: Path) -> list[Shard]:
    """Return the verified shards of all snapshots in `folder`, oldest first."""
    return [
        Shard(
            plan.part(number, ".tar"),
            plan.folder.name,
            _sha256(record),
            tuple(_downloaded(record)["appid"].to_pylist()),
        )
        for plan in _plans(folder)
        for number in plan.shards
        if (record := _record(plan, number))
    ]


def rows(shard: Shard) -> pd.DataFrame:
    """Return what was found of each banner in a shard: appid, name, picture, offset, size, rotation."""
    record = pq.read_table(shard.path.parent.parent / "verified" / f"{shard.path.stem}.parquet")
    return _downloaded(record).to_pandas()


def records(folder: Path) -> pd.DataFrame:
    """Return what was found in all verified shards of `folder`, oldest first: a row a game and snapshot.

    Columns: those of the files in `verified/`, and `path`, the shard's tar.
    """
    tables = [
        record.to_pandas().assign(path=str(plan.part(number, ".tar")))
        for plan in _plans(folder)
        for number in plan.shards
        if (record := _record(plan, number))
    ]
    return pd.concat(tables or [_RECORD.empty_table().to_pandas().assign(path="")], ignore_index=True)


def report(catalogue: pd.DataFrame, folder: Path) -> Report:
    """Return what is known on disk of each game of a catalogue, without downloading anything."""
    history = records(folder).drop_duplicates(["appid", "picture"], keep="last")
    had = history.loc[history["status"] == "downloaded", "appid"]
    asked = catalogue[["appid", "name"]].assign(picture=catalogue["banner_url"].map(_picture))
    found = asked.merge(history[["appid", "picture", "status", "reason"]], on=["appid", "picture"], how="left")
    nowhere, unasked = found["picture"] == "", found["status"].isna()
    found.loc[unasked, ["status", "reason"]] = ["failed", "not downloaded yet"]
    found.loc[nowhere, ["status", "reason"]] = ["missing", "the store has no vertical banner of it"]
    older = found["appid"].isin(had) & (found["status"] != "downloaded")
    found.loc[older, "reason"] += "; an older picture of it is kept"
    return Report(found[["appid", "name", "status", "reason"]])


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder of snapshots to ourselves; raises SnapshotError where another update or fetch has it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            yield
    except filelock.Timeout:
        raise SnapshotError(f"another update or fetch of {folder} is running; wait for it, or stop it first") from None


def _check(catalogue: pd.DataFrame, distributor: str) -> None:
    if absent := {"appid", "name", "banner_url"} - set(catalogue.columns):
        raise SnapshotError(
            f"the catalogue has no column {', '.join(sorted(absent))}; it has {list(catalogue.columns)}"
        )
    if doubled := catalogue.loc[catalogue["appid"].duplicated(), "appid"].tolist():
        raise SnapshotError(f"the catalogue has appids twice, such as {doubled[:3]}; drop the doubled rows")
    if distributor not in _DISTRIBUTORS:
        raise SnapshotError(f"unknown distributor {distributor!r}; known are {', '.join(_DISTRIBUTORS)}")
    package = _DISTRIBUTORS[distributor]
    if package and not importlib.util.find_spec(package):
        raise SnapshotError(f"distributor {distributor!r} needs the package {package}: pip install {package}")


def _plans(folder: Path) -> list[_Plan]:
    """Return the plans in a folder, oldest first; a folder without `plan.json` was never finished being planned."""
    described = sorted(Path(folder).glob("[0-9][0-9][0-9][0-9]/plan.json"))
    plans = [(each.parent, json.loads(each.read_text())) for each in described]
    return [_Plan(place, plan["games"], plan["shard_size"]) for place, plan in plans]


def _plan(catalogue: pd.DataFrame, folder: Path, shard_size: int | None) -> _Plan | None:
    """Write a plan of what is new in the catalogue, and return it; None where nothing is new."""
    games = catalogue[["appid", "name", "banner_url"]].assign(picture=catalogue["banner_url"].map(_picture))
    games = games[(games["picture"] != "") & ~_settled(games, records(folder))]
    if games.empty:
        return None
    plans = _plans(folder)
    place = folder / f"{1 + max((int(plan.folder.name) for plan in plans), default=0):04}"
    shutil.rmtree(place, ignore_errors=True)  # a plan that a crash left without its plan.json
    (place / "shards").mkdir(parents=True)
    (place / "verified").mkdir()
    games.to_parquet(place / "plan.parquet", index=False)
    plan = _Plan(place, len(games), shard_size or max(50, min(1_000, math.ceil(len(games) / 8))))
    content = {"games": plan.games, "shard_size": plan.shard_size, "sha256": _hash(place / "plan.parquet")}
    content["planned"] = datetime.now(UTC).isoformat(timespec="seconds")
    _write(place / "plan.json", json.dumps(content, indent=1).encode())
    return plan


def _settled(games: pd.DataFrame, history: pd.DataFrame) -> np.ndarray:
    """Return for each game whether nothing is to be fetched: the picture is had, or not to be had."""
    past = history.groupby(["appid", "picture"]).agg(tries=("status", "size"), passing=("passing", "last"))
    known = games[["appid", "picture"]].merge(past, left_on=["appid", "picture"], right_index=True, how="left")
    return (known["tries"].notna() & ~(known["passing"].eq(True) & (known["tries"] < MAX_TRIES))).to_numpy()


def _finish(plan: _Plan, catalogue: pd.DataFrame, options: dict, patience: float, check: bool = False) -> None:
    """Download what a plan still lacks, until each of its shards is verified."""
    lacking = {number for number in plan.shards if not _intact(plan, number, check)}
    lacking -= {number for number in lacking if _verify(plan, number)}
    if not lacking:
        return
    addresses, done = _addresses(_planned(plan), catalogue), plan.games - sum(map(plan.size, lacking))
    bar = tqdm(desc=f"Banners of snapshot {plan.folder.name}", unit=" banners", total=plan.games, initial=done)
    with bar:
        while lacking:
            _sweep(plan, lacking)
            _download(plan, lacking, addresses, options, patience, bar)
            addresses = _give_up_hanging(plan, lacking, addresses)
    _sweep(plan, lacking)


def _download(
    plan: _Plan, lacking: set[int], addresses: pd.DataFrame, options: dict, patience: float, bar: tqdm
) -> None:
    """Run img2dataset until nothing is lacking or nothing moves; take each shard off `lacking` once it is verified."""
    counts, moved = Counter(), time.monotonic()
    with _img2dataset(plan, addresses, options) as child:
        while lacking and time.monotonic() - moved < patience:
            ended = child.poll() is not None
            for number in sorted(lacking):
                if _verify(plan, number):
                    lacking.discard(number)
                    counts.update(_record(plan, number)["status"].to_pylist())
                    bar.set_postfix(counts)
                    bar.update(plan.size(number))
                    moved = time.monotonic()
            if ended and lacking:
                raise SnapshotError(_why(plan, lacking, child.returncode))
            time.sleep(0.2)


def _give_up_hanging(plan: _Plan, lacking: set[int], addresses: pd.DataFrame) -> pd.DataFrame:
    """Return the addresses without those whose download keeps a shard from being finished.

    The tar of a shard that was begun holds every picture that came, so what hangs is among the others. Raises
    SnapshotError where there are none such, for then something else is wrong.
    """
    begun = [number for number in lacking if plan.part(number, ".tar").is_file()]
    came = {appid for number in begun for appid in _came(plan.part(number, ".tar"))}
    hang = pd.Series(range(plan.games)).floordiv(plan.shard_size).isin(begun) & ~addresses["appid"].isin(came)
    if lacking and addresses.loc[hang, "url"].eq(_NOWHERE).all():
        raise SnapshotError(_why(plan, lacking, None))
    return addresses.assign(url=addresses["url"].mask(hang, _NOWHERE))


def _came(tar: Path) -> Iterator[int]:
    """Yield the appids in a tar that may end anywhere."""
    with suppress(tarfile.TarError, ValueError, EOFError), tarfile.open(tar) as members:
        for each in members:
            if each.name.endswith(".json"):
                yield json.load(members.extractfile(each))["appid"]


def _sweep(plan: _Plan, lacking: set[int]) -> None:
    """Remove what a run that was ended left of unfinished shards."""
    shutil.rmtree(plan.folder / "shards" / "_tmp", ignore_errors=True)
    for number in lacking:
        for leftover in (plan.folder / "shards").glob(f"{number:05}[._]*"):
            leftover.unlink()


def _planned(plan: _Plan) -> pd.DataFrame:
    file, written = plan.folder / "plan.parquet", json.loads((plan.folder / "plan.json").read_text())["sha256"]
    if _hash(file) != written:
        raise SnapshotError(f"{file} was changed after it was planned; delete {plan.folder} and update again")
    return pd.read_parquet(file)


def _addresses(planned: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return appid, name, picture and url as planned; a picture is asked from where the catalogue has it now."""
    now = catalogue[["appid", "banner_url"]].assign(picture=catalogue["banner_url"].map(_picture))
    both = planned.merge(now, on=["appid", "picture"], how="left", suffixes=("", "_now"))
    return both[["appid", "name", "picture"]].assign(url=both["banner_url_now"].fillna(both["banner_url"]))


@contextmanager
def _img2dataset(plan: _Plan, addresses: pd.DataFrame, options: dict) -> Iterator[subprocess.Popen]:
    """Run img2dataset over a plan in a process group of its own, which does not outlive the block."""
    addresses.to_parquet(plan.folder / "addresses.parquet", index=False)
    options = (
        _OPTIONS
        | options
        | {
            "url_list": str(plan.folder.absolute() / "addresses.parquet"),
            "output_folder": str(plan.folder.absolute() / "shards"),
            "number_sample_per_shard": plan.shard_size,
        }
    )
    with (plan.folder / "download.log").open("ab") as log:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and words
            [sys.executable, "-c", _CHILD],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={"PYSPARK_PYTHON": sys.executable} | os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"},
        )
    try:
        child.stdin.write(json.dumps(options).encode() + b"\n")
        child.stdin.flush()
        yield child
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdin.close()


_OPTIONS = {
    "input_format": "parquet",
    "url_col": "url",
    "save_additional_columns": ["appid", "name", "picture"],
    "output_format": "webdataset",
    "image_size": WIDTH,
    "resize_mode": "keep_ratio",
    "encode_quality": 95,
    "min_image_size": _SMALLEST,
    "incremental_mode": "incremental",  # safe because a plan never changes
    "user_agent_token": "steam-beit",
    "timeout": 20,
    "retries": 1,
    "compute_hash": None,
}


def _why(plan: _Plan, lacking: set[int], code: int | None) -> str:
    ended = "finishes no shard" if code is None else f"ended with code {code}"
    log = plan.folder / "download.log"
    words = log.read_text(errors="replace").strip().splitlines()[-1:] or ["nothing"]
    return (
        f"img2dataset {ended}; its last words in {log}: {words[0]!r}. {len(plan.shards) - len(lacking)} of "
        f"{len(plan.shards)} shards are finished and kept: run the update again to go on"
    )


def _intact(plan: _Plan, number: int, check: bool) -> bool:
    """Return whether a verified shard is as it was when it was verified."""
    record, tar = _record(plan, number), plan.part(number, ".tar")
    if record is None or not tar.is_file():
        return False
    stat = tar.stat()
    seen = (int(record.schema.metadata[b"bytes"]), int(record.schema.metadata[b"mtime_ns"]))
    if not check and seen == (stat.st_size, stat.st_mtime_ns):
        return True
    if _hash(tar) == _sha256(record):
        return True
    plan.record(number).unlink()
    plan.part(number, "_stats.json").unlink(missing_ok=True)
    return False


def _verify(plan: _Plan, number: int) -> bool:
    """Record what a finished shard holds; return False where it is not finished or does not hold what it says.

    img2dataset writes the stats last. A shard is good when its parquet has a row for each planned game and its tar
    has a picture for each row that says so.
    """
    try:
        stats = json.loads(plan.part(number, "_stats.json").read_text())
        rows = pq.read_table(plan.part(number, ".parquet")).sort_by("key").to_pylist()
        tar = plan.part(number, ".tar").read_bytes()
        places = _places(tar)
    except (OSError, ValueError, pa.ArrowException, tarfile.TarError):
        return False
    good = {row["key"] for row in rows if row["status"] == "success"}
    if len(rows) != plan.size(number) or stats["count"] != len(rows) or good != places.keys():
        return False
    found = [_found(row, tar, places.get(row["key"])) for row in rows]
    stat = plan.part(number, ".tar").stat()
    seen = {"sha256": hashlib.sha256(tar).hexdigest(), "bytes": str(stat.st_size), "mtime_ns": str(stat.st_mtime_ns)}
    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found, schema=_RECORD.with_metadata(seen)), content)
    _write(plan.record(number), content.getvalue())
    return True


def _places(tar: bytes) -> dict[str, tuple[int, int]]:
    """Return where each sample's JPEG lies in a tar: key -> (offset, size), bytes."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as members:
        return {each.name[:-4]: (each.offset_data, each.size) for each in members if each.name.endswith(".jpg")}


def _found(row: dict, tar: bytes, place: tuple[int, int] | None) -> dict:
    """Return the record of one game from img2dataset's row and, if there is one, its picture."""
    offset, size = place or (-1, 0)
    if place and size < _BLANK_BYTES and _is_blank(tar[offset : offset + size]):
        status, reason, passing = "refused", "the picture is blank", False
    elif place:
        status, reason, passing = "downloaded", "", False
    else:
        status, reason, passing = _judge(row["url"], row["error_message"] or "no reason given")
    exif = json.loads(row["exif"] or "{}")
    return {
        "appid": row["appid"],
        "name": row["name"],
        "picture": row["picture"],
        "status": status,
        "reason": reason,
        "passing": passing,
        "offset": offset,
        "size": size,
        "rotation": _ROTATIONS.get(exif.get("Image Orientation"), 0),
    }


def _is_blank(jpeg: bytes) -> bool:
    pixels = np.asarray(upright_rgb(open_picture(jpeg)))
    return bool(np.ptp(pixels, axis=(0, 1)).max() < _BLANK_RANGE)


def _judge(url: str, error: str) -> tuple[str, str, bool]:
    """Return status, reason and whether it may pass, from img2dataset's error message."""
    if url == _NOWHERE:
        return "failed", "its download did not end", True
    if "404" in error or "410" in error:
        return "missing", f"the store has no picture there ({error})", False
    if "too small" in error:
        return "refused", f"the picture is smaller than {_SMALLEST} pixels", False
    if "disallowed" in error:
        return "refused", "the store asks not to use the picture (X-Robots-Tag)", False
    if "decod" in error.lower():
        return "failed", "what came is not a picture, or not a whole one", True
    return "failed", error, True


def _picture(url: str | None) -> str:
    """Return what identifies a version of a picture, whichever of the store's hosts serves it: path and query."""
    if not isinstance(url, str):
        return ""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def _record(plan: _Plan, number: int) -> pa.Table | None:
    file = plan.record(number)
    return pq.read_table(file) if file.is_file() else None


def _downloaded(record: pa.Table) -> pa.Table:
    return record.filter(pc.equal(record["status"], "downloaded"))


def _sha256(record: pa.Table) -> str:
    return record.schema.metadata[b"sha256"].decode()


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _write(file: Path, content: bytes) -> None:
    """Write a file beside its place and rename it into it, so that it is there whole or not at all."""
    beside = file.with_name(file.name + ".part")
    beside.write_bytes(content)
    beside.replace(file)
