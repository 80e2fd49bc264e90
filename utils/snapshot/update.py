"""Bringing a folder of snapshots up to date with a catalogue."""

import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from utils import files
from utils.snapshot.addresses import lie_under, picture_addresses
from utils.snapshot.errors import SnapshotError, Stopped
from utils.snapshot.leash import Options, Run, img2dataset
from utils.snapshot.plan import COLUMNS, Plan, picture_identity, read_plans, write_plan
from utils.snapshot.report import Report, history, report
from utils.snapshot.shards import is_intact, record_of, verify

_PAUSE = 0.2  # seconds between two looks at what has come
_STUCK = 900  # seconds without a picture after which the downloading process is given up


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
    allowed with it). `processes` (default: the cores, 8 at most) each download with `threads` connections. A snapshot
    has shards of `shard_size` banners (default: 1,000, fewer for a small catalogue). `distributor` is img2dataset's:
    "multiprocessing", or "ray" where that is installed. `check` hashes every shard already there and fetches damaged
    ones again; without it, sizes and times of change are compared.

    Raises SnapshotError if img2dataset fails or the store is down, StorageError, also if another
    update runs, Stopped on Ctrl-C.
    """
    _check(catalogue)
    folder = Path(folder)
    allowed = picture_addresses(assets_url)
    options = Options(allowed, processes or min(os.cpu_count() or 1, 8), threads, distributor)
    try:
        with files.storage_errors(folder), files.locked(folder):
            for plan in read_plans(folder)[0]:
                _finish(plan, catalogue, options, check=check)
            plan = _plan(catalogue, folder, shard_size, allowed)
            if plan:
                _finish(plan, catalogue, options)
    except KeyboardInterrupt:
        raise Stopped(f"stopped; what is finished in {folder} is kept: run again to go on") from None
    return report(catalogue, folder, assets_url=assets_url)


def _check(catalogue: pd.DataFrame) -> None:
    absent = {"appid", "name", "banner_url"} - set(catalogue.columns)
    if absent:
        names = ", ".join(sorted(absent))
        raise SnapshotError(f"the catalogue has no column {names}; it has {list(catalogue.columns)}")
    doubled = catalogue.loc[catalogue["appid"].duplicated(), "appid"].tolist()
    if doubled:
        raise SnapshotError(f"the catalogue has appids twice, such as {doubled[:3]}; drop the doubled rows")


def _plan(catalogue: pd.DataFrame, folder: Path, shard_size: int | None, allowed: Sequence[str]) -> Plan | None:
    """Write a plan of what is new in the catalogue, and return it; None where nothing is new."""
    games = catalogue[["appid", "name", "banner_url"]].assign(picture=catalogue["banner_url"].map(picture_identity))
    wanted = (games["picture"] != "") & lie_under(games["banner_url"], allowed) & ~_settled(games, history(folder))
    games = games[wanted]
    if games.empty:
        return None
    return write_plan(folder, games[COLUMNS], shard_size, read_plans(folder)[0])


def _settled(games: pd.DataFrame, past: pd.DataFrame) -> np.ndarray:
    """Return for each game whether nothing is to be asked: its picture is the newest on disk, or is none for good."""
    last = past.drop_duplicates(["appid", "picture"], keep="last")
    known = games[["appid", "picture"]].merge(last, on=["appid", "picture"], how="left")
    downloaded = past[past["status"] == "downloaded"].drop_duplicates("appid", keep="last")
    newest = known["appid"].map(downloaded.set_index("appid")["picture"])
    older = known["status"].eq("downloaded") & newest.ne(known["picture"])  # the game went back to an earlier picture
    return (known["passing"].eq(False) & ~older).to_numpy()  # `passing` is missing where nothing is known


def _finish(plan: Plan, catalogue: pd.DataFrame, options: Options, *, check: bool = False) -> None:
    """Download what a plan still lacks, until each of its shards is verified."""
    lacking = {number for number in plan.shards if not _is_there(plan, number, check=check)}
    if not lacking or plan.table is None:
        return
    for number in lacking:
        _sweep(plan, number)
    addresses = _addresses(plan.table, catalogue)
    done = plan.games - sum(map(plan.size, lacking))
    bar = tqdm(desc="Starting the download", unit=" banners", total=plan.games, initial=done)
    with bar, img2dataset(plan, addresses, sorted(lacking), options) as run:
        _follow(run, lacking, bar)
    for number in lacking:
        _sweep(plan, number)
    if lacking:
        kept = f"{len(plan.shards) - len(lacking)} of {len(plan.shards)} shards are finished and kept"
        raise SnapshotError(f"{run.last_words()}. {kept}: run the update again to go on")
    shutil.rmtree(plan.folder / "shards" / "_tmp", ignore_errors=True)


def _follow(run: Run, lacking: set[int], bar: tqdm) -> None:
    """Take each shard off `lacking` once it is verified, until img2dataset ends, or nothing moves or comes."""
    began = bar.n
    counts: Counter[str] = Counter()
    moved = time.monotonic()
    while lacking and time.monotonic() - moved < _STUCK:
        ended = run.ended
        asked = min(began + run.asked(), run.plan.games)
        if asked > bar.n:
            bar.set_description(f"Banners of snapshot {run.plan.folder.name}", refresh=False)
            bar.update(asked - bar.n)
            moved = time.monotonic()
        for number in sorted(lacking):
            record = verify(run.plan, number)
            if record is not None:
                lacking.discard(number)
                counts.update(record["status"].to_pylist())
                bar.set_postfix(counts)
        if ended or run.in_vain:
            return
        time.sleep(_PAUSE)


def _is_there(plan: Plan, number: int, *, check: bool) -> bool:
    """Return whether a shard is verified and as it was then, verifying one that was finished but not recorded."""
    if is_intact(plan, number, check=check):
        return True
    if record_of(plan, number) is not None:  # the tar is not what it was: it must not be verified as it is now
        plan.record(number).unlink()
        plan.part(number, "_stats.json").unlink(missing_ok=True)
    return verify(plan, number) is not None


def _sweep(plan: Plan, number: int) -> None:
    """Remove what a run that was ended left of an unfinished shard."""
    for leftover in (plan.folder / "shards").glob(f"{number:05}[._]*"):
        leftover.unlink()


def _addresses(planned: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Return appid, name, picture and url as planned; a picture is asked from where the catalogue has it now."""
    now = catalogue[["appid"]].assign(
        url=catalogue["banner_url"], identity=catalogue["banner_url"].map(picture_identity)
    )
    then = planned.assign(identity=planned["picture"].map(picture_identity))
    both = then.merge(now, on=["appid", "identity"], how="left")
    return both[["appid", "name", "picture"]].assign(url=both["url"].fillna(both["banner_url"]))
