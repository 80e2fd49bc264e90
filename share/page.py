"""The gallery's page and its data, as scripts that hand them over: fetch() is closed to a page opened from a disk.

data/start.js     what the first view needs
data/names.js     appids and names, the most reviewed first: the search
data/pictures.js  the pictures' addresses in that order: the search's thumbnails and the map
data/map.js       where the games lie, 0 to 10,000, in that order
data/lists.js     the most unique games, and the groups of near-duplicates with each game's cosine to its nearest there
data/<n>.js       the matches of some games, and all that is shown of those: a click asks for one such file
"""

from html import escape
from itertools import chain
from pathlib import Path

import numpy as np

from share import lists
from share.escape import in_script
from share.folder import Folder
from share.site import Game, Site
from utils.matching import Matches, most_unique

_CHUNK = 64  # games a file of data/, about 100 kB with 20 matches each
_GRID = 10_000  # steps of the map's coordinates
_WEB = Path(__file__).with_name("web")
_ASSETS = ("gallery.css", "search.js", "filters.js", "map.js", "gallery.js")


def write(site: Site, folder: Folder) -> None:
    """Write the page, its scripts and its data; the page comes last."""
    chunks = -(-len(site.games) // _CHUNK)
    first = [site.games[row] for row in site.by_reviews]
    _write_data(folder, "names", {"appids": [game.appid for game in first], "names": [game.name for game in first]})
    _write_data(folder, "pictures", [_tail(site, game) for game in first])
    _write_data(folder, "lists", _lists(site))
    if site.extras.coordinates is not None:
        _write_data(folder, "map", _map(site, site.extras.coordinates))
    places = site.matches.appids // 10 % max(chunks, 1)  # most appids are multiples of 10
    for chunk in range(chunks):
        _write_data(folder, str(chunk), _chunk(site, np.flatnonzero(places == chunk)))
    _write_data(folder, "start", _start(site, chunks))
    for name in _ASSETS:
        folder.write(name, (_WEB / name).read_bytes())
    folder.write("index.html", _index(site))


def _start(site: Site, chunks: int) -> dict[str, object]:
    manifest = site.matches.manifest
    return {
        "games": len(site.games),
        "chunks": chunks,
        "popular": [site.games[row].appid for row in site.popular],
        "shown": _details(site, site.popular),
        "pictures": site.base,
        "store_page": site.store_page,
        "reviewed": bool(site.reviews.any()),
        "mirrored": site.extras.mirrored is not None,
        "map": site.extras.coordinates is not None,
        "groups": len(site.extras.groups),
        "tags": list(site.tags),
        "trained": manifest.get("trained", True),
        "made": lists.provenance(manifest),
    }


def _map(site: Site, coordinates: np.ndarray) -> dict[str, list[int]]:
    low, high = np.percentile(coordinates, [0.5, 99.5], axis=0)
    parts = np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1)
    steps = (parts[site.by_reviews] * _GRID).round().astype(int)
    return {"x": steps[:, 0].tolist(), "y": steps[:, 1].tolist()}


def _lists(site: Site) -> dict[str, object]:
    unique = most_unique(site.matches, lists.UNIQUE)
    groups = [list(group) for group in site.extras.groups]
    appids = np.unique([*unique["appid"], *unique["nearest"], *chain.from_iterable(groups)]).astype(np.int64)
    return {
        "unique": unique[["appid", "nearest", "cosine"]].round(4).to_numpy(object).tolist(),
        "groups": groups,
        "cosines": [_rounded(group.cosines) for group in site.extras.groups],
        "shown": _details(site, site.rows(appids)),
    }


def _chunk(site: Site, rows: np.ndarray) -> dict[str, object]:
    kinds = {"matches": site.matches} | ({"mirrored": site.extras.mirrored} if site.extras.mirrored else {})
    content: dict[str, object] = {kind: _near(matches, rows) for kind, matches in kinds.items()}
    others = site.rows(np.concatenate([matches.neighbours[rows].ravel() for matches in kinds.values()]))
    return content | {"shown": _details(site, np.unique(np.concatenate([rows, others])))}


def _near(matches: Matches, rows: np.ndarray) -> dict[int, list]:
    """Return appid -> its neighbours and their cosines."""
    found = zip(
        matches.appids[rows].tolist(), matches.neighbours[rows].tolist(), _rounded(matches.cosines[rows]), strict=True
    )
    return {appid: [appids, near] for appid, appids, near in found}


def _rounded(cosines: np.ndarray) -> list:
    return cosines.astype(np.float64).round(4).tolist()


def _details(site: Site, rows: np.ndarray) -> dict[int, list]:
    """Return appid -> what a card and the filters need: name, picture, year, score, tags, makers, group."""
    return {site.games[row].appid: _detail(site, site.games[row], *site.numbers[row]) for row in rows}


def _detail(site: Site, game: Game, tags: list[int], makers: list[int]) -> list:
    group = site.group_of.get(game.appid, -1)
    return [game.name, _tail(site, game), game.year, game.score, tags, makers, group]


def _tail(site: Site, game: Game) -> str | None:
    return game.picture and game.picture[len(site.base) :]


def _write_data(folder: Folder, name: str, data: object) -> None:
    folder.write(f"data/{name}.js", f'gallery("{name}",{in_script(data)});')


def _index(site: Site) -> str:
    """Return the page, allowed to run its own scripts and nothing else; pictures come from where they are."""
    images = " ".join(sorted(site.hosts)) or "'self' file:"
    first = next((site.games[row].picture for row in site.popular if site.games[row].picture), "")
    page = (_WEB / "index.html").read_text(encoding="utf-8")
    return page.replace("$images", images).replace("$preview", escape(first))
