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
from utils.show.page import BODY, GAP, INK, INNER, MARGIN, MUTED, NOTE, RATIO, Figure, Page, Point, tile_width

if TYPE_CHECKING:
    from utils.explain import Explanation

_SHADES = LinearSegmentedColormap.from_list("reasons", ["#3d8bff", "#1b3a66", "#3a3a3a", "#d9751a", "#ffe36e"])
_RANGE = 98  # percentile of the distances to the average patch that gets the full colour
_HOTTEST = 90  # percentile of the patches that are enclosed
_UNSEEN = 0.2  # brightness of a banner outside of what the network saw
_TILE = tile_width(4)  # units of width of each of the four pictures
_RIM = 0.08  # share of the map's middle that counts as neither side, in words


def reasons(explanation: "Explanation | str", query: Banner | np.ndarray, match: Banner | np.ndarray) -> Figure:
    """Return the query, framed, and the match, and between them their heat maps, both in one scale.

    Pictures are Banners or uint8 RGB (384, 256, 3). Below them: the cosine, what of it has no place, and whose features
    these are. A sentence that says why there are no maps stands in their place.
    """
    pictures = [each.rgb if isinstance(each, Banner) else each for each in (query, match)]
    names = [each.name if isinstance(each, Banner) else "" for each in (query, match)]
    corners = [(MARGIN + column * (_TILE + GAP), MARGIN) for column in range(4)]
    below = MARGIN + _TILE * RATIO + 12
    has_maps = not isinstance(explanation, str)
    named = " and ".join(name or "A picture" for name in names)
    page = Page(below - MARGIN + (150 if has_maps else 60), f"{named}. {reasons_sentence(explanation)}")
    for picture, name, corner in zip(pictures, names, (corners[0], corners[3 if has_maps else 1]), strict=True):
        page.draw_picture(picture, corner, _TILE)
        page.draw_text(name, (corner[0], below), NOTE, _TILE)
    page.draw_frame(corners[0], _TILE)
    if isinstance(explanation, str):
        page.draw_text(explanation, corners[2], BODY, 2 * _TILE, lines=8)
        return page.figure
    _draw_map(page, pictures[0], explanation.query_map, explanation, corners[1])
    _draw_map(page, pictures[1], explanation.match_map, explanation, corners[2])
    _draw_words(page, explanation, corners[1][0], below)
    return page.figure


def reasons_sentence(explanation: "Explanation | str") -> str:
    """Return in words what the figure shows: how much of the cosine the hottest patches give, and where they lie."""
    if isinstance(explanation, str):
        return explanation
    if explanation.placed <= 0:
        return f"The cosine is {explanation.cosine:.2f}: taken together, the patches speak against this match."
    said = []
    for heat in (explanation.query_map, explanation.match_map):
        hottest = heat >= np.percentile(heat, _HOTTEST)
        said.append((float(heat[hottest].sum()) / explanation.placed, _place_in_words(hottest)))
    (ours, here), (theirs, there) = said
    return (
        f"The tenth of the patches that add most give {ours:.0%} of the cosine in the query, around its {here}, "
        f"and {theirs:.0%} in the match, around its {there}."
    )


def _place_in_words(hottest: np.ndarray) -> str:
    """Return where the middle of some patches, bool (rows, columns), lies: "upper left part", "middle", ..."""
    down, across = (np.argwhere(hottest).mean(0) + 0.5) / hottest.shape - 0.5
    words = []
    if abs(down) > _RIM:
        words.append("lower" if down > 0 else "upper")
    if abs(across) > _RIM:
        words.append("right" if across > 0 else "left")
    return " ".join(words) + (" part" if words else "middle")


def _draw_map(page: Page, rgb: np.ndarray, heat: np.ndarray, explanation: "Explanation", corner: Point) -> None:
    apart = [np.abs(each - each.mean()).ravel() for each in (explanation.query_map, explanation.match_map)]
    scale = max(float(np.percentile(np.concatenate(apart), _RANGE)), 1e-12)  # of the full colour, from the average
    page.draw_picture(_overlaid(rgb, (heat - heat.mean()) / scale, explanation.box), corner, _TILE)
    left, upper, right, lower = np.array(explanation.box) * _TILE / 256
    rows, columns = heat.shape
    xs = corner[0] + left + (np.arange(columns) + 0.5) * (right - left) / columns
    ys = corner[1] + upper + (np.arange(rows) + 0.5) * (lower - upper) / rows
    level = np.percentile(heat, _HOTTEST)
    if heat.min() < level < heat.max():
        page.axes.contour(xs, ys, heat, levels=[level], colors=[INK], linewidths=1.6, alpha=0.9)


def _overlaid(rgb: np.ndarray, shade: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """Return a banner in grey, uint8 (384, 256, 3), with shades (rows, columns) of -1 to 1 laid over its box."""
    left, top, right, bottom = map(round, box)
    grey = np.asarray(Image.fromarray(rgb).convert("L"), np.float32)[..., None]
    smooth = Image.fromarray(shade.astype(np.float32)).resize((right - left, bottom - top), Image.Resampling.BICUBIC)
    tint = _SHADES((np.asarray(smooth).clip(-1, 1) + 1) / 2)[..., :3].astype(np.float32)
    picture = _UNSEEN * grey.repeat(3, axis=2)
    light = 0.35 + 0.65 * grey[top:bottom, left:right] / 255  # the banner's own light still shows
    picture[top:bottom, left:right] = 255 * tint * light
    return picture.round().astype(np.uint8)


def _draw_words(page: Page, explanation: "Explanation", x: float, y: float) -> None:
    """Draw the colours, from a patch that adds less than the average one to one that adds more, and the sums."""
    strip = _SHADES(np.linspace(0, 1, 128))[None, :, :3]
    page.axes.imshow(strip, extent=(x, x + 280, y + 22, y + 8), aspect="auto")
    page.draw_text("adds less than the average patch, or more", (x, y + 28), NOTE, 440, color=MUTED)
    sums = "each map's patches add up to it"
    if explanation.unplaced:
        sums = f"{explanation.placed:.2f} from patches and {explanation.unplaced:.2f} from CLS, which lies nowhere"
    sums = f"Cosine {explanation.cosine:.2f}: {sums}.".replace("-", "−")
    y = page.draw_text(sums, (MARGIN, y + 84), BODY, INNER)
    manifest = explanation.manifest
    trained = "" if manifest["trained"] else " (never trained: it shows how this works, not what looks alike)"
    how = f"{manifest['checkpoint']}{trained}, {manifest['pooling']}, {manifest['image']}, {manifest['preparation']}"
    page.draw_text(how, (MARGIN, y + 4), NOTE, INNER, color=MUTED)
