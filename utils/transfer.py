"""Finished work between machines: one archive to publish and to fetch, and a folder, such as Google Drive, to copy to.

Only whole files that count travel: the catalogue, the plans, the verified shards and the features. A verified shard is
known by the SHA-256 that was recorded when it was verified; every other file is hashed.
"""

import errno
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3
from tqdm.auto import tqdm

from utils import files, settings, snapshot

FORMAT = 1  # of the archive

_MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 1 << 26  # bytes
_CHUNK = 1 << 18  # bytes
_TRIES = 5
_WAIT = 0.5  # seconds before the second try, doubled before each further one
_TIMEOUT = (10, 60)  # seconds to connect, and between two reads
_NAME = r"[^._/\\:\x00-\x1f][^/\\:\x00-\x1f]*"  # hidden and temporary names begin with a dot or an underscore
_FINISHED = re.compile(  # all that travels: what is unfinished, or climbs out of its folder, is not among it
    r"catalogue\.parquet"
    r"|snapshots/[0-9]{4}/(plan\.(parquet|json)|(verified|shards)/[0-9]{5}\.parquet|shards/[0-9]{5}(\.tar|_stats\.json))"
    rf"|features(/{_NAME}){{2,4}}(?<!\.part)"
)
_MARKS = {  # a shard's files and its features' count when what is on the right is there
    re.compile(r"(snapshots/[0-9]{4})/shards/([0-9]{5}).+"): r"\1/verified/\2.parquet",
    re.compile(r"(features/[^/]+)/img_emb/img_emb_(.+)\.npy"): r"\1/metadata/metadata_\2.parquet",
}


class TransferError(settings.PlainError):
    """Work that cannot be moved; the message says why and what to do."""


class BadArchive(TransferError):
    """An archive that is not ours, not whole, or not to be trusted."""


class _BrokeOff(TransferError):
    """A download that may go better the next time."""


@dataclass(frozen=True)
class _File:
    """A finished file, as the archive's manifest lists it."""

    path: str  # below the home, with slashes
    bytes: int
    sha256: str
    mtime_ns: int  # kept, because a shard whose time is that of its record need not be hashed again

    @property
    def mark(self) -> str | None:
        """The path of the file that makes this one count."""
        return next((each.sub(mark, self.path) for each, mark in _MARKS.items() if each.fullmatch(self.path)), None)


class _Watched:
    """A file being read: moves a bar and takes the SHA-256 on the way."""

    def __init__(self, content: BinaryIO, bar: tqdm) -> None:
        self._content, self._bar, self._sum = content, bar, hashlib.sha256()

    def read(self, size: int) -> bytes:
        chunk = self._content.read(size)
        self._sum.update(chunk)
        self._bar.update(len(chunk))
        return chunk

    @property
    def sha256(self) -> str:
        return self._sum.hexdigest()


def pack(home: Path, archive: Path, *, features: bool = True) -> Path:
    """Pack what is finished under `home` (a `data/<source>`), with or without its features, and return the archive.

    The archive is an uncompressed tar, since JPEGs do not compress. Its first member, `manifest.json`, has the `format`
    and of each of the `files` in it path, bytes, SHA-256 and time of change. Raises TransferError where nothing is
    finished, where a file is no longer what it was, and for a full disk.
    """
    home, archive = Path(home), Path(archive)
    files = list(_finished(home, features))
    if not files:
        raise TransferError(f"{home} holds nothing finished to pack; run the download notebook first")
    manifest = json.dumps({"format": FORMAT, "files": [asdict(file) for file in files]}, indent=1).encode()
    with (
        _full_disk_told(archive),
        _bar("Packing", files) as bar,
        _beside(archive) as part,
        tarfile.open(part, "w", copybufsize=_CHUNK) as tar,
    ):
        tar.addfile(_member(_MANIFEST, len(manifest), 0), io.BytesIO(manifest))
        for file in files:
            with _opened(home, file, bar) as content:
                tar.addfile(_member(file.path, file.bytes, file.mtime_ns), content)
    return archive


