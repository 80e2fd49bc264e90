"""A finished catalogue and its features as one archive, an uncompressed tar: to release, and to start from.

The banners are not in it: they are not ours.
"""

import hashlib
import itertools
import json
import re
import shutil
import tarfile
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import IO, cast

from tqdm.auto import tqdm

from share.lists import in_markdown
from utils import __version__, catalogue, download, drive, features, files, http
from utils.errors import CellError, DamagedError, HttpError, SettingsError, StorageError, shown
from utils.settings import Settings

ARCHIVE = "steam-banners-features.tar"  # of a release

_CARD = Path(__file__).with_name("release_card.md")
_DEADLINE = 60.0  # seconds for an answer's beginning
_SPARE = 1 << 28  # bytes of the disk that are left free
_LARGEST_READ = 1 << 20  # bytes that a header may make tarfile take at a time
_END = bytes(2 * tarfile.BLOCKSIZE)  # of a tar that is whole


def release(chosen: Settings, folder: Path) -> Path:
    """Write a release of what `data/<source>` holds into a folder, and return its archive, which SNAPSHOT takes.

    The folder gets the archive, the catalogue, the matches, a dataset card in the hub's form (README.md) and
    SHA256SUMS; files of an earlier release are replaced. Raises CellError where there are no features or no matches,
    DamagedError where something is damaged; StorageError.
    """
    made = sorted(chosen.data_dir.glob("features/*/manifest.json"))
    matches = sorted(chosen.data_dir.glob("matches/*/matches.parquet"))
    if not made or not matches:
        raise CellError(f"{chosen.data_dir} holds no features and matches to release; run make match first")
    tables = {"catalogue.parquet": chosen.catalogue_file}
    tables |= {f"matches/{table.parent.name}.parquet": table for table in matches}
    with files.storage_errors(folder):
        pack(chosen.data_dir, folder / ARCHIVE)
        for name, table in tables.items():
            files.write(folder / name, table.read_bytes())
        files.write(folder / "README.md", _card(chosen, made, list(tables)).encode())
        sums = [f"{files.sha256(folder / name)}  {name}\n" for name in (ARCHIVE, *tables, "README.md")]
        files.write(folder / "SHA256SUMS", "".join(sums).encode())
    return folder / ARCHIVE


def _card(chosen: Settings, made: list[Path], tables: list[str]) -> str:
    """Return the dataset card; the names in it may be anybody's."""
    configs = [f"  - config_name: {json.dumps(Path(name).stem)}\n    data_files: {json.dumps(name)}" for name in tables]
    return _CARD.read_text(encoding="utf-8").format(
        place={"steam": "Steam", "sample": "the sample store", "folder": "a folder of pictures"}[chosen.source],
        version=__version__,
        games=len(catalogue.load(chosen.catalogue_file)),
        archive=ARCHIVE,
        configs="\n".join(configs),
        features="\n".join(map(_described, made)),
    )


def _described(manifest: Path) -> str:
    found = features.load(manifest.parent)
    facts = [f"{name} {value}" for name, value in found.manifest.items() if isinstance(value, str | int | float)]
    count, width = found.vectors.shape
    about = in_markdown(", ".join(facts))
    return f"- {in_markdown(manifest.parent.name)}: {count:,} banners, {width} dimensions ({about})"


def pack(data_dir: Path, archive: Path) -> Path:
    """Pack the catalogue and the features that are finished in a `data/<source>`; return the archive.

    Raises DamagedError where something changed after it was finished; StorageError.
    """
    in_order = drive.finished(data_dir, check=True)
    if damaged := [each for each in drive.finished(data_dir) if each not in in_order]:
        remedy = "run the notebook that made it again, or snapshot.update(catalogue, folder, check=True)"
        raise DamagedError(f"{data_dir / damaged[0][0]} changed after it was finished; {remedy}")
    with files.writing(archive) as part, tarfile.open(part, "w") as tar:
        for path in tqdm(list(itertools.chain(*in_order)), desc="Packing", unit=" files"):
            if not path.startswith("snapshots/"):
                header = tarfile.TarInfo(path)  # with no user's name
                stat = (data_dir / path).stat()
                header.size, header.mtime = stat.st_size, int(stat.st_mtime)
                with (data_dir / path).open("rb") as content:
                    tar.addfile(header, content)
    return archive


