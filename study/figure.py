"""The study's figures: a comparison, matches side by side, unique banners, near-duplicates, a map of the store."""

import itertools
import math
import textwrap
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from study import UNTRAINED, Result
from study.metrics import METRICS, K
from utils import show
from utils.matching import Prepared
from utils.show import Album, Figure, Near, page
from utils.show.page import ACCENT, GAP, INK, INNER, MARGIN, MUTED, NOTE, Page, tile_height, tile_width

_DPI = 100
_WIDE = page.WIDTH * 4 / 3 / _DPI  # inches of a page
_LINE = 0.62  # inches a row
_TYPE = 0.96 * NOTE  # points, as large as the notes of other figures
_SIZE = 110  # square points of a mark
_MARKS = {  # column of Result.short -> marker, colour, what the legend calls it
    METRICS[0]: ("o", ACCENT, "plain, 95 % interval"),
    "mirrored": ("<", INK, "mirrored"),
    "cut": ("s", "#7fd18b", "cut"),
    "hue": ("D", "#f2a33a", "hue turned"),
    "grey": ("P", MUTED, "grey"),
}
_LABEL = 34  # units of height of a row's heading
_COLUMNS = 22  # of the map
_HEIGHT = 760  # units of the map, about
_BETWEEN = 3  # units between two banners of the map
_REACH = 2  # cells of the map that a banner may be moved, sideways and up or down
_NEAR = itertools.product(range(-_REACH, _REACH + 1), repeat=2)
_NEAREST = sorted(_NEAR, key=lambda cell: math.hypot(cell[0], page.RATIO * cell[1]))


def draw(result: Result) -> Figure:
    """Return a figure of a comparison, a line a row: how well plain and altered queries find their franchise.

    On the right, how many altered copies find their original. Names of untrained checkpoints end with "(untrained)" and
    their marks are hollow.
    """
    rows = result.short
    lines = np.arange(len(rows))[::-1]
    drawn = Figure(figsize=(_WIDE, 3.4 + _LINE * len(rows)), dpi=_DPI, facecolor=page.GROUND, layout="constrained")
    drawn.alt = _described(rows[METRICS[0]])
    left, right = drawn.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    left.hlines(lines, rows["low"], rows["high"], color=ACCENT, alpha=0.4, linewidth=8)
    for column, (marker, colour, label) in _MARKS.items():
        _draw_marks(left, rows[column], marker, colour)
        left.scatter([], [], _SIZE, marker=marker, color=colour, label=label)
    _draw_marks(right, rows["copies accuracy@1"], "o", ACCENT)
    for axes, title in ((left, f"The same franchise among the first {K}"), (right, "Copies found")):
        axes.set_facecolor(page.GROUND)
        axes.set_title(title, color=INK, loc="left", fontsize=_TYPE)
        axes.set(xlim=(-0.04, 1.04), xticks=[0, 0.5, 1], xticklabels=["0", "0.5", "1"])
        axes.grid(color="#343b44", linewidth=1)
        axes.tick_params(colors=MUTED, length=0, labelsize=0.85 * _TYPE)
        axes.spines[:].set_visible(False)
    labels = ["\n".join(textwrap.wrap(name, 26)[:3]) for name in rows.index]
    left.set_yticks(lines, labels, color=INK, fontsize=0.8 * _TYPE, parse_math=False)
    drawn.legend(loc="outside lower left", ncols=3, frameon=False, labelcolor=MUTED, fontsize=0.85 * _TYPE)
    return drawn


def _draw_marks(axes: Axes, values: pd.Series, marker: str, colour: str) -> None:
    lines = np.arange(len(values))[::-1]
    faces = np.where(values.index.str.endswith(UNTRAINED), "none", colour)
    axes.scatter(values, lines, _SIZE, marker=marker, facecolors=faces, edgecolors=colour, linewidths=2, zorder=3)


def _described(recall: pd.Series) -> str:
    found = f"Recall of plain, mirrored, cut, hue-turned and grey queries for {', '.join(recall.index)}"
    if recall.notna().any():
        found += f"; {recall.idxmax()} finds most, {recall.max():.2f} of the same franchise"
    return f"{found}."


def side_by_side(album: Album, query: int, found: Mapping[str, Near | str]) -> Figure:
    """Return a row for each way of looking, named, with its nearest games to one query, or why there are none."""
    asked = album[int(query)]
    longest = max(len(near[0]) for near in found.values() if not isinstance(near, str))
    width = tile_width(1 + longest)
    step = tile_height(width, 3) + _LABEL
    drawn = Page(len(found) * step, f"What {', '.join(found)} find most like {asked.name}.")
    for row, (name, near) in enumerate(found.items()):
        y = MARGIN + row * step
        drawn.draw_text(name, (MARGIN, y), page.BODY, INNER, lines=1)
        drawn.draw_tile(asked, (MARGIN + 5, y + _LABEL + 5), width - 10, framed=True)
        x = MARGIN + width + GAP
        if isinstance(near, str):
            drawn.draw_text(near, (x, y + _LABEL), page.BODY, page.WIDTH - MARGIN - x, lines=6)
            continue
        for at, (appid, cosine) in enumerate(zip(*near, strict=True)):
            drawn.draw_tile(album[int(appid)], (x + at * (width + GAP), y + _LABEL), width, f"{cosine:.2f}")
    return drawn.figure


