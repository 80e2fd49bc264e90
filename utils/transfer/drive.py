"""Google Drive, to which finished work is copied while the rest goes on, and from which a new session starts.

A thread looks every second at what the rooms have finished, and copies what Drive lacks: so nothing waits for Drive,
and at most what was finished in the last moments is lost with the session. There is no backlog to overflow: what is
left to copy is the difference of two folders.
"""

import sys
import threading
from pathlib import Path

from utils import files
from utils.errors import PlainError
from utils.settings import Settings
from utils.transfer import memory, rooms
from utils.transfer.copying import (
    copy_finished,
    copy_groups,
    differing,
    plain_errors,
    require_place,
    require_same_plans,
    withdraw,
)

MOUNT = Path("/content/drive")  # where Colab has Drive
PAUSE = 1.0  # seconds between two looks at what is finished
REST = 30.0  # seconds after something went wrong


def open_drive(chosen: Settings) -> str:
    """Bring back what DRIVE has and this disk lacks, then copy what gets finished as the work goes on; say so.

    On Colab, Drive is mounted first. What lies damaged on Drive is left there, and made again. Raises TransferError and
    StorageError as `copy_finished` does.
    """
    if chosen.drive is None:
        lost = ", which Colab wipes when the session ends" if _on_colab() else ""
        return f"DRIVE is empty: finished work stays on this disk{lost}"
    _mount(chosen.drive)
    home = chosen.data_dir
    there = chosen.drive / home.name
    _stop_watching(home)
    restored, damaged = _restore(there, home)
    Watcher(home, there).start()
    news = f"{restored} files came from {there}" if restored else f"{there} had nothing new"
    left = f"; {damaged} damaged ones there are made again" if damaged else ""
    return f"{news}{left}; what gets finished is copied there"


def sync_drive(chosen: Settings) -> str:
    """Wait until DRIVE has all that is finished, and say so; what is finished later is copied as before.

    Raises TransferError and StorageError as `copy_finished` does.
    """
    if chosen.drive is None:
        return "DRIVE is empty: nothing was copied"
    home = chosen.data_dir
    there = chosen.drive / home.name
    _stop_watching(home)
    copy_finished(home, there)
    Watcher(home, there).start()
    return f"{there} has all that is finished"


class Watcher(threading.Thread):
    """Copies what gets finished in a home; what goes wrong is said once, and tried again."""

    def __init__(self, home: Path, to: Path) -> None:
        super().__init__(name=f"copies {home} to {to}", daemon=True)
        self.home = home
        self._to = to
        self._ended = threading.Event()
        self._copied: dict[rooms.Group, tuple[int, int]] = {}  # what was copied -> bytes and time of its last file
        self._said = ""

    def run(self) -> None:
        pause = PAUSE
        while not self._ended.wait(pause):
            pause = PAUSE if self._look() else REST

    def stop(self) -> None:
        """End the thread after the group that it is copying."""
        self._ended.set()
        self.join()

    def _look(self) -> bool:
        """Copy what is new; return whether that went well."""
        try:
            require_place(self._to)  # where Drive is gone, its folder must not be made on this disk
            states = {group: self._state(group) for group in rooms.finished(self.home)}
            changed = [group for group, state in states.items() if self._copied.get(group) != state]
            new = differing(changed, self.home, self._to)
            require_same_plans(new, self.home, self._to)
            with plain_errors(self._to):
                withdraw(new, self._to)
            for group in changed:
                if self._ended.is_set():
                    break
                copy_groups([group] if group in new else [], self.home, self._to, quiet=True)
                self._copied[group] = states[group]
        except (PlainError, OSError) as error:
            self._say(str(error))
            return False
        return True

    def _state(self, group: rooms.Group) -> tuple[int, int]:
        stat = (self.home / group[-1]).stat()
        return stat.st_size, stat.st_mtime_ns

    def _say(self, why: str) -> None:
        if why != self._said:
            sys.stderr.write(f"Not copied to Drive, and tried again later while the work goes on: {why}\n")
        self._said = why


def _restore(there: Path, home: Path) -> tuple[int, int]:
    """Copy what lies on Drive in order and is absent here; return how many files came, and how many are damaged."""
    for place in (home, there):
        require_place(place)
    if not any(_is_absent(group, home) for group in rooms.finished(there)):
        return 0, 0
    with memory.bounded():
        in_order, damaged = rooms.whole(there)
    others = _others(in_order, there, home)
    new = [group for group in in_order if _is_absent(group, home) and not group[-1].startswith(others)]
    with files.locked(home / "snapshots"):
        return copy_groups(new, there, home), sum(map(len, damaged))


def _others(groups: list[rooms.Group], there: Path, home: Path) -> tuple[str, ...]:
    """Return the folders that are described here otherwise than on Drive, whose files would not fit together."""
    here = [group for group in groups if rooms.described(group) and not _is_absent(group, home)]
    others = differing(here, there, home)
    require_same_plans(others, there, home)
    return tuple(str(rooms.described(group)) for group in others)


def _is_absent(group: rooms.Group, home: Path) -> bool:
    return any(not (home / path).is_file() for path in group)


def watchers() -> list[Watcher]:
    """Return the threads of this process that copy to Drive."""
    return [thread for thread in threading.enumerate() if isinstance(thread, Watcher)]


def _stop_watching(home: Path) -> None:
    for watcher in watchers():
        if watcher.home == home:
            watcher.stop()


def _on_colab() -> bool:
    return "google.colab" in sys.modules


def _mount(folder: Path) -> None:
    if _on_colab() and folder.is_relative_to(MOUNT) and not MOUNT.joinpath("MyDrive").is_dir():
        from google.colab import drive  # ty: ignore[import-not-found]

        drive.mount(str(MOUNT))
