"""The store's services: one question, asked politely and its answer judged, and the whole of a list that changes."""

import functools
import json
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from utils import http, settings
from utils.catalogue.row import Fields, fields, number, numbers, objects, text
from utils.errors import HttpError, StoreError

PAGE = 500  # games a page, the most that is verified
GAMES_LIMIT = 1_000_000  # more than Steam will have for a long time; a larger total is not believed
CONTEXT = {"language": "english", "country_code": "US", "steam_realm": 1}
DATA = {
    "include_assets": True,
    "include_basic_info": True,
    "include_reviews": True,
    "include_release": True,
    "include_tag_count": 20,
}

_PAUSE = 0.25  # seconds between requests to Steam, known to be accepted
_DEADLINE = 60.0  # seconds for one answer
_LIMIT = 16_000_000  # bytes of one answer; a page of 500 games has about 2 MB
_LIMIT_OF_ALL = 1_500_000_000  # bytes of all answers together; the whole store has about 400 MB
_GOOD = "1"  # the service's result; 84 is the rate limit, others are other trouble, all with status 200
_OTHER_WAYS = (
    "Other ways: set STEAM_API_KEY to a key of your own, or start from a catalogue saved earlier (catalogue.load) "
    "or from a list of appids (catalogue.fetch_games)"
)
_ELSEWHERE = "Without it: SOURCE = 'sample' (a small store of our own) or SOURCE = 'folder' (your own pictures)"

_SORTS = {"title": 1, "steady": 2, "top sellers": 10, "most played": 30, "newest": 40}  # the service's `sort`
_FILTERS = {"released_only": True, "type_filters": {"include_apps": True, "include_games": True}}
_PASSES = 3  # how often a list is read, at most, while it gives less than it announces
_NEGLIGIBLE = 1_000  # one game in this many may be missing without another pass: the list changes while it is read
_SHARE = 25  # one game in 25 is asked for again, so that one taken off the list meanwhile does not hide another
_FEWEST = 100  # games a page, on average, of a store that means well


@dataclass
class Store:
    """The store's services at one address, and the address of its pictures."""

    api_url: str
    assets_url: str
    _key: str | None = field(default=None, repr=False)
    _received: int = field(default=0, init=False)

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.api_url).netloc

    @functools.cached_property
    def tags(self) -> dict[int, str]:
        """The names of the tags by their number; none where the store does not give them: tags are decoration."""
        try:
            answer = self.ask("IStoreService/GetTagList", {"language": "english"}, tries=3)
        except StoreError:
            return {}
        named = {number(tag.get("tagid")): text(tag.get("name")) for tag in objects(answer.get("tags"))}
        return {tag: name for tag, name in named.items() if tag and name}

    def ask(
        self,
        service: str,
        question: Fields | None = None,
        *,
        is_answer: Callable[[Fields], object] = bool,
        tries: int = http.TRIES,
    ) -> Fields:
        """Return the `response` of a service; raises StoreError where there is none, or none that `is_answer`.

        Both are asked again. The key that may be set goes to Steam's own host alone; where it is refused, the question
        is asked without it.
        """
        if self.api_url == settings.API_URL:
            time.sleep(_PAUSE)
        params = {"input_json": json.dumps(question or {}, separators=(",", ":"))}

        def once() -> Fields:
            response = self._response(service, self._get(service, params))
            if not is_answer(response):
                said = f"{self.host} answered {service} with nothing that was asked for; try again later"
                raise StoreError(said, retryable=True)
            return response

        return http.retry(once, tries)

    def _get(self, service: str, params: dict[str, str]) -> http.Answer:
        address = f"{self.api_url.rstrip('/')}/{service}/v1/"
        with_key = params | ({"key": self._key} if self._key else {})
        try:
            answer = http.get(
                address, params=with_key, limit=_LIMIT, deadline=_DEADLINE, allowed=[self.api_url], tries=1
            )
        except HttpError as error:
            said = f"{error}. {_ELSEWHERE}" if error.retryable else str(error)
            raise StoreError(said, retryable=error.retryable, wait=error.wait) from None
        if self._key and answer.status in (401, 403):
            self._key = None
            return self._get(service, params)
        return answer

    def _response(self, service: str, answer: http.Answer) -> Fields:
        """Return the JSON object in an answer, or say which kind of trouble it is."""
        said = f"{self.host} answered {answer.status} to {service}"
        if answer.status != 200:
            raise _refusal(said, answer)
        self._received += len(answer.body)
        if self._received > _LIMIT_OF_ALL:
            raise StoreError(f"{self.host} sent more than {_LIMIT_OF_ALL:,} bytes in all, which no catalogue needs")
        result = answer.headers.get("x-eresult", _GOOD).strip()
        if result != _GOOD:
            reason = "its rate limit" if result == "84" else f"result {text(result)}"
            raise StoreError(f"{said} with trouble ({reason}); wait some minutes and run again", retryable=True)
        try:  # Steam's texts have been seen with other bytes than UTF-8, and with raw control characters
            body = json.loads(answer.body.decode("utf-8", "replace"), strict=False)
        except (ValueError, RecursionError):
            kind = str(answer.headers.get("Content-Type", "no type"))[:60]
            raise StoreError(f"{said} with no JSON ({kind!r}): a block page, or a cut answer", retryable=True) from None
        response = body.get("response") if isinstance(body, dict) else None
        if not isinstance(response, dict):
            changed = "the service may have changed"
            raise StoreError(f"{said} with JSON that has no 'response'; {changed}", retryable=True)
        return response


