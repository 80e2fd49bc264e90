"""What several ways of looking find for one game, a row for each: networks, or the banner and the store's tags."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from utils import catalogue
from utils.show import page
from utils.show.grids import Album
from utils.show.page import Place

if TYPE_CHECKING:
    from utils.matching import Prepared

Near = tuple[np.ndarray, np.ndarray]  # appids (k,) and cosines (k,)

_LABEL = 34  # units of height of a row's heading
_ASKED = 100  # games that the store is asked for: most may not be here


def eyes(album: Album, query: int, found: Mapping[str, Near | str]) -> page.Figure:
    """Return a row for each way of looking, named, with its nearest games to one query, or why there are none."""
    asked = album[int(query)]
    rows = [near for near in found.values() if not isinstance(near, str)]
    width = page.tile_width(page.WIDTH - 2 * page.MARGIN, 1 + max(len(appids) for appids, _ in rows))
    step = page.tile_height(width, 3) + _LABEL
    axes = page.new_page(len(found) * step, None, f"What {', '.join(found)} find most like {asked.name}.")
    y = page.MARGIN
    for name, near in found.items():
        page.put_text(axes, name, (page.MARGIN, y), page.BODY, page.WIDTH - 2 * page.MARGIN, lines=1)
        page.put_tile(axes, asked, Place(page.MARGIN + 5, y + _LABEL + 5, width - 10), framed=True)
        x = page.MARGIN + width + page.GAP
        if isinstance(near, str):
            page.put_text(axes, near, (x, y + _LABEL), page.BODY, page.WIDTH - page.MARGIN - x, lines=6)
            near = ((), ())
        for appid, cosine in zip(*near, strict=True):
            page.put_tile(axes, album[int(appid)], Place(x, y + _LABEL, width), f"{cosine:.2f}")
            x += width + page.GAP
        y += step
    return page.figure_of(axes)


def alike(album: Album, features: "Prepared", query: int, near: Near, *, api_url: str | None = None) -> page.Figure:
    """Return a game's matches, and below them those here that the store calls like it, by tags and buyers.

    Below each stands the cosine of the banners. Where the store does not answer, the figure says why.
    """
    try:
        said = catalogue.more_like_this(query, _ASKED, api_url=api_url)["appid"]
    except catalogue.StoreError as error:
        return eyes(album, query, {"Alike by banner": near, "Alike by tags": str(error)})
    others = said[said.isin(features.appids)].to_numpy()[: len(near[0])]
    rows = np.searchsorted(features.appids, [query, *others])
    cosines = features.vectors[rows[1:]] @ features.vectors[rows[0]]
    by_tags = (others, cosines) if len(others) else "The store names no game that is here."
    return eyes(album, query, {"Alike by banner": near, "Alike by tags": by_tags})
