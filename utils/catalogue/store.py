"""The store's services: one question, asked politely and its answer judged, and the whole of a list that changes."""

import functools
import json
import time
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from utils import http, settings
from utils.catalogue.row import Fields, fields, number, numbers, objects, text
from utils.errors import HttpError, StoreError, shown

DETAILS: Fields = {  # what every question about games asks for
    "context": {"language": "english", "country_code": "US", "steam_realm": 1},
    "data_request": {
        **dict.fromkeys(("include_assets", "include_basic_info", "include_reviews", "include_release"), True),
        "include_tag_count": 20,
    },
}

_PAUSE = 0.25  # seconds between requests to Steam, known to be accepted
_DEADLINE = 60.0  # seconds for one answer
_LIMIT = 16_000_000  # bytes of one answer; a page of 500 games has about 2 MB
_GOOD = "1"  # the service's result; 84 is the rate limit, others are other trouble, all with status 200
_OTHER_WAYS = (
    "Other ways: a key of your own in STEAM_API_KEY, a catalogue saved earlier (catalogue.load), a list of appids "
    "(catalogue.fetch_games), or SOURCE = 'sample' (a small store of our own) or 'folder' (your own pictures)"
)

_SORTS = {"title": 1, "steady": 2, "top sellers": 10, "most played": 30, "newest": 40}  # the service's `sort`
_PAGE = 500  # games a page, the most that is verified
_FILTERS = {"released_only": True, "type_filters": {"include_apps": True, "include_games": True}}
_PASSES = 3  # how often a list is read, at most, while it gives less than it announces
_PAGES = 2_500  # of a pass, at most; the whole store has 230
_NEGLIGIBLE = 1_000  # one game in this many may be missing without another pass: the list changes while it is read
_SHARE = 25  # one game in 25 is asked for again, so that one taken off the list meanwhile does not hide another
_T = TypeVar("_T")


class Store:
    """The store's services at one address, and the address of its pictures."""

    def __init__(self, api_url: str | None, assets_url: str | None = None) -> None:
        """None stands for the environment's addresses, or Steam's own; raises StoreError where there is no store."""
        default_api, default_assets = settings.store_urls()
        self.api_url = default_api if api_url is None else api_url
        self.assets_url = assets_url or default_assets
        if not self.api_url:
            raise StoreError("these games come from no store, so there is none to ask")
        self._key = settings.store_key(self.api_url)

    @functools.cached_property
    def tags(self) -> dict[int, str]:
        """The names of the tags by their number; none where the store does not give them: tags are decoration."""
        try:
            found = self.ask("IStoreService/GetTagList", {"language": "english"}, lambda each: each.get("tags"), 3)
        except StoreError:
            return {}
        named = {number(tag.get("tagid")): text(tag.get("name")) for tag in objects(found)}
        return {tag: name for tag, name in named.items() if tag and name}

    def ask(self, service: str, question: Fields, read: Callable[[Fields], _T | None], tries: int = http.TRIES) -> _T:
        """Return what `read` makes of the `response` of a service; raises StoreError where there is none.

        Where there is no response, or `read` finds nothing in it, it is asked again. The key that may be set goes to
        Steam's own host alone; where it is refused, the question is asked without it.
        """
        params = {"input_json": json.dumps(question, separators=(",", ":"))}

        def once() -> _T:
            answer = self._get(service, params)
            if self._key and answer.status in (401, 403):
                self._key = None
                answer = self._get(service, params)
            said = f"{shown(urlsplit(answer.address).netloc)} answered {answer.status} to {service}"
            found = read(_response(answer, said))
            if not found:
                raise StoreError(f"{said} with nothing that was asked for; try again later", retryable=True)
            return found

        return http.retry(once, tries)

    def _get(self, service: str, params: dict[str, str]) -> http.Answer:
        if self.api_url == settings.API_URL:
            time.sleep(_PAUSE)
        address = f"{self.api_url.rstrip('/')}/{service}/v1/"
        params = params | ({"key": self._key} if self._key else {})
        try:
            return http.get(address, params=params, limit=_LIMIT, deadline=_DEADLINE, allowed=[self.api_url], tries=1)
        except HttpError as error:
            said = f"{error}. {_OTHER_WAYS}" if error.retryable else str(error)
            raise StoreError(said, retryable=error.retryable, wait=error.wait) from None


