"""One archive of what is finished: an uncompressed tar, since JPEGs do not compress, that begins with its contents."""

import io
import json
import tarfile
from dataclasses import asdict
from pathlib import Path

from tqdm.auto import tqdm

from utils import files
from utils.transfer import rooms
from utils.transfer.contents import FORMAT, MANIFEST, Member, is_sensible, total_bytes
from utils.transfer.copying import plain_errors
from utils.transfer.errors import TransferError


def pack(home: Path, archive: Path, *, banners: bool = True, features: bool = True) -> Path:
    """Pack what is finished under `home` (a `data/<source>`), with or without banners and features; return the archive.

    Its first member, `manifest.json`, has the `format` and of each of the `files` in it path, bytes, SHA-256 and time
    of change. Raises TransferError where nothing is finished, or something is damaged; StorageError.
    """
    in_order, damaged = rooms.whole(home)
    if damaged:
        remedy = "run the notebook that made it again, or snapshot.update(catalogue, folder, check=True)"
        raise TransferError(f"{home / damaged[0][0]} changed after it was finished; {remedy}")
    left_out = [part for part, wanted in (("snapshots/", banners), ("features/", features)) if not wanted]
    paths = [path for group in in_order for path in group if not path.startswith(tuple(left_out))]
    if not paths:
        raise TransferError(f"{home} holds nothing finished to pack; run the download notebook first")
    with plain_errors(archive), files.writing(archive) as part:
        _write(part, home, [_member(home, path) for path in paths])
    return archive


def _member(home: Path, path: str) -> Member:
    stat = (home / path).stat()
    member = Member(path, stat.st_size, files.sha256(home / path), stat.st_mtime_ns)
    if not is_sensible(member):
        raise TransferError(
            f"{path!r} cannot be a file on every system; rename its folder, without colons and the like"
        )
    return member


def _write(archive: Path, home: Path, members: list[Member]) -> None:
    manifest = json.dumps({"format": FORMAT, "files": [asdict(member) for member in members]}, indent=1).encode()
    bar = tqdm(desc="Packing", total=total_bytes(members), unit="B", unit_scale=True)
    with bar, tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_header(MANIFEST, len(manifest)), io.BytesIO(manifest))
        for member in members:
            with (home / member.path).open("rb") as content:
                tar.addfile(_header(member.path, member.bytes, member.mtime_ns), content)
            bar.update(member.bytes)


def _header(name: str, size: int, mtime_ns: int = 0) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size = size
    header.mtime = mtime_ns // 10**9
    return header
