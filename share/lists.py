"""Lists to post, in Markdown, and tables for other programs: a spreadsheet and embedding-atlas."""

import string
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from share.site import Site, facts
from utils import files
from utils.banners import Banner
from utils.filters import release_years
from utils.matching import Matches, most_unique
from utils.names import visible

MATCHES = 10  # of a popular game
UNIQUE = 250

_WIDTH = 100  # pixels of a banner in a table
_IN_MARKDOWN = str.maketrans({mark: f"&#{ord(mark)};" for mark in string.punctuation if mark not in ",-'"})
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def in_markdown(name: str) -> str:
    """Return a name as one line of Markdown, also within HTML: what could be markup becomes an entity."""
    return visible(name).translate(_IN_MARKDOWN)


def in_csv(name: str) -> str:
    """Return a name as a spreadsheet shows it: what it would run as a formula gets an apostrophe."""
    shown = visible(name)
    return f"'{shown}" if shown.startswith(_FORMULAS) else shown


def provenance(manifest: dict) -> str:
    """Return what made the matches, in a sentence."""
    said = dict.fromkeys(("checkpoint", "pooling", "image", "preparation"), "unknown") | manifest
    revision = f", revision {manifest['revision'][:12]}" if manifest.get("revision") else ""
    untrained = "" if manifest.get("trained", True) else " (untrained)"
    return (
        f"Features of {said['checkpoint']}{revision}{untrained}: pooling {said['pooling']}, input {said['image']}; "
        f"compared {said['preparation']}."
    )


def popular_markdown(site: Site) -> str:
    """Return a table with a row for each popular game: the game, then its matches with their cosines."""
    across = min(MATCHES, site.matches.neighbours.shape[1])
    rows = []
    for row in site.popular:
        cells = [_cell(site, row)]
        near = site.rows(site.matches.neighbours[row, :across])
        for match, cosine in zip(near, site.matches.cosines[row], strict=False):
            cells.append(f"{_cell(site, match)}<br>{cosine:.2f}")
        rows.append(cells)
    title = "Popular games" if site.reviewed else "Games from A to Z"
    head = ["Game", "Looks most like it"] + [""] * (across - 1)
    return _table(site, f"{title}, and the games that look most like them", "below each match", [head, *rows])


def unique_markdown(site: Site) -> str:
    """Return a table of the most unique games, each with its nearest."""
    table = most_unique(site.matches, UNIQUE)
    games, nearest = site.rows(table["appid"].to_numpy()), site.rows(table["nearest"].to_numpy())
    rows = [["", "Game", "Its nearest", "Cosine"]]
    for place, cosine in enumerate(table["cosine"]):
        rows.append([str(place + 1), _cell(site, games[place]), _cell(site, nearest[place]), f"{cosine:.2f}"])
    return _table(site, "The most unique banners", "beside the nearest game", rows)


def duplicates_markdown(site: Site) -> str:
    """Return the groups of near-duplicates, a line each, the largest first."""
    lines = ["# Banners that are nearly the same", ""]
    for group in site.extras.groups:
        cells = " ".join(_cell(site, row) for row in site.rows(group.appids))
        lines.append(f"- {len(group)} games, cosine {group.cosines.min():.2f} or more: {cells}")
    return "\n".join(lines) + "\n"


def csv(site: Site) -> str:
    """Return a row a match: appid, name, rank (from 1), match (its appid), match_name, cosine (four digits)."""
    matches = site.matches
    count, k = matches.neighbours.shape
    names = np.array(list(map(in_csv, matches.names)), dtype=object)
    table = pd.DataFrame(
        {
            "appid": matches.appids.repeat(k),
            "name": names.repeat(k),
            "rank": np.tile(np.arange(1, k + 1), count),
            "match": matches.neighbours.ravel(),
            "match_name": names[site.rows(matches.neighbours.ravel())],
            "cosine": matches.cosines.ravel().astype(np.float64).round(4),
        }
    )
    return table.to_csv(index=False, lineterminator="\n")


def atlas(
    matches: Matches, catalogue: pd.DataFrame, album: Mapping[int, Banner], coordinates: np.ndarray, file: Path
) -> Path:
    """Write one parquet for `embedding-atlas FILE --x x --y y --neighbors neighbors`, and return it.

    Columns: appid, name, x and y (of `coordinates`, float (n, 2)), neighbors ({"ids": row numbers, "distances":
    1 - cosine}), image ({"bytes": JPEG}, null where the album has none), tags (text), review_count, year (null where
    unknown).
    """
    known = facts(catalogue, matches.appids)
    years = release_years(known)
    rows = np.searchsorted(matches.appids, matches.neighbours)
    near = [pa.array(list(rows)), pa.array(list((1 - matches.cosines).astype(np.float64)))]
    jpegs = pa.array([banner and banner.jpeg for banner in map(album.get, matches.appids.tolist())], pa.binary())
    table = pa.table(
        {
            "appid": matches.appids,
            "name": pa.array(matches.names, pa.string()),
            "x": coordinates[:, 0].astype(np.float32),
            "y": coordinates[:, 1].astype(np.float32),
            "neighbors": pa.StructArray.from_arrays(near, ["ids", "distances"]),
            "image": pa.StructArray.from_arrays([jpegs], ["bytes"], mask=jpegs.is_null()),
            "tags": pa.array(known["tags"].map(", ".join), pa.string()),
            "review_count": known["review_count"],
            "year": pa.array(years, pa.int64(), mask=years == 0),
        }
    )
    with files.writing(Path(file)) as part:
        pq.write_table(table, part)
    return Path(file)


def _table(site: Site, title: str, where: str, rows: list[list[str]]) -> str:
    """Return a table in Markdown; the first row is its head."""
    about = f"{in_markdown(provenance(site.matches.manifest))} The cosine stands {where}."
    lines = [f"| {' | '.join(cells)} |\n" for cells in (rows[0], ["---"] * len(rows[0]), *rows[1:])]
    return f"# {title}\n\n{about}\n\n{''.join(lines)}"


def _cell(site: Site, row: int) -> str:
    game = site.games[row]
    text = in_markdown(game.name) or str(game.appid)
    banner = f'<img alt="{text}" src="{game.picture}" width="{_WIDTH}"><br>' if game.picture else ""
    return f"[{banner}{text}]({game.store_page})" if game.store_page else banner + text
