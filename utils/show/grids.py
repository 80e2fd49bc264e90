"""Banners in rows: any, a game's matches, several games' matches, the most unique, near-duplicates."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from utils.banners import Banner
from utils.show import page
from utils.show.page import Place

Album = Mapping[int, Banner]

_INNER = page.WIDTH - 2 * page.MARGIN
_APART = 16  # between a query and its matches


def banners(
    album: Album,
    appids: Sequence[int],
    title: str | None = None,
    *,
    notes: Sequence[str] | None = None,
    columns: int = 5,
) -> page.Figure:
    """Return a grid of banners with their names and, where there are notes (n,), one below each name."""
    shown = [album[int(appid)] for appid in appids]
    width = page.tile_width(_INNER, columns)
    step = page.tile_height(width, 3 if notes is not None else 2)
    axes = page.new_page(math.ceil(len(shown) / columns) * step - page.GAP, title, f"The banners of {_listed(shown)}.")
    for at, banner in enumerate(shown):
        row, column = divmod(at, columns)
        place = Place(page.MARGIN + column * (width + page.GAP), page.top_of(title) + row * step, width)
        page.put_tile(axes, banner, place, notes[at] if notes is not None else "")
    return page.figure_of(axes)


def matches(
    album: Album,
    query: int | Banner,
    appids: Sequence[int],
    cosines: Sequence[float],
    title: str | None = None,
) -> page.Figure:
    """Return a query (a game's appid, or any Banner), large and framed, and its matches (k,), best first.

    The query takes the place of four matches, in the upper left corner; a cosine stands below each match.
    """
    asked = query if isinstance(query, Banner) else album[int(query)]
    found = [album[int(appid)] for appid in appids]
    alt = f"{_called(asked)} and the banners that look most like it: {_with_cosines(found, cosines)}."
    columns = 5
    width = page.tile_width(_INNER, columns)
    step = page.tile_height(width, 3)
    cells = _around_the_query(len(found), columns)
    rows = max([2, *(row + 1 for row, _ in cells)])
    axes = page.new_page(rows * step - page.GAP, title, alt)
    top = page.top_of(title)
    page.put_tile(axes, asked, Place(page.MARGIN + 5, top + 5, 2 * width + page.GAP - 10), framed=True)
    for banner, cosine, (row, column) in zip(found, cosines, cells, strict=True):
        place = Place(page.MARGIN + column * (width + page.GAP), top + row * step, width)
        page.put_tile(axes, banner, place, f"{cosine:.2f}")
    return page.figure_of(axes)


def queries(
    album: Album,
    queries: Sequence[int],
    appids: np.ndarray,
    cosines: np.ndarray,
    title: str | None = None,
) -> page.Figure:
    """Return a row for each query (q,): the query, framed, and its matches (q, k) with cosines (q, k), best first."""
    width = page.tile_width(_INNER - _APART, appids.shape[1] + 1)
    step = page.tile_height(width, 3) + 6
    asked = [album[int(query)] for query in queries]
    alt = f"The banners that look most like those of {_listed(asked)}, a row for each."
    axes = page.new_page(len(asked) * step - page.GAP, title, alt)
    for row, banner in enumerate(asked):
        y = page.top_of(title) + row * step + 5
        page.put_tile(axes, banner, Place(page.MARGIN + 5, y, width - 5), framed=True)
        for at, (appid, cosine) in enumerate(zip(appids[row], cosines[row], strict=True), 1):
            x = page.MARGIN + _APART + at * (width + page.GAP)
            page.put_tile(axes, album[int(appid)], Place(x, y, width), f"{cosine:.2f}")
    return page.figure_of(axes)


def unique(album: Album, table: pd.DataFrame, title: str | None = None, *, columns: int = 5) -> page.Figure:
    """Return the most unique games of matching.most_unique's table, each with the cosine to its nearest neighbour."""
    notes = [f"{cosine:.2f}" for cosine in table["cosine"]]
    return banners(album, table["appid"].tolist(), title, notes=notes, columns=columns)


def duplicates(
    album: Album, groups: Sequence[Sequence[int]], title: str | None = None, *, most: int = 4, columns: int = 5
) -> page.Figure:
    """Return groups of near-duplicates, each under a line; of a large group the first `most`, and how many more."""
    most = min(most, columns)
    width = page.tile_width(_INNER, columns)
    step = page.tile_height(width, 3) + 10
    places = _rows_of([min(len(group), most) for group in groups], columns)
    rows = places[-1][0] + 1 if places else 0
    axes = page.new_page(rows * step - page.GAP, title, f"{len(groups)} groups of banners that are nearly the same.")
    for group, (row, column) in zip(groups, places, strict=True):
        x = page.MARGIN + column * (width + page.GAP)
        y = page.top_of(title) + row * step
        shown = group[:most]
        axes.plot([x, x + len(shown) * (width + page.GAP) - page.GAP], [y, y], color=page.ACCENT, linewidth=2)
        for at, appid in enumerate(shown):
            hidden = len(group) - most if at == most - 1 else 0
            place = Place(x + at * (width + page.GAP), y + 10, width)
            page.put_tile(axes, album[int(appid)], place, f"+{hidden}" if hidden > 0 else "")
    return page.figure_of(axes)


def _around_the_query(count: int, columns: int) -> list[tuple[int, int]]:
    """Return row and column of each match: the query fills two rows of the first two columns."""
    cells = []
    row = 0
    while len(cells) < count:
        first = 2 if row < 2 else 0
        cells += [(row, column) for column in range(first, columns)]
        row += 1
    return cells[:count]


def _rows_of(widths: Sequence[int], columns: int) -> list[tuple[int, int]]:
    """Return row and column where each of a sequence of strips begins, if none is broken at the end of a row."""
    places = []
    row = 0
    column = 0
    for width in widths:
        if column + width > columns:
            row += 1
            column = 0
        places.append((row, column))
        column += width
    return places


def _called(banner: Banner) -> str:
    return banner.name or f"game {banner.appid}"


def _listed(shown: Sequence[Banner], most: int = 12) -> str:
    named = ", ".join(_called(banner) for banner in shown[:most])
    more = len(shown) - most
    return f"{named} and {more} more" if more > 0 else named or "no game"


def _with_cosines(found: Sequence[Banner], cosines: Sequence[float]) -> str:
    named = [f"{_called(banner)} ({cosine:.2f})" for banner, cosine in zip(found, cosines, strict=True)]
    return ", ".join(named) or "none"
