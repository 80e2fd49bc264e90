"""Which games exist: Steam's store services, asked page by page, as a table with one row a game, kept in a file.

The services, their fields and their habits are those of Valve's published protobufs (`service_storequery.proto`,
`service_storebrowse.proto`, `service_steamcharts.proto`): GET, keyless, one `input_json` parameter.
"""

import json
import re
from collections.abc import Iterable
from itertools import filterfalse
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from utils import files, settings
from utils.catalogue import folder as own_folder
from utils.catalogue.row import COLUMNS, ENTRIES, LAST_APPID, LAST_DATE, LISTS, CatalogueBuilder, number, objects
from utils.catalogue.store import DETAILS, Store, crawl, items_of
from utils.errors import DamagedError, SettingsError, StorageError, StoreError, shown
from utils.names import visible

DEFAULT_ORDER = "top sellers"

_IDS = 100  # ids a request for named games; 250 pass, 300 do not
_LONGEST_CHART = 1_000
_LETTERS = 20_000  # of a text in a file: more than the longest path, percent-encoded
_MOST = {"appid": LAST_APPID, "updated": LAST_DATE, "release_date": LAST_DATE}
_MOST |= {"review_count": 2**63 - 1, "review_score": 100}
_KINDS: dict[str, type] = {"announced": int, "short": int, "adult": int, "tags": int, "notes": list, "assets_url": str}
_KINDS |= {"skipped": dict, "unreadable": dict, "request": dict}
_ARROW = {"int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_(), "object": pa.string()}
_SCHEMA = pa.schema([(name, pa.list_(pa.string()) if name in LISTS else _ARROW[COLUMNS[name]]) for name in COLUMNS])


def fetch_catalogue(
    limit: int | None = None,
    *,
    order: str = DEFAULT_ORDER,
    adult: bool = False,
    folder: Path | None = None,
    api_url: str | None = None,
    assets_url: str | None = None,
) -> pd.DataFrame:
    """Return the store's released games, or the first `limit` of them, as a table with the columns of `COLUMNS`.

    `order`, one of settings.ORDERS, says which games come first; the whole store (no limit, or 0) is always asked in
    the order that is steady while paging. Games for adults only are left out unless `adult`. With a `folder`, its
    pictures are the games, by their paths, and no store is asked (see `utils.catalogue.folder`).

    What was counted stands in `.attrs`, and in words in `summary(games)`: the games `announced` by the store, how many
    it fell `short` of that, the `adult` ones left out, the items `skipped` with their reasons, the values that were
    `unreadable`, and the `request` itself; the address `assets_url` of the pictures.

    Raises StoreError (unreachable, closed, busy, no answer that can be used), and SettingsError for an unknown order, a
    negative limit and a folder without pictures.
    """
    if order not in settings.ORDERS:
        raise SettingsError(f"unknown order {order!r}; known are {', '.join(settings.ORDERS)}")
    if limit is not None and limit < 0:
        raise SettingsError(f"limit is {limit}; allowed are None or 0 (all) and positive numbers")
    if folder is not None:
        return own_folder.read(folder, limit)
    store = Store(api_url, assets_url)
    builder = CatalogueBuilder(store.assets_url, adult=adult)
    counted: dict[str, object] = {"request": _request(limit, order, adult), "assets_url": store.assets_url}
    with tqdm(desc="Catalogue", unit=" games") as bar:
        for page in crawl(store, order if limit else "steady"):
            builder.add(page.items, page.listed)
            bar.total = min(limit or page.total, page.total)
            bar.update(min(page.end, bar.total) - bar.n)
            counted |= {"announced": page.total, "short": page.short}
            if limit and len(builder.rows) >= limit:
                counted["short"] = 0
                break
    return builder.table(store.tags, limit, **counted)


def fetch_games(appids: Iterable[int], *, api_url: str | None = None, assets_url: str | None = None) -> pd.DataFrame:
    """Return the same table for named games, in the order asked, those for adults included.

    Games that the store does not give are left out; `.attrs["unknown"]` says why, by appid. Raises StoreError as
    `fetch_catalogue` does, and SettingsError for what is not an appid.
    """
    wanted = list(dict.fromkeys(map(_appid, appids)))
    store = Store(api_url, assets_url)
    builder = CatalogueBuilder(store.assets_url, adult=True)
    for start in tqdm(range(0, len(wanted), _IDS), "Named games", unit=" requests", disable=len(wanted) <= _IDS):
        question = {"ids": [{"appid": appid} for appid in wanted[start : start + _IDS]]} | DETAILS
        builder.add(store.ask("IStoreBrowseService/GetItems", question, items_of))
    builder.rows = {appid: builder.rows[appid] for appid in wanted if appid in builder.rows}
    missing = filterfalse(builder.rows.__contains__, wanted)
    unknown = {appid: builder.skipped.get(appid, "unknown to the store") for appid in missing}
    return builder.table(store.tags, unknown=unknown)


def fetch_most_played(*, api_url: str | None = None) -> pd.DataFrame:
    """Return the store's chart of the games most played: columns rank and appid (int64, unique), best first.

    Raises StoreError as `fetch_catalogue` does.
    """
    ranks = Store(api_url).ask("ISteamChartsService/GetMostPlayedGames", {}, lambda answer: answer.get("ranks"))
    found = [(number(each.get("rank")), number(each.get("appid"), LAST_APPID)) for each in objects(ranks)]
    chart = pd.DataFrame(filter(all, found[:_LONGEST_CHART]), columns=pd.Index(["rank", "appid"])).astype("int64")
    return chart.drop_duplicates("appid").sort_values("rank", ignore_index=True)


def more_like_this(appid: int, n: int, *, api_url: str | None = None) -> pd.DataFrame:
    """Return the `n` games that the store itself calls like this one, by tags and buyers, most alike first.

    A table with the columns of `COLUMNS`; games for adults only are left out. Raises StoreError as `fetch_catalogue`
    does, and SettingsError for what is not an appid.
    """
    store = Store(api_url)
    question = {"item_id": {"appid": _appid(appid)}, "count": n} | DETAILS
    builder = CatalogueBuilder(store.assets_url, adult=False)
    builder.add(store.ask("IStoreQueryService/MoreLikeThis", question, items_of))
    builder.rows.pop(appid, None)
    return builder.table(store.tags, n)


def popular(games: pd.DataFrame, n: int, *, api_url: str | None = None) -> list[int]:
    """Return the appids of the `n` games of a catalogue that most people know.

    Those on the store's chart of most played games come first, then the most reviewed; these alone where the store
    cannot be asked.
    """
    try:
        played = fetch_most_played(api_url=api_url)["appid"]
    except StoreError:
        played = pd.Series(dtype="int64")
    reviewed = games.sort_values("review_count", ascending=False, kind="stable")["appid"]
    return pd.concat([played[played.isin(games["appid"])], reviewed]).drop_duplicates().head(n).tolist()


def summary(games: pd.DataFrame) -> str:
    """Return a line on a catalogue of `fetch_catalogue`: games found, announced, left out and skipped, with reasons.

    A line each follows for what a folder holds that could not be used.
    """
    counted = games.attrs
    parts = [f"{len(games):,} games of {counted.get('announced', len(games)):,} announced"]
    if short := counted.get("short"):
        parts.append(f"the store listed {short:,} fewer than that; run again later for the rest")
    if adult := counted.get("adult"):
        parts.append(f"{adult:,} for adults only left out")
    for name, words in (("skipped", "skipped"), ("unreadable", "values that could not be read")):
        if counted.get(name):
            parts.append(f"{words}: " + ", ".join(f"{count} {what}" for what, count in counted[name].items()))
    if counted.get("tags") == 0:
        parts.append("the store gave no tags")
    return "\n".join(map(visible, ["; ".join(parts), *map(str, counted.get("notes", []))]))


def save(games: pd.DataFrame, file: Path) -> None:
    """Write a catalogue to a parquet file, whole or not at all; its `.attrs` stand beside the table."""
    with files.writing(Path(file)) as part:
        games.to_parquet(part, index=False, schema=_SCHEMA, write_page_checksum=True)


def load(file: Path, assets_url: str | None = None) -> pd.DataFrame:
    """Return the catalogue that `save` wrote, its pictures at the address `assets_url` if one is given.

    Raises StorageError where there is none, or none that may be read, and DamagedError for one that is not whole or
    holds what no store says.
    """
    file = Path(file)
    with files.storage_errors(file):
        if not file.is_file():
            raise StorageError(f"there is no catalogue at {file}; run the download notebook with the same SOURCE first")
        content = file.read_bytes()
    try:
        games = _read(content)
    except Exception as error:  # noqa: BLE001 - Arrow raises almost anything over a file that anybody may have written
        remedy = "delete it and run the download notebook again"
        raise DamagedError(f"the catalogue at {file} is damaged ({shown(error)}); {remedy}") from None
    made_with = games.attrs.get("assets_url")
    if assets_url and made_with:
        old = f"^{re.escape(made_with.rstrip('/'))}/"
        games["banner_url"] = games["banner_url"].str.replace(old, lambda _: f"{assets_url.rstrip('/')}/", regex=True)
        games.attrs["assets_url"] = assets_url
    return games


def load_or_fetch(file: Path, **asked: Any) -> pd.DataFrame:  # noqa: ANN401 - the arguments of fetch_catalogue
    """Return the catalogue saved at `file` if this request made it, else that of `fetch_catalogue`, saved there.

    One that does not say what made it is taken, its addresses follow `assets_url`; a damaged one is fetched again, and
    a folder of pictures is always read again. Raises what `fetch_catalogue` does; what cannot be replaced stays.
    """
    saved = _loaded(file, asked.get("assets_url") or settings.store_urls()[1])
    wanted = _request(asked.get("limit"), asked.get("order", DEFAULT_ORDER), asked.get("adult", False))
    made_by = wanted if saved is None else saved.attrs.get("request", wanted)
    if saved is not None and asked.get("folder") is None and made_by == wanted:
        return saved
    try:
        games = fetch_catalogue(**asked)
    except StoreError as error:
        if saved is None:
            raise
        made = shown(", ".join(f"{name.upper()} = {value!r}" for name, value in made_by.items()), 200)
        raise StoreError(f"{error}. The catalogue at {file} was made by another request ({made})") from None
    save(games, file)
    return games


def finished_files(file: Path, *, check: bool = False) -> list[tuple[Path, ...]]:
    """Return the files that are finished, in tuples that count together: the catalogue, if it is there.

    `check` reads it, and leaves it out where it is damaged.
    """
    file = Path(file)
    is_there = file.is_file() and not (check and _loaded(file) is None)
    return [(file,)] if is_there else []


def _appid(value: object) -> int:
    """Return an appid; raises SettingsError where it is none."""
    appid = number(str(value), LAST_APPID)
    if not appid:
        raise SettingsError(f"{shown(repr(value))} is not an appid; allowed are whole numbers from 1 to {LAST_APPID}")
    return appid


def _request(limit: int | None, order: str, adult: bool) -> dict[str, object]:
    """Return what was asked for, as it stands beside a saved catalogue: the order of the whole store is no matter."""
    return {"limit": limit or 0, "order": order if limit else "", "adult": adult}


def _loaded(file: Path, assets_url: str | None = None) -> pd.DataFrame | None:
    """Return the catalogue at a place; None where there is none, or a damaged one."""
    try:
        return load(file, assets_url)
    except (DamagedError, StorageError):
        return None


def _read(content: bytes) -> pd.DataFrame:
    """Read a file that anybody may have written; raises ValueError and what Arrow raises.

    Texts are read as dictionaries: in parquet, one long text can stand in every row.
    """
    with pq.ParquetFile(pa.BufferReader(content)) as parquet:
        if not parquet.schema_arrow.equals(_SCHEMA) or parquet.metadata.num_rows > settings.GAMES_LIMIT:
            raise ValueError(f"{parquet.metadata.num_rows:,} rows, columns {parquet.schema_arrow.names}")
        texts = [column.path for column in parquet.schema if column.physical_type == "BYTE_ARRAY"]
    table = pq.read_table(pa.BufferReader(content), read_dictionary=texts, page_checksum_verification=True)
    table.validate(full=True)
    for name in COLUMNS:
        _check_column(name, table[name].combine_chunks())
    games = table.cast(_SCHEMA).to_pandas().astype(COLUMNS)
    for column in LISTS:
        games[column] = games[column].map(list)
    for name, most in _MOST.items():
        if not (games[name].between(0, most) | games[name].isna()).all():
            raise ValueError(f"{name} from {games[name].min()} to {games[name].max()}; allowed are 0 to {most}")
    if not games["appid"].is_unique or (games["appid"] == 0).any():
        raise ValueError("an appid stands in it twice, or is 0")
    found = json.loads(table.schema.metadata.get(b"PANDAS_ATTRS", b"{}"))
    games.attrs = {name: found[name] for name, kind in _KINDS.items() if isinstance(found.get(name), kind)}
    return games


def _check_column(name: str, column: pa.Array) -> None:
    """Raise ValueError for nulls, endless lists and texts that the store's items never become."""
    if name in LISTS:
        values = column.flatten()
        if column.null_count or len(values) > ENTRIES * len(column):
            raise ValueError(f"{name} without a list, or with more than {ENTRIES} each")
        column = values
    if column.null_count and name not in ("banner_url", "review_score"):
        raise ValueError(f"no value in {name}")
    for each in column.dictionary.to_pylist() if pa.types.is_dictionary(column.type) else ():
        if not each or len(each) > _LETTERS or (not each.isprintable() and visible(each) != each):
            raise ValueError(f"{name} is {shown(repr(each))}")
