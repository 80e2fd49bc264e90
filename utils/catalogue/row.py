"""The store's items as rows of a table: a bad value costs the value, a bad item the item, and both are counted.

Nothing is certain in the store's JSON. It leaves out what is false or empty, and sends some numbers as text.
"""

import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import pandas as pd

from utils.names import shortened, visible

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
TEXT = 200  # characters of a name; the longest on Steam are shorter
ENTRIES = 20  # of a list

Fields = dict[str, object]  # a JSON object

_ADULT = {3, 4}  # content descriptors: adult only sexual content, frequent nudity or sexual content
_INT64 = 2**63 - 1
_NUMBER = re.compile("[0-9]{1,19}")
_PATH = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._/-]{0,199}")
_TEMPLATE = re.compile(r"(.+)/\$\{FILENAME\}(?:\?t=([0-9]{1,19}))?")
_T = TypeVar("_T")


def number(value: object, most: int = _INT64) -> int:
    """Return a whole number from 0 to `most`, which may have come as text; 0 for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= most else 0


def text(value: object) -> str:
    """Return a text on one line, at most 200 characters, without what breaks files and pages; "" for anything else."""
    return shortened(visible(value[: 10 * TEXT]), TEXT) if isinstance(value, str) else ""


def fields(value: object) -> Fields:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: object) -> list[Fields]:
    """Return the objects in a list; none where there is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def numbers(value: object) -> list[int]:
    """Return the numbers above 0 in a list, in order, each once; none where there is no list."""
    found = map(number, value) if isinstance(value, list) else ()
    return list(filter(None, dict.fromkeys(found)))


def appid_of(item: Fields) -> int:
    """Return the appid of an item; 0 where it has none."""
    return number(item.get("appid") or item.get("id"), LAST_APPID)


def row(item: Fields, assets_url: str, tags: Mapping[int, str], unreadable: Counter[str]) -> Fields:
    """Return a store item as a row of the table; raises ValueError with the reason where it cannot be one.

    unreadable: how often a field was there and was not what it should be, counted on by its name.
    """
    read = functools.partial(_read, unreadable)
    _require_sold(item)
    appid, name = appid_of(item), text(item.get("name"))
    if not appid or not name:
        raise ValueError("without appid or name")
    info = read(item, "basic_info", fields)
    reviews = read(read(item, "reviews", fields), "summary_filtered", fields)
    count = read(reviews, "review_count", number)
    percent = float(read(reviews, "percent_positive", functools.partial(number, most=100)))
    banner_url, updated = _banner(read(item, "assets", fields), assets_url, unreadable)
    released = read(item, "release", fields)
    known = filter(None, map(tags.get, read(item, "tagids", numbers)))
    return {
        "appid": appid,
        "name": name,
        "banner_url": banner_url,
        "updated": updated,
        "release_date": read(released, "steam_release_date", functools.partial(number, most=LAST_DATE)),
        "franchises": read(info, "franchises", _names),
        "developers": read(info, "developers", _names),
        "publishers": read(info, "publishers", _names),
        "tags": list(known)[:ENTRIES],
        "review_count": count,
        "review_score": percent if count else math.nan,
        "adult": _is_adult(item.get("content_descriptorids")),
    }


