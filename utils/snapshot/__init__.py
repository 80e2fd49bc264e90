"""Banners on disk: one immutable plan an update, run by img2dataset, into shards that are verified before they count.

A folder of snapshots holds `0001/`, `0002/`, ... An update adds one and never edits another:

    0001/plan.parquet              which games, in which order and shard size, with a checksum; written once
    0001/shards/00000.tar          img2dataset's webdataset, KEY.jpg and KEY.json a banner, beside its parquet and stats
    0001/verified/00000.parquet    what we found in that shard: a row a game with its outcome and place; written last
"""

import functools
import importlib.util
import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
from tqdm.auto import tqdm

from utils import files
from utils.errors import CellError, DownloadError, SettingsError
from utils.snapshot import shards
from utils.snapshot.img2dataset_process import DISTRIBUTORS, Run, img2dataset
from utils.snapshot.plan import SCHEMA, lie_under, picture_addresses, picture_identity, write_plan
from utils.snapshot.shards import RECORD, STATUSES, Shard, Snapshot, finished_files, verified

__all__ = ["STATUSES", "Report", "Shard", "finished_files", "update", "verified"]

_PAUSE = 0.2  # seconds between two looks at what has come
_STUCK = 300  # seconds without a picture after which the downloading process is given up


@dataclass(frozen=True)
class Report:
    """What became of each game that was asked for."""

    table: pd.DataFrame  # appid, name, status (one of STATUSES), reason ("" where there is none)
    notes: tuple[str, ...] = ()  # what else should be known, a sentence each

    def count(self, status: str) -> int:
        """Return how many games became so: one of STATUSES."""
        return int((self.table["status"] == status).sum())

    def __str__(self) -> str:
        shares = ", ".join(f"{self.count(status)} {status}" for status in STATUSES)
        return "\n".join([f"{len(self.table)} games asked: {shares}", *self.notes])


def update(
    catalogue: pd.DataFrame,
    folder: Path,
    *,
    assets_url: str | None = None,
    processes: int | None = None,
    threads: int = 32,
    shard_size: int | None = None,
    distributor: str = "multiprocessing",
    check: bool = False,
) -> Report:
    """Bring the snapshots in `folder` up to date with a catalogue, and report what became of each of its games.

    A run that was interrupted is finished first. Then one new snapshot is planned, of the games not downloaded yet,
    those whose picture changed, and those whose download failed for a reason that may pass.

    `assets_url` is the only place that pictures come from (default: the environment's or Steam's; Steam's mirrors are
    allowed with it), or a folder's `file:` address. `processes` (default: the cores, 8 at most) each download with
    `threads` connections. A snapshot has shards of `shard_size` banners (default: 1,000, fewer for a small catalogue).
    `distributor` is img2dataset's: "multiprocessing", or "ray" where that is installed. `check` hashes every shard
    already there and fetches damaged ones again; without it, sizes and times of change are compared.

    Raises SettingsError for arguments that cannot be followed, DownloadError if img2dataset fails or the store is down,
    StorageError, also if another update runs, CellError on Ctrl-C.
    """
    _check(catalogue, distributor)
    folder = Path(folder)
    allowed = picture_addresses(assets_url)
    processes = processes or min(os.cpu_count() or 1, 8)
    options = {"processes_count": processes, "thread_count": threads, "distributor": distributor}
    download = functools.partial(_finish, catalogue=catalogue, allowed=allowed, options=options)
    try:
        with files.storage_errors(folder), files.locked(folder):
            snapshots = shards.read(folder)
            for each in snapshots:
                download(each, check=check)
            games = _wanted(catalogue, snapshots, allowed)
            if not games.empty:
                plan = write_plan(folder, games, shard_size)
                snapshots.append(Snapshot(plan.folder, plan, {}))
                download(snapshots[-1])
    except KeyboardInterrupt:
        raise CellError(f"stopped; what is finished in {folder} is kept: run again to go on") from None
    return _report(catalogue, snapshots, allowed)


def _check(catalogue: pd.DataFrame, distributor: str) -> None:
    absent = {"appid", "name", "banner_url"} - set(catalogue.columns)
    if absent:
        names = ", ".join(sorted(absent))
        raise SettingsError(f"the catalogue has no column {names}; it has {list(catalogue.columns)}")
    doubled = catalogue.loc[catalogue["appid"].duplicated(), "appid"].tolist()
    if doubled:
        raise SettingsError(f"the catalogue has appids twice, such as {doubled[:3]}; drop the doubled rows")
    if distributor not in DISTRIBUTORS:
        raise SettingsError(f"unknown distributor {distributor!r}; allowed are {', '.join(DISTRIBUTORS)}")
    if distributor == "ray" and not importlib.util.find_spec("ray"):
        raise SettingsError("the distributor 'ray' needs the package ray: pip install ray")


