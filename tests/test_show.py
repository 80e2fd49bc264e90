"""The figures, looked at as pixels: banners of one plain colour each are found again where they should stand."""

import importlib.util
import io
import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils import show
from utils.banners import Banner

NAMES = [
    "Portal",
    "ファイナルファンタジーVII リメイク インターグレード",
    "Ведьмак 3: Дикая Охота — Кровь и вино",
    "$$ Rich $x^2$ & Poor_1 $",
    "🎮🎮 Party 👩‍👩‍👧 \u202eback \x07\U000e0041",
    "مغامرات السندباد",
    "Supercalifragilisticexpialidocious-and-even-longer-word-that-does-not-end",
    "한국어 게임 이름",
    "",
]


def colour(appid):
    """A colour far from any other appid's below 20, and from the page's."""
    return (40 + appid % 5 * 50, 250 - appid // 5 * 60, 60 + appid % 3 * 80)


def banner(appid, name=None):
    content = io.BytesIO()
    Image.new("RGB", (256, 384), colour(appid)).save(content, "JPEG", quality=95)
    return Banner(appid, f"Game {appid}" if name is None else name, content.getvalue())


@pytest.fixture(scope="module")
def album():
    return {appid: banner(appid) for appid in range(1, 20)}


def boxes(figure, appids):
    """Where the banners of these appids lie in the figure's JPEG: appid -> left, top, right, bottom."""
    pixels = np.asarray(Image.open(io.BytesIO(figure.jpeg()))).astype(int)
    found = {}
    for appid in appids:
        plain = np.abs(pixels - colour(appid)).max(2) < 12
        xs, ys = (np.flatnonzero(plain.sum(axis) > 20) for axis in (0, 1))  # type and edges have stray pixels
        if len(xs):
            found[appid] = int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1
    return found


def lines(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def assert_drawn_well(figure):
    """Banners 2:3, text inside the page and no line over another."""
    figure.jpeg()
    extents = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert all(each.x0 > 0 and each.x1 < 1200 and each.y0 > 0 and each.y1 < figure.bbox.height for each in extents)
    assert not any(a.overlaps(b) for at, a in enumerate(extents) for b in extents[:at])


def test_banners_stand_in_rows(album):
    figure = show.banners(album, range(1, 12), "Eleven", columns=4)
    places = boxes(figure, range(1, 20))
    assert list(places) == list(range(1, 12))
    assert sorted(places, key=lambda appid: (places[appid][1], places[appid][0])) == list(range(1, 12))
    for row in ([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]):
        assert len({places[appid][1] for appid in row}) == 1
    for left, top, right, bottom in places.values():
        assert (bottom - top) / (right - left) == pytest.approx(1.5, abs=0.02)
    assert lines(figure)[0] == "Eleven"
    assert_drawn_well(figure)


def test_matches_set_the_query_apart(album):
    figure = show.matches(album, 1, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11], np.linspace(0.99, 0.5, 10), "Like 1")
    places = boxes(figure, range(1, 12))
    query, others = places[1], [places[appid] for appid in range(2, 12)]
    assert query[2] - query[0] > 1.5 * (others[0][2] - others[0][0])
    assert all(query[2] + 20 < other[0] for other in others)
    assert sorted(others, key=lambda box: (box[1], box[0])) == others
    assert [line for line in lines(figure) if line.startswith("0.")][::9] == ["0.99", "0.50"]
    assert_drawn_well(figure)


def test_matches_of_a_picture_of_ones_own(album):
    figure = show.matches(album, banner(15, "Mine"), [2, 3], [0.5, 0.4])
    assert boxes(figure, [15, 2, 3]).keys() == {15, 2, 3}
    assert "Mine" in lines(figure)


def test_queries_are_rows(album):
    figure = show.queries(album, [1, 2], np.array([[3, 4, 5], [6, 7, 8]]), np.full((2, 3), 0.25))
    places = boxes(figure, range(1, 9))
    for row in ([1, 3, 4, 5], [2, 6, 7, 8]):
        assert len({places[appid][1] for appid in row}) == 1
        assert [places[appid][0] for appid in row] == sorted(places[appid][0] for appid in row)
    assert_drawn_well(figure)


def test_unique_tells_the_nearest(album):
    figure = show.unique(album, pd.DataFrame({"appid": [3, 5], "cosine": [0.125, 0.5]}))
    assert {"Game 3", "0.12", "Game 5", "0.50"} <= set(lines(figure))
    assert boxes(figure, range(1, 20)).keys() == {3, 5}


def test_duplicates_keep_groups_together(album):
    groups = [[1, 2, 3, 4, 5], [6, 7, 8], [9, 10], [11, 12]]
    figure = show.duplicates(album, groups, most=4, columns=6)
    places = boxes(figure, range(1, 20))
    assert places.keys() == set(range(1, 13)) - {5}
    assert "+1" in lines(figure)
    for group in groups:
        assert len({places[appid][1] for appid in group if appid in places}) == 1
    assert_drawn_well(figure)


def test_report_shows_shares():
    statuses = ["downloaded"] * 6 + ["missing"] * 3 + ["failed"]
    reasons = [""] * 6 + ["no banner"] * 2 + ["HTTP Error 404"] + ["timed $out$"]
    table = pd.DataFrame({"appid": range(10), "name": "x", "status": statuses, "reason": reasons})
    figure = show.report(SimpleNamespace(table=table), "Ten games")
    row = np.asarray(Image.open(io.BytesIO(figure.jpeg())))[90].astype(int)
    bar = [
        int((np.abs(row - rgb).max(1) < 12).sum())
        for rgb in ((0x66, 0xC0, 0xF4), (0x7D, 0x87, 0x93), (0xE0, 0x60, 0x5A))
    ]
    assert bar == pytest.approx([1128 * 0.6, 1128 * 0.3, 1128 * 0.1], abs=4)
    assert [line for line in lines(figure) if "%" in line][:3] == [
        "downloaded, 60.0%",
        "missing, 30.0%",
        "refused, 0.0%",
    ]
    assert lines(figure)[-6:] == ["2", "no banner", "1", "timed $out$", "1", "HTTP Error 404"]
    assert_drawn_well(figure)


@pytest.mark.parametrize("count", [0, 1])
def test_few_or_none(album, count):
    appids, cosines = list(album)[:count], [0.5] * count
    empty = pd.DataFrame({"appid": [], "name": [], "status": [], "reason": []})
    for figure in (
        show.banners(album, appids, "t"),
        show.matches(album, 1, appids, cosines),
        show.duplicates(album, [appids] * count, "t"),
        show.report(SimpleNamespace(table=empty)),
    ):
        assert_drawn_well(figure)


def test_any_name_is_drawn_without_a_warning(recwarn, caplog):
    album = {at: banner(at, name) for at, name in enumerate(NAMES, 1)}
    with caplog.at_level(logging.DEBUG, logger="matplotlib.font_manager"):
        figure = show.banners(album, list(album), " ".join(NAMES))
        assert_drawn_well(figure)
    assert not recwarn.list
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert any("$$ Rich $x^2$" in line for line in lines(figure))
    assert not set("".join(lines(figure))) & set("\u202e\x07\u200d\U000e0041")
    assert any(line.endswith("…") for line in lines(figure))


def test_a_character_without_a_font_leaves_one_mark():
    figure = show.banners({1: banner(1, "a \U0001fae8\U0001fae8 b")}, [1])
    (name,) = (line for line in lines(figure) if line)
    assert name in ("a ▫ b", "a \U0001fae8\U0001fae8 b")


@pytest.mark.skipif(not importlib.util.find_spec("matplotlib_fontja"), reason="matplotlib-fontja is not installed")
def test_japanese_has_its_glyphs():
    figure = show.banners({1: banner(1, "東方紅魔郷ゲーム")}, [1])
    assert "東方紅魔郷ゲーム" in "".join(lines(figure))


def test_figures_are_small():
    """Banners that hardly compress."""
    album = {}
    for appid in range(1, 29):
        content = io.BytesIO()
        noise = np.random.default_rng(appid).integers(0, 255, (48, 32, 3), np.uint8)
        Image.fromarray(noise).resize((256, 384)).save(content, "JPEG")
        album[appid] = Banner(appid, f"Game {appid}", content.getvalue())
    assert 100_000 < len(show.banners(album, list(album)).jpeg()) < 400_000


@pytest.mark.parametrize("before", ["", "%matplotlib inline", "import matplotlib.pyplot as plt; plt.plot()"])
def test_a_notebook_shows_it_once(before):
    """In a real kernel, with and without an inline backend."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    make = """
import io
from PIL import Image
from utils import show
from utils.banners import Banner
file = io.BytesIO()
Image.new("RGB", (256, 384), "red").save(file, "JPEG")
show.banners({1: Banner(1, "Red", file.getvalue())}, [1])"""
    cells = [nbformat.v4.new_code_cell(source) for source in (before, make)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    (output,) = notebook.cells[1].outputs
    assert output.data.keys() == {"image/jpeg", "text/plain"}
    assert output.data["text/plain"] == "<Figure size 1200x319 with 1 Axes>"


# ------------------------------------------------------------ the map


def test_map_puts_banners_where_their_coordinates_say(album):
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    figure = show.store_map(album, np.array([1, 2, 3, 4]), corners, columns=10)
    places = boxes(figure, range(1, 5))
    assert places[1][0] == places[3][0] < places[2][0] == places[4][0]
    assert places[3][1] == places[4][1] < places[1][1] == places[2][1]  # upwards is up
    assert_drawn_well(figure)


def test_map_moves_banners_aside(album):
    """Two in one cell: one stays, the other goes to a neighbouring cell; nothing is drawn over anything."""
    places = np.array([[0, 0], [0.505, 0.5], [0.51, 0.5], [1, 1]])
    drawn = boxes(show.store_map(album, np.array([1, 2, 3, 4]), places, columns=10), range(1, 5))
    assert drawn.keys() == {1, 2, 3, 4}
    width, height = drawn[1][2] - drawn[1][0], drawn[1][3] - drawn[1][1]
    right, down = abs(drawn[2][0] - drawn[3][0]), abs(drawn[2][1] - drawn[3][1])
    assert (right, down) == (pytest.approx(width + 3, abs=2), 0) or (0, pytest.approx(height + 3, abs=2)) == (
        right,
        down,
    )


def test_map_leaves_out_where_it_is_crowded(album):
    """A thousand games at one place: twenty-five fit near it, the corners stay free for the others."""
    places = np.concatenate([np.full((1000, 2), 0.5), [[0, 0], [1, 1]] * 10])
    appids = np.concatenate([np.full(1000, 1), [2, 3] * 10])
    figure = show.store_map(album, appids, places, columns=20)
    assert boxes(figure, range(1, 5)).keys() == {1, 2, 3}
    assert "43 of 1,020 games" in lines(figure)[-1]  # in a corner nine cells are near


def test_map_window_and_mark(album):
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    appids = np.array([1, 2, 3, 4])
    window = (0, 0.75, 0.25, 1)
    assert boxes(show.store_map(album, appids, corners, window=window), range(1, 5)).keys() == {3}
    figure = show.store_map(album, appids, corners, mark=window)
    plain = show.store_map(album, appids, corners)
    places = boxes(figure, range(1, 5))
    changed = np.nonzero(np.ptp([read(figure), read(plain)], axis=0).max(2) > 40)
    assert changed[0].min() <= places[3][1]  # the frame lies around the upper left corner
    assert changed[1].max() < 400
    assert changed[0].max() < 350


def read(figure):
    return np.asarray(Image.open(io.BytesIO(figure.jpeg()))).astype(int)


def test_pca_is_the_singular_value_decompositions():
    vectors = np.random.default_rng(0).normal(size=(500, 16)) * np.linspace(3, 1, 16) + 5
    coordinates = show.plane(SimpleNamespace(vectors=vectors.astype(np.float16)))
    left, values, _ = np.linalg.svd(vectors - vectors.mean(0), full_matrices=False)
    expected = left[:, :2] * values[:2]
    assert coordinates.shape == (500, 2)
    assert coordinates.dtype == np.float32
    for axis in (0, 1):
        assert abs(np.corrcoef(coordinates[:, axis], expected[:, axis])[0, 1]) > 0.9999
        assert coordinates[:, axis].std() == pytest.approx(expected[:, axis].std(), rel=1e-3)


def test_pca_does_not_turn_with_the_order():
    vectors = np.random.default_rng(0).normal(size=(100, 8)) * np.linspace(3, 1, 8)
    forwards = show.plane(SimpleNamespace(vectors=vectors))
    backwards = show.plane(SimpleNamespace(vectors=vectors[::-1]))
    np.testing.assert_allclose(backwards[::-1], forwards, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "module", "library"), [("tsne", "sklearn", "scikit-learn"), ("umap", "umap", "umap-learn")]
)
def test_other_maps_where_the_library_is(method, module, library):
    """Two groups stay apart, or the error says what to install."""
    vectors = np.random.default_rng(0).normal(size=(80, 8)) + np.repeat([[0], [20]], 40, 0) * np.eye(8)[0] + 1
    features = SimpleNamespace(vectors=vectors)
    if not importlib.util.find_spec(module):
        with pytest.raises(show.MapError, match=f"pip install {library}"):
            show.plane(features, method)
        return
    places = show.plane(features, method)
    middles = places[:40].mean(0), places[40:].mean(0)
    assert np.linalg.norm(middles[0] - middles[1]) > 2 * places[:40].std(0).max()


def test_unknown_map():
    with pytest.raises(show.MapError, match="'mds'; allowed are 'pca', 'umap', 'tsne'"):
        show.plane(SimpleNamespace(vectors=np.eye(3)), "mds")