def alike(album: Album, features: Prepared, query: int, near: Near, named: Sequence[int]) -> Figure:
    """Return a game's matches, and below them those here that the store calls like it, by tags and buyers.

    named: the appids of `catalogue.more_like_this`. Below each game stands the cosine of the banners.
    """
    here = [appid for appid in named if appid in features.appids][: len(near[0])]
    rows = np.searchsorted(features.appids, [query, *here])
    cosines = features.vectors[rows[1:]] @ features.vectors[rows[0]]
    by_tags = (here, cosines) if here else "The store names no game that is here."
    return side_by_side(album, query, {"Alike by banner": near, "Alike by tags": by_tags})


def unique(album: Album, table: pd.DataFrame) -> Figure:
    """Return the most unique games of matching.most_unique's table, each with the cosine to its nearest neighbour."""
    return show.banners(album, table["appid"].tolist(), notes=table["cosine"].map("{:.2f}".format).tolist())


def duplicates(album: Album, groups: Sequence[Collection[int]]) -> Figure:
    """Return groups of near-duplicates, each under a line; of a large group the first four, and how many more."""
    most = 4
    starts = []
    end = 0
    for length in (min(len(group), most) for group in groups):
        if end % page.COLUMNS + length > page.COLUMNS:  # no group is broken at the end of a row
            end += page.COLUMNS - end % page.COLUMNS
        starts.append(end)
        end += length
    corners, width, height = page.grid(end, 3, above=10)
    drawn = Page(height, f"{len(groups)} groups of banners that are nearly the same.")
    for group, start in zip(groups, starts, strict=True):
        shown = list(group)[:most]
        x, y = corners[start]
        right = corners[start + len(shown) - 1][0] + width
        drawn.axes.plot([x, right], [y - 10, y - 10], color=ACCENT, linewidth=2)
        notes = [""] * (len(shown) - 1) + [f"+{len(group) - most}" if len(group) > most else ""]
        for appid, corner, note in zip(shown, corners[start:], notes, strict=False):
            drawn.draw_tile(album[int(appid)], corner, width, note)
    return drawn.figure


def scatter_map(album: Album, appids: np.ndarray, coordinates: np.ndarray) -> Figure:
    """Return a map of games by their coordinates (n, 2): each banner in the cell where it lies, or in one close by.

    Where that is crowded, the games nearest to the cells' middles are shown.
    """
    tile = tile_width(_COLUMNS, gap=_BETWEEN)
    step = np.array([tile, tile * page.RATIO]) + _BETWEEN
    cells = np.array([_COLUMNS, round(_HEIGHT / step[1])])
    low, high = np.percentile(coordinates, [0.5, 99.5], axis=0)  # the outermost half percent lies on the edge
    shown = _cells_of(np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1) * cells, cells)
    note = f"{len(shown):,} of {len(appids):,} games, each where its features put it or close by"
    drawn = Page(cells[1] * step[1] + 34, f"A mosaic of banners, alike near alike: {note}.")
    bottom = MARGIN + cells[1] * step[1]
    for game, (column, row) in shown.items():
        corner = (MARGIN + column * step[0], bottom - (row + 1) * step[1])
        drawn.draw_picture(album[int(appids[game])].rgb, corner, tile, radius=2)
    drawn.draw_text(note, (MARGIN, bottom + 8), NOTE, INNER, lines=1, color=MUTED)
    return drawn.figure


def _cells_of(places: np.ndarray, cells: np.ndarray) -> dict[int, tuple[int, int]]:
    """Return which of places (n, 2), in cells, get a cell (column, row): their own, else a free one near.

    Games in their cells' middle choose first.
    """
    own = np.minimum(places.astype(int), cells - 1)
    games = pd.DataFrame({"column": own[:, 0], "row": own[:, 1], "off": np.square(places - own - 0.5).sum(1)})
    games["turn"] = games.sort_values("off").groupby(["column", "row"]).cumcount()
    games = games[games["turn"] < len(_NEAREST)].sort_values(["turn", "off"])
    free = np.pad(np.ones(cells, bool), _REACH)  # beyond the edges nothing is free
    taken = {}
    for game, column, row in games[["column", "row"]].itertuples():
        for right, up in _NEAREST:
            cell = (column + right, row + up)
            if free[cell[0] + _REACH, cell[1] + _REACH]:
                free[cell[0] + _REACH, cell[1] + _REACH] = False
                taken[int(game)] = cell
                break
    return taken
