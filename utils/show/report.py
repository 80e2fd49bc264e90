"""What became of a download, as a figure."""

from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from utils.show import page

if TYPE_CHECKING:
    from utils.snapshot import Report

_ROW = 32  # units of height


def report(report: "Report", title: str | None = None, *, most: int = 8) -> page.Figure:
    """Return what became of the games asked for: how many a status, their share, and the commonest reasons."""
    with_reason = report.table[report.table["reason"] != ""]
    reasons = with_reason[["status", "reason"]].value_counts().head(most)
    counts = {status: int((report.table["status"] == status).sum()) for status in page.STATUS}
    said = ", ".join(f"{count:,} {status}" for status, count in counts.items())
    axes = page.new_page(140 + len(reasons) * _ROW, title, f"Of {len(report.table):,} games: {said}.")
    _put_bar(axes, counts, page.top_of(title))
    y = page.top_of(title) + 134
    for (status, reason), count in reasons.items():
        page.put_text(axes, f"{count:,}", (page.MARGIN, y), page.BODY, 90, lines=1, color=page.STATUS[status])
        page.put_text(axes, reason, (page.MARGIN + 94, y), page.BODY, page.WIDTH - 2 * page.MARGIN - 94, lines=1)
        y += _ROW
    return page.figure_of(axes)


def _put_bar(axes: Axes, counts: dict[str, int], top: float) -> None:
    """One bar of all games, coloured by status, and below it the numbers."""
    total = max(sum(counts.values()), 1)
    column = (page.WIDTH - 2 * page.MARGIN) / len(counts)
    x = page.MARGIN
    for at, (status, count) in enumerate(counts.items()):
        color = page.STATUS[status]
        right = x + count / total * (page.WIDTH - 2 * page.MARGIN)
        axes.fill_between([x, right], top, top + 14, color=color, linewidth=0)
        left = page.MARGIN + at * column
        page.put_text(axes, f"{count:,}", (left, top + 34), 36, column - 8, lines=1, color=color)
        share = f"{status}, {count / total:.1%}"
        page.put_text(axes, share, (left, top + 84), page.NOTE, column - 4, lines=1, color=page.MUTED)
        x = right