def open_store(api_url: str | None, assets_url: str | None = None) -> Store:
    """Return the store at these addresses; None stands for the environment's, or Steam's own, "" for no store.

    Raises StoreError for what is not an address.
    """
    default_api, default_assets = settings.store_urls()
    api_url = default_api if api_url is None else api_url
    if not api_url:
        raise StoreError("these games come from no store, so there is none to ask")
    try:
        http.checked(api_url)
    except HttpError as error:
        raise StoreError(str(error)) from None
    return Store(api_url, assets_url or default_assets, settings.store_key(api_url))


def _refusal(said: str, answer: http.Answer) -> StoreError:
    if answer.status in (401, 404, 410):
        return StoreError(f"{said}: this service is closed. {_OTHER_WAYS}")
    if answer.status == 403:
        return StoreError(f"{said}: too many requests, or a service that is closed. {_OTHER_WAYS}", retryable=True)
    if http.is_retryable(answer.status):
        error = f"{said}, again and again; wait some minutes and run again"
        return StoreError(error, retryable=True, wait=answer.retry_after)
    return StoreError(f"{said}; the service may have changed")


@dataclass(frozen=True)
class Page:
    """Some games of the list, from place `start` to before place `end`."""

    start: int
    end: int
    listed: list[int]  # appids
    items: list[Fields]
    total: int | None  # games in the whole list; None where the store does not say

    @classmethod
    def read(cls, answer: Fields, start: int) -> "Page":
        """Read an answer; where it lists no ids, those of its items count."""
        items = objects(answer.get("store_items"))[:PAGE]
        entries = objects(answer.get("ids"))[:PAGE] or items
        listed = numbers([entry.get("appid") for entry in entries])
        said = fields(answer.get("metadata")).get("total_matching_records")
        total = number(said, GAMES_LIMIT)
        return cls(start, start + len(entries), listed, items, total if total or said in (0, "0") else None)

    @property
    def is_plausible(self) -> bool:
        """Whether it has games, or rightly none."""
        return bool(self.listed) or (self.total is not None and self.start >= self.total)


class Crawl:
    """A reading of the whole list, which changes meanwhile.

    Each page begins with games that the page before ended with. Where none of them comes back, games may have been
    missed: the list is read again, as it is where it gave less than it announced.
    """

    def __init__(self, store: Store, order: str) -> None:
        """order: one of settings.ORDERS, or "steady", the one that moves least while paging."""
        self.announced = 0  # games, by the latest page that says so
        self._store = store
        self._sort = _SORTS[order]
        self._seen: set[int] = set()  # appids
        self._asked = 0  # pages
        self._most = 1  # that may be asked in all

    @property
    def short(self) -> int:
        """How many games fewer were listed than announced."""
        return max(0, self.announced - len(self._seen))

    def __iter__(self) -> Iterator[Page]:
        """Yield the pages; raises StoreError."""
        for _ in range(_PASSES):
            before = len(self._seen)
            is_whole = yield from self._one_pass()
            if (is_whole and self.short <= self.announced // _NEGLIGIBLE) or len(self._seen) == before:
                return

    def _one_pass(self) -> Generator[Page, None, bool]:
        """Yield the pages from the first to the last; returns whether none can have been missed between them."""
        last = Page(0, 0, [], [], 0)
        overlap = 0  # games of the last page that are asked for again
        is_whole = True
        while self._asked < self._most:
            page = self._page(last.end - overlap)
            is_whole &= not overlap or not set(last.listed).isdisjoint(page.listed[:overlap])
            is_news = page.end > last.end or not self._seen.issuperset(page.listed)
            self._seen.update(page.listed)
            yield page
            if page.end >= self.announced > 0 or not is_news:
                return is_whole
            last = page
            overlap = min(max(1, (page.end - page.start) // _SHARE), page.end - page.start - 1)
        return False

    def _page(self, start: int) -> Page:
        self._asked += 1
        query = {"start": start, "count": PAGE, "sort": self._sort, "filters": _FILTERS}
        question: Fields = {"query": query, "context": CONTEXT, "data_request": DATA}

        def is_answer(answer: Fields) -> bool:
            return Page.read(answer, start).is_plausible

        page = Page.read(self._store.ask("IStoreQueryService/Query", question, is_answer=is_answer), start)
        self.announced = page.total or self.announced
        if start == 0:
            self._most = max(self._most, _PASSES * (page.total or GAMES_LIMIT) // _FEWEST + 20)
        return page