def fetch(source: str | Path, data_dir: Path) -> str:
    """Unpack an archive of `pack` into a `data/<source>`, from a path or an http(s) address, and say what came.

    A download that broke off goes on where it stopped; what was fetched before and is there still is not fetched
    again. All is unpacked beside its place and read by the subjects that it belongs to before it is copied; what they
    do not take for finished work of theirs is left out, and made again. Files that are there and equal are kept, others
    replaced, none is removed.

    Raises DamagedError, with nothing unpacked, for an archive that is not whole or holds nothing of ours; SettingsError
    where there is none; StorageError for a disk that is too small, and for another snapshot of the same number;
    HttpError.
    """
    name = hashlib.sha256(str(source).encode(errors="replace")).hexdigest()[:16]
    note, kept = data_dir / f".fetched-{name}.txt", data_dir / "fetched.tar"
    is_address = re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", str(source))
    with files.storage_errors(data_dir), files.locked(data_dir / "snapshots"):
        where, size, version = http.retry(lambda: _offered(str(source))) if is_address else _found(source)
        before, *paths = note.read_text(errors="replace").splitlines() if note.is_file() else [""]
        if version and version == before and all(map(Path.is_file, map(data_dir.joinpath, paths))):
            return f"all of {where} is here"
        free = shutil.disk_usage(data_dir).free - _SPARE
        needed = (3 if is_address else 2) * size  # unpacked, copied
        if needed > free:
            raise StorageError(f"the archive needs {needed:,} bytes, but {data_dir} has {max(free, 0):,} free")
        try:
            if is_address:
                download.download(str(source), kept, limit=size, deadline=_DEADLINE)
            came, left_out = _unpacked(kept if is_address else Path(source).expanduser(), data_dir, where)
        finally:
            kept.unlink(missing_ok=True)
        files.write(note, "\n".join([version, *came]).encode())
    others = f"; {len(left_out)} are damaged or not ours, such as {shown(left_out[0])!r}" if left_out else ""
    return f"{len(came)} files came from {where}{others}"


def _found(source: str | Path) -> tuple[str, int, str]:
    """Return what a message calls an archive on disk, its bytes, and what tells its versions apart."""
    where = shown(source, 200)
    with suppress(OSError, RuntimeError, ValueError):  # RuntimeError: no such user
        archive = Path(source).expanduser()
        if archive.is_file():
            stat = archive.stat()
            return where, stat.st_size, f"{stat.st_size} {stat.st_mtime_ns}"
    raise SettingsError(f"there is no archive at {where}; give its path or its address")


def _offered(address: str) -> tuple[str, int, str]:
    """Return the same of an archive at an address; "" tells its versions apart where nothing does."""
    with http.opened(address, limit=0, deadline=_DEADLINE) as body:
        http.require_ok(body)
        if not body.total:
            raise HttpError(f"{body.host} does not say how large its archive is; download it, and give its path")
        tag = body.headers.get("ETag") or body.headers.get("Last-Modified") or ""
        return body.host, body.total, tag and f"{tag} {body.total}"


def _unpacked(archive: Path, data_dir: Path, where: str) -> tuple[list[str], list[str]]:
    """Unpack an archive beside its place, and copy what its readers verify; return what that was, and the rest."""
    staging = data_dir / ".unpacking"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        names = _read(archive, staging, where)
        came = list(itertools.chain(*drive.finished(staging, check=True)))
        if not came:
            raise DamagedError(f"{where} holds nothing finished of ours, and nothing of it is used")
        left_out = sorted(names - set(came))
        for name in left_out:
            (staging / name).unlink(missing_ok=True)
        drive.copy_finished(staging, data_dir)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return came, left_out


class _Bounded(FileIO):
    """A file that refuses what a forged header asks of tarfile: to read gigabytes into memory at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _LARGEST_READ:
            raise tarfile.ReadError("a header in it is larger than any of ours")
        return super().read(size)


def _read(archive: Path, staging: Path, where: str) -> set[str]:
    """Write the members of a tar into a folder, never outside it, and return their names; raises DamagedError.

    They take no more of the disk than the tar, since only plain files without holes are taken.
    """
    try:
        with _Bounded(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            names = {_extracted(member, tar, staging) for member in tqdm(tar, desc="Unpacking", unit=" files")}
            file.seek(tar.offset)
            is_whole = file.read(len(_END)) == _END  # tarfile takes a damaged header for the end
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever tarfile makes of what a stranger wrote
        why = shown(error) or type(error).__name__
        raise DamagedError(f"{where} is no archive of ours, and nothing of it is used: {why}") from None
    if not is_whole:
        raise DamagedError(f"{where} is cut or damaged after {tar.offset:,} bytes, and nothing of it is used")
    return names


def _extracted(member: tarfile.TarInfo, tar: tarfile.TarFile, staging: Path) -> str:
    """Write a member, a path from the root as one below the folder; return its path there.

    By hand: tarfile has its filters from Python 3.11.4 on only.
    """
    if not member.isreg() or member.issparse():
        raise tarfile.ReadError(f"{member.name!r} in it is no plain file")
    root = staging.resolve()
    place = root.joinpath(member.name.lstrip("/")).resolve()
    if not place.is_relative_to(root):
        raise tarfile.ReadError(f"{member.name!r} in it leads out of the folder")
    place.parent.mkdir(parents=True, exist_ok=True)
    with cast("IO[bytes]", tar.extractfile(member)) as content, place.open("wb") as file:
        shutil.copyfileobj(content, file)
    return place.relative_to(root).as_posix()
