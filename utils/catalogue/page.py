"""One page of the store's list, as it was answered or as an interrupted run kept it."""

import functools
import gzip
import hashlib
import json
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from utils import files
from utils.catalogue.service import CONTEXT, DATA, Store, StoreError
from utils.catalogue.values import Fields, number, numbers, objects

PAGE = 500  # games a page, the most that is verified
GAMES_LIMIT = 1_000_000  # more than Steam will have for a long time; a larger total is not believed

_SERVICE = "IStoreQueryService/Query"
_SORTS = {"title": 1, "steady": 2, "top sellers": 10, "most played": 30, "newest": 40}  # the service's `sort`
_FILTERS = {"released_only": True, "type_filters": {"include_apps": True, "include_games": True}}
_FRESH = 24 * 3600  # seconds after which a kept page is asked for again
_LIMIT = 16_000_000  # bytes of a kept page, decompressed
_KEPT = "page-{}.json.gz"


class EmptyPage(StoreError):
    """A page without games where the list should have some."""


@dataclass(frozen=True)
class Page:
    """Some games of the list, from place `start` to before place `end`."""

    start: int
    end: int
    listed: list[int]  # appids
    items: list[Fields]
    total: int  # games in the whole list; 0 where the store does not say

    @property
    def is_plausible(self) -> bool:
        """Whether it has games, or rightly none."""
        return bool(self.listed) or self.start >= self.total > 0


@dataclass(frozen=True)
class Pages:
    """The pages of one list, asked of the store, and kept in a folder if one is given."""

    store: Store
    order: str
    keep: Path | None = None

    def ask(self, start: int, number_asked: int) -> Page:
        """Return the page that begins at `start`; raises StoreError, also for a page that stays empty in the middle.

        `number_asked` counts the questions of a crawl, so that a resumed one takes what was kept for the same question.
        """
        question = self._question(start)
        place = self._place(question, number_asked)
        kept = _page(_read(place), start)
        if kept.is_plausible:
            return kept
        answer = self.store.ask(_SERVICE, question, check=functools.partial(self._check, start))
        if place:
            files.write(place, gzip.compress(json.dumps(answer).encode(), compresslevel=1))
        return _page(answer, start)

    def forget(self) -> None:
        """Remove the pages that were kept, and the folder if nothing else is in it."""
        if not self.keep or not self.keep.is_dir():
            return
        for file in self.keep.glob(_KEPT.format("[0-9a-f]" * 16)):
            file.unlink(missing_ok=True)
        if not any(self.keep.iterdir()):
            self.keep.rmdir()

    def _check(self, start: int, answer: Fields) -> None:
        page = _page(answer, start)
        is_empty_store = start == 0 and _total(answer) in (0, "0")
        if not (page.is_plausible or is_empty_store):
            raise EmptyPage(f"{self.store.host} answered a page with no games; try again later", retryable=True)

    def _question(self, start: int) -> Fields:
        query = {"start": start, "count": PAGE, "sort": _SORTS[self.order], "filters": _FILTERS}
        return {"query": query, "context": CONTEXT, "data_request": DATA}

    def _place(self, question: Fields, number_asked: int) -> Path | None:
        """Return where this page is kept: under a name that no other store and no other question has."""
        if not self.keep:
            return None
        identity = json.dumps([self.store.api_url, number_asked, question], sort_keys=True)
        return self.keep / _KEPT.format(hashlib.sha256(identity.encode()).hexdigest()[:16])


def _page(answer: Fields, start: int) -> Page:
    """Read an answer; where it lists no ids, those of its items count."""
    items = objects(answer.get("store_items"))[:PAGE]
    entries = objects(answer.get("ids"))[:PAGE] or items
    listed = numbers([entry.get("appid") for entry in entries])
    return Page(start, start + len(entries), listed, items, number(_total(answer), GAMES_LIMIT))


def _total(answer: Fields) -> object:
    metadata = answer.get("metadata")
    return metadata.get("total_matching_records") if isinstance(metadata, dict) else None


def _read(place: Path | None) -> Fields:
    """Return the answer that was kept at a place; an empty one where there is none that is fresh and whole."""
    try:
        if place is None or not 0 <= time.time() - place.stat().st_mtime < _FRESH:
            return {}
        with gzip.open(place) as kept:
            answer = json.loads(kept.read(_LIMIT))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
