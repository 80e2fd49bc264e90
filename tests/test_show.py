"""Grids of banners and the report, looked at as pixels; names in any script."""

import importlib.util
import io
import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pages import assert_drawn_well, banner, boxes, lines
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


@pytest.fixture(scope="module")
def album():
    return {appid: banner(appid) for appid in range(1, 20)}


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
    assert not any(other[0] < query[2] and other[1] < query[3] for other in others)
    assert sorted(others, key=lambda box: (box[1], box[0])) == others
    assert "Game 1 and the banners that look most like it: Game 2 (0.99)" in figure.alt
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


@pytest.mark.slow
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
    row = np.asarray(Image.open(io.BytesIO(figure.jpeg())))[110].astype(int)
    bar = [
        int((np.abs(row - rgb).max(1) < 12).sum())
        for rgb in ((0x66, 0xC0, 0xF4), (0x7D, 0x87, 0x93), (0xE0, 0x60, 0x5A))
    ]
    assert bar == pytest.approx([1136 * 0.6, 1136 * 0.3, 1136 * 0.1], abs=4)
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
    for appid in range(1, 16):
        content = io.BytesIO()
        noise = np.random.default_rng(appid).integers(0, 255, (48, 32, 3), np.uint8)
        Image.fromarray(noise).resize((256, 384)).save(content, "JPEG")
        album[appid] = Banner(appid, f"Game {appid}", content.getvalue())
    assert 100_000 < len(show.banners(album, list(album)).jpeg()) < 400_000


@pytest.mark.slow
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
    assert output.metadata == {"image/jpeg": {"alt": "The banners of Red.", "width": 900}}
    assert output.data["text/plain"] == "<Figure size 1200x456 with 1 Axes>"
