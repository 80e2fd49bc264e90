"""The page of every figure: its size and colours, and the banners, frames and text that are put on it.

A page is 900 units wide, which is how wide a notebook shows it; it is drawn at 4/3 of that, so that it stays crisp.
Type of 19 units and more can still be read where a telephone shows the page 390 pixels wide.
"""

import base64
import io
from dataclasses import dataclass

import matplotlib.figure
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from utils.banners import Banner
from utils.show import lettering

WIDTH = 900  # units; those of all lengths here, from the upper left corner
MARGIN = 24
GAP = 14  # between two banners
RATIO = 384 / 256  # a banner's height over its width

GROUND = "#14171c"
INK = "#eceff2"
MUTED = "#9aa4b0"
ACCENT = "#66c0f4"
WARM = "#f2a33a"
STATUS = {"downloaded": ACCENT, "missing": "#7d8793", "refused": "#d9a441", "failed": "#e0605a"}

TITLE = 25  # type sizes
NAME = 19
NOTE = 19
BODY = 20
LEADING = 1.22

_DPI = 100
_PIXELS = 4 / 3  # of the picture a unit
_LARGEST = 200_000  # bytes of a figure in a notebook
_QUALITIES = (90, 80, 70, 60, 50)  # JPEG's, the first that is small enough


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows once, whole and as a JPEG, whether or not an inline backend is set up.

    Matplotlib's own display would crop the margins, and pictures take a quarter of the bytes they take as PNG.
    """

    alt = ""  # what it shows, in words

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data = {"image/jpeg": base64.b64encode(self.jpeg()).decode(), "text/plain": repr(self)}
        display(data, raw=True, metadata={"image/jpeg": {"alt": self.alt, "width": WIDTH}})

    def jpeg(self) -> bytes:
        """Return the figure as a JPEG, smaller than 200 kB where that is possible; full chroma keeps type crisp."""
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        content = io.BytesIO()
        for quality in _QUALITIES:
            content = io.BytesIO()
            image.save(content, "JPEG", quality=quality, subsampling=0, optimize=True)
            if content.tell() <= _LARGEST:
                break
        return content.getvalue()


@dataclass(frozen=True)
class Place:
    """Where a banner stands: its upper left corner and its width."""

    x: float
    y: float
    width: float

    @property
    def height(self) -> float:
        """The height of a banner of this width."""
        return self.width * RATIO


def new_page(content: float, title: str | None, alt: str = "") -> Axes:
    """Return axes over the whole of a new figure with room for `content` units of height below the title."""
    height = 3 * round((top_of(title) + content + MARGIN) / 3)
    size = (WIDTH * _PIXELS / _DPI, height * _PIXELS / _DPI)
    figure = Figure(figsize=size, dpi=_DPI, facecolor=GROUND)
    figure.alt = alt
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0), autoscale_on=False)
    axes.set_axis_off()
    if title:
        put_text(axes, title, (MARGIN, MARGIN - 6), TITLE, WIDTH - 2 * MARGIN, lines=1)
    return axes


def figure_of(page: Axes) -> Figure:
    """Return the figure of a page made by `new_page`."""
    figure = page.figure
    assert isinstance(figure, Figure)  # noqa: S101 - narrows the type
    return figure


def top_of(title: str | None) -> float:
    """Return where the content of a page begins."""
    return MARGIN + (52 if title else 0)


def tile_width(width: float, columns: int, gap: float = GAP) -> float:
    """Return the width of each of `columns` tiles that fill `width`, with gaps between them."""
    return (width - (columns - 1) * gap) / columns


def tile_height(width: float, lines: int) -> float:
    """Return how much height a banner of this width takes with `lines` lines of text below it, and a gap."""
    return width * RATIO + 8 + lines * NAME * LEADING + 14


def put_tile(page: Axes, banner: Banner, place: Place, note: str = "", *, lines: int = 2, framed: bool = False) -> None:
    """Put a banner on the page, its name below it, and a note below that."""
    put_picture(page, banner.rgb, place)
    below = place.y + place.height + 8
    if framed:
        put_frame(page, place)
        below += 6
    below = put_text(page, banner.name, (place.x, below), NAME, place.width, lines=lines)
    put_text(page, note, (place.x, below), NOTE, place.width, lines=1, color=MUTED)


def put_picture(page: Axes, rgb: np.ndarray, place: Place, radius: float = 5) -> None:
    """Put a picture, uint8 RGB (384, 256, 3), on the page."""
    extent = (place.x, place.x + place.width, place.y + place.height, place.y)
    image = page.imshow(rgb, extent=extent, aspect="auto", interpolation="hanning")
    image.set_clip_path(_rounded(page, place, radius))


def put_frame(page: Axes, place: Place, apart: float = 5) -> None:
    """Put a frame around a banner."""
    outer = Place(place.x - apart, place.y - apart, place.width + 2 * apart)
    put_box(page, outer.x, outer.y, outer.width, place.height + 2 * apart)


def put_box(page: Axes, x: float, y: float, width: float, height: float) -> None:
    """Put a frame of any size on the page."""
    box = FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=9", fill=False)
    box.set(edgecolor=ACCENT, linewidth=2, transform=page.transData)
    page.add_patch(box)


def put_text(
    page: Axes, text: str, at: tuple[float, float], size: float, width: float, *, lines: int = 2, color: str = INK
) -> float:
    """Put text from `at` (x, y) down in at most `lines` lines of `width` units; return where the next would begin."""
    x, y = at
    points = size * _PIXELS * 72 / _DPI
    for line in lettering.wrapped(lettering.drawable(text), 0.96 * width / size, lines):  # hinting widens some letters
        page.text(x, y + size, line, size=points, color=color, family=lettering.families(), parse_math=False)
        y += size * LEADING
    return y


def _rounded(page: Axes, place: Place, radius: float) -> FancyBboxPatch:
    style = f"round,pad=0,rounding_size={radius}"
    corner = (place.x, place.y)
    return FancyBboxPatch(corner, place.width, place.height, boxstyle=style, transform=page.transData, fill=False)
