"""Somebody's own pictures as the stock of a store: the files of a folder, named by a CSV that lies there, if any."""

from __future__ import annotations

import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from sample.games import Game, Stock
from sample.own_table import Row, read_rows
from utils.settings import SettingsError

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}


def folder(place: Path) -> Stock:
    """Return the pictures in a folder and its sub-folders as games, named by a CSV file that lies there, if any.

    The CSV has a column `appid` or `id`, and may have `file` (a picture's path within the folder; without it, the
    picture whose stem is the id is meant), `name`, `title` or `franchise`, `developer`, `publisher`. A picture without
    a row is named by its file and gets an id made from its path, which it keeps when others come and go. `notes` lists
    what cannot be used; the rest goes on. Pictures are served as they are. Raises SettingsError where there is no such
    folder, or no picture in it.
    """
    pictures = _find_pictures(Path(place))
    rows, notes = read_rows(Path(place))
    named = _rows_by_picture(rows, pictures, notes)
    nameless = [path for path in pictures if path not in named]
    if rows and nameless:
        notes.append(f"without a row in the CSV, so named by their files: {_first_few(nameless)}")
    paths = {int(row["appid"]): path for path, row in named.items()}
    for path in nameless:
        paths[_id_of_path(path, paths)] = path
    games = [_game(appid, named.get(path, {}), pictures[path]) for appid, path in paths.items()]
    return Stock(games, lambda appid: _read(pictures[paths[appid]]), notes)


def _find_pictures(place: Path) -> dict[str, Path]:
    """Picture files by their path within the folder, sorted; nothing hidden, no link that leads out of the folder."""
    if not place.is_dir():
        raise SettingsError(f"FOLDER is {str(place)!r}, which is no folder; give one that holds your pictures")
    root = place.resolve()
    found = {}
    for top, _, names in os.walk(root):
        for name in names:
            file = Path(top, name)
            if _is_picture(file, root):
                found[file.relative_to(root).as_posix()] = file
    if not found:
        kinds = ", ".join(sorted(_PICTURES))
        raise SettingsError(f"FOLDER is {str(place)!r}, which holds no picture; it may hold {kinds}")
    return dict(sorted(found.items()))


def _is_picture(file: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(root).parts)
    if hidden or file.suffix.lower() not in _PICTURES:
        return False
    try:
        return file.resolve().is_relative_to(root) and file.is_file()
    except (OSError, RuntimeError):  # a loop of links: RuntimeError before Python 3.13
        return False


def _rows_by_picture(rows: list[Row], pictures: Mapping[str, Path], notes: list[str]) -> dict[str, Row]:
    """The CSV's rows by the path of the picture that each names; adds to `notes` the rows that name none."""
    stems = {Path(path).stem: path for path in reversed(list(pictures))}
    named: dict[str, Row] = {}
    for row in rows:
        path = row["file"].replace("\\", "/") if row.get("file") else stems.get(row["appid"], "")
        if path not in pictures or path in named:
            notes.append(f"appid {row['appid']} ({row.get('name') or 'no name'}) in the CSV has no picture of its own")
        else:
            named[path] = row
    return named


def _game(appid: int, row: Row, file: Path) -> Game:
    return Game(
        appid,
        row.get("name") or _printable(file.stem),
        updated=int(file.stat().st_mtime),
        franchises=_first(row, "franchise", "franchises", "title"),
        developers=_first(row, "developer", "developers"),
        publishers=_first(row, "publisher", "publishers"),
    )


def _first(row: Row, *columns: str) -> tuple[str, ...]:
    return tuple(row[column] for column in columns if row.get(column))[:1]


def _id_of_path(path: str, taken: Mapping[int, str]) -> int:
    appid = 1_000_000_000 + zlib.crc32(os.fsencode(path)) % 1_000_000_000
    while appid in taken:
        appid += 1
    return appid


def _first_few(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return _printable(", ".join(names[:5])) + more


def _printable(name: str) -> str:
    """A file may be named by any bytes."""
    return name.encode(errors="replace").decode()


def _read(file: Path) -> bytes | None:
    """The file as it is now; None where it is gone."""
    try:
        return file.read_bytes()
    except OSError:
        return None
