"""Matplotlib figures: grids of banners, matches, near-duplicates, a map of the store, the report of a download.

Each function returns a `Figure` of its own, without pyplot: as the last line of a cell it is shown once. `album` is any
mapping from appid to Banner, `banners.Album` above all; only the banners that are drawn are read from it.
"""

import base64
import importlib.util
import io
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.figure
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ft2font import FT2Font
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from utils.banners import Banner
from utils.settings import PlainError

if TYPE_CHECKING:
    from utils.features import Features
    from utils.snapshot import Report

Album = Mapping[int, Banner]

# Lengths are pixels of a page 1,200 wide, from its upper left corner.
_WIDTH, _MARGIN, _DPI = 1200, 36, 100
_RATIO = 384 / 256  # a banner's height over its width
_GROUND, _INK, _MUTED, _ACCENT = "#14171c", "#eceff2", "#8b95a1", "#66c0f4"
_TITLE, _NAME, _NOTE, _LEADING = 20, 12.5, 11, 1.28
_STATUS = {"downloaded": _ACCENT, "missing": "#7d8793", "refused": "#d9a441", "failed": "#e0605a"}
_LARGEST = 300_000  # bytes of a figure in a notebook
_QUALITIES = (90, 80, 70, 60, 50)  # JPEG's, the first that is small enough

_FONTS = (  # those found here follow DejaVu Sans, which matplotlib brings, for the glyphs it lacks
    *("IPAexGothic", "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "Hiragino Sans", "Yu Gothic"),
    *("Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC"),
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo"),
    *("Noto Sans Thai", "Noto Sans Devanagari", "Noto Sans Symbols2", "Noto Emoji", "Symbola", "Arial Unicode MS"),
)
_REACH = 2  # cells that a banner of the map may be moved, sideways and up or down
_NEAR = sorted(product(range(-_REACH, _REACH + 1), repeat=2), key=lambda cell: math.hypot(cell[0], _RATIO * cell[1]))
_NO_GLYPH = "▫"
_INVISIBLE = {"Cc", "Cf", "Cs"}  # Unicode categories that have nothing to draw
_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]+|\s+")


class MapError(PlainError, ValueError):
    """A map that cannot be drawn; the message says why and what to do."""


class Figure(matplotlib.figure.Figure):
    """A figure that a notebook shows once, whole and as a JPEG, whether or not an inline backend is set up.

    Matplotlib's own display would crop the margins, and pictures take a quarter of the bytes they take as PNG.
    """

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"image/jpeg": base64.b64encode(self.jpeg()).decode(), "text/plain": repr(self)}, raw=True)

    def jpeg(self) -> bytes:
        """The figure as a JPEG, of less than 300 kB if that can be had; full chroma keeps small type crisp."""
        canvas = FigureCanvasAgg(self)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        for quality in _QUALITIES:
            content = io.BytesIO()
            image.save(content, "JPEG", quality=quality, subsampling=0, optimize=True)
            if content.tell() <= _LARGEST:
                break
        return content.getvalue()


# ------------------------------------------------------------ figures


def banners(
    album: Album,
    appids: Sequence[int],
    title: str | None = None,
    *,
    notes: Sequence[str] | None = None,
    columns: int = 8,
) -> Figure:
    """A grid of banners with their names and, where there are notes, one in small type below each name."""
    tile, gap = _tiles(_WIDTH - 2 * _MARGIN, columns, 20)
    step = tile * _RATIO + 74
    page = _page(math.ceil(len(appids) / columns) * step - 12, title)
    for at, appid in enumerate(appids):
        row, column = divmod(at, columns)
        note = notes[at] if notes else ""
        _tile(page, album[int(appid)], _MARGIN + column * (tile + gap), _top(title) + row * step, tile, note)
    return page.figure


def matches(
    album: Album,
    query: int | Banner,
    appids: Sequence[int],
    cosines: Sequence[float],
    title: str | None = None,
    *,
    columns: int = 5,
) -> Figure:
    """A query (a game's appid, or any Banner), set apart on the left, and its matches (k,) with cosines, best first."""
    query = query if isinstance(query, Banner) else album[int(query)]
    rows, large, left, top = math.ceil(len(appids) / columns), 300, _MARGIN + 300 + 56, _top(title)
    tile, gap = _tiles(_WIDTH - left - _MARGIN, columns, 18)
    step = tile * _RATIO + 78
    page = _page(max(rows * step - 20, large * _RATIO + 62), title)
    _tile(page, query, _MARGIN, top, large, size=16, framed=True)
    for at, (appid, cosine) in enumerate(zip(appids, cosines, strict=True)):
        row, column = divmod(at, columns)
        _tile(page, album[int(appid)], left + column * (tile + gap), top + row * step, tile, f"{cosine:.2f}")
    return page.figure


