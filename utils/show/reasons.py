"""Why two banners match, as a figure: the cosine laid over both banners, patch by patch.

A map's patches add up to the cosine, so nearly all of them are positive: coloured by their size they would be one wash.
Colours are therefore centred on the average patch and run through their whole range: amber adds more than the average
patch, blue less, and a line encloses the tenth of the patches that add most.
"""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image

from utils.banners import Banner
from utils.show import page
from utils.show.page import Place

if TYPE_CHECKING:
    from utils.explain import Explanation

Box = tuple[float, float, float, float]

_SHADES = LinearSegmentedColormap.from_list("reasons", ["#3d8bff", "#1b3a66", "#3a3a3a", "#d9751a", "#ffe36e"])
_RANGE = 98  # percentile of the distances to the average patch that gets the full colour
_HOTTEST = 90  # percentile of the patches that are enclosed
_UNSEEN = 0.2  # brightness of a banner outside of what the network saw
_LEGEND = 280  # units of width
_RIM = 0.08  # share of the map's middle that counts as neither side, in words


def reasons(
    explanation: "Explanation | str", query: Banner | np.ndarray, match: Banner | np.ndarray, title: str | None = None
) -> page.Figure:
    """Return the query, framed, and the match, and between them their heat maps, both in one scale.

    Pictures are Banners or uint8 RGB (384, 256, 3). Below them: the cosine, what of it has no place, and whose features
    these are. A sentence that says why there are no maps stands in their place.
    """
    if isinstance(explanation, str):
        return _without_maps(explanation, query, match, title)
    width = page.tile_width(page.WIDTH - 2 * page.MARGIN, 4)
    top = page.top_of(title)
    below = top + width * page.RATIO + 12
    axes = page.new_page(
        below - top + 150, title, f"{_name(query)} and {_name(match)}. {reasons_sentence(explanation)}"
    )
    x = page.MARGIN
    left = Place(x, top, width)
    _put_banner(axes, query, left, below)
    _put_map(axes, _rgb(query), explanation.query_map, explanation, Place(x + width + page.GAP, top, width))
    x += 2 * (width + page.GAP)
    _put_map(axes, _rgb(match), explanation.match_map, explanation, Place(x, top, width))
    _put_banner(axes, match, Place(x + width + page.GAP, top, width), below)
    page.put_frame(axes, left)
    _put_legend(axes, left.x + width + page.GAP, below + 8)
    _put_sums(axes, explanation, below + 84)
    return page.figure_of(axes)


def _without_maps(
    sentence: str, query: Banner | np.ndarray, match: Banner | np.ndarray, title: str | None
) -> page.Figure:
    width = page.tile_width(page.WIDTH - 2 * page.MARGIN, 4)
    step = width + page.GAP
    top = page.top_of(title)
    below = top + width * page.RATIO + 12
    axes = page.new_page(below - top + 60, title, f"{_name(query)} and {_name(match)}. {sentence}")
    left = Place(page.MARGIN, top, width)
    _put_banner(axes, query, left, below)
    _put_banner(axes, match, Place(page.MARGIN + step, top, width), below)
    page.put_frame(axes, left)
    page.put_text(axes, sentence, (page.MARGIN + 2 * step, top), page.BODY, 2 * width, lines=8)
    return page.figure_of(axes)


def reasons_sentence(explanation: "Explanation | str") -> str:
    """Return in words what the figure shows: how much of the cosine the hottest patches give, and where they lie."""
    if isinstance(explanation, str):
        return explanation
    where = []
    shares = []
    for heat in (explanation.query_map, explanation.match_map):
        hottest = heat >= np.percentile(heat, _HOTTEST)
        shares.append(float(heat[hottest].sum()))
        where.append(_place_in_words(hottest))
    total = explanation.placed
    if total <= 0:
        return f"The cosine is {explanation.cosine:.2f}: taken together, the patches speak against this match."
    return (
        f"The tenth of the patches that add most give {shares[0] / total:.0%} of the cosine in the query, around its "
        f"{where[0]}, and {shares[1] / total:.0%} in the match, around its {where[1]}."
    )


def _put_banner(axes: Axes, picture: Banner | np.ndarray, place: Place, below: float) -> None:
    page.put_picture(axes, _rgb(picture), place)
    page.put_text(axes, picture.name if isinstance(picture, Banner) else "", (place.x, below), page.NAME, place.width)


