"""One archive of what is finished: an uncompressed tar, since JPEGs do not compress, to publish and to start from."""

import hashlib
import json
import os
import re
import shutil
import tarfile
from decimal import Decimal
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from tqdm.auto import tqdm

from utils import download, drive, files, http
from utils.errors import CellError, DamagedError, HttpError, SettingsError, StorageError, shown

_DEADLINE = 60.0  # seconds for an answer's beginning
_SPARE = 1 << 28  # bytes of the disk that are left free
_LARGEST_READ = 1 << 20  # bytes that a header may make tarfile take at a time
_END = bytes(2 * tarfile.BLOCKSIZE)  # of a tar that is whole


def pack(data_dir: Path, archive: Path, *, banners: bool = True, features: bool = True) -> Path:
    """Pack what is finished in a `data/<source>`, with or without banners and features; return the archive.

    Raises CellError where nothing is finished, DamagedError where something changed after it was; StorageError.
    """
    in_order = drive.finished(data_dir, check=True)
    if damaged := [each for each in drive.finished(data_dir) if each not in in_order]:
        remedy = "run the notebook that made it again, or snapshot.update(catalogue, folder, check=True)"
        raise DamagedError(f"{data_dir / damaged[0][0]} changed after it was finished; {remedy}")
    left_out = [part for part, wanted in (("snapshots/", banners), ("features/", features)) if not wanted]
    paths = [path for each in in_order for path in each if not path.startswith(tuple(left_out))]
    if not paths:
        raise CellError(f"{data_dir} holds nothing finished to pack; run the download notebook first")
    with files.writing(archive) as part, tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in tqdm(paths, desc="Packing", unit=" files"):
            stat = (data_dir / path).stat()
            header = tarfile.TarInfo(path)
            header.size = stat.st_size
            header.pax_headers = {"mtime": str(Decimal(stat.st_mtime_ns) / 10**9)}  # to the nanosecond, unlike a float
            with (data_dir / path).open("rb") as content:
                tar.addfile(header, content)
    return archive


def fetch(source: str | Path, data_dir: Path) -> str:
    """Unpack an archive of `pack` into a `data/<source>`, from a path or an http(s) address, and say what came.

    A download that broke off goes on where it stopped; what was fetched before and is there still is not fetched
    again. All is unpacked beside its place and read by the subjects that it belongs to before it is moved in; what they
    do not take for finished work of theirs is left out, and made again. Files that are there and equal are kept, others
    replaced, none is removed.

    Raises DamagedError, with nothing unpacked, for an archive that is not whole or holds nothing of ours; SettingsError
    where there is none; StorageError for a disk that is too small, and for another snapshot of the same number;
    HttpError.
    """
    name = hashlib.sha256(str(source).encode(errors="replace")).hexdigest()[:16]
    note = data_dir / f".fetched-{name}.json"
    with files.storage_errors(data_dir), files.locked(data_dir / "snapshots"):
        is_address = re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", str(source))
        offer = http.retry(lambda: _offered(str(source))) if is_address else _found(source)
        if offer.version and _is_here(note, offer.version, data_dir):
            return f"all of {offer.where} is here"
        came, left_out = _fetched(offer, data_dir, data_dir / f"fetched-{name}.tar")
        files.write(note, json.dumps({"version": offer.version, "files": came}).encode())
    others = f"; {len(left_out)} are damaged or not ours, such as {shown(left_out[0])!r}" if left_out else ""
    return f"{len(came)} files came from {offer.where}{others}"


class _Offer(NamedTuple):
    """An archive that is there to be fetched."""

    source: str | Path  # a path, or an address
    where: str  # how a message calls it
    size: int  # bytes
    version: str  # tells its versions apart; empty where nothing does


def _found(source: str | Path) -> _Offer:
    try:
        archive = Path(source).expanduser()
        stat = archive.stat()
    except (OSError, RuntimeError, ValueError):  # RuntimeError: no such user
        raise SettingsError(f"there is no archive at {shown(source, 200)}; give its path or its address") from None
    if not archive.is_file():
        raise SettingsError(f"{shown(source, 200)} is no archive, but something else; give the path of one")
    return _Offer(archive, shown(source, 200), stat.st_size, f"{stat.st_size} {stat.st_mtime_ns}")