def fetch(source: str | Path, home: Path, *, cache: Path | None = None) -> None:
    """Unpack an archive of `pack` into `home`, from a path or an http(s) address.

    A download that broke off goes on where it stopped; of an archive that is there already only the manifest is read.
    All files are verified before the first is put in its place. Files that are there and equal are kept, others are
    replaced, none is removed. A downloaded archive is kept in the folder `cache`, if given, else removed at the end.

    Raises BadArchive, with nothing unpacked, for an archive that is not ours, not whole, of a newer format, or with a
    member that is not to be trusted; TransferError where `home` has another snapshot of the same number, where an
    update of it is running, where the address does not answer, and for a full disk.
    """
    home = Path(home)
    with files.locked(home / "snapshots"), _full_disk_told(home):
        if re.match("https?://", str(source)):
            _fetch_from(str(source), home, cache)
        else:
            _unpack(Path(source).expanduser(), home, str(source))


def copy_finished(home: Path, to: Path) -> int:
    """Copy what is finished under `home` and absent or different under `to`, and return how many files that were.

    For both ways, between `data/<source>` and `<a folder on a mounted Google Drive>/<source>`. Each file is written
    beside its place, read back, compared and renamed, a plan before its shards and a shard's record after it: so an
    interrupted copy leaves an unfinished snapshot with all the shards so far, and the next call goes on. Files that
    differ are replaced, whichever is newer; nothing is removed from `to`.

    Raises TransferError where the place of `data`, or of the folder on Drive, does not exist (they themselves are
    made), where `to` has another snapshot of the same number, where a file is not what it was when it was finished or
    does not arrive whole, and for a full disk.
    """
    home, to = Path(home), Path(to)
    for place in (home, to):
        if not (outside := place.parent.parent).is_dir():
            raise TransferError(
                f"{outside} does not exist; if it lies on Google Drive, mount Drive first, else make it"
            )
    new = _new(_finished(home), to)
    _withdraw(new, to)
    with _full_disk_told(to), _bar("Copying", new) as bar:
        for file in new:
            with _beside(to / file.path) as part:
                with _opened(home, file, bar) as content, part.open("wb") as out:
                    shutil.copyfileobj(content, out, _CHUNK)
                if _hash(part) != file.sha256:
                    raise TransferError(f"{to / file.path} reads otherwise than it was written; is its disk in order?")
                with suppress(OSError):  # some mounted drives keep no times
                    os.utime(part, ns=(file.mtime_ns, file.mtime_ns))
    return len(new)


def _finished(home: Path, features: bool = True) -> Iterator[_File]:
    """Yield the finished files under a home in the order to copy them in."""
    recorded = _recorded(home)
    for file in _places(home, list(recorded), features):
        path = file.relative_to(home).as_posix()
        if file.is_file() and _FINISHED.fullmatch(path):
            stat = file.stat()
            yield _File(path, stat.st_size, recorded.get(file) or _hash(file), stat.st_mtime_ns)


def _places(home: Path, tars: list[Path], features: bool) -> Iterator[Path]:
    """Yield where finished files may be: a plan or manifest before its shards, what makes files count after them."""
    yield home / "catalogue.parquet"
    for plan in sorted(home.glob("snapshots/[0-9][0-9][0-9][0-9]/plan.json")):
        yield from (plan.with_suffix(".parquet"), plan)
    for tar in tars:
        if tar.is_file():  # else it is to be fetched again
            yield from (tar, tar.with_suffix(".parquet"), tar.with_name(f"{tar.stem}_stats.json"))
            yield tar.parent.parent / "verified" / f"{tar.stem}.parquet"
    if features:
        yield from sorted(home.glob("features/*/**/*"), key=lambda file: (len(file.parts), file.stem[-5:], file))


def _new(files: Iterable[_File], home: Path) -> list[_File]:
    """Return the files that a home lacks or has otherwise, and what makes them count.

    Raises TransferError where it has another plan of the same number.
    """
    files, recorded, new = list(files), _recorded(home), set()
    for file in files:
        there = home / file.path
        if there.is_file():
            if there.stat().st_size == file.bytes and (recorded.get(there) or _hash(there)) == file.sha256:
                continue
            if there.name == "plan.json":
                remedy = "keep the two in different folders, or delete the one that you do not need"
                raise TransferError(f"{there.parent} is another snapshot than the one to be put there; {remedy}")
        new |= {file.path, file.mark}
    return [file for file in files if file.path in new]