def _response(answer: http.Answer, said: str) -> Fields:
    """Return the JSON object in an answer; raises StoreError with the kind of trouble."""
    if answer.status in (401, 403, 404, 410):
        is_busy = answer.status == 403
        raise StoreError(f"{said}: this service is closed, or asked too often. {_OTHER_WAYS}", retryable=is_busy)
    result = answer.headers.get("x-eresult", _GOOD).strip()
    if answer.status != 200 or result != _GOOD:
        is_passing = answer.status == 200 or http.is_retryable(answer.status)
        reason = "" if result == _GOOD else f" with result {text(result)}"
        advice = "wait some minutes and run again" if is_passing else "the service may have changed"
        raise StoreError(f"{said}{reason}; {advice}", retryable=is_passing, wait=answer.retry_after)
    try:  # Steam's texts have been seen with other bytes than UTF-8, and with raw control characters
        response = fields(json.loads(answer.body.decode("utf-8", "replace"), strict=False)).get("response")
    except (ValueError, RecursionError):
        response = None
    if not isinstance(response, dict):
        kind = shown(answer.headers.get("Content-Type", "no type"), 60)
        why = f"({kind!r}): a block page, a cut answer, or a service that has changed"
        raise StoreError(f"{said} with no JSON that has a 'response' {why}", retryable=True)
    return response


def items_of(answer: Fields) -> list[Fields]:
    """Return the store items in a response."""
    return objects(answer.get("store_items"))


class Page(NamedTuple):
    """Some games of the list."""

    end: int  # the place after the last one
    listed: list[int]  # appids
    items: list[Fields]
    total: int  # games in the whole list; 0 where the store does not say
    short: int = 0  # how many fewer were listed so far


def crawl(store: Store, order: str) -> Iterator[Page]:
    """Yield the pages of the whole list, which changes meanwhile; raises StoreError.

    order: one of settings.ORDERS, or "steady", the one that moves least while paging. Each page begins with games that
    the page before ended with. Where none of them comes back, games may have been missed: the list is read again, as it
    is where it gave less than it announced.
    """
    seen: set[int] = set()  # appids
    last = Page(0, [], [], 0)
    for _ in range(_PASSES):
        before = len(seen)
        last, is_whole = yield from _one_pass(store, _SORTS[order], seen, last.total)
        if (is_whole and last.short <= last.total // _NEGLIGIBLE) or len(seen) == before:
            return


def _one_pass(store: Store, sort: int, seen: set[int], total: int) -> Generator[Page, None, tuple[Page, bool]]:
    """Yield the pages from the first to the last; returns that one, and whether none can have been missed."""
    last = Page(0, [], [], total)
    is_whole = True
    for _ in range(_PAGES):
        overlap = max(1, len(last.listed) // _SHARE) if len(last.listed) > 1 else 0  # games that are asked for again
        start = last.end - overlap
        query = {"start": start, "count": _PAGE, "sort": sort, "filters": _FILTERS}
        page = store.ask("IStoreQueryService/Query", {"query": query} | DETAILS, functools.partial(_read, start))
        is_whole &= not overlap or not set(last.listed).isdisjoint(page.listed[:overlap])
        is_news = page.end > last.end or not seen.issuperset(page.listed)
        seen.update(page.listed)
        total = page.total or total
        last = page._replace(total=total, short=max(0, total - len(seen)))
        yield last
        if page.end >= total > 0 or not is_news:
            return last, is_whole
    return last, False


def _read(start: int, answer: Fields) -> Page | None:
    """Return a page of the list, None where it is empty and not the end; without ids, those of its items count."""
    items = items_of(answer)[:_PAGE]
    entries = objects(answer.get("ids"))[:_PAGE] or items
    listed = numbers([entry.get("appid") for entry in entries])
    said = fields(answer.get("metadata")).get("total_matching_records")
    total = number(said, settings.GAMES_LIMIT)
    is_end = said in (0, "0") or 0 < total <= start
    return Page(start + len(entries), listed, items, total) if listed or is_end else None