def _offered(address: str) -> _Offer:
    with http.opened(address, limit=0, deadline=_DEADLINE) as body:
        http.require_ok(body)
        if not body.total:
            raise HttpError(f"{body.host} does not say how large its archive is; download it, and give its path")
        tag = body.headers.get("ETag") or body.headers.get("Last-Modified") or ""
        return _Offer(address, body.host, body.total, tag and f"{tag} {body.total}")


def _is_here(note: Path, version: str, data_dir: Path) -> bool:
    """Return whether a version was fetched before, and its files are still there."""
    try:
        fetched = json.loads(note.read_text())
        return fetched["version"] == version and all((data_dir / path).is_file() for path in fetched["files"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _require_room(needed: int, data_dir: Path) -> None:
    free = shutil.disk_usage(data_dir).free - _SPARE
    if needed > free:
        raise StorageError(f"the archive needs {needed:,} bytes, but the disk of {data_dir} has {max(free, 0):,} free")


class _Bounded(FileIO):
    """A file that refuses what a forged header asks of tarfile: to read gigabytes into memory at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _LARGEST_READ:
            raise tarfile.ReadError("a header in it is larger than any of ours")
        return super().read(size)


def _fetched(offer: _Offer, data_dir: Path, kept: Path) -> tuple[list[str], list[str]]:
    """Return what came of an archive, and what did not; one from an address is kept at `kept` in the meantime."""
    for other in data_dir.glob("*fetched-*.tar*"):
        if kept.name not in other.name:
            other.unlink()  # of another address
    if isinstance(offer.source, Path):
        _require_room(offer.size, data_dir)
        return _unpacked(offer.source, data_dir, offer.where)
    _require_room(2 * offer.size, data_dir)
    try:
        download.download(offer.source, kept, limit=offer.size, deadline=_DEADLINE)
        return _unpacked(kept, data_dir, offer.where)
    finally:
        kept.unlink(missing_ok=True)


def _unpacked(archive: Path, data_dir: Path, where: str) -> tuple[list[str], list[str]]:
    """Unpack an archive beside its place, and move in what its readers verify; return what that was, and the rest."""
    staging = data_dir / ".unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        names = _read(archive, staging, where)
        sets = drive.finished(staging, check=True)
        came = [path for each in sets for path in each]
        if not came:
            raise DamagedError(f"{where} holds nothing finished of ours, and nothing of it is used")
        drive.put(drive.differing(sets, staging, data_dir), staging, data_dir, _move, quiet=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return came, sorted(names - set(came))


def _read(archive: Path, staging: Path, where: str) -> set[str]:
    """Write the members of a tar into a folder, never outside it, and return their names; raises DamagedError.

    They take no more of the disk than the tar, since only plain files without holes are taken.
    """
    try:
        with _Bounded(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            names = {_extracted(member, tar, staging) for member in tqdm(tar, desc="Unpacking", unit=" files")}
            _require_end(file, tar.offset)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever tarfile makes of what a stranger wrote
        why = shown(error) or type(error).__name__
        raise DamagedError(f"{where} is no archive of ours, and nothing of it is used: {why}") from None
    return names


def _extracted(member: tarfile.TarInfo, tar: tarfile.TarFile, staging: Path) -> str:
    """Write a member with its time, to the nanosecond; return the name that it got."""
    if not member.isreg() or member.issparse():
        raise tarfile.ReadError(f"{member.name!r} in it is no plain file")
    name = tarfile.data_filter(member, str(staging)).name  # never an absolute one, as the member's may be
    tar.extract(member, staging, filter="data")
    time_ns = int(Decimal(member.pax_headers.get("mtime", member.mtime)) * 10**9)
    os.utime(staging / name, ns=(time_ns, time_ns))
    return name


def _require_end(file: FileIO, offset: int) -> None:
    """Raise ReadError where a tar does not end as it should: tarfile takes a damaged header for the end."""
    file.seek(offset)
    if file.read(len(_END)) != _END:
        raise tarfile.ReadError(f"it is cut or damaged after {offset:,} bytes")


def _move(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    files.flush(file)
    file.replace(to)
