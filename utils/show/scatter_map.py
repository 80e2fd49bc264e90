"""A map of the store as a mosaic of banners."""

import math
from collections.abc import Mapping
from itertools import product

import numpy as np
import pandas as pd

from utils.banners import Banner
from utils.show import page
from utils.show.page import INNER, MARGIN, Figure, Page, Rect

_GAP = 3
_HEIGHT = 760  # units, about
_REACH = 2  # cells that a banner may be moved, sideways and up or down
_NEAR = sorted(
    product(range(-_REACH, _REACH + 1), repeat=2), key=lambda cell: math.hypot(cell[0], page.RATIO * cell[1])
)


def scatter_map(
    album: Mapping[int, Banner],
    appids: np.ndarray,
    coordinates: np.ndarray,
    title: str | None = None,
    *,
    columns: int = 22,
) -> Figure:
    """Return a map of games by their coordinates (n, 2): each banner in the cell where it lies, or in one close by.

    Where that is crowded, the games nearest to the cells' middles are shown.
    """
    tile = page.tile_width(INNER, columns, _GAP)
    step = np.array([tile + _GAP, tile * page.RATIO + _GAP])
    cells = np.array([columns, round(_HEIGHT / step[1])])
    low, high = np.percentile(coordinates, [0.5, 99.5], axis=0)  # the outermost half percent lies on the edge
    shown = _cells_of(np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1), cells)
    note = f"{len(shown):,} of {len(appids):,} games, each where its features put it or close by"
    drawn = Page(cells[1] * step[1] + 34, title, f"A mosaic of banners, alike near alike: {note}.")
    bottom = drawn.top + cells[1] * step[1]
    for game, (column, row) in shown.items():
        rect = Rect(MARGIN + column * step[0], bottom - (row + 1) * step[1], tile)
        drawn.draw_picture(album[int(appids[game])].rgb, rect, radius=2)
    drawn.draw_text(note, (MARGIN, bottom + 8), page.NOTE, INNER, lines=1, color=page.MUTED)
    return drawn.figure


def _cells_of(places: np.ndarray, cells: np.ndarray) -> dict[int, tuple[int, int]]:
    """Return which of places (n, 2) in 0 to 1 get a cell (column, row): their own, else a free one near.

    Games in their cells' middle choose first.
    """
    own = np.minimum((places * cells).astype(int), cells - 1)
    games = pd.DataFrame({"column": own[:, 0], "row": own[:, 1]})
    games["off"] = np.square(places * cells - own - 0.5).sum(1)
    games["turn"] = games.sort_values("off").groupby(["column", "row"]).cumcount()
    games = games[games["turn"] < len(_NEAR)].sort_values(["turn", "off"])
    free = np.pad(np.ones(cells, bool), _REACH)  # beyond the edges nothing is free
    taken = {}
    for game, column, row in zip(games.index, games["column"], games["row"], strict=True):
        for right, up in _NEAR:
            if free[column + right + _REACH, row + up + _REACH]:
                free[column + right + _REACH, row + up + _REACH] = False
                taken[int(game)] = (column + right, row + up)
                break
    return taken
