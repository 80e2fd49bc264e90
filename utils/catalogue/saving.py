"""A catalogue in a parquet file, with the request that made it."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from utils import files
from utils.catalogue import parquet
from utils.catalogue.fetching import DEFAULT_ORDER, fetch_catalogue, request
from utils.catalogue.page import GAMES_LIMIT
from utils.catalogue.row import COLUMNS, LISTS
from utils.catalogue.service import StoreError
from utils.errors import PlainError
from utils.names import visible

_LETTERS = 2_000  # bytes of a text; what is fetched has at most 800
_ARROW = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "object": pa.string()}
_SCHEMA = pa.schema([(name, pa.list_(pa.string()) if name in LISTS else _ARROW[COLUMNS[name]]) for name in COLUMNS])


class CatalogueError(PlainError):
    """No catalogue where one was looked for, or one that cannot be read."""


def save(games: pd.DataFrame, file: Path) -> None:
    """Write a catalogue to a parquet file, whole or not at all; its `.attrs` stand beside the table."""
    with files.writing(Path(file)) as part:
        games.to_parquet(part, index=False, schema=_SCHEMA, write_page_checksum=True)


def load(file: Path) -> pd.DataFrame:
    """Return the catalogue that `save` wrote; raises CatalogueError where there is none, or a damaged one."""
    file = Path(file)
    if not file.is_file():
        raise CatalogueError(f"there is no catalogue at {file}; run the download notebook with the same SOURCE first")
    try:
        games = _read(file)
    except (OSError, ValueError, TypeError, pa.ArrowException) as error:
        remedy = "delete it and run the download notebook again"
        raise CatalogueError(f"the catalogue at {file} is damaged ({visible(str(error))}); {remedy}") from None
    return games


def load_or_fetch(file: Path, **asked: Any) -> pd.DataFrame:  # noqa: ANN401 - the arguments of fetch_catalogue
    """Return the catalogue saved at `file` if this request made it, else that of `fetch_catalogue`, saved there.

    A damaged one is fetched again. Raises StoreError; one that could not be replaced stays.
    """
    saved = _loaded(Path(file))
    if saved is not None and _answers(saved, asked):
        return saved
    try:
        save(fetch_catalogue(**asked), file)
    except StoreError as error:
        if saved is None:
            raise
        made = ", ".join(f"{name.upper()} = {value!r}" for name, value in saved.attrs["request"].items())
        raise StoreError(f"{error}. The catalogue at {file} was made by another request ({made})") from None
    return load(file)


def finished_files(file: Path, *, check: bool = False) -> list[tuple[Path, ...]]:
    """Return the files that are finished, in tuples that count together: the catalogue, if it is there.

    `check` reads it, and leaves it out where it is damaged.
    """
    file = Path(file)
    is_there = file.is_file() and not (check and _loaded(file) is None)
    return [(file,)] if is_there else []


def _loaded(file: Path) -> pd.DataFrame | None:
    """Return the catalogue at a place; None where there is none, or a damaged one."""
    try:
        return load(file)
    except CatalogueError:
        return None


def _answers(saved: pd.DataFrame, asked: dict[str, Any]) -> bool:
    """Return whether a saved catalogue is what a request asks for; one that does not say what made it is taken."""
    made = saved.attrs.get("request")
    wanted = request(asked.get("limit"), asked.get("order", DEFAULT_ORDER), asked.get("adult", False))
    return made is None or made == wanted


def _read(file: Path) -> pd.DataFrame:
    """Read a file that anybody may have written; raises what Arrow raises, and ValueError."""
    table = parquet.read_bounded(file, list(COLUMNS), rows=GAMES_LIMIT, letters=_LETTERS)
    attributes = _attributes(table.schema.metadata or {})
    games = table.cast(_SCHEMA).to_pandas().astype(COLUMNS)
    for column in LISTS:
        games[column] = games[column].map(list)
    if table["name"].null_count or not games["appid"].is_unique:
        raise ValueError("games without a name or an appid of their own")
    games.attrs = attributes
    return games


def _attributes(metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """Return what pandas wrote of a table's `attrs`; nothing where it is not to be read."""
    try:
        attributes = json.loads(metadata.get(b"PANDAS_ATTRS", b"{}"))
    except (ValueError, RecursionError):
        return {}
    is_whole = isinstance(attributes, dict) and isinstance(attributes.get("request", {}), dict)
    return attributes if is_whole else {}
