"""The page of every figure: its size and colours, and the banners, frames and text that are drawn on it.

A page is 900 units wide, which is how wide a notebook shows it; it is drawn at 4/3 of that, so that it stays crisp.
Type of 19 units and more can still be read where a telephone shows the page 390 pixels wide.
"""

import base64
import io
from dataclasses import dataclass

import matplotlib.figure
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from utils.banners import Banner
from utils.show import text_layout

WIDTH = 900  # units; those of all lengths here, from the upper left corner
MARGIN = 24
INNER = WIDTH - 2 * MARGIN
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
class Rect:
    """Where something stands on a page: its upper left corner, its width, and its height (a banner's by default)."""

    x: float
    y: float
    width: float
    height: float = 0

    def __post_init__(self) -> None:
        if not self.height:
            object.__setattr__(self, "height", self.width * RATIO)

    def grown(self, by: float) -> "Rect":
        """Return a rectangle that is larger by some units on each side."""
        return Rect(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)


class Page:
    """A new figure with room for `content` units of height below its title, and what can be drawn on it."""

    def __init__(self, content: float, title: str | None = None, alt: str = "") -> None:
        self.top = MARGIN + (52 if title else 0)  # where the content begins
        height = 3 * round((self.top + content + MARGIN) / 3)
        self.figure = Figure(figsize=(WIDTH * _PIXELS / _DPI, height * _PIXELS / _DPI), dpi=_DPI, facecolor=GROUND)
        self.figure.alt = alt
        self.axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH), ylim=(height, 0), autoscale_on=False)
        self.axes.set_axis_off()
        if title:
            self.draw_text(title, (MARGIN, MARGIN - 6), TITLE, INNER, lines=1)

    def draw_tile(self, banner: Banner, rect: Rect, note: str = "", *, framed: bool = False) -> None:
        """Draw a banner, its name in two lines below it, and a note below that."""
        self.draw_picture(banner.rgb, rect)
        below = rect.y + rect.height + 8
        if framed:
            self.draw_frame(rect.grown(5))
            below += 6
        below = self.draw_text(banner.name, (rect.x, below), NAME, rect.width)
        self.draw_text(note, (rect.x, below), NOTE, rect.width, lines=1, color=MUTED)

    def draw_picture(self, rgb: np.ndarray, rect: Rect, radius: float = 5) -> None:
        """Draw a picture, uint8 RGB (384, 256, 3), with round corners."""
        extent = (rect.x, rect.x + rect.width, rect.y + rect.height, rect.y)
        image = self.axes.imshow(rgb, extent=extent, aspect="auto", interpolation="hanning")
        image.set_clip_path(self._rounded(rect, radius))

    def draw_frame(self, rect: Rect) -> None:
        """Draw a frame with round corners."""
        frame = self._rounded(rect, 9)
        frame.set(edgecolor=ACCENT, linewidth=2)
        self.axes.add_patch(frame)

    def draw_text(
        self, text: str, at: tuple[float, float], size: float, width: float, *, lines: int = 2, color: str = INK
    ) -> float:
        """Draw text from `at` (x, y) down in at most `lines` lines of `width` units; return where the next begins."""
        x, y = at
        points = size * _PIXELS * 72 / _DPI
        family = list(text_layout.fonts())
        room = 0.96 * width / size  # hinting widens some letters
        for line in text_layout.wrapped(text_layout.drawable(text), room, lines):
            self.axes.text(x, y + size, line, size=points, color=color, family=family, parse_math=False)
            y += size * LEADING
        return y

    def _rounded(self, rect: Rect, radius: float) -> FancyBboxPatch:
        shape = f"round,pad=0,rounding_size={radius}"
        corner = (rect.x, rect.y)
        where = self.axes.transData
        return FancyBboxPatch(corner, rect.width, rect.height, boxstyle=shape, transform=where, fill=False)


def tile_width(width: float, columns: int, gap: float = GAP) -> float:
    """Return the width of each of `columns` tiles that fill `width`, with gaps between them."""
    return (width - (columns - 1) * gap) / columns


def tile_height(width: float, lines: int) -> float:
    """Return how much height a banner of this width takes with `lines` lines of text below it, and a gap."""
    return width * RATIO + 8 + lines * NAME * LEADING + 14
