"""Which games exist: Steam's store services, asked page by page, as a table with one row a game.

The services, their fields and their habits are those of Valve's published protobufs (`service_storequery.proto`,
`service_storebrowse.proto`, `service_steamcharts.proto`): GET, keyless, one `input_json` parameter.
"""

import gzip
import itertools
import json
import math
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import requests
import tenacity
from tqdm.auto import tqdm

from utils import settings

ORDERS = {"title": 1, "steady": 2, "top sellers": 10, "most played": 30, "newest": 40}  # the service's `sort`
ADULT = {3, 4}  # content descriptors: adult only sexual content, frequent nudity or sexual content
COLUMNS = {
    "appid": "int64",  # unique
    "name": "object",
    "banner_url": "object",  # the vertical banner with its version (`?t=`); None where the game has none
    "updated": "int64",  # when the store's pictures last changed, unix s; 0 where unknown
    "release_date": "int64",  # unix s; 0 where unknown
    "franchises": "object",  # lists of str, as are the next three
    "developers": "object",
    "publishers": "object",
    "tags": "object",
    "review_count": "int64",
    "review_score": "float64",  # percent positive, 0 to 100; NaN without reviews
    "adult": "bool",
}

_PAGE = 500  # ids a page, the most that is verified
_SHARE = 25  # one id in so many is asked again, so that a game taken off the list meanwhile does not hide another
_IDS = 100  # ids a request for named games
_PAUSE = 0.25  # seconds between requests, known to be accepted
_TRIES = 5
_WAIT = 0.5  # seconds before the second try, doubled before each further one, with as much jitter
_TIMEOUT = (10, 60)  # seconds to connect, and between two reads
_FRESH = 24 * 3600  # seconds after which pages kept from an interrupted run are asked again
_CONTEXT = {"language": "english", "country_code": "US", "steam_realm": 1}
_DATA = {
    "include_assets": True,
    "include_basic_info": True,
    "include_reviews": True,
    "include_release": True,
    "include_tag_count": 20,
}
_FILTERS = {"released_only": True, "type_filters": {"include_apps": True, "include_games": True}}
_OTHER_WAYS = (
    "Other ways: set STEAM_API_KEY to a key of your own, or start from a catalogue saved earlier (catalogue.load) "
    "or from a list of appids (catalogue.fetch_games)"
)
_FILENAME = re.compile(r"[A-Za-z0-9._/-]+")
_TEMPLATE = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._/-]*\$\{FILENAME\}(\?t=\d+)?")


class StoreError(settings.PlainError):
    """The store gave no usable answer; the message names the host, what it said and what to do."""


class StoreUnreachable(StoreError):
    """No connection: no network, no such host, or nobody listening."""


class StoreClosed(StoreError):
    """The store refuses this service: 401, 403, 404 or 410."""


class StoreBusy(StoreError):
    """The store asked to wait (429) or failed (5xx) at every try."""


class CatalogueMissing(settings.PlainError, FileNotFoundError):
    """No catalogue has been saved where one was looked for."""


class StoreNonsense(StoreError):
    """What came back is no answer: an HTML page, a truncated body, JSON of another shape."""


class _Again(Exception):
    """A try that may go better the next time; `error` is what to raise if none does."""

    def __init__(self, error: StoreError, wait: float = 0.0) -> None:
        super().__init__(str(error))
        self.error, self.wait = error, wait


