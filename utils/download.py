"""A file from an address to the disk, going on where it stopped."""

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from utils import files
from utils.errors import HttpError
from utils.http import TRIES, Answer, is_retryable, opened, require_ok, retry

_CHUNK = 1 << 18  # bytes


def download(
    address: str,
    file: Path,
    *,
    limit: int,
    deadline: float = 60.0,
    allowed: Collection[str] | None = None,
    tries: int = TRIES,
) -> Path:
    """Download an address to a file, which is there whole or not at all, and return the file.

    limit: the most bytes. deadline: seconds for the headers, and for each 256 KiB after them. What comes is kept beside
    the file, so that another try, or another call, goes on where this one stopped if the server still has the same
    version; one process at a time. A file that is there already is replaced.

    Raises HttpError as `http.get` does, also for a status that is not 200, and StorageError.
    """
    bounds = {"limit": limit, "deadline": deadline, "allowed": allowed}
    with files.storage_errors(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        part = retry(lambda: _resumed(address, file, bounds), tries)
        files.flush(part)
        part.replace(file)
        files.flush(file.parent)
    return file


def _resumed(address: str, file: Path, bounds: dict[str, Any]) -> Path:
    """Return the whole download under its temporary name."""
    with opened(address, **bounds) as body:
        require_ok(body)
        if (body.total or 0) > bounds["limit"]:
            raise HttpError(f"too large: {body.host} offers more than the {bounds['limit']:,} bytes that this may have")
        tag = body.headers.get("ETag", "")
        version = tag if tag and not tag.startswith("W/") else body.headers.get("Last-Modified", "")  # for If-Range
        part, have = _kept(file, f"{version} {body.total}")
        if not (version and body.total and 0 < have <= body.total):
            _save(body, part, 0)
            return part
    if have < body.total:
        wanted = {"Range": f"bytes={have}-", "If-Range": version}
        with opened(address, headers=wanted, **bounds | {"limit": bounds["limit"] - have}) as rest:
            if is_retryable(rest.status):
                require_ok(rest)
            if not rest.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
                part.unlink()
                raise HttpError(f"{rest.host} does not go on where it stopped; run again to start over", retryable=True)
            _save(rest, part, have)
    if part.stat().st_size != body.total:
        raise HttpError(f"{body.host} sent less than it announced; what came is kept: run again", retryable=True)
    return part


def _save(body: Answer, part: Path, have: int) -> None:
    """Write a body to a file after the `have` bytes that are there; one that is too large leaves no file."""
    whole = have + body.total if body.total else None
    bar = tqdm(desc="Downloading", total=whole, initial=have, unit="B", unit_scale=True)
    try:
        with bar, part.open("ab" if have else "wb") as out:
            while piece := body.read(_CHUNK):
                out.write(piece)
                bar.update(len(piece))
                body.renew()
    except HttpError as error:
        if not error.retryable:
            part.unlink()
        raise


def _kept(file: Path, version: str) -> tuple[Path, int]:
    """Return where a version is kept while it comes, and the bytes that are there; removes those of other versions."""
    part = file.with_name(f".{file.name}.{hashlib.sha256(version.encode()).hexdigest()[:16]}.part")
    for other in file.parent.iterdir():
        if other.name.startswith(f".{file.name}.") and other.name.endswith(".part") and other != part:
            other.unlink()
    return part, part.stat().st_size if part.is_file() else 0