def queries(
    album: Album,
    queries: Sequence[int],
    appids: np.ndarray,
    cosines: np.ndarray,
    title: str | None = None,
) -> Figure:
    """A row a query (q,): the query, framed, and its matches (q, k) with cosines (q, k), best first."""
    apart = 28
    tile, gap = _tiles(_WIDTH - 2 * _MARGIN - apart, appids.shape[1] + 1, 14)
    step = tile * _RATIO + 74
    page = _page(len(queries) * step - 12, title)
    for row, (query, found, scores) in enumerate(zip(queries, appids, cosines, strict=True)):
        y = _top(title) + row * step
        _tile(page, album[int(query)], _MARGIN, y, tile, framed=True, size=_NOTE)
        for at, (appid, cosine) in enumerate(zip(found, scores, strict=True), 1):
            x = _MARGIN + apart + at * (tile + gap)
            _tile(page, album[int(appid)], x, y, tile, f"{cosine:.2f}", size=_NOTE)
    return page.figure


def unique(album: Album, table: pd.DataFrame, title: str | None = None, *, columns: int = 8) -> Figure:
    """The most unique games, from matching.most_unique's table, each with the cosine to its nearest neighbour."""
    return banners(album, table["appid"], title, notes=[f"{each:.2f}" for each in table["cosine"]], columns=columns)


def duplicates(
    album: Album, groups: Sequence[Sequence[int]], title: str | None = None, *, most: int = 4, columns: int = 8
) -> Figure:
    """Groups of near-duplicates, each under a line; of a large group the first `most`, and how many more there are."""
    tile, gap = _tiles(_WIDTH - 2 * _MARGIN, columns, 14)
    step, most = tile * _RATIO + 88, min(most, columns)
    places = _rows_of([min(len(group), most) for group in groups], columns)
    page = _page((places[-1][0] + 1 if places else 0) * step - 12, title)
    for group, (row, column) in zip(groups, places, strict=True):
        x, y, drawn = _MARGIN + column * (tile + gap), _top(title) + row * step, group[:most]
        page.plot([x, x + len(drawn) * (tile + gap) - gap], [y, y], color=_ACCENT, linewidth=1.4)
        for at, appid in enumerate(drawn):
            more = len(group) - most if at == most - 1 else 0
            _tile(page, album[int(appid)], x + at * (tile + gap), y + 10, tile, f"+{more}" if more else "", size=_NOTE)
    return page.figure


def _rows_of(widths: Sequence[int], columns: int) -> list[tuple[int, int]]:
    """Row and column at which each of a sequence of strips begins, if none is broken at the end of a row."""
    places, row, column = [], 0, 0
    for width in widths:
        if column + width > columns:
            row, column = row + 1, 0
        places.append((row, column))
        column += width
    return places


def report(report: "Report", title: str | None = None, *, most: int = 8) -> Figure:
    """What became of the games asked for: how many and what share a status, and the commonest reasons."""
    reasons = report.table.loc[report.table["reason"] != "", ["status", "reason"]].value_counts().head(most)
    page, top, wide = _page(150 + len(reasons) * 26, title), _top(title), _WIDTH - 2 * _MARGIN
    statuses, x = report.table["status"].tolist(), _MARGIN
    for at, (status, color) in enumerate(_STATUS.items()):
        count, left = statuses.count(status), _MARGIN + at * 200
        share = count / max(len(statuses), 1)
        page.fill_between([x, x + share * wide], top, top + 14, color=color, linewidth=0)
        _text(page, f"{count:,}", left, top + 40, 30, 190, lines=1, color=color)
        _text(page, f"{status}, {share:.1%}", left, top + 80, 14, 190, lines=1, color=_MUTED)
        x += share * wide
    for at, ((status, reason), count) in enumerate(reasons.items()):
        _text(page, f"{count:,}", _MARGIN, top + 138 + at * 26, 14, 80, lines=1, color=_STATUS[status])
        _text(page, reason, _MARGIN + 84, top + 138 + at * 26, 14, wide - 84, lines=1)
    return page.figure


def plane(features: "Features", method: str = "pca") -> np.ndarray:
    """Coordinates (n, 2) float32 that put games with similar features (n, dim) near each other.

    method: "pca" (the two axes of largest variance), or "umap" or "tsne" where umap-learn or scikit-learn is installed.
    Raises MapError for another method, and without the library.
    """
    if method not in _METHODS:
        raise MapError(f"method is {method!r}; allowed are {', '.join(map(repr, _METHODS))}")
    try:
        return _METHODS[method](features.vectors).astype(np.float32)
    except ModuleNotFoundError as error:
        library = {"umap": "umap-learn", "sklearn": "scikit-learn"}.get(error.name, error.name)
        raise MapError(f"method {method!r} needs a library that is not here: pip install {library}") from None


