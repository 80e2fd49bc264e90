"""The figure of a comparison: a line a row of the table."""

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from study import UNTRAINED, Result
from study.metrics import METRICS, K
from utils.show import Figure
from utils.show.page import ACCENT, GROUND, INK, MUTED, NOTE, WARM, WIDTH

_DPI = 100
_WIDE = WIDTH * 4 / 3 / _DPI  # inches of a page
_LINE = 0.62  # inches a row
_TYPE = 0.96 * NOTE  # points, as large as the notes of other figures
_SIZE = 110  # square points of a mark
_RULE = "#343b44"
_MARKS = {  # column of Result.short -> marker, colour, what the legend calls it
    METRICS[0]: ("o", ACCENT, "plain, 95 % interval"),
    "mirrored": ("<", INK, "mirrored"),
    "cut": ("s", "#7fd18b", "cut"),
    "hue": ("D", WARM, "hue turned"),
    "grey": ("P", MUTED, "grey"),
}


def draw(result: Result) -> Figure:
    """Return a figure of a comparison, a line a row: how well plain and altered queries find their franchise.

    On the right, how many altered copies find their original. Names of untrained checkpoints end with "(untrained)" and
    their marks are hollow.
    """
    rows = result.short
    lines = np.arange(len(rows))[::-1]
    page = Figure(figsize=(_WIDE, 3.4 + _LINE * len(rows)), dpi=_DPI, facecolor=GROUND, layout="constrained")
    page.alt = _described(rows)
    left, right = page.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    left.hlines(lines, rows["low"], rows["high"], color=ACCENT, alpha=0.4, linewidth=8)
    for column, (marker, colour, label) in _MARKS.items():
        _draw_marks(left, rows[column], marker, colour)
        left.scatter([], [], _SIZE, marker=marker, color=colour, label=label)
    _draw_marks(right, rows["copies accuracy@1"], "o", ACCENT)
    _style_axes(left, f"The same franchise among the first {K}")
    _style_axes(right, "Copies found")
    left.set_yticks(lines, rows.index.map(_two_lines), color=INK, fontsize=0.8 * _TYPE)
    page.legend(loc="outside lower left", ncols=3, frameon=False, labelcolor=MUTED, fontsize=0.85 * _TYPE)
    return page


def _draw_marks(axes: Axes, values: pd.Series, marker: str, colour: str) -> None:
    lines = np.arange(len(values))[::-1]
    faces = np.where(values.index.str.endswith(UNTRAINED), "none", colour)
    axes.scatter(values, lines, _SIZE, marker=marker, facecolors=faces, edgecolors=colour, linewidths=2, zorder=3)


def _style_axes(axes: Axes, title: str) -> None:
    axes.set_facecolor(GROUND)
    axes.set_title(title, color=INK, loc="left", fontsize=_TYPE)
    axes.set_xlim(-0.04, 1.04)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(color=_RULE, linewidth=1)
    axes.tick_params(colors=MUTED, length=0, labelsize=0.85 * _TYPE)
    axes.spines[:].set_visible(False)


def _two_lines(name: str) -> str:
    return "\n".join(textwrap.wrap(name, 26)[:3])


def _described(rows: pd.DataFrame) -> str:
    best = rows[METRICS[0]].idxmax() if rows[METRICS[0]].notna().any() else None
    names = ", ".join(rows.index)
    found = f"; {best} finds most, {rows.loc[best, METRICS[0]]:.2f} of the same franchise" if best else ""
    return f"Recall of plain, mirrored, cut, hue-turned and grey queries for {names}{found}."
