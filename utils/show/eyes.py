"""What several networks find for one game, a row for each."""

from collections.abc import Mapping

import numpy as np

from utils.show import page
from utils.show.grids import Album
from utils.show.page import Place

_LABEL = 34  # units of height of a row's heading


def eyes(
    album: Album, query: int, found: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str | None = None
) -> page.Figure:
    """Return a row for each network, named, with its nearest games to one query: appids (k,) and cosines (k,)."""
    asked = album[int(query)]
    columns = 1 + max(len(appids) for appids, _ in found.values())
    width = page.tile_width(page.WIDTH - 2 * page.MARGIN, columns)
    step = page.tile_height(width, 3) + _LABEL
    axes = page.new_page(len(found) * step, title, f"What {', '.join(found)} find most like {asked.name}.")
    y = page.top_of(title)
    for name, (appids, cosines) in found.items():
        page.put_text(axes, name, (page.MARGIN, y), page.BODY, page.WIDTH - 2 * page.MARGIN, lines=1)
        page.put_tile(axes, asked, Place(page.MARGIN + 5, y + _LABEL + 5, width - 10), framed=True)
        for at, (appid, cosine) in enumerate(zip(appids, cosines, strict=True), 1):
            place = Place(page.MARGIN + at * (width + page.GAP), y + _LABEL, width)
            page.put_tile(axes, album[int(appid)], place, f"{cosine:.2f}")
        y += step
    return page.figure_of(axes)
