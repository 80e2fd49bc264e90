"""The store's items as rows of a table: a bad value costs the value, a bad item the item, and both are counted.

Nothing is certain in the store's JSON. It leaves out what is false or empty, and sends some numbers as text.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import pandas as pd

from utils.errors import shown

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
LISTS = ("franchises", "developers", "publishers", "tags")
LAST_APPID = 2**32 - 1
LAST_DATE = 4_102_444_800  # 2100, unix s; what is later is no date
ENTRIES = 20  # of a list

Fields = dict[str, object]  # a JSON object

_ADULT = {3, 4}  # content descriptors: adult only sexual content, frequent nudity or sexual content
_ADULTS_ONLY = "for adults only"
_TEXT = 200  # characters of a name; the longest on Steam are shorter
_NUMBER = re.compile("[0-9]{1,19}")
_PATH = re.compile(r"(?=.{1,200}$)[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_TEMPLATE = re.compile(r"(.+)/\$\{FILENAME\}(?:\?t=([0-9]{1,19}))?")
_T = TypeVar("_T")


def number(value: object, most: int = 2**63 - 1) -> int:
    """Return a whole number from 0 to `most`, which may have come as text; 0 for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= most else 0


def text(value: object) -> str:
    """Return a text on one line, at most 200 characters, without what breaks files and pages; "" for anything else."""
    return shown(value[: 10 * _TEXT], _TEXT) if isinstance(value, str) else ""


def fields(value: object) -> Fields:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Fields]:
    """Return the objects in a list; none where there is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def numbers(value: object) -> list[int]:
    """Return the numbers above 0 in a list, in order, each once; none where there is no list."""
    return list(filter(None, dict.fromkeys(map(number, value)))) if isinstance(value, list) else []


def appid_of(item: Fields) -> int:
    """Return the appid of an item; 0 where it has none."""
    return number(item.get("appid") or item.get("id"), LAST_APPID)


def table_of(rows: list[Fields]) -> pd.DataFrame:
    """Return rows as a table with COLUMNS."""
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS)).astype(COLUMNS)


class CatalogueBuilder:
    """Rows out of the store's items, by appid, and what was counted on the way."""

    def __init__(self, assets_url: str, *, adult: bool) -> None:
        """assets_url: where the pictures are. adult: whether games for adults only become rows."""
        self.rows: dict[int, Fields] = {}
        self.skipped: dict[int, str] = {}  # appid, below 0 where the item has none -> reason
        self._assets_url = assets_url.rstrip("/")
        self._adult = adult
        self._unreadable: Counter[str] = Counter()  # fields of the rows that were there, not what they should be

    def add(self, items: Iterable[Fields], listed: Iterable[int] = ()) -> None:
        """Take the games among some items; what was listed beside them and has no item is counted."""
        for item in items:
            appid = appid_of(item) or -len(self.skipped) - 1
            if appid in self.rows or self.skipped.get(appid) == _ADULTS_ONLY:
                continue
            if reason := _reason_against(item, adult=self._adult):
                self.skipped[appid] = reason
            else:
                self.skipped.pop(appid, None)
                self.rows[appid] = self._row(item)
        unknown = set(listed) - self.rows.keys() - self.skipped.keys()
        self.skipped |= dict.fromkeys(unknown, "listed without details")

    def table(self, tags: Mapping[int, str], limit: int | None = None, **attributes: object) -> pd.DataFrame:
        """Return the rows, or the first `limit` of them, as a table; what was counted stands in its `attrs`.

        tags: the names of the tags by their number; unknown ones are left out.
        """
        games = table_of(list(self.rows.values())[: limit or None])
        games["tags"] = [list(filter(None, map(tags.get, found)))[:ENTRIES] for found in games["tags"]]
        skipped = Counter(self.skipped.values())
        games.attrs = {"adult": skipped.pop(_ADULTS_ONLY, 0), "skipped": dict(skipped), "tags": len(tags)}
        games.attrs |= {"unreadable": dict(self._unreadable), **attributes}
        return games

    def _row(self, item: Fields) -> Fields:
        """Return an item as a row, its tags by number."""
        read = self._read
        info = read(item, "basic_info", fields)
        reviews = read(read(item, "reviews", fields), "summary_filtered", fields)
        count, percent = read(reviews, "review_count", number), float(read(reviews, "percent_positive", number, 100))
        banner_url, updated = self._banner(read(item, "assets", fields))
        return {
            "appid": appid_of(item),
            "name": text(item.get("name")),
            "banner_url": banner_url,
            "updated": updated,
            "release_date": read(read(item, "release", fields), "steam_release_date", number, LAST_DATE),
            "franchises": read(info, "franchises", _names),
            "developers": read(info, "developers", _names),
            "publishers": read(info, "publishers", _names),
            "tags": read(item, "tagids", numbers),
            "review_count": count,
            "review_score": percent if count else math.nan,
            "adult": _is_adult(item),
        }

    def _banner(self, assets: Fields) -> tuple[str | None, int]:
        """Return the address of the vertical banner, None without one, and when the pictures last changed (unix s)."""
        filename = self._read(assets, "library_capsule", _path) or self._read(assets, "library_capsule_2x", _path)
        if not filename:
            return None, 0
        given = assets.get("asset_url_format")
        template = _TEMPLATE.fullmatch(given) if isinstance(given, str) else None
        if template is None or not _path(template[1]):
            self._unreadable["asset_url_format"] += 1  # also where it is absent: the pictures lie elsewhere now
            return None, 0
        folder, changed = template.groups("")
        version = f"?t={changed}" if changed else ""
        return f"{self._assets_url}/{folder}/{filename}{version}", number(changed, LAST_DATE)

    def _read(self, parent: Fields, name: str, reader: Callable[..., _T], *more: int) -> _T:
        """Return a field as `reader` gives it; one that is there and gives nothing is counted."""
        value = parent.get(name)
        found = reader(value, *more)
        if value and value != "0" and not found:
            self._unreadable[name] += 1
        return found


def _reason_against(item: Fields, *, adult: bool) -> str:
    """Return why an item is no game that is sold here, or none that can be a row; "" for one that can."""
    name = text(item.get("name"))
    descriptors = item.get("content_descriptorids")
    if number(item.get("item_type")) or number(item.get("type")):
        return "not a game"
    if number(item.get("success", 1)) != 1:
        is_known = name or item.get("unvailable_for_country_restriction")  # the service spells it so
        return "not sold in this country" if is_known else "unknown to the store, or hidden"
    if not name or not appid_of(item):
        return "without appid or name"
    if descriptors is not None and not (isinstance(descriptors, list) and all(map(number, descriptors))):
        return "with content descriptors that cannot be read"  # it might be for adults only
    return "" if adult or not _is_adult(item) else _ADULTS_ONLY


def _is_adult(item: Fields) -> bool:
    return not _ADULT.isdisjoint(numbers(item.get("content_descriptorids")))


def _names(value: object) -> list[str]:
    """Return the names in a list of objects, at most 20, those that are no text left out."""
    return list(filter(None, [text(each.get("name")) for each in objects(value)[:ENTRIES]]))


def _path(value: object) -> str:
    """Return a path below another one; "" for anything that could lead elsewhere."""
    return value if isinstance(value, str) and _PATH.fullmatch(value) else ""
