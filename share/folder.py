"""A folder that we write to again and again, and that may hold what is not ours: `.git`, `CNAME`, another page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils import files
from utils.errors import StorageError

LIST = "files.txt"  # the names of all files that we wrote, a line each

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_REMEDY = "move it, or choose another folder"


class Folder:
    """Files to be put into a folder, those of an earlier export there being replaced or removed by name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ours = set(_names_listed(path))
        self._written: dict[str, None] = {LIST: None}

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file whole; raises StorageError where a file of that name is there that we did not write.

        Its name is listed first, so that an export that was interrupted is known as ours. Halves of characters, which
        have no UTF-8, become question marks.
        """
        place = self._place(name)
        if name not in self._ours:
            if place.exists():
                raise StorageError(f"{place} is not of an earlier export; {_REMEDY}")
            self._ours.add(name)
            with (self.path / LIST).open("a", encoding="utf-8") as listed:
                listed.write(f"{name}\n")
        self._written[name] = None
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f"{place.name}.part")
        part.write_bytes(content.encode(errors="replace") if isinstance(content, str) else content)
        part.replace(place)

    def _place(self, name: str) -> Path:
        """Return where a file lies; raises StorageError where a link leads out of the folder, to what is not ours."""
        place = self.path / name
        if not place.parent.resolve().is_relative_to(self.path.resolve()):
            raise StorageError(f"{place.parent} is a link out of the folder; {_REMEDY}")
        return place

    def finish(self) -> None:
        """Remove what an earlier export wrote and this one did not, and list what this one wrote."""
        stale = self._ours - self._written.keys()
        for name in stale:
            self._place(name).unlink(missing_ok=True)
        for folder in sorted({(self.path / name).parent for name in stale}, reverse=True):
            if folder != self.path and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        files.write(self.path / LIST, "".join(f"{name}\n" for name in self._written).encode())


@contextmanager
def writing(path: Path) -> Iterator[Folder]:
    """Yield the folder to write to; what an earlier export left is removed only when all is written.

    Raises StorageError where `path` is a file, holds a file list that is not ours, or lets nothing be written, and
    where another process is writing there.
    """
    with files.storage_errors(path), files.locked(path):
        folder = Folder(path)
        if not (path / LIST).is_file():
            files.write(path / LIST, f"{LIST}\n".encode())
        yield folder
        folder.finish()


def _names_listed(path: Path) -> list[str]:
    """Return the names that an earlier export listed; a list that somebody made up leads nowhere else."""
    file = path / LIST
    if not file.is_file():
        return []
    names = file.read_text(encoding="utf-8", errors="replace").splitlines()
    if LIST not in names:
        raise StorageError(f"{file} is not of an earlier export; {_REMEDY}")
    return [name for name in names if _NAME.fullmatch(name)]
