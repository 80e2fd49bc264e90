"""A store item as a row of the table."""

import math

from utils.catalogue.banner import LAST_DATE, banner
from utils.catalogue.values import ENTRIES, Fields, fields, names, number, numbers, text

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

_ADULT = {3, 4}  # content descriptors: adult only sexual content, frequent nudity or sexual content


def row(item: Fields, assets_url: str, tags: dict[int, str]) -> Fields:
    """Return a store item as a row of the table; raises ValueError with the reason where it cannot be one."""
    if number(item.get("success", 1)) != 1:
        raise ValueError("hidden or unknown to the store")
    if number(item.get("item_type")) or number(item.get("type")):
        raise ValueError("not a game")
    appid = number(item.get("appid") or item.get("id"), LAST_APPID)
    name = text(item.get("name"))
    if not appid or not name:
        raise ValueError("without appid or name")
    info = fields(item, "basic_info")
    banner_url, updated = banner(fields(item, "assets"), assets_url)
    count, score = _reviews(fields(fields(item, "reviews"), "summary_filtered"))
    return {
        "appid": appid,
        "name": name,
        "banner_url": banner_url,
        "updated": updated,
        "release_date": number(fields(item, "release").get("steam_release_date"), LAST_DATE),
        "franchises": names(info, "franchises"),
        "developers": names(info, "developers"),
        "publishers": names(info, "publishers"),
        "tags": [tags[tag] for tag in numbers(item.get("tagids")) if tag in tags][:ENTRIES],
        "review_count": count,
        "review_score": score,
        "adult": _is_adult(item.get("content_descriptorids")),
    }


def _reviews(summary: Fields) -> tuple[int, float]:
    """Return the number of reviews and the percent of them that are positive, NaN without any."""
    count = number(summary.get("review_count"))
    percent = number(summary.get("percent_positive", 0), most=100)
    return count, float(percent) if count else math.nan


def _is_adult(descriptors: object) -> bool:
    """Return whether a game is for adults only; raises ValueError where that cannot be read."""
    if descriptors is not None and not isinstance(descriptors, list):
        raise ValueError("with content descriptors of another type")
    return not _ADULT.isdisjoint(numbers(descriptors))
