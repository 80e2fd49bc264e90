"""Figures read back as pixels: banners of one plain colour each are found again where they should stand."""

import io

import downloads
import numpy as np
from PIL import Image

from utils.banners import Banner


def colour(appid):
    """A colour far from any other appid's below 20, and from the page's."""
    return (40 + appid % 5 * 50, 250 - appid // 5 * 60, 60 + appid % 3 * 80)


def banner(appid, name=None):
    content = downloads.file(Image.new("RGB", (256, 384), colour(appid)), "JPEG", quality=95)
    return Banner(appid, f"Game {appid}" if name is None else name, content)


def boxes(figure, appids):
    """Where the banners of these appids lie in the figure's JPEG: appid -> left, top, right, bottom."""
    pixels = read(figure)
    found = {}
    for appid in appids:
        plain = np.abs(pixels - colour(appid)).max(2) < 12
        xs, ys = (np.flatnonzero(plain.sum(axis) > 20) for axis in (0, 1))  # type and edges have stray pixels
        if len(xs):
            found[appid] = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
    return found


def rows_of(figure, appids):
    """The appids of a figure's banners, row by row from the top, each from the left."""
    rows = {}
    for appid, (left, top, *_) in boxes(figure, appids).items():
        rows.setdefault(top // 9, []).append((left, appid))
    return [[appid for _, appid in sorted(rows[top])] for top in sorted(rows)]


def lines(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def assert_drawn_well(figure):
    """Banners 2:3, text inside the page and no line over another."""
    figure.jpeg()
    extents = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert all(each.x0 > 0 and each.x1 < 1200 and each.y0 > 0 and each.y1 < figure.bbox.height for each in extents)
    assert not any(a.overlaps(b) for at, a in enumerate(extents) for b in extents[:at])


def read(figure):
    return np.asarray(Image.open(io.BytesIO(figure.jpeg()))).astype(int)