def _withdraw(new: list[_File], home: Path) -> None:
    """Remove what makes files count that are about to be replaced, so that old and new are never taken for one."""
    for mark in {file.mark for file in new} - {None}:
        (home / mark).unlink(missing_ok=True)


def _unpack(archive: Path, home: Path, where: str) -> None:
    """Verify all of an archive in a folder of its own, then put its files in their places."""
    if not archive.is_file():
        raise TransferError(f"there is no archive at {archive}")
    staging = home / ".unpacking"
    try:
        with _reading(where), tarfile.open(archive, "r:") as tar:
            files = _read_manifest(tar)
            new = _new(files.values(), home)
            _stage(tar, files, new, staging)
        _withdraw(new, home)
        for file in sorted(new, key=lambda file: file.path.endswith("/plan.json")):  # a snapshot appears whole
            (home / file.path).parent.mkdir(parents=True, exist_ok=True)
            (staging / file.path).replace(home / file.path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _stage(tar: tarfile.TarFile, files: dict[str, _File], new: list[_File], staging: Path) -> None:
    """Write the new ones of an archive's files into a folder; raises BadArchive for a member that is not in order."""
    wanted, missing = {file.path for file in new}, files.copy()
    with _bar("Unpacking", new) as bar:
        for member in tar:
            if member.offset == 0:
                continue  # the manifest
            file = missing.pop(member.name, None)
            if not file:
                why = "comes twice" if member.name in files else "is not in the manifest"
                raise BadArchive(f"the member {member.name!r} {why}")
            if not member.isreg() or member.issparse() or member.size != file.bytes:
                raise BadArchive(f"the member {member.name!r} is not a plain file of {file.bytes:,} bytes")
            if member.name in wanted:
                _write(_Watched(tar.extractfile(member), bar), file, staging / file.path)
    if missing:
        raise BadArchive(f"the member {next(iter(missing))!r} is missing")


def _write(content: _Watched, file: _File, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as out:
        shutil.copyfileobj(content, out, _CHUNK)
    if content.sha256 != file.sha256:
        raise BadArchive(f"the member {file.path!r} is damaged: its SHA-256 is not that of the manifest")
    os.utime(place, ns=(file.mtime_ns, file.mtime_ns))


def _read_manifest(tar: tarfile.TarFile) -> dict[str, _File]:
    """Return the files that an archive's first member lists, by path, all in order; raises BadArchive."""
    first = tar.next()
    if not (first and first.name == _MANIFEST and first.isreg() and first.size <= _MANIFEST_LIMIT):
        raise BadArchive(f"it does not begin with {_MANIFEST}")
    files = {}
    try:
        manifest = json.loads(tar.extractfile(first).read())
        if int(manifest["format"]) > FORMAT:
            raise BadArchive(f"its format is {manifest['format']}, this program reads {FORMAT}; update the program")
        for each in manifest["files"]:
            file = _File(str(each["path"]), int(each["bytes"]), str(each["sha256"]), int(each["mtime_ns"]))
            if not _FINISHED.fullmatch(file.path) or file.path in files or not 0 <= file.mtime_ns < 1 << 62:
                raise BadArchive(f"its {_MANIFEST} lists {file.path!r}: no finished file, or twice, or of no real time")
            files[file.path] = file
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadArchive(f"its {_MANIFEST} is not understood") from None
    return files


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Say which archive it is that cannot be unpacked."""
    try:
        yield
    except (BadArchive, tarfile.TarError) as error:
        raise BadArchive(f"{where} is no archive to be unpacked, and nothing of it is used: {error}") from None


def _fetch_from(address: str, home: Path, cache: Path | None) -> None:
    tries = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_BrokeOff),
        wait=tenacity.wait_exponential(multiplier=_WAIT),
        stop=tenacity.stop_after_attempt(_TRIES),
        reraise=True,
    )
    archive = tries(_download, address, home, Path(cache or home))
    if not archive:
        return
    try:
        _unpack(archive, home, f"what {urlsplit(address).hostname} sent")
    except BadArchive:
        archive.unlink()
        raise
    if not cache:
        archive.unlink()


def _download(address: str, home: Path, folder: Path) -> Path | None:
    """Return the archive at an address, downloaded into a folder; None where all that it lists is at home already."""
    with _ask(address) as answer, _reading(f"what {urlsplit(address).hostname} sent"):
        with tarfile.open(fileobj=answer.raw, mode="r|") as tar:
            files = _read_manifest(tar)
        total, version = int(answer.headers.get("Content-Length", 0)), _version(answer)
    if not _new(files.values(), home):
        return None
    key = hashlib.sha256(f"{address} {version} {total}".encode()).hexdigest()[:16]
    archive, part = folder / f"fetched-{key}.tar", folder / f"fetched-{key}.tar.part"
    for earlier in set(home.glob("fetched-*")) - {archive, part}:
        earlier.unlink()
    if not archive.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        _go_on(address, part, total, version)
        part.replace(archive)
    return archive


def _go_on(address: str, part: Path, total: int, version: str) -> None:
    """Download what a part lacks of so many bytes (0: not known), or all of it where the server sends only all."""
    have = part.stat().st_size if total and part.is_file() else 0
    if total and have >= total:
        return
    headers = {"Range": f"bytes={have}-"} | ({"If-Range": version} if version else {})
    with _ask(address, headers if have else {}) as answer:
        goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        bar = tqdm(desc="Downloading", total=total or None, initial=have * goes_on, unit="B", unit_scale=True)
        with bar, part.open("ab" if goes_on else "wb") as out:
            for chunk in answer.iter_content(_CHUNK):
                out.write(chunk)
                bar.update(len(chunk))
    if part.stat().st_size < total:
        raise _BrokeOff(f"{urlsplit(address).hostname} sent less than it announced; what came is kept: run again")


@contextmanager
def _ask(address: str, headers: dict[str, str] | None = None) -> Iterator[requests.Response]:
    """Open an address for reading; raises TransferError, and _BrokeOff where another try may help."""
    parts = urlsplit(address)
    headers = {"Accept-Encoding": "identity"} | (headers or {})  # ranges are of the file itself
    try:
        with requests.get(address, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
            if answer.status_code == 429 or answer.status_code >= 500:
                raise _BrokeOff(f"{parts.hostname} answered {answer.status_code} to {parts.path}; run again later")
            if not answer.ok:
                raise TransferError(f"{parts.hostname} answered {answer.status_code} to {parts.path}; is it right?")
            yield answer
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        why = f"{type(error).__name__}; check address and network, and run again: what came is kept"
        raise _BrokeOff(f"{parts.hostname} cannot be reached or broke off: {why}") from None


def _version(answer: requests.Response) -> str:
    """Return what tells a file's versions apart in If-Range; "" where the server says nothing that is exact."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _member(name: str, size: int, mtime_ns: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime = size, mtime_ns // 10**9
    return member


def _bar(what: str, files: Iterable[_File]) -> tqdm:
    return tqdm(desc=what, total=sum(file.bytes for file in files), unit="B", unit_scale=True)


@contextmanager
def _opened(home: Path, file: _File, bar: tqdm) -> Iterator[_Watched]:
    """Give a finished file to read; raises TransferError at the end if it is not what it was when it was finished."""
    with (home / file.path).open("rb") as content:
        watched = _Watched(content, bar)
        yield watched
    if watched.sha256 != file.sha256:
        remedy = "snapshot.update(catalogue, folder, check=True) fetches damaged shards again"
        raise TransferError(f"{home / file.path} changed after it was finished; {remedy}")


def _recorded(home: Path) -> dict[Path, str]:
    """Return the verified shards of a home: the tar's path -> the SHA-256 recorded when it was verified."""
    return {shard.path: shard.sha256 for shard in snapshot.verified(home / "snapshots")}


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """Give a path beside a place to write to, renamed into it at the end; a failure leaves nothing."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(place.name + ".part")
    try:
        yield part
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _full_disk_told(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TransferError(f"the disk of {place} is full; make room and run again: what is finished is kept") from None