@dataclass(frozen=True)
class _Store:
    """The store's services at one address, asked politely over one kept connection."""

    api_url: str
    assets_url: str
    session: requests.Session

    def ask(self, service: str, needs: str | None = None, **question: object) -> dict:
        """Return the `response` of a service, with the field it `needs`; raises StoreError after a few tries."""
        time.sleep(_PAUSE if self.api_url == settings.API_URL else 0)
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            wait=_wait,
            stop=tenacity.stop_after_attempt(_TRIES),
            reraise=True,
        )
        try:
            return tries(self._ask_once, service, needs, question)
        except _Again as again:
            raise again.error from None

    def _ask_once(self, service: str, needs: str | None, question: dict) -> dict:
        params = {"input_json": json.dumps(question, separators=(",", ":"))}
        if key := os.environ.get("STEAM_API_KEY"):
            params["key"] = key
        try:
            answer = self.session.get(f"{self.api_url.rstrip('/')}/{service}/v1/", params=params, timeout=_TIMEOUT)
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
            raise _Again(StoreNonsense(f"{self._host} broke off in the middle of an answer; try again later")) from None
        except requests.exceptions.RequestException as error:
            raise _Again(StoreUnreachable(self._unreachable(error))) from None
        response = self._response(service, answer)
        if needs and needs not in response:
            raise _Again(StoreNonsense(f"{self._host} answered {service} with no {needs!r}; try again later"))
        return response

    def _response(self, service: str, answer: requests.Response) -> dict:
        """Return the JSON object in an answer, or say which kind of trouble it is."""
        said = f"{self._host} answered {answer.status_code} to {service}"
        if answer.status_code in (401, 404, 410):
            raise StoreClosed(f"{said}: this door is closed. {_OTHER_WAYS}")
        if answer.status_code == 403:
            raise _Again(StoreClosed(f"{said}: too many requests, or a door that is closed. {_OTHER_WAYS}"))
        if answer.status_code == 429 or answer.status_code >= 500:
            raise _Again(StoreBusy(f"{said}, {_TRIES} times; wait some minutes and run again"), _retry_after(answer))
        if answer.status_code != 200:
            raise StoreNonsense(f"{said}; the service may have changed")
        try:
            body = answer.json()
        except ValueError:
            kind = answer.headers.get("Content-Type", "no type")
            raise _Again(StoreNonsense(f"{said} with no JSON ({kind}): a block page, or a cut answer")) from None
        if not isinstance(body, dict) or not isinstance(body.get("response"), dict):
            raise _Again(StoreNonsense(f"{said} with JSON that has no 'response'; the service may have changed"))
        return body["response"]

    @property
    def _host(self) -> str:
        return urlsplit(self.api_url).netloc

    def _unreachable(self, error: Exception) -> str:
        late = isinstance(error, requests.exceptions.Timeout)
        return (
            f"{self._host} {'does not answer in time' if late else 'cannot be reached'}; check the network, or set "
            "SOURCE = 'sample' (a small store of our own) or SOURCE = 'folder' (your own pictures)"
        )


def fetch_catalogue(
    limit: int | None = None,
    *,
    order: str = "top sellers",
    adult: bool = False,
    keep: Path | None = None,
    api_url: str | None = None,
    assets_url: str | None = None,
) -> pd.DataFrame:
    """Return the store's released games, or the first `limit` of them, as a table with the columns of `COLUMNS`.

    `order`, a key of `ORDERS`, says which games come first; the whole store (no limit, or 0) is always asked in the
    order that is steady while paging. Games for adults only are left out unless `adult`. Answers are kept in the
    folder `keep`, if given, so that an interrupted run goes on where it stopped. What was counted on the way stands in
    `.attrs`: the games `announced` by the store, the `distinct` ones it gave, the `adult` ones left out, and the items
    `skipped`, with their reasons.

    Raises StoreError (unreachable, closed, busy, nonsense) and ValueError for an unknown order or a negative limit.
    """
    if order not in ORDERS:
        raise ValueError(f"unknown order {order!r}; known are {', '.join(ORDERS)}")
    if limit is not None and limit < 0:
        raise ValueError(f"limit is {limit}; allowed are None or 0 (all) and positive numbers")
    store = _open(api_url, assets_url)
    found = _Found(store.assets_url, _tag_names(store), adult)
    for answer in _pages(store, order if limit else "steady", keep, limit):
        found.add(answer)
        if limit and len(found.rows) >= limit:
            break
    if keep:
        shutil.rmtree(keep, ignore_errors=True)
    return found.table(limit)


def fetch_games(appids: Iterable[int], *, api_url: str | None = None, assets_url: str | None = None) -> pd.DataFrame:
    """Return the same table for named games, in the order asked, those for adults included.

    Unknown and hidden games are left out; their appids stand in `.attrs["unknown"]`. Raises StoreError as
    `fetch_catalogue` does.
    """
    wanted = list(dict.fromkeys(int(appid) for appid in appids))
    store = _open(api_url, assets_url)
    found = _Found(store.assets_url, _tag_names(store), adult=True)
    chunks = [wanted[start : start + _IDS] for start in range(0, len(wanted), _IDS)]
    for some in tqdm(chunks, desc="Named games", unit=" requests", disable=len(chunks) <= 1):
        ids = [{"appid": appid} for appid in some]
        found.add(store.ask("IStoreBrowseService/GetItems", ids=ids, context=_CONTEXT, data_request=_DATA))
    found.rows = {appid: found.rows[appid] for appid in wanted if appid in found.rows}
    games = found.table()
    games.attrs["unknown"] = [appid for appid in wanted if appid not in found.rows]
    return games