def _pca(vectors: np.ndarray) -> np.ndarray:
    mean = vectors.mean(0, dtype=np.float64).astype(np.float32)
    tiles = np.array_split(vectors, math.ceil(len(vectors) / 4096))
    covariance = sum(_scatter(tile - mean) for tile in tiles)
    axes = np.linalg.eigh(covariance)[1][:, :-3:-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])  # an axis' sign is free: this one is always the same
    return np.concatenate([(tile - mean) @ axes for tile in tiles])


def _scatter(centred: np.ndarray) -> np.ndarray:
    return (centred.T @ centred).astype(np.float64)


def _umap(vectors: np.ndarray) -> np.ndarray:
    from umap import UMAP

    return UMAP(metric="cosine", random_state=0, n_jobs=1).fit_transform(vectors.astype(np.float32))


def _tsne(vectors: np.ndarray) -> np.ndarray:
    from sklearn.manifold import TSNE

    return TSNE(metric="cosine", random_state=0).fit_transform(vectors.astype(np.float32))


_METHODS = {"pca": _pca, "umap": _umap, "tsne": _tsne}


def store_map(
    album: Album,
    appids: np.ndarray,
    coordinates: np.ndarray,
    title: str | None = None,
    *,
    window: tuple[float, float, float, float] = (0, 0, 1, 1),
    mark: tuple[float, float, float, float] | None = None,
    columns: int = 28,
) -> Figure:
    """A map of games by their coordinates (n, 2), as a mosaic: each banner in the cell where it lies, or one near by.

    Where that is crowded, the games nearest to the cells' middles are shown.

    window: the part that is shown, as shares of the whole map (left, bottom, right, top), (0, 0.75, 0.25, 1) being the
    upper left corner. mark: a part that is framed, to be zoomed into by another figure.
    """
    tile, gap = _tiles(_WIDTH - 2 * _MARGIN, columns, 3)
    step, top = np.array([tile + gap, tile * _RATIO + gap]), _top(title)
    cells = np.array([columns, round(760 / step[1])])
    places = (_shares(coordinates) - window[:2]) / np.subtract(window[2:], window[:2])
    inside = np.flatnonzero(((places >= 0) & (places <= 1)).all(1))
    shown, cell = _seated(places[inside], cells)
    page = _page(cells[1] * step[1] + 24, title)
    for appid, (column, row) in zip(appids[inside][shown], cell, strict=True):
        x, y = _MARGIN + column * step[0], top + (cells[1] - 1 - row) * step[1]
        _picture(page, album[int(appid)].rgb, x, y, tile, radius=2)
    if mark:
        low, high = np.round(np.array(mark).reshape(2, 2) * cells) * step
        corner = (_MARGIN + low[0] - gap, top + cells[1] * step[1] - high[1] - gap)
        _frame(page, *corner, *(high - low + gap))
    note = f"{len(shown):,} of {len(inside):,} games, each where its features put it or close by"
    _text(page, note, _MARGIN, top + cells[1] * step[1] + 8, _NOTE, _WIDTH - 2 * _MARGIN, lines=1, color=_MUTED)
    return page.figure


def _shares(coordinates: np.ndarray) -> np.ndarray:
    """Coordinates as shares of the map's width and height; the outermost half percent lies on its edge."""
    low, high = np.percentile(coordinates, [0.5, 99.5], axis=0)
    return np.clip((coordinates - low) / np.maximum(high - low, 1e-12), 0, 1)


def _seated(places: np.ndarray, cells: np.ndarray) -> tuple[list[int], list[tuple[int, int]]]:
    """Which of places (n, 2) in 0 to 1 get a cell, and which (column, row): their own, else the nearest free one."""
    own = np.minimum((places * cells).astype(int), cells - 1)
    games = pd.DataFrame(own, columns=["column", "row"])
    games["off"] = np.square(places * cells - own - 0.5).sum(1)
    games["turn"] = games.sort_values("off").groupby(["column", "row"]).cumcount()
    free = np.pad(np.ones(cells, bool), _REACH)  # beyond the edges nothing is free
    seats = {}
    for game in games[games["turn"] < len(_NEAR)].sort_values(["turn", "off"]).itertuples():
        near = ((game.column + right, game.row + up) for right, up in _NEAR)
        if seat := next((each for each in near if free[each[0] + _REACH, each[1] + _REACH]), None):
            free[seat[0] + _REACH, seat[1] + _REACH] = False
            seats[game.Index] = seat
    return list(seats), list(seats.values())


# ------------------------------------------------------------ the page


def _tiles(width: float, columns: int, gap: float) -> tuple[float, float]:
    """The width of each of so many tiles that fill a width, and the gap between them."""
    return (width - (columns - 1) * gap) / columns, gap


def _top(title: str | None) -> float:
    return _MARGIN + (48 if title else 0)


