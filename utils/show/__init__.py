"""Figures: grids of banners, matches, near-duplicates, a map of the store, a download's report, why two banners match.

Each function returns a `Figure` of its own, without pyplot: as the last line of a cell it is shown once, with a text
for those who cannot see it. `album` is any mapping from appid to Banner, `banners.Album` above all; only the banners
that are drawn are read from it.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from utils.banners import Banner
from utils.show import page
from utils.show.page import GAP, INNER, MARGIN, Figure, Page, Rect
from utils.show.reasons import reasons, reasons_sentence
from utils.show.scatter_map import scatter_map

if TYPE_CHECKING:
    from utils.matching import Prepared
    from utils.snapshot import Report

__all__ = [  # with what the other files draw
    "Figure",
    "alike",
    "banners",
    "duplicates",
    "matches",
    "queries",
    "ranked",
    "reasons",
    "reasons_sentence",
    "report",
    "scatter_map",
    "side_by_side",
    "unique",
]

Album = Mapping[int, Banner]
Near = tuple[Sequence[int], Sequence[float]]  # appids (k,) and cosines (k,)

_SMALL = 120  # units of width of a banner in a list
_APART = 16  # units between a query and its matches
_LABEL = 34  # units of height of a row's heading
_ROW = 32  # units of height of a reason in a report
_NAMED = 12  # games that are named in a figure's description


def banners(
    album: Album,
    appids: Sequence[int],
    title: str | None = None,
    *,
    notes: Sequence[str] | None = None,
    columns: int = 5,
) -> Figure:
    """Return a grid of banners with their names and, where there are notes (n,), one below each name."""
    shown = [album[int(appid)] for appid in appids]
    width = page.tile_width(INNER, columns)
    step = page.tile_height(width, 3 if notes is not None else 2)
    drawn = Page(math.ceil(len(shown) / columns) * step - GAP, title, f"The banners of {_listed(shown)}.")
    for at, banner in enumerate(shown):
        row, column = divmod(at, columns)
        rect = Rect(MARGIN + column * (width + GAP), drawn.top + row * step, width)
        drawn.draw_tile(banner, rect, notes[at] if notes is not None else "")
    return drawn.figure


def matches(
    album: Album,
    query: int | Banner,
    appids: Sequence[int],
    cosines: Sequence[float],
    title: str | None = None,
) -> Figure:
    """Return a query (a game's appid, or any Banner), large and framed, and its matches (k,), best first.

    The query takes the place of four matches, in the upper left corner; a cosine stands below each match.
    """
    asked = query if isinstance(query, Banner) else album[int(query)]
    found = [album[int(appid)] for appid in appids]
    named = ", ".join(f"{_called(each)} ({cosine:.2f})" for each, cosine in zip(found, cosines, strict=True)) or "none"
    columns = 5
    width = page.tile_width(INNER, columns)
    step = page.tile_height(width, 3)
    cells = [(row, column) for row in (0, 1) for column in range(2, columns)]  # beside the query
    cells += [divmod(at, columns) for at in range(2 * columns, len(found) + 4)]
    cells = cells[: len(found)]
    rows = max([2, *(row + 1 for row, _ in cells)])
    drawn = Page(rows * step - GAP, title, f"{_called(asked)} and the banners that look most like it: {named}.")
    drawn.draw_tile(asked, Rect(MARGIN + 5, drawn.top + 5, 2 * width + GAP - 10), framed=True)
    for banner, cosine, (row, column) in zip(found, cosines, cells, strict=True):
        rect = Rect(MARGIN + column * (width + GAP), drawn.top + row * step, width)
        drawn.draw_tile(banner, rect, f"{cosine:.2f}")
    return drawn.figure


def queries(
    album: Album,
    queries: Sequence[int | Banner],
    appids: np.ndarray,
    cosines: np.ndarray,
    title: str | None = None,
    *,
    notes: Sequence[str] | None = None,
) -> Figure:
    """Return a row for each query (q,): the query, framed, and its matches (q, k) with cosines (q, k), best first.

    Queries are games' appids or any Banners; where there are notes (q,), one stands below each query's name.
    """
    asked = [query if isinstance(query, Banner) else album[int(query)] for query in queries]
    width = page.tile_width(INNER - _APART, appids.shape[1] + 1)
    step = page.tile_height(width, 3) + 6
    alt = f"The banners that look most like those of {_listed(asked)}, a row for each."
    drawn = Page(len(asked) * step - GAP, title, alt)
    for row, banner in enumerate(asked):
        y = drawn.top + row * step + 5
        drawn.draw_tile(banner, Rect(MARGIN + 5, y, width - 5), notes[row] if notes is not None else "", framed=True)
        for at, (appid, cosine) in enumerate(zip(appids[row], cosines[row], strict=True), 1):
            rect = Rect(MARGIN + _APART + at * (width + GAP), y, width)
            drawn.draw_tile(album[int(appid)], rect, f"{cosine:.2f}")
    return drawn.figure


def ranked(album: Album, drafts: Sequence[Banner], sentences: Sequence[str], near: Sequence[Near]) -> Figure:
    """Return a row for each draft, in their order: the draft, what is said of it, and its nearest games.

    All stand at about the size in which the store lists games.
    """
    step = page.tile_height(_SMALL, 3) + 10
    drawn = Page(len(drafts) * step - GAP, None, " ".join(sentences))
    for row, (banner, sentence, found) in enumerate(zip(drafts, sentences, near, strict=True)):
        y = drawn.top + row * step + 5
        drawn.draw_picture(banner.rgb, Rect(MARGIN + 5, y, _SMALL))
        drawn.draw_frame(Rect(MARGIN + 5, y, _SMALL).grown(5))
        drawn.draw_text(f"{row + 1}. {sentence}", (MARGIN + _SMALL + 28, y - 4), page.BODY, 290, lines=8)
        for at, (appid, cosine) in enumerate(zip(*found, strict=True)):
            x = page.WIDTH - MARGIN - (len(found[0]) - at) * (_SMALL + GAP) + GAP
            drawn.draw_tile(album[int(appid)], Rect(x, y, _SMALL), f"{cosine:.2f}")
    return drawn.figure


def unique(album: Album, table: pd.DataFrame, title: str | None = None, *, columns: int = 5) -> Figure:
    """Return the most unique games of matching.most_unique's table, each with the cosine to its nearest neighbour."""
    notes = table["cosine"].map("{:.2f}".format).tolist()
    return banners(album, table["appid"].tolist(), title, notes=notes, columns=columns)


def duplicates(
    album: Album, groups: Sequence[Collection[int]], title: str | None = None, *, most: int = 4, columns: int = 5
) -> Figure:
    """Return groups of near-duplicates, each under a line; of a large group the first `most`, and how many more."""
    most = min(most, columns)
    width = page.tile_width(INNER, columns)
    step = page.tile_height(width, 3) + 10
    cells = []
    row = column = 0
    for group in groups:
        length = min(len(group), most)
        if column + length > columns:  # no group is broken at the end of a row
            row, column = row + 1, 0
        cells.append((row, column))
        column += length
    height = (row + 1) * step if groups else 0
    drawn = Page(height - GAP, title, f"{len(groups)} groups of banners that are nearly the same.")
    for group, (row, column) in zip(groups, cells, strict=True):
        x = MARGIN + column * (width + GAP)
        y = drawn.top + row * step
        shown = list(group)[:most]
        right = x + len(shown) * (width + GAP) - GAP
        drawn.axes.plot([x, right], [y, y], color=page.ACCENT, linewidth=2)
        for at, appid in enumerate(shown):
            more = f"+{len(group) - most}" if at == most - 1 and len(group) > most else ""
            drawn.draw_tile(album[int(appid)], Rect(x + at * (width + GAP), y + 10, width), more)
    return drawn.figure


def side_by_side(album: Album, query: int, found: Mapping[str, Near | str]) -> Figure:
    """Return a row for each way of looking, named, with its nearest games to one query, or why there are none."""
    asked = album[int(query)]
    longest = max(len(near[0]) for near in found.values() if not isinstance(near, str))
    width = page.tile_width(INNER, 1 + longest)
    step = page.tile_height(width, 3) + _LABEL
    drawn = Page(len(found) * step, None, f"What {', '.join(found)} find most like {asked.name}.")
    y = MARGIN
    for name, near in found.items():
        drawn.draw_text(name, (MARGIN, y), page.BODY, INNER, lines=1)
        drawn.draw_tile(asked, Rect(MARGIN + 5, y + _LABEL + 5, width - 10), framed=True)
        x = MARGIN + width + GAP
        if isinstance(near, str):
            drawn.draw_text(near, (x, y + _LABEL), page.BODY, page.WIDTH - MARGIN - x, lines=6)
            near = ((), ())
        for appid, cosine in zip(*near, strict=True):
            drawn.draw_tile(album[int(appid)], Rect(x, y + _LABEL, width), f"{cosine:.2f}")
            x += width + GAP
        y += step
    return drawn.figure


def alike(album: Album, features: "Prepared", query: int, near: Near, named: Sequence[int] | str) -> Figure:
    """Return a game's matches, and below them those here that the store calls like it, by tags and buyers.

    named: the appids of `catalogue.more_like_this`, or a sentence that says why the store did not answer. Below each
    game stands the cosine of the banners.
    """
    if isinstance(named, str):
        by_tags = named
    else:
        here = [appid for appid in named if appid in features.appids][: len(near[0])]
        rows = np.searchsorted(features.appids, [query, *here])
        cosines = features.vectors[rows[1:]] @ features.vectors[rows[0]]
        by_tags = (here, cosines) if here else "The store names no game that is here."
    return side_by_side(album, query, {"Alike by banner": near, "Alike by tags": by_tags})


def report(report: "Report", title: str | None = None, *, most: int = 8) -> Figure:
    """Return what became of the games asked for: how many a status, their share, and the commonest reasons."""
    with_reason = report.table[report.table["reason"] != ""]
    found = with_reason[["status", "reason"]].value_counts().head(most)
    counts = {status: int((report.table["status"] == status).sum()) for status in page.STATUS}
    said = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    drawn = Page(140 + len(found) * _ROW, title, f"Of {len(report.table):,} games: {said}.")
    _draw_shares(drawn, counts)
    y = drawn.top + 134
    for (status, reason), count in found.items():
        drawn.draw_text(f"{count:,}", (MARGIN, y), page.BODY, 90, lines=1, color=page.STATUS[status])
        drawn.draw_text(reason, (MARGIN + 94, y), page.BODY, INNER - 94, lines=1)
        y += _ROW
    return drawn.figure


def _draw_shares(drawn: Page, counts: dict[str, int]) -> None:
    """Draw one bar of all games, coloured by status, and below it the numbers."""
    total = max(sum(counts.values()), 1)
    column = INNER / len(counts)
    x = MARGIN
    for at, (status, count) in enumerate(counts.items()):
        color = page.STATUS[status]
        right = x + count / total * INNER
        drawn.axes.fill_between([x, right], drawn.top, drawn.top + 14, color=color, linewidth=0)
        left = MARGIN + at * column
        drawn.draw_text(f"{count:,}", (left, drawn.top + 34), 36, column - 8, lines=1, color=color)
        share = f"{status}, {count / total:.1%}"
        drawn.draw_text(share, (left, drawn.top + 84), page.NOTE, column - 4, lines=1, color=page.MUTED)
        x = right


def _called(banner: Banner) -> str:
    return banner.name or f"game {banner.appid}"


def _listed(shown: Sequence[Banner]) -> str:
    named = ", ".join(map(_called, shown[:_NAMED]))
    more = len(shown) - _NAMED
    return f"{named} and {more} more" if more > 0 else named or "no game"
