"""Google Drive: finished work is copied there while the rest goes on, and a new session starts from what is there.

A thread looks at what is finished, and copies what Drive lacks: nothing waits for Drive, and at most what was finished
in the last moments is lost with the session. There is no backlog: what is left to copy is the difference of two
folders, each a `data/<source>`.
"""

import itertools
import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from tqdm.auto import tqdm

from utils import catalogue, files, snapshot
from utils.errors import DamagedError, PlainError, StorageError
from utils.settings import Settings

MOUNT = Path("/content/drive")  # where Colab has Drive
PAUSE = 1.0  # seconds between two looks at what is finished
REST = 30.0  # seconds after something went wrong

FileSet = tuple[str, ...]  # files that count together, below a data_dir, with slashes; the last makes the others count


def open_drive(chosen: Settings) -> str:
    """Bring back what DRIVE has and this disk lacks, then copy what gets finished as the work goes on; say so.

    On Colab, Drive is mounted first. What lies damaged on Drive is left there, and made again. Raises StorageError as
    `copy_finished` does.
    """
    on_colab = "google.colab" in sys.modules
    if chosen.drive is None:
        lost = ", which Colab wipes when the session ends" if on_colab else ""
        return f"DRIVE is empty: finished work stays on this disk{lost}"
    if on_colab and chosen.drive.is_relative_to(MOUNT) and not (MOUNT / "MyDrive").is_dir():
        from google.colab import drive  # ty: ignore[import-not-found]

        drive.mount(str(MOUNT))
    there = chosen.drive / chosen.data_dir.name
    stop_watching(chosen.data_dir)
    restored, damaged = _restore(there, chosen.data_dir)
    Watcher(chosen.data_dir, there).start()
    news = f"{restored} files came from {there}" if restored else f"{there} had nothing new"
    left = f"; {damaged} damaged ones there are made again" if damaged else ""
    return f"{news}{left}; what gets finished is copied there"


def sync_drive(chosen: Settings) -> str:
    """Wait until DRIVE has all that is finished, and say so; what is finished later is copied as before.

    Raises StorageError and DamagedError as `copy_finished` does.
    """
    if chosen.drive is None:
        return "DRIVE is empty: nothing was copied"
    there = chosen.drive / chosen.data_dir.name
    stop_watching(chosen.data_dir)
    copy_finished(chosen.data_dir, there)
    Watcher(chosen.data_dir, there).start()
    return f"{there} has all that is finished"


def finished(data_dir: Path, *, check: bool = False) -> list[FileSet]:
    """Return what is finished in a `data/<source>`, as the subjects that wrote it say, in the order to copy it.

    check: read each set, and leave out those that are not as they were when they were finished.
    """
    found = catalogue.finished_files(data_dir / "catalogue.parquet", check=check)
    found += snapshot.finished_files(data_dir / "snapshots", check=check)
    if (data_dir / "features").is_dir():
        from utils import features  # brings torch, which a download does not need

        found += features.finished_files(data_dir / "features", check=check)
    sets = [tuple(file.relative_to(data_dir).as_posix() for file in each) for each in found]
    return [each for each in sets if _is_here(each, data_dir)]


def copy_finished(source: Path, to: Path, known: dict[FileSet, int] | None = None) -> int:
    """Copy what is finished in one data_dir and absent or different in another; return how many files that were.

    An interrupted copy leaves a data_dir with all the sets so far, and the next call goes on. What differs is replaced,
    whichever is newer; nothing is removed. What is `known` to be there, with the time (ns) of the file that makes it
    count, is not looked at again; what is there in the end is added.

    Raises StorageError where the place of `to` does not exist, such as Drive that is not mounted, where it has another
    snapshot of the same number, and where a file cannot be written or does not read as it was written; DamagedError,
    with the rest copied, for a file of `source` that cannot be read.
    """
    known = {} if known is None else known
    with files.storage_errors(to):
        _require_place(to)
        times = {each: (source / each[-1]).stat().st_mtime_ns for each in finished(source)}
        new = _differing([each for each in times if known.get(each) != times[each]], source, to)
        unread = _put(new, source, to)
    if unread:
        remedy = "the rest was copied; run the notebook that made it again"
        raise DamagedError(f"{source / unread[0][0]} cannot be read; {remedy}")
    known |= times
    return sum(map(len, new))


