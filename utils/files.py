"""Files that are there whole or not at all, their checksums, and folders that one process at a time may change."""

import errno
import functools
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock
import pyarrow as pa
import pyarrow.parquet as pq

from utils.errors import DamagedError, PlainError, StorageError, shown

_UNSUPPORTED = (errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # of a mount without fsync
_MOST_ROWS = 10_000_000  # of a table that is believed
_ABANDONED = 3_600  # seconds that nothing was written to a part


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """Yield a path beside `file` to write to; at the end it is flushed to the disk and renamed to `file`.

    A crash or a power cut leaves the old file or the new one, never a part of one; an error leaves the old one. Two
    processes that write the same file do not meet: the last one's is kept. Raises StorageError.
    """
    part = file.with_name(f".{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with storage_errors(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            sweep(file.parent)
            yield part
            flush(part)
            part.replace(file)
            flush(file.parent)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@functools.cache
def sweep(folder: Path) -> None:
    """Remove from a folder, once a process, the parts of writers that were killed an hour ago or earlier."""
    with suppress(OSError):
        for part in folder.glob(".[0-9]*-[0-9a-f]*.part"):
            if time.time() - part.lstat().st_mtime > _ABANDONED:
                part.unlink()


def write(file: Path, content: bytes) -> None:
    """Write a small file as `writing` does."""
    with writing(file) as part:
        part.write_bytes(content)


def write_table(file: Path, table: pa.Table, about: dict[str, str]) -> None:
    """Write a parquet file as `writing` does, with `about` in its metadata and a checksum of all it says."""
    about = about | {"checksum": _checksum(table, about)}
    with writing(file) as part:
        pq.write_table(table.replace_schema_metadata(about), part)


def read_table(file: Path, schema: pa.Schema) -> tuple[pa.Table, dict[str, str]]:
    """Return the table of `write_table`, and what it says of it; raises DamagedError for whatever else is there.

    Columns and types are those of `schema`, and nothing in them is null.
    """
    if not file.is_file():  # a pipe would be waited for
        raise DamagedError(f"{shown(file, 200)} is not there")
    with suppress(Exception):  # a damaged file meets any line of the library
        with pq.ParquetFile(file) as content:
            is_ours = content.schema_arrow.equals(schema) and content.metadata.num_rows <= _MOST_ROWS
            table = content.read() if is_ours else schema.empty_table()
        about = {name.decode(): text.decode() for name, text in (table.schema.metadata or {}).items()}
        if about.pop("checksum", "") == _checksum(table, about):
            return table, about
    raise DamagedError(f"{shown(file, 200)} cannot be read, or is not what was written")


def _checksum(table: pa.Table, about: dict[str, str]) -> str:
    """Return a checksum of a table and of what is said of it; raises DamagedError for nulls.

    Columns are text, numbers, or lists of numbers.
    """
    digest = hashlib.sha256(json.dumps([about, table.schema.names], sort_keys=True).encode())
    for column in table.columns:
        values = column.combine_chunks()
        if pa.types.is_list(values.type):
            digest.update(values.value_lengths().to_numpy().data)
            values = values.flatten()
        if column.null_count or values.null_count:
            raise DamagedError("a value is missing")
        text = pa.types.is_string(values.type)
        digest.update(json.dumps(values.to_pylist()).encode() if text else values.to_numpy(zero_copy_only=False).data)
    return digest.hexdigest()


def flush(path: Path) -> None:
    """Ask the system to bring a file, or a folder's list of files, onto the disk, where it can."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:  # some mounted drives cannot
            raise
    finally:
        os.close(handle)


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file's content, 64 hex digits; reads it in pieces."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder to this process for the length of the block; raises StorageError where another one has it.

    Where the file system has no locks, a file in it says who has the folder.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = _acquired(folder)
        except filelock.Timeout:
            raise StorageError(f"another process is changing {folder}; wait for it, or stop it first") from None
    with lock:
        yield


def _acquired(folder: Path) -> filelock.AcquireReturnProxy:
    try:
        return filelock.FileLock(folder / ".lock", timeout=0).acquire()
    except filelock.Timeout:
        raise
    except (OSError, NotImplementedError):  # no locks there; the second is what older filelocks make of ENOSYS
        return filelock.SoftFileLock(folder / ".lock-holder", timeout=0).acquire()


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Raise StorageError, in one line with its remedy, where the system refuses what the block does with files.

    The line names the file that the system complains of, or `place` where it names none.
    """
    try:
        yield
    except PlainError:
        raise
    except OSError as error:
        raise StorageError(_storage_line(error, place)) from None


def _storage_line(error: OSError, place: Path) -> str:
    named = isinstance(error.filename, str) and not error.filename.endswith(".part")  # ours while it is written
    where = shown(error.filename if named else place, 200)
    why = shown(error.strerror or error or type(error).__name__)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return f"the disk of {where} is full; make room and run again: what is finished is kept"
        case errno.ENAMETOOLONG:
            return f"the name of {where} is too long for its disk; choose a shorter one"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{where} may not be used ({why}); give yourself the right, or choose another folder"
        case errno.EEXIST | errno.ENOTDIR | errno.EISDIR | errno.ELOOP | errno.ENOTEMPTY:
            return f"{where} blocks writing ({why}); move it, or choose another folder than {shown(place, 200)}"
    return f"{where} cannot be read or written ({why}); check its disk or mount; what is finished is kept"
