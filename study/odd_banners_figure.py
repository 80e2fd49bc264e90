"""What a look at all banners found, a row for each kind of issue."""

import pandas as pd

from study import odd_banners
from utils.show import page
from utils.show.grids import Album
from utils.show.page import Place

_COLUMNS = 6  # banners a row, at most
_LABEL = 36  # units of height of a row's heading


def figure(album: Album, found: pd.DataFrame) -> page.Figure:
    """Return a row for each kind of issue that find_issues found: how many banners have it, and the first."""
    kinds = odd_banners.summary(found)
    kinds = kinds[kinds["banners"] > 0]
    width = page.tile_width(page.WIDTH - 2 * page.MARGIN, _COLUMNS)
    step = page.tile_height(width, 2) + _LABEL
    said = ", ".join(f"{count} {issue}" for issue, count in zip(kinds["issue"], kinds["banners"], strict=True))
    axes = page.new_page(max(len(kinds) * step, _LABEL), None, f"Issues found in the banners: {said or 'none'}.")
    y = page.MARGIN
    if kinds.empty:
        page.put_text(axes, "Nothing stands out in any banner.", (page.MARGIN, y), page.BODY, page.WIDTH)
    for kind in kinds.itertuples():
        heading = f"{kind.issue} ({kind.banners:,}): {kind.meaning}"
        page.put_text(axes, heading, (page.MARGIN, y), page.BODY, page.WIDTH - 2 * page.MARGIN, lines=1)
        some = found[found["issue"] == kind.issue].sort_values("group", kind="stable").head(_COLUMNS)
        for at, appid in enumerate(some["appid"]):
            place = Place(page.MARGIN + at * (width + page.GAP), y + _LABEL, width)
            page.put_tile(axes, album[int(appid)], place)
        y += step
    return page.figure_of(axes)
