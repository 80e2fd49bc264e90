"""Drafts: pictures of games that are not out yet, from wherever they lie."""

from pathlib import Path

from utils import banners, images
from utils.banners import Banner
from utils.errors import PlainError

_MOST = 20  # drafts at a time
_BETWEEN = ";"


class NoDraft(PlainError, ValueError):
    """No draft where one should be, or too many."""


def drafts(places: str | Path) -> list[Banner]:
    """Return the pictures at some places, cut to the banners' shape: files, folders or web addresses, between `;`.

    Their names are those of the files. Raises NoDraft where there is none, or more than 20, and banners.Refused for
    what is no picture.
    """
    found: list[str | Path] = []
    for place in str(places).split(_BETWEEN):
        found += _pictures_at(place.strip())
    if not found:
        raise NoDraft("no draft was named; give the path of a picture, of a folder of pictures, or a web address")
    if len(found) > _MOST:
        raise NoDraft(f"{len(found)} drafts are too many at a time; give up to {_MOST}")
    return [banners.own(picture, _name(str(picture))) for picture in found]


def _pictures_at(place: str) -> list[str | Path]:
    if not place or place.lower().startswith(("http://", "https://")):
        return [place] if place else []
    path = Path(place).expanduser()
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix.lower() in images.ENDINGS)


def _name(place: str) -> str:
    return Path(place.split("?")[0]).stem.replace("_", " ").replace("-", " ").strip() or "Your draft"