class Watcher(threading.Thread):
    """Copies what gets finished in a data_dir; what goes wrong is said once, and tried again."""

    def __init__(self, data_dir: Path, to: Path) -> None:
        super().__init__(name=f"copies {data_dir} to {to}", daemon=True)
        self.data_dir = data_dir
        self.ended = threading.Event()
        self._to = to

    def run(self) -> None:
        pause, said, known = PAUSE, "", {}
        while not self.ended.wait(pause):
            began = time.monotonic()
            try:
                copy_finished(self.data_dir, self._to, known)
                pause = max(PAUSE, 20 * (time.monotonic() - began))  # leaves the work its time
            except PlainError as error:
                if str(error) != said:
                    sys.stderr.write(f"Not copied to Drive, and tried again later while the work goes on: {error}\n")
                pause, said = REST, str(error)


def stop_watching(data_dir: Path) -> None:
    """End the thread that copies what gets finished in a data_dir, after what it is copying."""
    for thread in threading.enumerate():
        if isinstance(thread, Watcher) and thread.data_dir == data_dir:
            thread.ended.set()
            thread.join()


def _restore(there: Path, data_dir: Path) -> tuple[int, int]:
    """Copy what lies on Drive in order and is absent here; return how many files came, and how many are damaged."""
    with files.storage_errors(there):
        _require_place(there)
        listed = finished(there)
        if all(_is_here(each, data_dir) for each in listed):
            return 0, 0
        in_order = finished(there, check=True)
        new = [each for each in _differing(in_order, there, data_dir) if not _is_here(each, data_dir)]
        with files.locked(data_dir / "snapshots"):
            unread = _put(tqdm(new, desc="Copying", unit=" sets"), there, data_dir)
    damaged = [each for each in listed if each in unread or each not in in_order]
    return sum(map(len, new)) - sum(map(len, unread)), sum(map(len, damaged))


def _differing(sets: Sequence[FileSet], source: Path, to: Path) -> list[FileSet]:
    """Return the sets that `to` lacks: a file is absent or of another size, or the one that makes it count is another.

    That one holds the checksums of the others, so they are the same where it is the same and nobody cut them. Raises
    StorageError where `to` has another snapshot of the same number.
    """

    def is_there(each: FileSet) -> bool:
        sizes = ((to / path).stat().st_size == (source / path).stat().st_size for path in each)
        return _is_here(each, to) and all(sizes) and files.sha256(to / each[-1]) == files.sha256(source / each[-1])

    lacking = list(itertools.filterfalse(is_there, sets))
    for each in lacking:
        if each[-1].endswith("plan.parquet") and (to / each[-1]).exists() and each in finished(to):
            remedy = "keep the two in different folders, or delete the one that you do not need"
            raise StorageError(f"{(to / each[-1]).parent} is another snapshot than the one to be put there; {remedy}")
    return lacking


def _put(sets: Iterable[FileSet], source: Path, to: Path) -> list[FileSet]:
    """Copy sets from one data_dir to another; return those that could not be read.

    What makes a set count is taken away before a file of it is replaced, so that old and new are never mixed.
    """
    unread = []
    for each in sets:
        if len(each) > 1:
            (to / each[-1]).unlink(missing_ok=True)
        try:
            for path in each:
                _copy(source / path, to / path)
        except DamagedError:
            unread.append(each)
    return unread


def _require_place(data_dir: Path) -> None:
    """Raise StorageError where the folder that a data_dir and its parent are made in is not there."""
    outside = MOUNT / "MyDrive" if data_dir.is_relative_to(MOUNT) else data_dir.parent.parent
    if not outside.is_dir():
        raise StorageError(f"{outside} does not exist; if it lies on Google Drive, mount Drive first, else make it")


def _is_here(each: FileSet, data_dir: Path) -> bool:
    return all((data_dir / path).is_file() for path in each)


def _copy(file: Path, to: Path) -> None:
    """Copy a file with its time, and read it back; raises DamagedError where it cannot be read, else StorageError."""
    try:
        content, time_ns = file.read_bytes(), file.stat().st_mtime_ns
    except OSError as error:
        raise DamagedError(f"{file} cannot be read ({error.strerror})") from None
    with files.writing(to) as part:
        part.write_bytes(content)
        if part.read_bytes() != content:
            raise StorageError(f"{to} does not read as it was written; check its disk")
        with suppress(OSError):  # some mounted drives keep no times
            os.utime(part, ns=(time_ns, time_ns))
