"""Files that are there whole or not at all, their checksums, and folders that one process at a time may change."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from utils.errors import PlainError


class DiskFull(PlainError, OSError):
    """The disk has no room left; what was finished before is kept."""


class CannotWrite(PlainError, OSError):
    """A place where the system lets nothing be written: a file where a folder is meant, a loop of links, no rights."""


class Busy(PlainError):
    """Another process is changing the same folder."""


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Yield a path beside `file` to write to; at the end it is flushed to the disk and renamed to `file`.

    A crash or a power cut leaves the old file or the new one, never a part of one; an error leaves the old one. Raises
    DiskFull.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    try:
        with full_disk_named(file):
            yield part
            flush(part)
            part.replace(file)
        flush(file.parent)
    finally:
        part.unlink(missing_ok=True)


def write(file: Path, content: bytes) -> None:
    """Write a small file as `writing` does."""
    with writing(file) as part:
        part.write_bytes(content)


def flush(path: Path) -> None:
    """Ask the system to bring a file, or a folder's list of files, onto the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some mounted drives cannot
            raise
    finally:
        os.close(handle)


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hex digits; reads it in pieces."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder to this process for the length of the block; raises Busy where another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            yield
    except filelock.Timeout:
        raise Busy(f"another update of {folder} is running; wait for it, or stop it first") from None


@contextmanager
def full_disk_named(place: Path) -> Iterator[None]:
    """Raise DiskFull, which names the place and the remedy, where the block finds the disk full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        remedy = "make room and run again: what is finished is kept"
        raise DiskFull(f"the disk of {place} is full; {remedy}") from None


@contextmanager
def plain_errors(place: Path) -> Iterator[None]:
    """Raise DiskFull or CannotWrite, in one line, where the system refuses what the block does with a place."""
    try:
        with full_disk_named(place):
            yield
    except PlainError:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        where = error.filename or place
        raise CannotWrite(f"{where} is in the way ({why}); move it, or choose another folder than {place}") from None