def _page(content: float, title: str | None) -> Axes:
    """Axes over the whole of a new figure for `content` pixels of height below the title."""
    height = round(_top(title) + content + _MARGIN)
    figure = Figure(figsize=(_WIDTH / _DPI, height / _DPI), dpi=_DPI, facecolor=_GROUND)
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, _WIDTH), ylim=(height, 0), autoscale_on=False)
    page.set_axis_off()
    if title:
        _text(page, title, _MARGIN, _MARGIN - 6, _TITLE, _WIDTH - 2 * _MARGIN, lines=1)
    return page


def _tile(
    page: Axes,
    banner: Banner,
    x: float,
    y: float,
    width: float,
    note: str = "",
    *,
    size: float = _NAME,
    framed: bool = False,
) -> None:
    """A banner with its name below it, and a note in small type below that."""
    _picture(page, banner.rgb, x, y, width)
    if framed:
        _frame(page, x - 5, y - 5, width + 10, width * _RATIO + 10)
    below = y + width * _RATIO + (14 if framed else 8)
    below = _text(page, banner.name, x, below, size, width)
    _text(page, note, x, below + 3, _NOTE, width, lines=1, color=_MUTED)


def _picture(page: Axes, rgb: np.ndarray, x: float, y: float, width: float, radius: float = 5) -> None:
    height = width * _RATIO
    image = page.imshow(rgb, extent=(x, x + width, y + height, y), aspect="auto", interpolation="hanning")
    image.set_clip_path(_rounded(page, x, y, width, height, radius))


def _rounded(page: Axes, x: float, y: float, width: float, height: float, radius: float) -> FancyBboxPatch:
    style = f"round,pad=0,rounding_size={radius}"
    return FancyBboxPatch((x, y), width, height, boxstyle=style, transform=page.transData, fill=False)


def _frame(page: Axes, x: float, y: float, width: float, height: float) -> None:
    box = _rounded(page, x, y, width, height, 9)
    box.set(edgecolor=_ACCENT, linewidth=1.6)
    page.add_patch(box)


# ------------------------------------------------------------ type


def _points(pixels: float) -> float:
    return pixels * 72 / _DPI


def _text(
    page: Axes, text: str, x: float, y: float, size: float, width: float, *, lines: int = 2, color: str = _INK
) -> float:
    """Text from y down in at most `lines` lines of `width` pixels; where the next line would begin."""
    for line in _wrapped(_drawable(text), 0.96 * width / size, lines):  # hinting widens some letters
        page.text(x, y + size, line, size=_points(size), color=color, family=_families(), parse_math=False)
        y += size * _LEADING
    return y


@cache
def _faces() -> dict[str, FT2Font]:
    """The fonts that names are set in, by family, the first that has a glyph drawing it."""
    package = importlib.util.find_spec("matplotlib_fontja")
    for folder in package.submodule_search_locations if package else ():
        for path in Path(folder).glob("fonts/*.ttf"):  # read as files: its import would change matplotlib's settings
            font_manager.fontManager.addfont(path)
    paths = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    found = {"DejaVu Sans": Path(mpl.get_data_path(), "fonts/ttf/DejaVuSans.ttf")}
    found |= {name: paths[name] for name in _FONTS if name in paths}
    return {name: FT2Font(str(path)) for name, path in found.items()}


def _families() -> list[str]:
    return list(_faces())


@cache
def _advance(character: str) -> float | None:
    """The width of a character as a share of the type size; None if no font has it."""
    for face in _faces().values():
        if face.get_char_index(ord(character)):
            face.set_size(100, 72)
            return face.load_char(ord(character)).linearHoriAdvance / 65536 / 100
    return None


def _drawable(text: str) -> str:
    """Text that the fonts can draw: controls and joiners go, a run of characters that no font has becomes one mark."""
    visible = (c for c in unicodedata.normalize("NFC", " ".join(text.split())) if not _hidden(c))
    return re.sub("\0+", _NO_GLYPH, "".join(c if _advance(c) is not None else "\0" for c in visible)).strip()


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in _INVISIBLE or "\ufe00" <= character <= "\ufe0f"


def _wrapped(text: str, width: float, lines: int) -> list[str]:
    """Text in at most `lines` lines of `width` (in units of the type size), the last one cut with an ellipsis."""
    wrapped = [""]
    for word in _WORD.findall(text):
        if wrapped[-1] and len(wrapped) < lines and _length(wrapped[-1] + word.rstrip()) > width:
            wrapped.append("")
        wrapped[-1] += word if wrapped[-1] else word.lstrip()
    return [_cut(line.strip(), width) for line in wrapped]


def _cut(line: str, width: float) -> str:
    if _length(line) <= width:
        return line
    while line and _length(line + "…") > width:
        line = line[:-1]
    return line.rstrip(" -–—:,(") + "…"


def _length(line: str) -> float:
    return sum(map(_advance, line))
