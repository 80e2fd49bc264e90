"""The matches for others: a gallery for the web that needs no server, Markdown, JSON and NumPy files.

    index.html       the gallery; its data are in data/, its pictures at the store or in pictures/
    popular.md       the popular games with their matches
    manifest.json    what made the matches
    matches.json     {"manifest": {...}, "games": [{"appid": ..., "name": ..., "matches": [[appid, cosine], ...]}, ...]}
    names.json       the n names
    appids.npy       int64 (n,), ascending
    neighbours.npy   int64 (n, k), appids, nearest first
    cosines.npy      float32 (n, k); in the JSON they are rounded to four digits

Names are text that anybody may have written: whatever is in them, no file here takes it for anything but text.
"""

import base64
import hashlib
import json
import re
import shutil
import string
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from utils.banners import Banner
from utils.matching import Matches
from utils.settings import STORE_PAGE
from utils.settings import PlainError

PICTURES = ("store", "folder")

_FORMAT = "steam-beit matches 1"  # in manifest.json: how an export is known, and its version
_CHUNK = 64  # games a file of data/, some 100 kB with 20 matches each
_POPULAR = 50  # games shown first, where the caller names none
_ACROSS = 6  # matches of a game in popular.md
_TEMPLATE = Path(__file__).with_name("gallery.html")
_ADDRESS = re.compile(r"https?://[\w.:-]+/[\w.~/%?=&+-]*", re.ASCII)
_JOINERS = "\u200c\u200d"  # of Indic scripts, Persian and emoji
_IN_SCRIPT = str.maketrans({"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_IN_MARKDOWN = str.maketrans({mark: f"&#{ord(mark)};" for mark in string.punctuation if mark not in ",-'"})


class ExportError(PlainError, ValueError):
    """An export that cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class _Site:
    """What the page and popular.md show; a row is a game's place in the matches."""

    matches: Matches
    games: list[tuple[int, str, str | None]]  # (n,): appid, name, and the picture's address after `base`, if any
    base: str  # what the addresses of all pictures begin with
    hosts: set[str]  # where they are, if not in the folder
    popular: np.ndarray  # int64 (m,), rows
    by_reviews: np.ndarray  # int64 (n,), rows, the most reviewed first
    store_page: str | None

    def rows(self, appids: np.ndarray) -> np.ndarray:
        """The rows of games that are all here."""
        return np.searchsorted(self.matches.appids, appids)


def gallery(
    matches: Matches,
    catalogue: pd.DataFrame,
    album: Mapping[int, Banner],
    folder: Path,
    *,
    pictures: str = "store",
    popular: Sequence[int] | None = None,
    store_page: str | None = STORE_PAGE,
) -> Path:
    """Write the files above into a folder and return the page, index.html: it works from any web server or disk.

    `pictures`: "store" takes them from the catalogue's addresses, "folder" copies the album's beside the page.
    `popular`: the appids that are shown first, those without matches left out; by default the most reviewed.
    `store_page`: where a game leads, with {appid}, or None. An earlier export there is replaced as a whole.

    Raises ExportError for another word for the pictures, and for a folder that holds anything but an export.
    """
    if pictures not in PICTURES:
        raise ExportError(f"pictures is {pictures!r}; allowed are {', '.join(map(repr, PICTURES))}")
    folder = Path(folder).resolve()
    _check_replaceable(folder)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    (part / "data").mkdir(parents=True)
    addresses = _store_addresses(matches, catalogue) if pictures == "store" else _copies(matches, album, part)
    site = _site(matches, catalogue, addresses, popular, store_page)
    _write_page(site, part)
    _write_files(site, pictures, part)
    _swap(part, folder)
    return folder / "index.html"


def _check_replaceable(folder: Path) -> None:
    """Raise ExportError unless there is nothing in a folder, or an export."""
    try:
        replaceable = json.loads((folder / "manifest.json").read_bytes())["format"] == _FORMAT
    except (OSError, ValueError, LookupError, TypeError):
        replaceable = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not replaceable:
        raise ExportError(f"{folder} holds something that is no export of this version; choose or make an empty folder")


def _swap(part: Path, folder: Path) -> None:
    """Put the new export in the place of the earlier one, which stays beside until then."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


# ------------------------------------------------------------ what is shown


def _store_addresses(matches: Matches, catalogue: pd.DataFrame) -> list[str | None]:
    """The banners' addresses at the store; None where there is none, or one that is not plainly an address."""
    known = catalogue.set_index("appid")["banner_url"].reindex(matches.appids)
    return [each if isinstance(each, str) and _ADDRESS.fullmatch(each) else None for each in known]


def _copies(matches: Matches, album: Mapping[int, Banner], folder: Path) -> list[str | None]:
    """Copy the banners into the folder; return their addresses there, None where the album has none."""
    (folder / "pictures").mkdir()
    addresses: list[str | None] = []
    for appid in tqdm(matches.appids.tolist(), desc="Pictures", unit=" banners"):
        banner = album.get(appid)
        addresses.append(banner and f"pictures/{appid}.jpg")
        if banner:
            (folder / addresses[-1]).write_bytes(banner.jpeg)
    return addresses


def _site(
    matches: Matches,
    catalogue: pd.DataFrame,
    addresses: list[str | None],
    popular: Sequence[int] | None,
    store_page: str | None,
) -> _Site:
    base = _common([each for each in addresses if each])
    tails = [address and address[len(base) :] for address in addresses]
    reviews = catalogue.set_index("appid")["review_count"].reindex(matches.appids).fillna(-1).to_numpy()
    by_reviews = np.argsort(-reviews, kind="stable")
    rows = by_reviews[:_POPULAR] if popular is None else pd.Index(matches.appids).get_indexer(list(popular))
    games = list(zip(matches.appids.tolist(), map(str, matches.names), tails, strict=True))
    hosts = {f"{parts.scheme}://{parts.netloc}" for parts in map(urlsplit, filter(None, addresses)) if parts.netloc}
    return _Site(matches, games, base, hosts, rows[rows >= 0], by_reviews, store_page)


def _common(addresses: list[str]) -> str:
    """What all addresses begin with, up to a slash: what the first and the last of them in order begin with."""
    first, last = min(addresses, default=""), max(addresses, default="")
    same = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[: first.rfind("/", 0, same) + 1]


def _made(manifest: dict) -> str:
    """What made the matches, in a sentence."""
    said = {name: manifest.get(name, "unknown") for name in ("checkpoint", "pooling", "image", "preparation")}
    revision = f", revision {manifest['revision'][:12]}" if manifest.get("revision") else ""
    return (
        f"Features of {said['checkpoint']}{revision}{'' if manifest.get('trained', True) else ' (untrained)'}: "
        f"pooling {said['pooling']}, input {said['image']}; compared {said['preparation']}."
    )


# ------------------------------------------------------------ the page


def _write_page(site: _Site, folder: Path) -> None:
    chunks = -(-len(site.games) // _CHUNK)
    start = {
        "games": len(site.games),
        "chunks": chunks,
        "popular": [site.games[row] for row in site.popular],
        "pictures": site.base,
        "store_page": site.store_page,
        "trained": site.matches.manifest.get("trained", True),
        "made": _made(site.matches.manifest),
    }
    appids, names = ([site.games[row][part] for row in site.by_reviews] for part in (0, 1))
    _write_data(folder, "start", start)
    _write_data(folder, "names", {"appids": appids, "names": names})
    places = site.matches.appids // 10 % chunks  # most appids are multiples of 10
    for chunk in range(chunks):
        _write_data(folder, str(chunk), _chunk(site, np.flatnonzero(places == chunk)))
    (folder / "index.html").write_bytes(_page(site.hosts))


def _chunk(site: _Site, rows: np.ndarray) -> dict:
    """The matches of some games, with all that is shown of those: a click asks for one file."""
    neighbours, cosines = site.matches.neighbours[rows], site.matches.cosines[rows]
    found = zip(site.matches.appids[rows].tolist(), neighbours.tolist(), _rounded(cosines), strict=True)
    shown = np.unique(np.concatenate([rows, site.rows(neighbours.ravel())]))
    return {
        "matches": {appid: [appids, near] for appid, appids, near in found},
        "games": {appid: [name, picture] for appid, name, picture in (site.games[row] for row in shown)},
    }


def _write_data(folder: Path, file: str, data: dict) -> None:
    """Data as a script that hands them over, since fetch() is closed to a page opened from a disk."""
    script = f'gallery("{file}",{_json(data)});'.translate(_IN_SCRIPT)
    (folder / "data" / f"{file}.js").write_bytes(_utf8(script))


def _page(hosts: set[str]) -> bytes:
    """The page, allowed to run its own script, the data's, and nothing else; pictures from where they are."""
    page = _TEMPLATE.read_text(encoding="utf-8")
    style, script = (
        _fingerprint(re.search(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]) for tag in ("style", "script")
    )
    images = " ".join(sorted(hosts)) or "'self' file:"
    policy = (
        f"default-src 'none'; script-src {script} 'self' file:; style-src {style}; img-src {images} data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return page.replace("$policy", policy).encode()


def _fingerprint(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


# ------------------------------------------------------------ files for other programs and readers


def _write_files(site: _Site, pictures: str, folder: Path) -> None:
    matches = site.matches
    about = {"format": _FORMAT, "games": len(site.games), "matches": matches.neighbours.shape[1], "pictures": pictures}
    about |= {"features": matches.manifest}
    (folder / "manifest.json").write_bytes(_utf8(json.dumps(about, ensure_ascii=False, indent=1)))
    (folder / "names.json").write_bytes(_utf8(_json([name for _, name, _ in site.games])))
    for name, array in (("appids", matches.appids), ("neighbours", matches.neighbours), ("cosines", matches.cosines)):
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    with (folder / "matches.json").open("wb") as file:
        file.writelines(map(_utf8, _matches_json(site, about)))
    (folder / "popular.md").write_bytes(_utf8(_markdown(site)))


def _matches_json(site: _Site, about: dict) -> Iterator[str]:
    """The text of matches.json, a line a game."""
    yield f'{{"manifest": {_json(about)}, "games": ['
    for row, (appid, name, _) in enumerate(site.games):
        near = zip(site.matches.neighbours[row].tolist(), _rounded(site.matches.cosines[row]), strict=True)
        yield f"{',' if row else ''}\n" + _json({"appid": appid, "name": name, "matches": list(near)})
    yield "\n]}\n"


def _markdown(site: _Site) -> str:
    """A table with a row for each popular game: the game, then its matches."""
    across = min(_ACROSS, site.matches.neighbours.shape[1])
    lines = [
        "# Popular games, and the games that look most like them",
        "",
        _escaped(_made(site.matches.manifest)) + " The cosine stands below each match.",
        "",
        "| Game | Looks most like it |" + " |" * (across - 1),
        "| --- |" + " --- |" * across,
    ]
    for row in site.popular:
        near = zip(site.rows(site.matches.neighbours[row, :across]), site.matches.cosines[row], strict=False)
        cells = [_cell(site, row), *(f"{_cell(site, match)}<br>{cosine:.2f}" for match, cosine in near)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(site: _Site, row: int) -> str:
    """A game in a Markdown table: its banner, leading to the store, and its name."""
    appid, name, picture = site.games[row]
    text = _escaped(name) or str(appid)
    banner = "" if picture is None else f'<img alt="{text}" src="{site.base}{picture}" width="120"><br>'
    return f"[{banner}{text}]({site.store_page.format(appid=appid)})" if site.store_page else banner + text


def _escaped(name: str) -> str:
    """A name as one line of Markdown, also within HTML: what could be markup as an entity, nothing invisible."""
    unseen = ("Cc", "Cf", "Cs")  # line ends, marks of direction, halves of characters
    seen = (c if unicodedata.category(c) not in unseen or c in _JOINERS else " " for c in name)
    return " ".join("".join(seen).split()).translate(_IN_MARKDOWN)


def _rounded(cosines: np.ndarray) -> list:
    return cosines.astype(np.float64).round(4).tolist()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")
