"""Every page of a list that changes while it is read, and how much of what was announced came."""

from collections.abc import Iterator

from utils.catalogue.page import GAMES_LIMIT, EmptyPage, Page, Pages

_PASSES = 3  # how often a list is read, at most, while it gives less than it announces
_NEGLIGIBLE = 1_000  # one game in this many may be missing without a second pass: the list changes while it is read
_SHARE = 25  # one game in 25 is asked for again, so that one taken off the list meanwhile does not hide another
_FEWEST = 100  # games a page, on average, of a store that means well
_STEPS_BACK = 8  # how often the crawl goes back to meet what it had, each time twice as far


class Crawl:
    """A reading of the whole list.

    Each page begins with games that the page before ended with. Where none of them comes back, the list got shorter
    meanwhile, or a page came back empty: the crawl steps back, further each time, until it meets what it had. A list
    that gave less than it announced is read again.
    """

    def __init__(self, pages: Pages) -> None:
        self.announced = 0  # games, by the latest page that says so
        self._pages = pages
        self._seen: set[int] = set()  # appids
        self._asked = 0  # questions
        self._most = 1  # that may be asked in all

    @property
    def short(self) -> int:
        """How many games fewer were listed than announced."""
        return max(0, self.announced - len(self._seen))

    def __iter__(self) -> Iterator[Page]:
        """Yield the pages; raises StoreError."""
        for _ in range(_PASSES):
            before = len(self._seen)
            yield from self._one_pass()
            if self.short <= self.announced // _NEGLIGIBLE or len(self._seen) == before:
                return

    def _one_pass(self) -> Iterator[Page]:
        end = 0  # the place after the last game so far
        overlap = 0  # games of it that are asked for again
        back = 0  # steps back so far
        must_meet = True
        while self._asked < self._most:
            page = self._page(max(0, end - overlap * 2**back))
            if must_meet and page.start and self._seen.isdisjoint(page.listed[: max(1, overlap)]):
                back = (back + 1) % (_STEPS_BACK + 1)
                must_meet = back > 0
                continue
            is_news = page.end > end or not self._seen.issuperset(page.listed)
            self._seen.update(page.listed)
            yield page
            if not page.listed or not is_news or page.end >= self.announced > 0:
                return
            end = page.end
            overlap = (page.end - page.start) // _SHARE
            back = 0

    def _page(self, start: int) -> Page:
        """Return the page at a place, one without games where the store gives none after a few tries."""
        self._asked += 1
        try:
            page = self._pages.ask(start, self._asked)
        except EmptyPage:
            if start == 0:
                raise
            return Page(start, start, [], [], 0)
        self.announced = page.total or self.announced
        if start == 0 and page.listed:
            self._most = max(self._most, _PASSES * (page.total or GAMES_LIMIT) // _FEWEST + 20)
        return page
