"""The page of every figure: its size and colours, and the banners, frames and text that are drawn on it.

A page is 900 units wide, which is how wide a notebook shows it; it is drawn at 4/3 of that, so that it stays crisp.
Type of 19 units and more can still be read where a telephone shows the page 390 pixels wide.
"""

import base64
import io
import math

import matplotlib.figure
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from utils.banners import Banner
from utils.show.text_layout import fonts, wrapped

WIDTH = 900  # units; those of all lengths here, from the upper left corner
MARGIN = 24
INNER = WIDTH - 2 * MARGIN
GAP = 14  # between two banners
RATIO = 384 / 256  # a banner's height over its width
COLUMNS = 5  # of a grid

GROUND = "#14171c"
INK = "#eceff2"
MUTED = "#9aa4b0"
ACCENT = "#66c0f4"

NOTE = 19  # type sizes, that of names and notes and that of sentences
BODY = 20
LEADING = 1.22

_DPI = 100
_PIXELS = 4 / 3  # of the picture a unit
_LARGEST = 200_000  # bytes of a figure in a notebook

Point = tuple[float, float]  # x and y of an upper left corner


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
        for quality in (90, 80, 70, 60, 50):
            content = io.BytesIO()
            image.save(content, "JPEG", quality=quality, subsampling=0, optimize=True)
            if content.tell() <= _LARGEST:
                break
        return content.getvalue()


class Page:
    """A new figure with room for `content` units of height within its margins, and what can be drawn on it."""

    def __init__(self, content: float, alt: str) -> None:
        height = 3 * round((content + 2 * MARGIN) / 3)
        self.figure = Figure(figsize=(WIDTH * _PIXELS / _DPI, height * _PIXELS / _DPI), dpi=_DPI, facecolor=GROUND)
        self.figure.alt = alt
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0), autoscale_on=False)
        self.axes.set_axis_off()

    def draw_tile(self, banner: Banner, at: Point, width: float, note: str = "", *, framed: bool = False) -> None:
        """Draw a banner, its name in two lines below it, and a note below that."""
        self.draw_picture(banner.rgb, at, width)
        below = at[1] + width * RATIO + 8
        if framed:
            self.draw_frame(at, width)
            below += 6
        below = self.draw_text(banner.name, (at[0], below), NOTE, width)
        self.draw_text(note, (at[0], below), NOTE, width, lines=1, color=MUTED)

    def draw_picture(self, rgb: np.ndarray, at: Point, width: float, radius: float = 5) -> None:
        """Draw a picture, uint8 RGB (384, 256, 3), with round corners."""
        x, y = at
        extent = (x, x + width, y + width * RATIO, y)
        image = self.axes.imshow(rgb, extent=extent, aspect="auto", interpolation="hanning")
        image.set_clip_path(self._rounded(at, width, width * RATIO, radius))

    def draw_frame(self, at: Point, width: float) -> None:
        """Draw a frame with round corners around a picture."""
        frame = self._rounded((at[0] - 5, at[1] - 5), width + 10, width * RATIO + 10, 9)
        frame.set(edgecolor=ACCENT, linewidth=2)
        self.axes.add_patch(frame)

    def draw_text(self, text: str, at: Point, size: float, width: float, *, lines: int = 2, color: str = INK) -> float:
        """Draw text from `at` down in at most `lines` lines of `width` units; return where the next begins."""
        x, y = at
        points = size * _PIXELS * 72 / _DPI
        room = 0.96 * width / size  # hinting widens some letters
        for line in wrapped(text, room, lines):
            self.axes.text(x, y + size, line, size=points, color=color, family=list(fonts()), parse_math=False)
            y += size * LEADING
        return y

    def _rounded(self, at: Point, width: float, height: float, radius: float) -> FancyBboxPatch:
        shape = f"round,pad=0,rounding_size={radius}"
        return FancyBboxPatch(at, width, height, boxstyle=shape, transform=self.axes.transData, fill=False)


def tile_width(columns: int, width: float = INNER, gap: float = GAP) -> float:
    """Return the width of each of `columns` tiles that fill `width`, with gaps between them."""
    return (width - (columns - 1) * gap) / columns


def tile_height(width: float, lines: int) -> float:
    """Return how much height a banner of this width takes with `lines` lines of text below it, and a gap."""
    return width * RATIO + 8 + lines * NOTE * LEADING + 14


def grid(count: int, lines: int, above: float = 0) -> tuple[list[Point], float, float]:
    """Return where `count` tiles with `lines` lines of text stand, COLUMNS a row, their width, and the height of all.

    `above` are units between a row and the one before it, or the margin.
    """
    width = tile_width(COLUMNS)
    step = tile_height(width, lines) + above
    corners = []
    for at in range(count):
        row, column = divmod(at, COLUMNS)
        corners.append((MARGIN + column * (width + GAP), MARGIN + row * step + above))
    return corners, width, math.ceil(count / COLUMNS) * step - GAP
