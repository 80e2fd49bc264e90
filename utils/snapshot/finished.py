"""Which files of a folder of snapshots are finished, for whoever copies them."""

import tarfile
from pathlib import Path

from utils.snapshot.plan import Plan, read_plans
from utils.snapshot.shards import is_intact, jpeg_places, record_of


def finished_files(folder: Path, *, check: bool = False) -> list[tuple[Path, ...]]:
    """Return the finished files in a folder of snapshots, those that count together in one tuple, oldest first.

    The last of a tuple is written last and makes the others count. A plan stands before its shards. With `check`,
    each file is read: what is not as it was when it was finished is left out.
    """
    found: list[tuple[Path, ...]] = []
    for plan in read_plans(folder)[0]:
        found.append((plan.folder / "plan.parquet", plan.folder / "plan.json"))
        if check and plan.table is None:
            found.pop()
            continue
        for number in plan.shards:
            if plan.record(number).is_file() and (not check or _is_sound(plan, number)):
                endings = (".tar", ".parquet", "_stats.json")
                found.append((*(plan.part(number, ending) for ending in endings), plan.record(number)))
    return found


def _is_sound(plan: Plan, number: int) -> bool:
    """Return whether a shard is what was verified, and its banners lie where its record says."""
    record = record_of(plan, number)
    if record is None or not is_intact(plan, number, check=True):
        return False
    try:
        places = set(dict(jpeg_places(plan.part(number, ".tar"))).values())
    except (OSError, tarfile.TarError):
        return False
    stored = record.filter(record["offset"].to_numpy() >= 0)
    return set(zip(stored["offset"].to_pylist(), stored["size"].to_pylist(), strict=True)) == places