def _report(catalogue: pd.DataFrame, snapshots: list[Snapshot], allowed: Sequence[str]) -> Report:
    """Return what snapshots hold of each game of a catalogue.

    allowed: what the address of a picture must begin with.
    """
    found = _known(catalogue, snapshots, allowed)
    unasked, nowhere = found["status"].isna(), found["picture"] == ""
    found.loc[unasked, ["status", "reason"]] = ["failed", "not downloaded yet"]
    found.loc[unasked & ~found["allowed"], ["status", "reason"]] = ["refused", f"its address is not under {allowed[0]}"]
    found.loc[nowhere, ["status", "reason"]] = ["missing", "the store has no vertical banner of it"]
    older = found["newest"].notna() & (found["status"] != "downloaded")
    found.loc[older, "reason"] += "; an older picture of it is kept"
    again = "what was not finished there is planned again in a later snapshot"
    damaged = [each.folder / "plan.parquet" for each in snapshots if each.plan is None]
    notes = tuple(f"{file} is not what was planned; {again}" for file in damaged)
    return Report(found[["appid", "name", "status", "reason"]], notes)


def _wanted(catalogue: pd.DataFrame, snapshots: list[Snapshot], allowed: Sequence[str]) -> pd.DataFrame:
    """Return the games of a catalogue whose picture is to be asked for: appid, name, picture, banner_url.

    They are those whose picture is not known on disk, failed for a reason that may pass, or was followed by another one
    and is the store's again.
    """
    games = _known(catalogue, snapshots, allowed)
    overtaken = (games["status"] == "downloaded") & (games["newest"] != games["picture"])
    settled = games["status"].notna() & (games["status"] != "failed") & ~overtaken
    return games.loc[games["allowed"] & (games["picture"] != "") & ~settled, SCHEMA.names]


def _known(catalogue: pd.DataFrame, snapshots: list[Snapshot], allowed: Sequence[str]) -> pd.DataFrame:
    """Return each game of a catalogue with what became of its picture the last time, as far as it was asked for.

    Columns: SCHEMA's; allowed (bool); status and reason; newest (the picture that is on disk).
    """
    tables = [shard.table for each in snapshots for shard in each.shards.values()]
    past = pa.concat_tables([RECORD.empty_table(), *tables]).to_pandas()
    last = past.drop_duplicates(["appid", "picture"], keep="last")
    newest = past[past["status"] == "downloaded"].drop_duplicates("appid", keep="last").set_index("appid")["picture"]
    games = catalogue[["appid", "name", "banner_url"]].assign(
        picture=catalogue["banner_url"].map(picture_identity),
        allowed=lie_under(catalogue["banner_url"], allowed),
        newest=catalogue["appid"].map(newest),
    )
    outcomes = last[["appid", "picture", "status", "reason"]]
    return games.merge(outcomes, on=["appid", "picture"], how="left")


def _finish(
    snapshot: Snapshot, *, catalogue: pd.DataFrame, allowed: Sequence[str], options: dict, check: bool = False
) -> None:
    """Download what a snapshot still lacks, until each of its shards is verified."""
    plan, lacking = snapshot.plan, shards.lacking(snapshot, check=check)
    if not lacking or plan is None:
        return
    for number in lacking:
        for leftover in snapshot.folder.glob(f"shards/{number:05}[._]*"):  # of a run that was ended
            leftover.unlink()
    done = len(plan.table) - sum(len(plan.part_of_table(number)) for number in lacking)
    bar = tqdm(desc="Starting the download", unit=" banners", total=len(plan.table), initial=done)
    with bar, img2dataset(plan, _addresses(plan.table, catalogue), sorted(lacking), allowed, options) as run:
        _follow(snapshot, run, lacking, bar)
        if lacking:
            kept = f"{len(plan.shards) - len(lacking)} of {len(plan.shards)} shards are finished and kept"
            raise DownloadError(f"{run.exit_message()}. {kept}: run the update again to go on")


def _follow(snapshot: Snapshot, run: Run, lacking: set[int], bar: tqdm) -> None:
    """Take each shard off `lacking` once it is verified, until img2dataset ends, or nothing moves or comes."""
    began = bar.n
    counts: Counter[str] = Counter()
    moved = time.monotonic()
    while lacking and time.monotonic() - moved < _STUCK:
        is_over = run.is_over()
        asked = min(began + run.asked(), bar.total or 0)
        if asked > bar.n:
            bar.set_description(f"Banners of snapshot {snapshot.folder.name}", refresh=False)
            bar.update(asked - bar.n)
            moved = time.monotonic()
        for number in sorted(lacking):
            if shard := shards.verify(snapshot, number):
                lacking.discard(number)
                counts.update(shard.table["status"].to_pylist())
                bar.set_postfix(counts)
        if is_over:
            return
        time.sleep(_PAUSE)


def _addresses(planned: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return a plan's table with the url of each picture: where the catalogue has it now, or where it was planned."""
    now = catalogue.assign(picture=catalogue["banner_url"].map(picture_identity), url=catalogue["banner_url"])
    both = planned.merge(now[["appid", "picture", "url"]], on=["appid", "picture"], how="left")
    return both.assign(url=both["url"].fillna(both["banner_url"]))
