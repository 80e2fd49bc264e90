"""Figures: grids of banners, matches, a download's report, why two banners match.

Each function returns a `Figure` of its own, without pyplot: as the last line of a cell it is shown once, with a text
for those who cannot see it. `album` is any mapping from appid to Banner; only the banners that are drawn are read.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from utils.banners import Banner
from utils.show import page
from utils.show.page import GAP, INNER, MARGIN, Figure, Page
from utils.show.reasons import reasons, reasons_sentence
from utils.snapshot import Report

__all__ = ["Figure", "banners", "matches", "queries", "ranked", "reasons", "reasons_sentence", "report"]

Album = Mapping[int, Banner]
Near = tuple[Sequence[int] | np.ndarray, Sequence[float] | np.ndarray]  # appids (k,) and cosines (k,)

_SMALL = 120  # units of width of a banner in a list
_APART = 16  # units between a query and its matches
_ROW = 32  # units of height of a reason in a report
_NAMED = 12  # games that are named in a figure's description
_STATUSES = {"downloaded": page.ACCENT, "missing": "#7d8793", "refused": "#d9a441", "failed": "#e0605a"}


def banners(album: Album, appids: Sequence[int], *, notes: Sequence[str] | None = None) -> Figure:
    """Return a grid of banners with their names and, where there are notes (n,), one below each name."""
    shown = [album[int(appid)] for appid in appids]
    corners, width, height = page.grid(len(shown), 2 if notes is None else 3)
    drawn = Page(height, f"The banners of {_listed(shown)}.")
    for banner, corner, note in zip(shown, corners, notes or [""] * len(shown), strict=True):
        drawn.draw_tile(banner, corner, width, note)
    return drawn.figure


def matches(album: Album, query: int | Banner, appids: Sequence[int], cosines: Sequence[float]) -> Figure:
    """Return a query (a game's appid, or any Banner), large and framed, and its matches (k,), best first.

    The query takes the place of four matches, in the upper left corner; a cosine stands below each match.
    """
    asked = query if isinstance(query, Banner) else album[int(query)]
    found = list(map(album.__getitem__, map(int, appids)))
    named = ", ".join(f"{_called(each)} ({cosine:.2f})" for each, cosine in zip(found, cosines, strict=True)) or "none"
    corners, width, height = page.grid(max(10, len(found) + 4), 3)
    drawn = Page(height, f"{_called(asked)} and the banners that look most like it: {named}.")
    drawn.draw_tile(asked, (MARGIN + 5, MARGIN + 5), 2 * width + GAP - 10, framed=True)
    for banner, cosine, corner in zip(found, cosines, corners[2:5] + corners[7:], strict=False):
        drawn.draw_tile(banner, corner, width, f"{cosine:.2f}")
    return drawn.figure


def queries(album: Album, queries: Sequence[int | Banner], appids: np.ndarray, cosines: np.ndarray) -> Figure:
    """Return a row for each query (q,): the query, framed, and its matches (q, k) with cosines (q, k), best first.

    Queries are games' appids or any Banners.
    """
    asked = [query if isinstance(query, Banner) else album[int(query)] for query in queries]
    width = page.tile_width(appids.shape[1] + 1, INNER - _APART)
    step = page.tile_height(width, 3) + 6
    drawn = Page(len(asked) * step - GAP, f"The banners that look most like those of {_listed(asked)}, a row for each.")
    for row, banner in enumerate(asked):
        y = MARGIN + row * step + 5
        drawn.draw_tile(banner, (MARGIN + 5, y), width - 5, framed=True)
        for at, (appid, cosine) in enumerate(zip(appids[row], cosines[row], strict=True), 1):
            drawn.draw_tile(album[int(appid)], (MARGIN + _APART + at * (width + GAP), y), width, f"{cosine:.2f}")
    return drawn.figure


def ranked(album: Album, drafts: Sequence[Banner], sentences: Sequence[str], near: Sequence[Near]) -> Figure:
    """Return a row for each draft, in their order: the draft, what is said of it, and its nearest games.

    All stand at about the size in which the store lists games.
    """
    step = page.tile_height(_SMALL, 3) + 10
    drawn = Page(len(drafts) * step - GAP, " ".join(sentences))
    for row, (banner, sentence, found) in enumerate(zip(drafts, sentences, near, strict=True)):
        y = MARGIN + row * step + 5
        drawn.draw_picture(banner.rgb, (MARGIN + 5, y), _SMALL)
        drawn.draw_frame((MARGIN + 5, y), _SMALL)
        drawn.draw_text(f"{row + 1}. {sentence}", (MARGIN + _SMALL + 28, y - 4), page.BODY, 290, lines=8)
        x = page.WIDTH - MARGIN + GAP - len(found[0]) * (_SMALL + GAP)
        for at, (appid, cosine) in enumerate(zip(*found, strict=True)):
            drawn.draw_tile(album[int(appid)], (x + at * (_SMALL + GAP), y), _SMALL, f"{cosine:.2f}")
    return drawn.figure


def report(report: Report) -> Figure:
    """Return what became of the games asked for: how many a status, their share, and the eight commonest reasons."""
    with_reason = report.table[report.table["reason"] != ""]
    found = with_reason[["status", "reason"]].value_counts().head(8)
    counts = report.table["status"].value_counts().reindex(list(_STATUSES), fill_value=0).to_dict()
    said = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    drawn = Page(140 + len(found) * _ROW, f"Of {len(report.table):,} games: {said}.")
    _draw_shares(drawn, counts)
    y = MARGIN + 134
    for (status, reason), count in found.items():
        drawn.draw_text(f"{count:,}", (MARGIN, y), page.BODY, 90, lines=1, color=_STATUSES[status])
        drawn.draw_text(reason, (MARGIN + 94, y), page.BODY, INNER - 94, lines=1)
        y += _ROW
    return drawn.figure


def _draw_shares(drawn: Page, counts: dict[str, int]) -> None:
    """Draw one bar of all games, coloured by status, and below it the numbers."""
    column = INNER / len(counts)
    x = left = MARGIN
    for status, count in counts.items():
        color, share = _STATUSES[status], count / max(sum(counts.values()), 1)
        drawn.axes.fill_between([x, x + share * INNER], MARGIN, MARGIN + 14, color=color, linewidth=0)
        drawn.draw_text(f"{count:,}", (left, MARGIN + 34), 36, column - 8, lines=1, color=color)
        note = f"{status}, {share:.1%}"
        drawn.draw_text(note, (left, MARGIN + 84), page.NOTE, column - 4, lines=1, color=page.MUTED)
        x += share * INNER
        left += column


def _called(banner: Banner) -> str:
    return banner.name or f"game {banner.appid}"


def _listed(shown: Sequence[Banner]) -> str:
    named = ", ".join(map(_called, shown[:_NAMED]))
    more = len(shown) - _NAMED
    return f"{named} and {more} more" if more > 0 else named or "no game"
