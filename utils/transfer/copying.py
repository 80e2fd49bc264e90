"""Copies of finished groups from one home to another, each file read back before it counts."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tqdm.auto import tqdm

from utils import files
from utils.errors import PlainError
from utils.transfer import rooms
from utils.transfer.errors import TransferError
from utils.transfer.rooms import Group

CHUNK = 1 << 18  # bytes


def copy_finished(home: Path, to: Path) -> int:
    """Copy what is finished under `home` and absent or different under `to`, and return how many files that were.

    For both ways, between `data/<source>` and `<a folder of Google Drive>/<source>`. An interrupted copy leaves a home
    with all the groups so far, and the next call goes on. What differs is replaced, whichever is newer; nothing is
    removed from `to`.

    Raises TransferError where the place of `data`, or of the folder on Drive, does not exist (they themselves are
    made), where `to` has another snapshot of the same number, and where a file does not arrive whole or cannot be
    written; StorageError.
    """
    for place in (home, to):
        require_place(place)
    new = differing(rooms.finished(home), home, to)
    require_same_plans(new, home, to)
    return copy_groups(new, home, to)


def copy_groups(groups: list[Group], home: Path, to: Path, *, quiet: bool = False) -> int:
    """Copy groups, with a bar unless it is to be quiet; return how many files that were."""
    total = sum(size(group, home) for group in groups)
    bar = tqdm(desc="Copying", total=total, unit="B", unit_scale=True, disable=quiet)
    with bar, plain_errors(to):
        withdraw(groups, to)
        for group in groups:
            for path in group:
                _copy_file(home / path, to / path)
            bar.update(size(group, home))
    return sum(map(len, groups))


def withdraw(groups: list[Group], home: Path) -> None:
    """Remove what makes files count that are about to be replaced, so that old and new are never taken for one."""
    for group in groups:
        (home / group[-1]).unlink(missing_ok=True)


def differing(groups: list[Group], home: Path, to: Path) -> list[Group]:
    """Return the groups that have to be copied."""
    return [group for group in groups if _differs(group, home, to)]


def _differs(group: Group, home: Path, to: Path) -> bool:
    """Return whether a group has to be copied: one of its files is absent, or the one that makes it count is another.

    That one holds the checksums of the others, so they are the same where it is the same and nobody cut them.
    """
    for path in group:
        there = to / path
        if not there.is_file() or there.stat().st_size != (home / path).stat().st_size:
            return True
    return files.sha256(to / group[-1]) != files.sha256(home / group[-1])


def require_same_plans(groups: list[Group], home: Path, to: Path) -> None:
    """Raise TransferError where one of the groups that differ would replace a snapshot with another."""
    for group in groups:
        place = to / group[-1]
        if rooms.never_changes(group) and place.is_file() and not _same(group[:-1], home, to):
            remedy = "keep the two in different folders, or delete the one that you do not need"
            raise TransferError(f"{place.parent} is another snapshot than the one to be put there; {remedy}")


def require_place(home: Path) -> None:
    """Raise TransferError where the folder that a home and its parent are made in is not there."""
    outside = home.parent.parent
    if not outside.is_dir():
        remedy = "if it lies on Google Drive, mount Drive first, else make it"
        raise TransferError(f"{outside} does not exist; {remedy}")


def size(group: Group, home: Path) -> int:
    """Return the bytes of a group's files."""
    return sum((home / path).stat().st_size for path in group)


def copied(content: BinaryIO, out: BinaryIO) -> str:
    """Copy a stream and return its SHA-256."""
    digest = hashlib.sha256()
    while piece := content.read(CHUNK):
        out.write(piece)
        digest.update(piece)
    return digest.hexdigest()


def _same(paths: Group, home: Path, to: Path) -> bool:
    return all((to / path).is_file() and files.sha256(to / path) == files.sha256(home / path) for path in paths)


@contextmanager
def plain_errors(place: Path) -> Iterator[None]:
    """Raise TransferError, in one line, where the system refuses to write to a place."""
    try:
        yield
    except PlainError:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise TransferError(f"{place} cannot be written to ({why}); what was copied before is kept") from None


def _copy_file(file: Path, to: Path) -> None:
    time = file.stat().st_mtime_ns
    with files.writing(to) as part:
        with file.open("rb") as content, part.open("wb") as out:
            sha256 = copied(content, out)
        if files.sha256(part) != sha256:
            raise TransferError(f"{to} does not read as it was written; check its disk")
        with suppress(OSError):  # some mounted drives keep no times
            os.utime(part, ns=(time, time))
