"""A map of the store as a mosaic of banners."""

import math
from itertools import product

import numpy as np
import pandas as pd

from utils.show import page
from utils.show.grids import Album
from utils.show.page import Place

Window = tuple[float, float, float, float]

_GAP = 3
_HEIGHT = 760  # units, about
_REACH = 2  # cells that a banner may be moved, sideways and up or down
_NEAR = sorted(
    product(range(-_REACH, _REACH + 1), repeat=2), key=lambda cell: math.hypot(cell[0], page.RATIO * cell[1])
)


def store_map(
    album: Album,
    appids: np.ndarray,
    coordinates: np.ndarray,
    title: str | None = None,
    *,
    window: Window = (0, 0, 1, 1),
    mark: Window | None = None,
    columns: int = 22,
) -> page.Figure:
    """Return a map of games by their coordinates (n, 2): each banner in the cell where it lies, or in one close by.

    Where that is crowded, the games nearest to the cells' middles are shown.

    window: the part that is shown, as shares of the whole map (left, bottom, right, top), (0, 0.75, 0.25, 1) being the
    upper left corner. mark: a part that is framed, to be zoomed into by another figure.
    """
    tile = page.tile_width(page.WIDTH - 2 * page.MARGIN, columns, _GAP)
    step = np.array([tile + _GAP, tile * page.RATIO + _GAP])
    cells = np.array([columns, round(_HEIGHT / step[1])])
    places = (_shares(coordinates) - window[:2]) / np.subtract(window[2:], window[:2])
    inside = np.flatnonzero(((places >= 0) & (places <= 1)).all(1))
    shown, seats = _seated(places[inside], cells)
    note = f"{len(shown):,} of {len(inside):,} games, each where its features put it or close by"
    axes = page.new_page(cells[1] * step[1] + 34, title, f"A mosaic of banners, alike near alike: {note}.")
    top = page.top_of(title)
    bottom = top + cells[1] * step[1]
    for appid, (column, row) in zip(appids[inside][shown], seats, strict=True):
        place = Place(page.MARGIN + column * step[0], bottom - (row + 1) * step[1], tile)
        page.put_picture(axes, album[int(appid)].rgb, place, radius=2)
    if mark:
        low, high = np.round(np.array(mark).reshape(2, 2) * cells) * step
        width, height = high - low + _GAP
        page.put_box(axes, page.MARGIN + low[0] - _GAP, bottom - high[1] - _GAP, width, height)
    page.put_text(
        axes, note, (page.MARGIN, bottom + 8), page.NOTE, page.WIDTH - 2 * page.MARGIN, lines=1, color=page.MUTED
    )
    return page.figure_of(axes)


def _shares(coordinates: np.ndarray) -> np.ndarray:
    """Return coordinates as shares of the map's width and height; the outermost half percent lies on its edge."""
    low, high = np.percentile(coordinates, [0.5, 99.5], axis=0)
    return np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1)


def _seated(places: np.ndarray, cells: np.ndarray) -> tuple[list[int], list[tuple[int, int]]]:
    """Return which of places (n, 2) in 0 to 1 get a cell, and which (column, row): their own, else a free one near."""
    games = _in_turn(places, cells)
    free = np.pad(np.ones(cells, bool), _REACH)  # beyond the edges nothing is free
    seats = {}
    for game, column, row in zip(games.index, games["column"], games["row"], strict=True):
        seat = _free_seat(free, column, row)
        if seat:
            free[seat[0] + _REACH, seat[1] + _REACH] = False
            seats[int(game)] = seat
    return list(seats), list(seats.values())


def _in_turn(places: np.ndarray, cells: np.ndarray) -> pd.DataFrame:
    """Return each game's own cell, the games in the order in which they choose: first those in their cells' middle."""
    own = np.minimum((places * cells).astype(int), cells - 1)
    games = pd.DataFrame({"column": own[:, 0], "row": own[:, 1]})
    games["off"] = np.square(places * cells - own - 0.5).sum(1)
    games["turn"] = games.sort_values("off").groupby(["column", "row"]).cumcount()
    return games[games["turn"] < len(_NEAR)].sort_values(["turn", "off"])


def _free_seat(free: np.ndarray, column: int, row: int) -> tuple[int, int] | None:
    for right, up in _NEAR:
        if free[column + right + _REACH, row + up + _REACH]:
            return column + right, row + up
    return None
