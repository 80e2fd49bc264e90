"""A file from an address to the disk, going on where it stopped."""

import functools
import hashlib
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path

from tqdm.auto import tqdm

from utils import files, http
from utils.errors import HttpError

_CHUNK = 1 << 18  # bytes


def download(
    address: str,
    file: Path,
    *,
    limit: int,
    deadline: float = 60.0,
    allowed: Collection[str] | None = None,
    tries: int = http.TRIES,
) -> Path:
    """Download an address to a file, which is there whole or not at all, and return the file.

    limit: the most bytes. deadline: seconds for the headers, and for each 256 KiB after them. What comes is kept beside
    the file, so that another try, or another call, goes on where this one stopped if the server still has the same
    version. A file that is there already is replaced.

    Raises HttpError as `http.get` does, also for a status that is not 200, and StorageError.
    """
    ask = functools.partial(http.opened, address, limit=limit, deadline=deadline, allowed=allowed)
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.storage_errors(file):
        part = http.retry(lambda: _downloaded(ask, file, limit), tries)
        files.flush(part)
        part.replace(file)
        files.flush(file.parent)
    return file


def _downloaded(ask: Callable[..., AbstractContextManager[http.Body]], file: Path, limit: int) -> Path:
    """Return the whole download under its temporary name."""
    with ask() as body:
        http.require_ok(body)
        part = _part(file, body)
        have = part.stat().st_size if part.is_file() else 0
        version = _version(body)
        if not (version and body.total and 0 < have <= body.total):
            _save(body, part, 0, limit)
            return part
        if have == body.total:
            return part
    with ask(headers={"Range": f"bytes={have}-", "If-Range": version}) as rest:
        _go_on(rest, part, have, limit)
    if part.stat().st_size < body.total:
        said = f"{body.host} sent less than it announced; what came is kept: run again"
        raise HttpError(said, retryable=True)
    return part


def _go_on(rest: http.Body, part: Path, have: int, limit: int) -> None:
    """Save the rest of a file, or all of it where the server sends all."""
    if rest.status == HTTPStatus.OK:
        _save(rest, part, 0, limit)
    elif rest.status == HTTPStatus.PARTIAL_CONTENT and _range_start(rest) == str(have):
        _save(rest, part, have, limit)
    elif rest.status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        part.unlink()
        said = f"{rest.host} does not go on where it stopped; run again to start over"
        raise HttpError(said, retryable=True)
    else:
        http.require_ok(rest)


def _range_start(body: http.Body) -> str:
    return body.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]


def _save(body: http.Body, part: Path, have: int, limit: int) -> None:
    """Write a body to a file after the `have` bytes that are there; one that is too large leaves no file."""
    whole = have + body.total if body.total else None
    bar = tqdm(desc="Downloading", total=whole, initial=have, unit="B", unit_scale=True)
    try:
        with bar, part.open("ab" if have else "wb") as out:
            _check_size(body, whole or 0, limit)
            while piece := body.read(_CHUNK):
                _check_size(body, out.tell() + len(piece), limit)
                out.write(piece)
                bar.update(len(piece))
                body.renew()
    except HttpError as error:
        if not error.retryable:
            part.unlink()
        raise


def _check_size(body: http.Body, size: int, limit: int) -> None:
    if size > limit:
        raise HttpError(f"too large: {body.host} offers more than the {limit:,} bytes that this file may have")


def _part(file: Path, body: http.Body) -> Path:
    """Return where this version is kept while it comes; removes what was kept of other versions."""
    version = f"{_version(body)} {body.total}"
    part = file.with_name(f".{file.name}.{hashlib.sha256(version.encode()).hexdigest()[:16]}.part")
    for other in file.parent.iterdir():
        if other.name.startswith(f".{file.name}.") and other.name.endswith(".part") and other != part:
            other.unlink()
    return part


def _version(body: http.Body) -> str:
    """Return what tells a file's versions apart in If-Range; "" where the server says nothing that is exact."""
    tag = body.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else body.headers.get("Last-Modified", "")
