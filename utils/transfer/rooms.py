"""What is finished in a home (a `data/<source>`), as the rooms that wrote it say.

A group is the files that count together, in the order to copy them: the last one makes the others count.
"""

from pathlib import Path

from utils import catalogue, snapshot

Group = tuple[str, ...]  # paths below the home, with slashes


def finished(home: Path, *, check: bool = False) -> list[Group]:
    """Return the finished groups of a home; `check` reads each, and leaves out those that are not in order."""
    groups = [
        *catalogue.finished_files(home / "catalogue.parquet", check=check),
        *snapshot.finished_files(home / "snapshots", check=check),
        *_features(home / "features", check),
    ]
    there = [group for group in groups if all(file.is_file() for file in group)]
    return [tuple(file.relative_to(home).as_posix() for file in group) for group in there]


def whole(home: Path) -> tuple[list[Group], list[Group]]:
    """Return the groups of a home that are in order, and those that are damaged."""
    in_order = finished(home, check=True)
    return in_order, [group for group in finished(home) if group not in in_order]


def never_changes(group: Group) -> bool:
    """Return whether a group is a snapshot's plan: another one in its place is another snapshot."""
    return group[-1].endswith("/plan.json")


def described(group: Group) -> str | None:
    """Return the folder that a group describes, so that the groups in it mean nothing beside another of its kind."""
    folder, _, name = group[-1].rpartition("/")
    return f"{folder}/" if name in ("plan.json", "manifest.json") else None


def _features(folder: Path, check: bool) -> list[tuple[Path, ...]]:
    if not folder.is_dir():
        return []
    from utils import features  # brings torch, which a download does not need

    return features.finished_files(folder, check=check)