def _put_map(axes: Axes, rgb: np.ndarray, heat: np.ndarray, explanation: "Explanation", place: Place) -> None:
    shade = (heat - heat.mean()) / _scale(explanation)
    page.put_picture(axes, _overlaid(rgb, shade, explanation.box), place)
    left, upper, right, lower = (each * place.width / 256 for each in explanation.box)
    rows, columns = heat.shape
    xs = place.x + left + (np.arange(columns) + 0.5) * (right - left) / columns
    ys = place.y + upper + (np.arange(rows) + 0.5) * (lower - upper) / rows
    level = np.percentile(heat, _HOTTEST)
    if heat.min() < level < heat.max():
        axes.contour(xs, ys, heat, levels=[level], colors=[page.INK], linewidths=1.6, alpha=0.9)


def _scale(explanation: "Explanation") -> float:
    """Return how far from the average patch the full colour is, for both maps."""
    maps = (explanation.query_map, explanation.match_map)
    apart = np.concatenate([np.abs(heat - heat.mean()).ravel() for heat in maps])
    return max(float(np.percentile(apart, _RANGE)), 1e-12)


def _overlaid(rgb: np.ndarray, shade: np.ndarray, box: Box) -> np.ndarray:
    """Return a banner in grey, uint8 (384, 256, 3), with shades (rows, columns) of -1 to 1 laid over its box."""
    left, top, right, bottom = map(round, box)
    grey = np.asarray(Image.fromarray(rgb).convert("L"), np.float32)[..., None]
    smooth = Image.fromarray(shade.astype(np.float32)).resize((right - left, bottom - top), Image.Resampling.BICUBIC)
    strength = np.asarray(smooth)[..., None].clip(-1, 1)
    tint = _SHADES((strength[..., 0] + 1) / 2)[..., :3].astype(np.float32)
    picture = _UNSEEN * grey.repeat(3, axis=2)
    light = 0.35 + 0.65 * grey[top:bottom, left:right] / 255  # the banner's own light still shows
    picture[top:bottom, left:right] = 255 * tint * light
    return picture.round().astype(np.uint8)


def _put_legend(axes: Axes, x: float, y: float) -> None:
    """The colours, from a patch that adds less than the average one to a patch that adds more."""
    strip = _SHADES(np.linspace(0, 1, 128))[None, :, :3]
    axes.imshow(strip, extent=(x, x + _LEGEND, y + 14, y), aspect="auto")
    page.put_text(axes, "adds less than the average patch, or more", (x, y + 20), page.NOTE, 440, color=page.MUTED)


def _put_sums(axes: Axes, explanation: "Explanation", y: float) -> None:
    width = page.WIDTH - 2 * page.MARGIN
    y = page.put_text(axes, _sums(explanation), (page.MARGIN, y), page.BODY, width)
    page.put_text(axes, _described(explanation.manifest), (page.MARGIN, y + 4), page.NOTE, width, color=page.MUTED)


def _sums(explanation: "Explanation") -> str:
    cosine = f"Cosine {explanation.cosine:.2f}"
    if not explanation.unplaced:
        return _with_minus(f"{cosine}: each map's patches add up to it.")
    placed = f"{explanation.placed:.2f} from patches and {explanation.unplaced:.2f} from CLS, which lies nowhere"
    return _with_minus(f"{cosine}: {placed}.")


def _with_minus(text: str) -> str:
    return text.replace("-", "−")


def _described(manifest: dict) -> str:
    trained = "" if manifest["trained"] else " (never trained: it shows how this works, not what looks alike)"
    how = ", ".join(manifest[name] for name in ("pooling", "image", "preparation"))
    return f"{manifest['checkpoint']}{trained}, {how}"


def _place_in_words(hottest: np.ndarray) -> str:
    """Return where the middle of some patches, bool (rows, columns), lies: "upper left", "middle", ..."""
    rows, columns = np.nonzero(hottest)
    down = (rows.mean() + 0.5) / hottest.shape[0] - 0.5
    across = (columns.mean() + 0.5) / hottest.shape[1] - 0.5
    words = []
    if abs(down) > _RIM:
        words.append("lower" if down > 0 else "upper")
    if abs(across) > _RIM:
        words.append("right" if across > 0 else "left")
    return " ".join(words) + (" part" if words else "middle")


def _name(picture: Banner | np.ndarray) -> str:
    return picture.name if isinstance(picture, Banner) and picture.name else "A picture"


def _rgb(picture: Banner | np.ndarray) -> np.ndarray:
    return picture.rgb if isinstance(picture, Banner) else picture
