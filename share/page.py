"""The gallery's page and its data, as scripts that hand them over: fetch() is closed to a page opened from a disk.

data/start.js     what the first view needs
data/names.js     appids and names, the most reviewed first: the search
data/pictures.js  the pictures' addresses in that order: the search's thumbnails and the map
data/map.js       where the games lie, 0 to 10,000, in that order
data/lists.js     the most unique games, and the groups of near-duplicates with each game's cosine to its nearest there
data/<n>.js       the matches of some games, and all that is shown of those: a click asks for one such file
"""

import json
from collections.abc import Iterator
from html import escape
from itertools import count
from os.path import commonprefix
from pathlib import Path

import numpy as np
import pandas as pd

from share import lists
from share.folder import Folder
from share.site import Site
from utils.matching import most_unique

_CHUNK = 64  # games a file of data/, about 100 kB with 20 matches each
_GRID = 10_000  # steps of the map's coordinates
_WEB = Path(__file__).with_name("web")
_ASSETS = ("gallery.css", "search.js", "filters.js", "map.js", "gallery.js")
_IN_SCRIPT = str.maketrans({"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def write(site: Site, folder: Folder) -> None:
    """Write the page, its scripts and its data; the page, allowed to run these alone, comes last."""
    pictures = [game.picture for game in site.games if game.picture]
    same = commonprefix(pictures)  # noqa: RUF071 - then cut at a slash
    for name, data in _data(site, same[: same.rfind("/") + 1]):
        script = json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT)
        folder.write(f"data/{name}.js", f'gallery("{name}",{script});')
    for name in _ASSETS:
        folder.write(name, (_WEB / name).read_bytes())
    hosts = {"/".join(picture.split("/")[:3]) for picture in pictures if "://" in picture}
    preview = next(filter(None, (site.games[row].picture for row in site.popular)), "")
    page = (_WEB / "index.html").read_text(encoding="utf-8").replace("$preview", escape(preview))
    folder.write("index.html", page.replace("$images", " ".join(sorted(hosts)) or "'self' file:"))


def _data(site: Site, base: str) -> Iterator[tuple[str, object]]:
    """Yield each file's name and data; `base` is what the addresses of all pictures begin with."""
    appids, order = site.matches.appids, site.by_reviews
    details, chunks = _details(site, base), -(-len(appids) // _CHUNK)
    yield "names", {"appids": appids[order].tolist(), "names": site.matches.names[order].tolist()}
    yield "pictures", details.iloc[order].str[1].tolist()
    yield "lists", _lists(site, details)
    if site.extras.coordinates is not None:
        yield "map", _map(site.extras.coordinates[order])
    places = appids // 10 % max(chunks, 1)  # most appids are multiples of 10
    for chunk in range(chunks):
        yield str(chunk), _chunk(site, np.flatnonzero(places == chunk), details)
    first = {"popular": appids[site.popular].tolist(), "shown": details.iloc[site.popular].to_dict()}
    yield "start", {"games": len(appids), "chunks": chunks, **first, "pictures": base, **_about(site)}


def _about(site: Site) -> dict[str, object]:
    return {
        "store_page": site.store_page,
        "reviewed": site.reviewed,
        "map": site.extras.coordinates is not None,
        "groups": len(site.extras.groups),
        "tags": site.tags,
        "trained": site.matches.manifest.get("trained", True),
        "made": lists.provenance(site.matches.manifest),
    }


def _details(site: Site, base: str) -> pd.Series:
    """Return by appid what a card and the filters need: [name, picture after `base`, year, score, tags, makers, group].

    A tag, a maker and a group are numbers: two games by the same people share one.
    """
    tags = dict(zip(site.tags, count(), strict=False))
    people = dict(zip(site.makers.explode().value_counts().index, count(), strict=False))
    groups: dict[int, int] = {}
    for number, group in enumerate(site.extras.groups):
        groups |= dict.fromkeys(group, number)
    details = []
    for game, makers in zip(site.games, site.makers, strict=True):
        picture = game.picture and game.picture.removeprefix(base)
        numbers = [list(map(tags.get, game.tags)), list(map(people.get, makers)), groups.get(game.appid, -1)]
        details.append([game.name, picture, game.year, game.score, *numbers])
    return pd.Series(details, index=site.matches.appids, dtype=object)


def _lists(site: Site, details: pd.Series) -> dict[str, object]:
    unique, groups = most_unique(site.matches, lists.UNIQUE), site.extras.groups
    appids = np.concatenate([unique["appid"], unique["nearest"], *map(list, groups)])
    return {
        "unique": unique[["appid", "nearest", "cosine"]].round(4).to_numpy(object).tolist(),
        "groups": list(map(list, groups)),
        "cosines": [group.cosines.astype(np.float64).round(4).tolist() for group in groups],
        "shown": details[np.unique(appids)].to_dict(),
    }


def _map(coordinates: np.ndarray) -> dict[str, list[int]]:
    low, high = np.percentile(coordinates, [0.5, 99.5], axis=0)
    parts = np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1)
    x, y = (parts.T * _GRID).round().astype(int).tolist()
    return {"x": x, "y": y}


def _chunk(site: Site, rows: np.ndarray, details: pd.Series) -> dict[str, object]:
    appids, neighbours = site.matches.appids[rows], site.matches.neighbours[rows]
    cosines = site.matches.cosines[rows].astype(np.float64).round(4)
    near = zip(neighbours.tolist(), cosines.tolist(), strict=True)
    shown = details[np.union1d(appids, neighbours)]
    return {"matches": dict(zip(appids.tolist(), near, strict=True)), "shown": shown.to_dict()}
