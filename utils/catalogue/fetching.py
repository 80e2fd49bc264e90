"""The store's games as tables: all of them or the first, named ones, the most played, and those like another."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
from tqdm.auto import tqdm

from utils import settings
from utils.catalogue.crawl import Crawl
from utils.catalogue.found import Found
from utils.catalogue.page import Page, Pages
from utils.catalogue.row import LAST_APPID
from utils.catalogue.service import CONTEXT, DATA, StoreError, open_store
from utils.catalogue.values import Fields, number, objects

DEFAULT_ORDER = "top sellers"

_IDS = 100  # ids a request for named games; 250 pass, 300 do not
_LONGEST_CHART = 1_000


def fetch_catalogue(
    limit: int | None = None,
    *,
    order: str = DEFAULT_ORDER,
    adult: bool = False,
    keep: Path | None = None,
    api_url: str | None = None,
    assets_url: str | None = None,
) -> pd.DataFrame:
    """Return the store's released games, or the first `limit` of them, as a table with the columns of `COLUMNS`.

    `order`, one of settings.ORDERS, says which games come first; the whole store (no limit, or 0) is always asked in
    the order that is steady while paging. Games for adults only are left out unless `adult`. Answers are kept in the
    folder `keep`, if given, so that an interrupted run goes on where it stopped.

    What was counted stands in `.attrs`, and in words in `summary(games)`: the games `announced` by the store, how many
    it fell `short` of that, the `distinct` ones it gave, the `adult` ones left out, the items `skipped` with their
    reasons, and the `request` itself.

    Raises StoreError (unreachable, closed, busy, no answer that can be used) and ValueError for an unknown order or a
    negative limit.
    """
    if order not in settings.ORDERS:
        raise ValueError(f"unknown order {order!r}; known are {', '.join(settings.ORDERS)}")
    if limit is not None and limit < 0:
        raise ValueError(f"limit is {limit}; allowed are None or 0 (all) and positive numbers")
    store = open_store(api_url, assets_url)
    pages = Pages(store, order if limit else "steady", keep)
    crawl = Crawl(pages)
    found = Found(store, adult=adult)
    for page in _with_bar(crawl, limit):
        found.add(page.items, page.listed)
        if limit and len(found.rows) >= limit:
            break
    pages.forget()
    short = 0 if limit and len(found.rows) >= limit else crawl.short
    return found.table(limit, announced=crawl.announced, short=short, request=request(limit, order, adult))


def request(limit: int | None, order: str, adult: bool) -> dict[str, object]:
    """Return what was asked for, as it stands beside a saved catalogue: the order of the whole store is no matter."""
    return {"limit": limit or 0, "order": order if limit else "", "adult": adult}


def fetch_games(appids: Iterable[int], *, api_url: str | None = None, assets_url: str | None = None) -> pd.DataFrame:
    """Return the same table for named games, in the order asked, those for adults included.

    Unknown and hidden games are left out; their appids stand in `.attrs["unknown"]`. Raises StoreError as
    `fetch_catalogue` does, and ValueError for what is no appid.
    """
    wanted = list(dict.fromkeys(map(_appid, appids)))
    store = open_store(api_url, assets_url)
    found = Found(store, adult=True)
    chunks = [wanted[start : start + _IDS] for start in range(0, len(wanted), _IDS)]
    for chunk in tqdm(chunks, desc="Named games", unit=" requests", disable=len(chunks) <= 1):
        ids = [{"appid": appid} for appid in chunk]
        question: Fields = {"ids": ids, "context": CONTEXT, "data_request": DATA}
        answer = store.ask("IStoreBrowseService/GetItems", question)
        found.add(objects(answer.get("store_items")))
    found.rows = {appid: found.rows[appid] for appid in wanted if appid in found.rows}
    return found.table(unknown=[appid for appid in wanted if appid not in found.rows])


def fetch_most_played(*, api_url: str | None = None) -> pd.DataFrame:
    """Return the store's chart of the games most played: columns rank and appid (int64, unique), best first.

    Raises StoreError as `fetch_catalogue` does.
    """
    answer = open_store(api_url).ask("ISteamChartsService/GetMostPlayedGames")
    ranks = objects(answer.get("ranks"))[:_LONGEST_CHART]
    rows = [(number(each.get("rank")), number(each.get("appid"), LAST_APPID)) for each in ranks]
    chart = pd.DataFrame([row for row in rows if all(row)], columns=pd.Index(["rank", "appid"])).astype("int64")
    return chart.drop_duplicates("appid").sort_values("rank", ignore_index=True)


def more_like_this(appid: int, n: int, *, api_url: str | None = None) -> pd.DataFrame:
    """Return the `n` games that the store itself calls like this one, by tags and buyers, most alike first.

    A table with the columns of `COLUMNS`; games for adults only are left out. Raises StoreError as `fetch_catalogue`
    does, and ValueError for what is no appid.
    """
    item = {"appid": _appid(appid)}
    store = open_store(api_url)
    question: Fields = {"item_id": item, "count": n, "context": CONTEXT, "data_request": DATA}
    answer = store.ask("IStoreQueryService/MoreLikeThis", question)
    found = Found(store, adult=False)
    found.add(objects(answer.get("store_items")))
    found.rows.pop(appid, None)
    return found.table(n)


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


def _with_bar(crawl: Crawl, limit: int | None) -> Iterator[Page]:
    with tqdm(desc="Catalogue", unit=" games") as bar:
        for page in crawl:
            yield page
            bar.total = min(limit or crawl.announced, crawl.announced)
            bar.update(min(page.end, bar.total) - bar.n)


def _appid(value: object) -> int:
    """Return an appid; raises ValueError where it is none."""
    appid = number(str(value), LAST_APPID)
    if not appid:
        raise ValueError(f"{value!r} is no appid; allowed are whole numbers from 1 to {LAST_APPID}")
    return appid
