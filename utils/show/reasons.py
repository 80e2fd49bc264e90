"""Why two banners match, as a figure: the cosine laid over both banners, patch by patch.

A map's patches add up to the cosine, so nearly all of them are positive: coloured by their size they would be one wash.
Colours are therefore centred on the average patch and run through their whole range: amber adds more than the average
patch, blue less, and a line encloses the tenth of the patches that add most.
"""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image

from utils.banners import Banner
from utils.show import page
from utils.show.page import GAP, INNER, MARGIN, Figure, Page, Rect

if TYPE_CHECKING:
    from utils.explain import Explanation

_SHADES = LinearSegmentedColormap.from_list("reasons", ["#3d8bff", "#1b3a66", "#3a3a3a", "#d9751a", "#ffe36e"])
_RANGE = 98  # percentile of the distances to the average patch that gets the full colour
_HOTTEST = 90  # percentile of the patches that are enclosed
_UNSEEN = 0.2  # brightness of a banner outside of what the network saw
_LEGEND = 280  # units of width
_RIM = 0.08  # share of the map's middle that counts as neither side, in words


def reasons(
    explanation: "Explanation | str", query: Banner | np.ndarray, match: Banner | np.ndarray, title: str | None = None
) -> Figure:
    """Return the query, framed, and the match, and between them their heat maps, both in one scale.

    Pictures are Banners or uint8 RGB (384, 256, 3). Below them: the cosine, what of it has no place, and whose features
    these are. A sentence that says why there are no maps stands in their place.
    """
    (ours, our_name), (theirs, their_name) = map(_picture, (query, match))
    width = page.tile_width(INNER, 4)
    names = f"{our_name or 'A picture'} and {their_name or 'A picture'}"
    has_maps = not isinstance(explanation, str)
    height = width * page.RATIO + 12 + (150 if has_maps else 60)
    drawn = Page(height, title, f"{names}. {reasons_sentence(explanation)}")
    columns = [Rect(MARGIN + column * (width + GAP), drawn.top, width) for column in range(4)]
    below = drawn.top + columns[0].height + 12
    for rgb, name, rect in ((ours, our_name, columns[0]), (theirs, their_name, columns[3 if has_maps else 1])):
        drawn.draw_picture(rgb, rect)
        drawn.draw_text(name, (rect.x, below), page.NAME, width)
    drawn.draw_frame(columns[0].grown(5))
    if isinstance(explanation, str):
        drawn.draw_text(explanation, (columns[2].x, drawn.top), page.BODY, 2 * width, lines=8)
        return drawn.figure
    _draw_map(drawn, ours, explanation.query_map, explanation, columns[1])
    _draw_map(drawn, theirs, explanation.match_map, explanation, columns[2])
    _draw_words(drawn, explanation, columns[1].x, below)
    return drawn.figure


def reasons_sentence(explanation: "Explanation | str") -> str:
    """Return in words what the figure shows: how much of the cosine the hottest patches give, and where they lie."""
    if isinstance(explanation, str):
        return explanation
    total = explanation.placed
    if total <= 0:
        return f"The cosine is {explanation.cosine:.2f}: taken together, the patches speak against this match."
    said = []
    for heat in (explanation.query_map, explanation.match_map):
        hottest = heat >= np.percentile(heat, _HOTTEST)
        said.append((float(heat[hottest].sum()) / total, _place_in_words(hottest)))
    (ours, here), (theirs, there) = said
    return (
        f"The tenth of the patches that add most give {ours:.0%} of the cosine in the query, around its {here}, "
        f"and {theirs:.0%} in the match, around its {there}."
    )


def _picture(given: Banner | np.ndarray) -> tuple[np.ndarray, str]:
    return (given.rgb, given.name) if isinstance(given, Banner) else (given, "")


def _draw_map(drawn: Page, rgb: np.ndarray, heat: np.ndarray, explanation: "Explanation", rect: Rect) -> None:
    maps = (explanation.query_map, explanation.match_map)
    apart = np.concatenate([np.abs(each - each.mean()).ravel() for each in maps])
    scale = max(float(np.percentile(apart, _RANGE)), 1e-12)  # how far from the average patch the full colour is
    drawn.draw_picture(_overlaid(rgb, (heat - heat.mean()) / scale, explanation.box), rect)
    left, upper, right, lower = (each * rect.width / 256 for each in explanation.box)
    rows, columns = heat.shape
    xs = rect.x + left + (np.arange(columns) + 0.5) * (right - left) / columns
    ys = rect.y + upper + (np.arange(rows) + 0.5) * (lower - upper) / rows
    level = np.percentile(heat, _HOTTEST)
    if heat.min() < level < heat.max():
        drawn.axes.contour(xs, ys, heat, levels=[level], colors=[page.INK], linewidths=1.6, alpha=0.9)


def _overlaid(rgb: np.ndarray, shade: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
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


def _draw_words(drawn: Page, explanation: "Explanation", x: float, y: float) -> None:
    """Draw the colours, from a patch that adds less than the average one to one that adds more, and the sums."""
    strip = _SHADES(np.linspace(0, 1, 128))[None, :, :3]
    drawn.axes.imshow(strip, extent=(x, x + _LEGEND, y + 22, y + 8), aspect="auto")
    legend = "adds less than the average patch, or more"
    drawn.draw_text(legend, (x, y + 28), page.NOTE, 440, color=page.MUTED)
    sums = f"Cosine {explanation.cosine:.2f}: each map's patches add up to it."
    if explanation.unplaced:
        placed = f"{explanation.placed:.2f} from patches and {explanation.unplaced:.2f} from CLS, which lies nowhere"
        sums = f"Cosine {explanation.cosine:.2f}: {placed}."
    y = drawn.draw_text(sums.replace("-", "−"), (MARGIN, y + 84), page.BODY, INNER)
    manifest = explanation.manifest
    trained = "" if manifest["trained"] else " (never trained: it shows how this works, not what looks alike)"
    how = ", ".join(map(manifest.__getitem__, ("pooling", "image", "preparation")))
    drawn.draw_text(f"{manifest['checkpoint']}{trained}, {how}", (MARGIN, y + 4), page.NOTE, INNER, color=page.MUTED)


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
