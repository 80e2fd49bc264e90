"""An archive of `pack`, from a path or an address, unpacked beside the home and moved in once it is found in order."""

import hashlib
import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import BinaryIO, cast

from tqdm.auto import tqdm

from utils import download, files, http
from utils.transfer import memory, rooms
from utils.transfer.contents import BLOCK, MANIFEST_LIMIT, Bounded, Member, read_manifest, reading, total_bytes
from utils.transfer.copying import copied, differing, plain_errors, require_same_plans, withdraw
from utils.transfer.errors import BadArchive, TransferError

_DEADLINE = 60.0  # seconds for an answer's beginning
_SPARE = 1 << 28  # bytes of the disk that are left free
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]+://.*", re.DOTALL)


def fetch(source: str | Path, home: Path) -> None:
    """Unpack an archive of `pack` into `home`, from a path or an http(s) address.

    A download that broke off goes on where it stopped; of an archive that is there already only the manifest is read.
    Before the first file is put in its place, all are unpacked beside it, compared with their checksums, and read by
    the rooms that they belong to: what these do not take for finished work of theirs makes the archive a bad one. Files
    that are there and equal are kept, others are replaced, none is removed.

    Raises BadArchive, with nothing unpacked, for an archive that is not ours, not whole, of a newer format, or not to
    be trusted; TransferError where `home` has another snapshot of the same number, for a disk that is too small and one
    that cannot be written to; StorageError, HttpError.
    """
    with plain_errors(home), files.locked(home / "snapshots"):
        if _SCHEME.match(str(source)):
            _fetch_from(str(source), home)
        else:
            _unpack(_local(source), home, str(source))


def _local(source: str | Path) -> Path:
    try:
        return Path(source).expanduser()
    except RuntimeError:
        raise TransferError(f"there is no archive at {source}: this machine has no such user") from None


def _fetch_from(address: str, home: Path) -> None:
    members, where = http.retry(lambda: _offered(address))
    if _is_here(members, home):
        return
    _require_room(members, home, copies=2)
    name = hashlib.sha256(address.encode()).hexdigest()[:16]
    archive = home / f"fetched-{name}.tar"
    headers = 4 * BLOCK * (len(members) + 20)
    limit = MANIFEST_LIMIT + headers + total_bytes(members.values())
    _remove_other_downloads(home, archive)
    download.download(address, archive, limit=limit, deadline=_DEADLINE)
    try:
        _unpack(archive, home, where)
    finally:
        archive.unlink()


def _offered(address: str) -> tuple[dict[str, Member], str]:
    """Return what the archive at an address lists, and how messages call it."""
    with http.opened(address, limit=2 * MANIFEST_LIMIT, deadline=_DEADLINE) as body:
        where = f"what {body.host} sent"
        http.require_ok(body)
        with reading(where), tarfile.open(fileobj=cast("BinaryIO", body), mode="r|") as tar:
            return read_manifest(tar), where


def _remove_other_downloads(home: Path, archive: Path) -> None:
    for file in home.glob("*fetched-*.tar*"):
        if archive.name not in file.name:
            file.unlink()


def _is_here(members: dict[str, Member], home: Path) -> bool:
    """Return whether all that an archive lists is at home."""
    for member in members.values():
        file = home / member.path
        if not file.is_file() or file.stat().st_size != member.bytes:
            return False
    return all(files.sha256(home / member.path) == member.sha256 for member in members.values())


def _unpack(archive: Path, home: Path, where: str) -> None:
    """Unpack an archive beside the home, have it read, and move what is new into its place."""
    if not archive.is_file():
        raise TransferError(f"there is no archive at {archive}")
    staging = home / ".unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        with reading(where), archive.open("rb") as file:
            with tarfile.open(fileobj=cast("BinaryIO", Bounded(file)), mode="r:") as tar:
                members = read_manifest(tar)
                _require_room(members, home, copies=1)
                _stage(tar, members, staging)
            groups = _read_by_the_rooms(staging, members)
        new = differing(groups, staging, home)
        require_same_plans(new, staging, home)
        withdraw(new, home)
        for group in new:
            _move(group, staging, home)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _stage(tar: tarfile.TarFile, members: dict[str, Member], staging: Path) -> None:
    """Write an archive's files into a folder; raises BadArchive for a member that is not as listed."""
    missing = members.copy()
    with tqdm(desc="Unpacking", total=total_bytes(members.values()), unit="B", unit_scale=True) as bar:
        while header := tar.next():
            member = missing.pop(header.name, None)
            if not member:
                why = "comes twice" if header.name in members else "is not in the manifest"
                raise BadArchive(f"the member {header.name[:100]!r} {why}")
            if not header.isreg() or header.issparse() or header.size != member.bytes:
                raise BadArchive(f"the member {member.path!r} is not a plain file of {member.bytes:,} bytes")
            _write(cast("BinaryIO", tar.extractfile(header)), member, staging / member.path)
            bar.update(member.bytes)
    if missing:
        raise BadArchive(f"the member {next(iter(missing))!r} is missing")


def _write(content: BinaryIO, member: Member, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as out:
        sha256 = copied(content, out)
    if sha256 != member.sha256:
        raise BadArchive(f"the member {member.path!r} is damaged: its SHA-256 is not that of the manifest")
    os.utime(place, ns=(member.mtime_ns, member.mtime_ns))


def _read_by_the_rooms(staging: Path, members: dict[str, Member]) -> list[rooms.Group]:
    """Return the groups of an unpacked archive; raises BadArchive for a file that no room takes for its own."""
    with memory.bounded():
        groups = rooms.finished(staging, check=True)
    known = {path for group in groups for path in group}
    if strangers := sorted(members.keys() - known):
        raise BadArchive(f"the member {strangers[0]!r} is not finished work of ours, or not in order")
    return groups


def _move(group: rooms.Group, staging: Path, home: Path) -> None:
    for path in group:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        files.flush(staging / path)
        (staging / path).replace(home / path)


def _require_room(members: dict[str, Member], home: Path, *, copies: int) -> None:
    """Raise TransferError where a disk has no room for an archive, before anything of it is written."""
    needed = copies * total_bytes(members.values())
    free = shutil.disk_usage(home).free - _SPARE
    if needed > free:
        raise TransferError(f"the archive needs {needed:,} bytes, but the disk of {home} has {max(free, 0):,} free")