def fetch_most_played(*, api_url: str | None = None) -> pd.DataFrame:
    """Return the store's chart of the games most played: columns rank and appid (int64), best first.

    Raises StoreError as `fetch_catalogue` does.
    """
    answer = _open(api_url, None).ask("ISteamChartsService/GetMostPlayedGames")
    rows = [(_int(each.get("rank")), _int(each.get("appid"))) for each in _dicts(answer.get("ranks"))]
    chart = pd.DataFrame([row for row in rows if all(row)], columns=["rank", "appid"]).astype("int64")
    return chart.sort_values("rank", ignore_index=True)


def save(games: pd.DataFrame, file: Path) -> None:
    """Write a catalogue to a parquet file, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(".part")
    games.to_parquet(beside, index=False)
    beside.replace(file)


def load(file: Path) -> pd.DataFrame:
    """Return the catalogue that `save` wrote; raises CatalogueMissing where there is none."""
    if not Path(file).is_file():
        raise CatalogueMissing(f"there is no catalogue at {file}; run the download notebook with the same SOURCE first")
    return pd.read_parquet(file)


def load_or_fetch(file: Path, **request: object) -> pd.DataFrame:
    """Return the catalogue saved at `file`; where there is none, that of `fetch_catalogue(**request)`, saved there."""
    if not Path(file).is_file():
        save(fetch_catalogue(**request), file)
    return load(file)


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


def _open(api_url: str | None, assets_url: str | None) -> _Store:
    default_api, default_assets = settings.store_urls()
    session = requests.Session()
    session.headers["Accept-Encoding"] = "gzip"
    return _Store(api_url or default_api, assets_url or default_assets, session)


def _wait(state: tenacity.RetryCallState) -> float:
    """Return the seconds to wait: what the store asked for, else twice as long as the last time."""
    asked = state.outcome.exception().wait
    doubling = tenacity.wait_exponential(multiplier=_WAIT, max=60 * _WAIT) + tenacity.wait_random(0, _WAIT)
    return asked or doubling(state)


def _retry_after(answer: requests.Response) -> float:
    """Return the seconds of a Retry-After header, 0 without one; a date in it is answered by our own back-off."""
    text = answer.headers.get("Retry-After", "")
    return min(float(text), 300.0) if text.isdigit() else 0.0


def _tag_names(store: _Store) -> dict[int, str]:
    answer = store.ask("IStoreService/GetTagList", language="english")
    return {_int(tag.get("tagid")): str(tag.get("name", "")) for tag in _dicts(answer.get("tags"))}


def _pages(store: _Store, order: str, keep: Path | None, limit: int | None) -> Iterator[dict]:
    """Yield the answers that together hold every game of the list.

    Each page begins with games that the page before ended with. Where none of them comes back, the list got shorter
    while we were paging: step back, further each time, until the pages meet.
    """
    start, tail, back, patience = 0, set(), _PAGE // _SHARE, 20
    with tqdm(desc="Catalogue", unit=" games") as bar:
        for number in itertools.count():
            answer = _page(store, order, start, keep and keep / f"{order}-{number:05}-{start:07}.json.gz")
            ids = [_int(each.get("appid")) for each in _dicts(answer.get("ids"))]
            if start and ids and tail and tail.isdisjoint(ids) and patience:
                start, back, patience = max(0, start - back), 2 * back, patience - 1
                continue
            yield answer
            end, total = start + len(ids), _announced(answer)
            bar.total = min(limit or total, total)
            bar.update(min(end, bar.total) - bar.n)
            if not ids or end >= total:
                return
            again = len(ids) // _SHARE
            start, tail, back = end - again, set(ids[len(ids) - again :]), _PAGE // _SHARE


def _page(store: _Store, order: str, start: int, kept: Path | None) -> dict:
    """Return one answer: the one an interrupted run kept, if it is fresh, else the store's, kept for the next run."""
    if kept and kept.is_file() and time.time() - kept.stat().st_mtime < _FRESH:
        return json.loads(gzip.decompress(kept.read_bytes()))
    query = {"start": start, "count": _PAGE, "sort": ORDERS[order], "filters": _FILTERS}
    answer = store.ask("IStoreQueryService/Query", needs="metadata", query=query, context=_CONTEXT, data_request=_DATA)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        beside = kept.with_suffix(".part")
        beside.write_bytes(gzip.compress(json.dumps(answer).encode(), compresslevel=1))
        beside.replace(kept)
    return answer