class CatalogueBuilder:
    """Rows out of the store's items, by appid, and what was counted on the way."""

    def __init__(self, assets_url: str, tags: Callable[[], Mapping[int, str]], *, adult: bool) -> None:
        """tags: gives the name of each tag, once there is an item. adult: whether games for adults only become rows."""
        self.rows: dict[int, Fields] = {}
        self.skipped: dict[int, str] = {}  # appid, below 0 where the item has none -> reason
        self._assets_url = assets_url
        self._tags = tags
        self._adult = adult
        self._left_out: set[int] = set()
        self._unreadable: Counter[str] = Counter()

    def add(self, items: Iterable[Fields], listed: Iterable[int] = ()) -> None:
        """Take the games among some items; what was listed beside them and has no item is counted."""
        for item in items:
            appid = appid_of(item) or -len(self.skipped) - 1
            if appid not in self.rows and appid not in self._left_out:
                self._take(appid, item)
        known = self.rows.keys() | self._left_out | self.skipped.keys()
        self.skipped |= dict.fromkeys(set(listed) - known, "listed without details")

    def table(self, limit: int | None = None, **attributes: object) -> pd.DataFrame:
        """Return the rows, or the first `limit` of them, as a table; what was counted stands in its `attrs`."""
        games = table_of(list(self.rows.values())[: limit or None])
        games.attrs = {
            "distinct": len(self.rows) + len(self._left_out),
            "adult": len(self._left_out),
            "skipped": dict(Counter(self.skipped.values())),
            "unreadable": dict(self._unreadable),
            "tags": len(self._tags()),
            **attributes,
        }
        return games

    def _take(self, appid: int, item: Fields) -> None:
        try:
            found = row(item, self._assets_url, self._tags(), self._unreadable)
        except ValueError as error:
            self.skipped[appid] = str(error)
            return
        self.skipped.pop(appid, None)
        if found["adult"] and not self._adult:
            self._left_out.add(appid)
        else:
            self.rows[appid] = found


def table_of(rows: list[Fields]) -> pd.DataFrame:
    """Return rows as a table with COLUMNS."""
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS)).astype(COLUMNS)


def _read(unreadable: Counter[str], parent: Fields, name: str, reader: Callable[[object], _T]) -> _T:
    """Return a field as `reader` gives it; one that is there and gives nothing is counted."""
    value = parent.get(name)
    found = reader(value)
    if value and not found and value != "0":
        unreadable[name] += 1
    return found


def _require_sold(item: Fields) -> None:
    """Raise ValueError for what is no game, or none that is sold here."""
    if number(item.get("item_type")) or number(item.get("type")):
        raise ValueError("not a game")
    if number(item.get("success", 1)) == 1:
        return
    if text(item.get("name")) or item.get("unvailable_for_country_restriction"):  # the service spells it so
        raise ValueError("not sold in this country")
    raise ValueError("unknown to the store, or hidden")


def _is_adult(descriptors: object) -> bool:
    """Return whether a game is for adults only; raises ValueError where that cannot be read."""
    if descriptors is None:
        return False
    if not isinstance(descriptors, list) or not all(map(number, descriptors)):
        raise ValueError("with content descriptors that cannot be read")
    return not _ADULT.isdisjoint(numbers(descriptors))


def _names(value: object) -> list[str]:
    """Return the names in a list of objects, at most 20, those that are no text left out."""
    found = (text(each.get("name")) for each in objects(value)[:ENTRIES])
    return list(filter(None, found))


def _banner(assets: Fields, assets_url: str, unreadable: Counter[str]) -> tuple[str | None, int]:
    """Return the address of the vertical banner, None without one, and when the pictures last changed (unix s)."""
    read = functools.partial(_read, unreadable, assets)
    filename = read("library_capsule", _path) or read("library_capsule_2x", _path)
    if not filename:
        return None, 0
    folder, changed = read("asset_url_format", _template) or ("", "")
    if not folder:
        unreadable["asset_url_format"] += not assets.get("asset_url_format")
        return None, 0
    version = f"?t={changed}" if changed else ""
    return f"{assets_url.rstrip('/')}/{folder}/{filename}{version}", number(changed, LAST_DATE)


def _path(value: object) -> str:
    """Return a path below another one; "" for anything that could lead elsewhere."""
    is_path = isinstance(value, str) and _PATH.fullmatch(value)
    return value if is_path and {"", ".", ".."}.isdisjoint(value.split("/")) else ""


def _template(value: object) -> tuple[str, str] | None:
    """Return the folder and the version in a template for addresses; None where it is not understood."""
    parts = _TEMPLATE.fullmatch(value) if isinstance(value, str) else None
    return (parts[1], parts[2] or "") if parts and _path(parts[1]) else None
