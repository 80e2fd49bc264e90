"""Somebody's own pictures as a catalogue: the files of a folder, named by a CSV file that lies there, if any.

The address of a picture is its file's, `file:///...?t=<when it changed, unix ns>`.
"""

import csv
import io
import itertools
import math
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pandas as pd

from utils import files, images
from utils.catalogue.row import LAST_APPID, LAST_DATE, Fields, number, table_of, text
from utils.errors import SettingsError, StorageError

_Row = dict[str, str]  # values by column

_UNKNOWN = {"release_date": 0, "tags": [], "review_count": 0, "review_score": math.nan, "adult": False}
_MOST_BYTES = 100_000_000  # of a CSV
_SHOWN = 5  # names in a note


def read(folder: Path, limit: int | None = None) -> pd.DataFrame:
    """Return the pictures in a folder and its sub-folders, or the first `limit` of them, as a catalogue.

    The CSV has a column `appid` or `id`, and may have `file` (a picture's path within the folder; without it, the
    picture whose stem is the id is meant), `name`, `title` or `franchise`, `developer`, `publisher`. A picture without
    a row is named by its file and gets an id made from its path, which it keeps when others come and go. Pictures with
    a row come first, the others by path; what is not known of a game, such as its year, is left empty.

    `.attrs["notes"]` names what cannot be used; the rest goes on. Raises SettingsError where there is no such folder,
    or no picture in it, and StorageError.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SettingsError(f"FOLDER is {str(folder)!r}, which is no folder; give one that holds your pictures")
    notes: list[str] = []
    with files.storage_errors(folder):
        root = folder.resolve()
        pictures = _find_pictures(root, notes)
        if not pictures:
            kinds = ", ".join(sorted(images.ENDINGS))
            raise SettingsError(f"FOLDER is {str(folder)!r}, which holds no picture; it may hold {kinds}")
        rows = _read_rows(root, notes)
        appids = list(_appids(pictures, rows, notes).items())[: limit or None]
        games = table_of([_game(appid, pictures[path], rows.get(appid, {})) for path, appid in appids])
    games.attrs = {"announced": len(pictures), "notes": notes, "assets_url": root.as_uri().rstrip("/") + "/"}
    return games


def read_file(address: str, *, root: str, limit: int) -> bytes:
    """Return the content of a `file:` address that lies below the address `root`; raises StorageError.

    limit: the most bytes.
    """
    path, top = (Path(os.fsdecode(unquote_to_bytes(urlsplit(each).path))) for each in (address, root))
    with files.storage_errors(path):
        if not (address.startswith("file:") and _is_inside(path, top)):
            raise StorageError(f"{text(str(path))} is not a file in {text(str(top))}")
        if path.stat().st_size > limit:
            raise StorageError(f"{text(str(path))} has more than {limit:,} bytes")
        return path.read_bytes()


def _find_pictures(root: Path, notes: list[str]) -> dict[str, Path]:
    """Return the picture files by their path within a folder, sorted, nothing hidden; adds a note on the others."""
    pictures, others = {}, []
    for top, folders, names in os.walk(root, onerror=lambda error: others.append(error.filename)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(top, name)
            path = file.relative_to(root).as_posix()
            if name.startswith("."):
                continue
            if file.suffix.lower() in images.ENDINGS and _is_inside(file, root):
                pictures[path] = file
            elif file.suffix.lower() != ".csv":
                others.append(path)
    if others:
        notes.append(f"left out, not pictures in this folder that can be read: {_first_few(sorted(others))}")
    return dict(sorted(pictures.items()))


def _is_inside(file: Path, root: Path) -> bool:
    """Return whether a file is a plain one, and no link that leads out of the folder."""
    try:
        return file.resolve().is_relative_to(root.resolve()) and file.is_file()
    except (OSError, RuntimeError):  # a loop of links: RuntimeError before Python 3.13
        return False


def _read_rows(folder: Path, notes: list[str]) -> dict[int, _Row]:
    """Return the rows by their id of the first CSV that has ids; adds notes on the rest."""
    chosen, rows = "", {}
    for file in sorted(folder.glob("*.csv")):
        name = text(file.name)
        try:
            found = list(_parse(file, folder))
        except (OSError, csv.Error, ValueError) as error:
            notes.append(f"{name} is not read: {error}")
            continue
        if chosen:
            notes.append(f"{name} is not read: {chosen} is")
        else:
            chosen, rows = name, _by_appid(found, name, notes)
    return rows


def _parse(file: Path, folder: Path) -> Iterator[tuple[int, _Row]]:
    """Yield the lines and rows of a CSV separated by commas, semicolons or tabs; columns in small letters."""
    if not _is_inside(file, folder) or file.stat().st_size > _MOST_BYTES:  # a pipe would be waited for
        raise ValueError(f"it is not a file of up to {_MOST_BYTES:,} bytes in this folder")
    content = file.read_text("utf-8-sig")
    delimiter = max(",;\t", key=content.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    small = map(str.lower, map(str.strip, next(reader, [])))
    columns = ["appid" if name == "id" else name for name in small]
    if "appid" not in columns:
        raise ValueError(f"it has no column appid or id, but {', '.join(columns) or 'nothing'}")
    for values in filter(any, reader):
        yield reader.line_num, dict.fromkeys(columns, "") | dict(zip(columns, map(str.strip, values), strict=False))


def _by_appid(found: list[tuple[int, _Row]], table: str, notes: list[str]) -> dict[int, _Row]:
    """Return the rows with an id that no earlier row has; adds notes on the others."""
    rows: dict[int, _Row] = {}
    for line, row in found:
        appid = number(row["appid"], LAST_APPID)
        if appid and appid not in rows:
            rows[appid] = row
        else:
            why = "stands in an earlier line" if appid else f"is not a whole number from 1 to {LAST_APPID}"
            notes.append(f"line {line} of {table} is left out: its appid {row['appid']!r} {why}")
    return rows


def _appids(pictures: Mapping[str, Path], rows: Mapping[int, _Row], notes: list[str]) -> dict[str, int]:
    """Return the appids by picture, those with a row first; adds notes on what stays without the other."""
    stems = {Path(path).stem: path for path in reversed(list(pictures))}
    appids: dict[str, int] = {}
    for appid, row in rows.items():
        path = row["file"].replace("\\", "/") if row.get("file") else stems.get(row["appid"], "")
        if path in pictures and path not in appids:
            appids[path] = appid
        else:
            notes.append(f"appid {appid} ({row.get('name') or 'no name'}) in the CSV has no picture of its own")
    nameless = [path for path in pictures if path not in appids]
    if nameless and rows:
        notes.append(f"without a row in the CSV, so named by their files: {_first_few(nameless)}")
    taken = set(rows)
    for path in nameless:
        appid = 1_000_000_000 + zlib.crc32(os.fsencode(path)) % 1_000_000_000
        appids[path] = next(each for each in itertools.count(appid) if each not in taken)
        taken.add(appids[path])
    return appids


def _game(appid: int, file: Path, row: _Row) -> Fields:
    changed = max(0, file.stat().st_mtime_ns)
    return {
        "appid": appid,
        "name": text(row.get("name")) or text(file.stem) or str(appid),
        "banner_url": f"{file.as_uri()}?t={changed}",
        "updated": min(changed // 1_000_000_000, LAST_DATE),
        "franchises": _first(row, "franchise", "franchises", "title"),
        "developers": _first(row, "developer", "developers"),
        "publishers": _first(row, "publisher", "publishers"),
        **_UNKNOWN,
    }


def _first(row: _Row, *columns: str) -> list[str]:
    return list(filter(None, map(text, map(row.get, columns))))[:1]


def _first_few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(text, names[:_SHOWN])) + more