class _Found:
    """The games found so far, by appid, and what was counted on the way."""

    def __init__(self, assets_url: str, tags: dict[int, str], adult: bool) -> None:
        self.assets_url, self.tags, self.adult = assets_url, tags, adult
        self.rows: dict[int, dict] = {}
        self.left_out: set[int] = set()
        self.skipped: Counter[str] = Counter()
        self.announced = 0

    def add(self, answer: dict) -> None:
        """Take the games of one answer; a malformed item is counted, not fatal."""
        self.announced = _announced(answer) or self.announced
        for item in _dicts(answer.get("store_items")):
            try:
                row = _row(item, self.assets_url, self.tags)
            except (ValueError, TypeError) as error:
                self.skipped[str(error) if isinstance(error, ValueError) else "with a field of another type"] += 1
                continue
            if row["adult"] and not self.adult:
                self.left_out.add(row["appid"])
            else:
                self.rows[row["appid"]] = row

    def table(self, limit: int | None = None) -> pd.DataFrame:
        rows = list(self.rows.values())[: limit or None]
        games = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
        games.attrs = {
            "announced": self.announced,
            "distinct": len(self.rows) + len(self.left_out),
            "adult": len(self.left_out),
            "skipped": dict(self.skipped),
        }
        return games


def _row(item: dict, assets_url: str, tags: dict[int, str]) -> dict:
    """Return a store item as a row of the table; raises ValueError with the reason where it cannot be one."""
    if _int(item.get("success", 1)) != 1:
        raise ValueError("hidden or unknown to the store")
    if _int(item.get("item_type", 0)) or _int(item.get("type", 0)):
        raise ValueError("not a game")
    appid, name = _int(item.get("appid") or item.get("id")), item.get("name")
    if appid <= 0 or not isinstance(name, str) or not name.strip():
        raise ValueError("without appid or name")
    info, reviews = _dict(item, "basic_info"), _dict(_dict(item, "reviews"), "summary_filtered")
    banner_url, updated = _banner(_dict(item, "assets"), assets_url)
    count = _int(reviews.get("review_count", 0))
    return {
        "appid": appid,
        "name": name.strip(),
        "banner_url": banner_url,
        "updated": updated,
        "release_date": _int(_dict(item, "release").get("steam_release_date", 0)),
        "franchises": _names(info, "franchises"),
        "developers": _names(info, "developers"),
        "publishers": _names(info, "publishers"),
        "tags": [tags[tag] for tag in map(_int, item.get("tagids", [])) if tag in tags],
        "review_count": count,
        "review_score": float(_int(reviews.get("percent_positive", 0))) if count else math.nan,
        "adult": not ADULT.isdisjoint(map(_int, item.get("content_descriptorids", []))),
    }


def _banner(assets: dict, assets_url: str) -> tuple[str | None, int]:
    """Return the address of the vertical banner, None without one, and when the pictures last changed (unix s)."""
    filename, template = (
        assets.get("library_capsule") or assets.get("library_capsule_2x"),
        assets.get("asset_url_format"),
    )
    if not filename or not template:
        return None, 0
    if not _FILENAME.fullmatch(filename) or not (parts := _TEMPLATE.fullmatch(template)) or ".." in filename + template:
        raise ValueError("with a file name that is not to be believed")
    path = template.replace("${FILENAME}", filename)
    return f"{assets_url.rstrip('/')}/{path}", int((parts[1] or "?t=0")[3:])


def _announced(answer: dict) -> int:
    return _int(_dict(answer, "metadata").get("total_matching_records", 0))


def _names(info: dict, field: str) -> list[str]:
    return [name for each in _dicts(info.get(field)) if isinstance(name := each.get("name"), str) and name]


def _dict(item: dict, field: str) -> dict:
    """Return a field that is an object; absent and null are empty, since the store leaves out what is empty."""
    value = item.get(field) or {}
    if not isinstance(value, dict):
        raise ValueError(f"with {field!r} of another type")
    return value


def _dicts(value: object) -> list[dict]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _int(value: object) -> int:
    """Return a number that may have come as text; 0 where it is none, so that the callers' checks refuse it."""
    text = str(value)
    return int(text) if text.lstrip("-").isdigit() and text.isascii() else 0
