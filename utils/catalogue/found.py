"""The games found so far, by appid, and what was counted on the way."""

import functools
from collections import Counter
from collections.abc import Iterable

import pandas as pd

from utils.catalogue.row import COLUMNS, row
from utils.catalogue.service import Store, StoreError
from utils.catalogue.values import Fields, number, objects, text


class Found:
    """Rows out of the store's items. A malformed item is counted, with the reason, and never fatal."""

    def __init__(self, store: Store, *, adult: bool) -> None:
        """`adult`: whether games for adults only become rows."""
        self.rows: dict[int, Fields] = {}
        self._store = store
        self._adult = adult
        self._left_out: set[int] = set()
        self._skipped: dict[int, str] = {}  # appid, below 0 where the item has none -> reason

    def add(self, items: Iterable[Fields], listed: Iterable[int] = ()) -> None:
        """Take the games among some items; what was listed beside them and has no item is counted."""
        for item in items:
            appid = number(item.get("appid") or item.get("id")) or -len(self._skipped) - 1
            try:
                self._take(appid, row(item, self._store.assets_url, self._tags))
            except ValueError as error:
                if appid not in self.rows:
                    self._skipped[appid] = str(error)
        known = self.rows.keys() | self._left_out | self._skipped.keys()
        self._skipped |= dict.fromkeys(set(listed) - known, "listed without details")

    def table(self, limit: int | None = None, **attributes: object) -> pd.DataFrame:
        """Return the rows, or the first `limit` of them, as a table; what was counted stands in its `attrs`."""
        rows = list(self.rows.values())[: limit or None]
        games = pd.DataFrame(rows, columns=pd.Index(COLUMNS)).astype(COLUMNS)
        games.attrs = {
            "distinct": len(self.rows) + len(self._left_out),
            "adult": len(self._left_out),
            "skipped": dict(Counter(self._skipped.values())),
            "tags": len(self._tags),
            **attributes,
        }
        return games

    def _take(self, appid: int, found: Fields) -> None:
        self._skipped.pop(appid, None)
        if found["adult"] and not self._adult:
            self._left_out.add(appid)
        else:
            self.rows[appid] = found

    @functools.cached_property
    def _tags(self) -> dict[int, str]:
        """The names of the tags by their number; none where the store does not give them: tags are decoration."""
        try:
            answer = self._store.ask("IStoreService/GetTagList", {"language": "english"}, tries=3)
        except StoreError:
            return {}
        named = {number(tag.get("tagid")): text(tag.get("name")) for tag in objects(answer.get("tags"))}
        return {tag: name for tag, name in named.items() if tag and name}
