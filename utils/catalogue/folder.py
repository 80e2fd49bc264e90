"""Somebody's own pictures as a catalogue: the files of a folder, named by a CSV file that lies there, if any.

The address of a picture is its file's, `file:///...?t=<when it changed, unix ns>`.
"""

import csv
import io
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pandas as pd

from utils import files, images
from utils.catalogue.row import LAST_APPID, LAST_DATE, Fields, table_of, text
from utils.errors import SettingsError, StorageError

_Row = dict[str, str]  # values by column; `appid` is there always, `line` is the row's line in the file

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
    with files.storage_errors(folder):
        root = folder.resolve()
        pictures, notes = _find_pictures(root)
        if not pictures:
            kinds = ", ".join(sorted(images.ENDINGS))
            raise SettingsError(f"FOLDER is {str(folder)!r}, which holds no picture; it may hold {kinds}")
        rows = _read_rows(root, notes)
        named = _rows_by_picture(rows, pictures, notes)
        games = table_of([_game(*each, pictures) for each in _with_ids(named, pictures)][: limit or None])
    games.attrs = {"announced": len(pictures), "notes": notes, "assets_url": address_of(root)}
    return games


def address_of(folder: Path) -> str:
    """Return what the address of every picture in a folder begins with."""
    return folder.resolve().as_uri().rstrip("/") + "/"


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


def _find_pictures(root: Path) -> tuple[dict[str, Path], list[str]]:
    """Return the picture files by their path within a folder, sorted, and notes on the others; nothing hidden."""
    pictures, others = {}, []
    for top, folders, names in os.walk(root, onerror=lambda error: others.append(error.filename)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            file = Path(top, name)
            path = file.relative_to(root).as_posix()
            if file.suffix.lower() in images.ENDINGS and not name.startswith(".") and _is_inside(file, root):
                pictures[path] = file
            elif not name.startswith(".") and file.suffix.lower() != ".csv":
                others.append(path)
    notes = [f"left out, not pictures in this folder that can be read: {_first_few(sorted(others))}"] if others else []
    return dict(sorted(pictures.items())), notes


def _is_inside(file: Path, root: Path) -> bool:
    """Return whether a file is a plain one, and no link that leads out of the folder."""
    try:
        return file.resolve().is_relative_to(root.resolve()) and file.is_file()
    except (OSError, RuntimeError):  # a loop of links: RuntimeError before Python 3.13
        return False


def _rows_by_picture(rows: Iterable[_Row], pictures: Mapping[str, Path], notes: list[str]) -> dict[str, _Row]:
    """Return the CSV's rows by the path of the picture that each names; adds notes on what stays without the other."""
    stems = {Path(path).stem: path for path in reversed(list(pictures))}
    named: dict[str, _Row] = {}
    without = []
    for row in rows:
        path = row["file"].replace("\\", "/") if row.get("file") else stems.get(row["appid"], "")
        if path in pictures and path not in named:
            named[path] = row
        else:
            without.append(f"{row['appid']} ({row.get('name') or 'no name'})")
    notes += [f"appid {each} in the CSV has no picture of its own" for each in without]
    nameless = [path for path in pictures if path not in named]
    if nameless and (named or without):
        notes.append(f"without a row in the CSV, so named by their files: {_first_few(nameless)}")
    return named


def _with_ids(named: Mapping[str, _Row], pictures: Iterable[str]) -> Iterator[tuple[int, str, _Row]]:
    """Yield an appid, a path and the CSV's row, perhaps an empty one, for each picture."""
    taken = {int(row["appid"]) for row in named.values()}
    for path, row in named.items():
        yield int(row["appid"]), path, row
    for path in pictures:
        if path not in named:
            appid = 1_000_000_000 + zlib.crc32(os.fsencode(path)) % 1_000_000_000
            while appid in taken:
                appid += 1
            taken.add(appid)
            yield appid, path, {}


def _game(appid: int, path: str, row: _Row, pictures: Mapping[str, Path]) -> Fields:
    file = pictures[path]
    changed = max(0, file.stat().st_mtime_ns)
    return {
        "appid": appid,
        "name": text(row.get("name")) or _printable(file.stem) or str(appid),
        "banner_url": f"{file.as_uri()}?t={changed}",
        "updated": min(changed // 1_000_000_000, LAST_DATE),
        "release_date": 0,
        "franchises": _first(row, "franchise", "franchises", "title"),
        "developers": _first(row, "developer", "developers"),
        "publishers": _first(row, "publisher", "publishers"),
        "tags": [],
        "review_count": 0,
        "review_score": float("nan"),
        "adult": False,
    }


def _first(row: _Row, *columns: str) -> list[str]:
    found = (text(row.get(column)) for column in columns)
    return list(filter(None, found))[:1]


def _first_few(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(_printable, names[:_SHOWN])) + more


def _printable(name: str) -> str:
    """Return the name of a file, which may be any bytes, as text on one line."""
    return text(name.encode(errors="replace").decode())


def _read_rows(folder: Path, notes: list[str]) -> list[_Row]:
    """Return the rows with a usable id of its own of the first CSV that has ids; adds notes on the rest."""
    chosen, rows = "", []
    for file in sorted(folder.glob("*.csv")):
        try:
            found = list(_parse(_csv_text(file, folder)))
        except (OSError, RuntimeError, csv.Error, ValueError) as error:
            notes.append(f"{_printable(file.name)} is not read: {error}")
            continue
        if chosen:
            notes.append(f"{_printable(file.name)} is not read: {chosen} is")
        else:
            chosen = _printable(file.name)
            rows = list(_good_rows(found, chosen, notes))
    return rows


def _csv_text(file: Path, folder: Path) -> str:
    if not _is_inside(file, folder):  # a pipe would be waited for
        raise ValueError("it is not a plain file, or a link that leads out of the folder")
    size = file.stat().st_size
    if size > _MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes; allowed are {_MOST_BYTES:,}")
    return file.read_text("utf-8-sig")


def _parse(content: str) -> Iterator[_Row]:
    """Yield the rows of a CSV separated by commas, semicolons or tabs; columns in small letters, the id as `appid`."""
    delimiter = max(",;\t", key=content.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    small = [name.strip().lower() for name in next(reader, [])]
    columns = ["appid" if name == "id" else name for name in small]
    if "appid" not in columns:
        raise ValueError(f"it has no column appid or id, but {', '.join(columns) or 'nothing'}")
    for values in reader:
        if any(values):
            row = dict.fromkeys(columns, "") | dict(zip(columns, map(str.strip, values), strict=False))
            yield row | {"line": str(reader.line_num)}


def _good_rows(rows: Iterable[_Row], table: str, notes: list[str]) -> Iterator[_Row]:
    """Yield the rows with an id that no earlier row has; adds notes on the others."""
    lines: dict[int, str] = {}
    for row in rows:
        where = f"line {row['line']} of {table} is left out"
        is_number = re.fullmatch(r"[0-9]{1,18}", row["appid"])
        if not is_number or not 0 < int(row["appid"]) <= LAST_APPID:
            notes.append(f"{where}: its appid is {row['appid']!r}, not a whole number from 1 to {LAST_APPID}")
        elif int(row["appid"]) in lines:
            notes.append(f"{where}: appid {row['appid']} stands in line {lines[int(row['appid'])]} already")
        else:
            lines[int(row["appid"])] = row["line"]
            yield row
