"""A folder that we write to again and again, and that may hold what is not ours: `.git`, `CNAME`, another page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        if not (path / LIST).is_file():
            files.write(path / LIST, f"{LIST}\n".encode())
        names = (path / LIST).read_text(encoding="utf-8", errors="replace").splitlines()
        if LIST not in names:
            raise StorageError(f"{path / LIST} is not of an earlier export; {_REMEDY}")
        self._earlier = set(filter(_NAME.fullmatch, names))  # a list that somebody made up leads nowhere else
        self._written = {LIST: None}

    def write(self, name: str, content: str | bytes) -> None:
        """Write a file whole; raises StorageError where a file of that name is there that we did not write.

        Its name is listed first, so that an export that was interrupted is known as ours.
        """
        place = self._place(name)
        if name not in self._earlier:
            if place.exists():
                raise StorageError(f"{place} is not of an earlier export; {_REMEDY}")
            with (self.path / LIST).open("a", encoding="utf-8") as listed:
                listed.write(f"{name}\n")
        self._written[name] = None
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f"{place.name}.part")
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        part.replace(place)

    def finish(self) -> None:
        """Remove what an earlier export wrote and this one did not, and list what this one wrote."""
        for name in self._earlier - self._written.keys():
            place = self._place(name)
            place.unlink(missing_ok=True)
            with suppress(OSError):  # something else is in it
                place.parent.rmdir()
        files.write(self.path / LIST, "\n".join([*self._written, ""]).encode())

    def _place(self, name: str) -> Path:
        """Return where a file lies; raises StorageError where a link or a name leads out of the folder."""
        place = self.path / name
        if not place.parent.resolve().is_relative_to(self.path.resolve()):
            raise StorageError(f"{place.parent} leads out of the folder; {_REMEDY}")
        return place


@contextmanager
def writing(path: Path) -> Iterator[Folder]:
    """Yield the folder to write to; what an earlier export left is removed only when all is written.

    Raises StorageError where `path` is a file, holds a file list that is not ours, or lets nothing be written, and
    where another process is writing there.
    """
    with files.storage_errors(path), files.locked(path):
        folder = Folder(path)
        yield folder
        folder.finish()
