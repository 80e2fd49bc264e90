"""The CSV that names somebody's own pictures: its good rows, and a note on everything else."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

Row = dict[str, str]  # values by column; `appid` is there always, `line` is the row's line in the file

_MOST_BYTES = 100_000_000


def read_rows(folder: Path) -> tuple[list[Row], list[str]]:
    """Return the rows with a usable, unique id of the first CSV in a folder that has ids, and notes on the rest."""
    rows: list[Row] = []
    notes: list[str] = []
    chosen = ""
    for file in sorted(folder.glob("*.csv")):
        try:
            found = list(_parse(_text(file, folder)))
        except (OSError, RuntimeError, csv.Error, ValueError) as error:
            notes.append(f"{file.name} is not read: {error}")
            continue
        if chosen:
            notes.append(f"{file.name} is not read: {chosen} is")
        else:
            chosen = file.name
            rows = list(_with_ids(found, chosen, notes))
    return rows, notes


def _text(file: Path, folder: Path) -> str:
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError("it is a link that leads out of the folder")
    if not file.is_file():  # a pipe would be waited for
        raise ValueError("it is no plain file")
    size = file.stat().st_size
    if size > _MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes; allowed are {_MOST_BYTES:,}")
    return file.read_text("utf-8-sig")


def _parse(text: str) -> Iterator[Row]:
    """The rows of a CSV separated by commas, semicolons or tabs; column names in small letters, the id as `appid`."""
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = [_column(name) for name in next(reader, [])]
    if "appid" not in columns:
        raise ValueError(f"it has no column appid or id, but {', '.join(columns) or 'nothing'}")
    for values in reader:
        if any(values):
            row = dict.fromkeys(columns, "") | dict(zip(columns, map(str.strip, values), strict=False))
            yield row | {"line": str(reader.line_num)}


def _column(name: str) -> str:
    name = name.strip().lower()
    return "appid" if name == "id" else name


def _with_ids(rows: Iterable[Row], table: str, notes: list[str]) -> Iterator[Row]:
    """The rows with an id that no earlier row has; adds to `notes` the others."""
    lines: dict[int, str] = {}
    for row in rows:
        where = f"line {row['line']} of {table}"
        if not re.fullmatch(r"[0-9]{1,18}", row["appid"]):
            notes.append(f"{where} is left out: its appid is {row['appid']!r}, not a whole number")
        elif int(row["appid"]) in lines:
            line = lines[int(row["appid"])]
            notes.append(f"{where} is left out: appid {row['appid']} stands in line {line} already")
        else:
            lines[int(row["appid"])] = row["line"]
            yield row
