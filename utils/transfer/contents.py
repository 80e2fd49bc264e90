"""What an archive says that it holds, believed no further than it can be checked."""

import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from utils.names import shortened
from utils.transfer.errors import BadArchive

FORMAT = 1  # of the archive
MANIFEST = "manifest.json"
MANIFEST_LIMIT = 1 << 23  # bytes; 110,000 games make 1,000 files of 200 bytes each
BLOCK = 512  # bytes; what a tar is made of
READ_LIMIT = 1 << 20  # bytes that a header may make the reader take at a time

_NAME = re.compile(r"(?!\.{1,2}$)[^/\\:\x00-\x1f\ud800-\udfff]+")
_PATH_LIMIT = 300  # characters
_TIME_LIMIT = 1 << 62  # nanoseconds


@dataclass(frozen=True)
class Member:
    """A file of an archive, as its manifest lists it."""

    path: str  # below the home, with slashes
    bytes: int
    sha256: str
    mtime_ns: int  # kept, because a shard whose time is that of its record need not be hashed again


class Bounded:
    """A file for `tarfile` that refuses what a forged header asks for: to read gigabytes into memory at once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.close = file.close

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= READ_LIMIT:
            raise BadArchive("a header in it is larger than any of ours")
        return self._file.read(size)


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Say which archive it is that cannot be used, whatever was wrong with it."""
    try:
        yield
    except (BadArchive, tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        why = shortened(str(error), 300)
        raise BadArchive(f"{where} is not an archive to be unpacked, and nothing of it is used: {why}") from None


def read_manifest(tar: tarfile.TarFile) -> dict[str, Member]:
    """Return the files that an archive's first member lists, by path, none of them outside the home; BadArchive."""
    first = tar.next()
    content = tar.extractfile(first) if first and first.isreg() else None
    if not first or not content or first.name != MANIFEST or first.size > MANIFEST_LIMIT:
        raise BadArchive(f"it does not begin with {MANIFEST}")
    text = b"".join(iter(lambda: content.read(READ_LIMIT), b""))
    try:
        manifest = json.loads(text)
        if manifest["format"] > FORMAT:
            raise BadArchive(f"its format is {manifest['format']}, this program reads {FORMAT}; update the program")
        listed = [Member(each["path"], each["bytes"], each["sha256"], each["mtime_ns"]) for each in manifest["files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadArchive(f"its {MANIFEST} is not understood") from None
    members: dict[str, Member] = {}
    for member in listed:
        if not is_sensible(member) or member.path in members:
            shown = shortened(repr(member.path), 100)
            raise BadArchive(f"its {MANIFEST} lists {shown}, which is not a file of ours, comes twice, or has no size")
        members[member.path] = member
    return members


def is_sensible(member: Member) -> bool:
    """Return whether a member lies below the home, on any system, and has a size and a time."""
    if not (isinstance(member.path, str) and isinstance(member.sha256, str)):
        return False
    if type(member.bytes) is not int or type(member.mtime_ns) is not int:
        return False
    named = all(_NAME.fullmatch(name) for name in member.path.split("/")) and len(member.path) <= _PATH_LIMIT
    return named and member.path != MANIFEST and member.bytes >= 0 and 0 <= member.mtime_ns < _TIME_LIMIT


def total_bytes(members: Iterable[Member]) -> int:
    """Return the bytes of some members."""
    return sum(member.bytes for member in members)
