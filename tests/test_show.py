"""Figures, looked at as pixels and text; names in any script; what the maps of reasons point at, and say."""

import base64
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from downloads import jpeg
from pages import assert_drawn_well, banner, boxes, lines, read, rows_of
from PIL import Image

from utils import explain, show
from utils.banners import Banner

SCRIPTS = ["東方紅魔郷ゲーム", "简体中文", "한국어", "Ведьмак 3", "السندباد"]
STRANGE = ["$$ Rich $x^2$", "🎮 Party 👩‍👩‍👧 \u202eback\x07\U000e0041", "Endless" * 20, "\U0010fff0", ""]
GREY = np.full((384, 256, 3), 150, np.uint8)
ALBUM = {appid: banner(appid) for appid in range(1, 20)}


def test_banners_stand_in_rows_with_their_notes():
    figure = show.banners(ALBUM, range(1, 12), notes=[f"{at} of 11" for at in range(1, 12)])
    assert rows_of(figure, range(1, 20)) == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11]]
    for left, top, right, bottom in boxes(figure, range(1, 12)).values():
        assert (bottom - top) / (right - left) == pytest.approx(1.5, abs=0.02)
    assert lines(figure)[-2:] == ["Game 11", "11 of 11"]
    assert_drawn_well(figure)


@pytest.mark.parametrize("count", [0, 1, 4, 10])
def test_matches_set_the_query_apart(count):
    cosines = np.linspace(0.99, 0.5, count)
    figure = show.matches(ALBUM, 1, range(2, 2 + count), cosines)
    places = boxes(figure, range(1, 12))
    query, others = places[1], [places[appid] for appid in range(2, 2 + count)]
    assert all(query[2] - query[0] > 1.5 * (other[2] - other[0]) for other in others)
    assert not any(other[0] < query[2] and other[1] < query[3] for other in others)
    assert sorted(others, key=lambda box: (box[1], box[0])) == others
    assert lines(figure)[1:] == [said for at in range(count) for said in (f"Game {at + 2}", f"{cosines[at]:.2f}")]
    assert ("Game 2 (0.99)" in figure.alt) == (count > 0)
    assert_drawn_well(figure)


def test_queries_are_rows_games_or_pictures_of_ones_own():
    appids = np.array([[3, 4, 5], [6, 7, 8]])
    figure = show.queries(ALBUM, [1, banner(15, "Mine")], appids, np.full((2, 3), 0.25))
    assert rows_of(figure, [3, 4, 5, 6, 7, 8]) == [[3, 4, 5], [6, 7, 8]]
    assert lines(figure)[:3] == ["Game 1", "Game 3", "0.25"]
    assert "Mine" in lines(figure)
    assert_drawn_well(figure)


def test_report_shows_shares():
    statuses = ["downloaded"] * 6 + ["missing"] * 3 + ["failed"]
    reasons = [""] * 6 + ["no banner"] * 2 + ["HTTP Error 404"] + ["timed $out$"]
    table = pd.DataFrame({"status": statuses, "reason": reasons})
    figure = show.report(SimpleNamespace(table=table))
    row = read(figure)[41]
    colours = ((0x66, 0xC0, 0xF4), (0x7D, 0x87, 0x93), (0xE0, 0x60, 0x5A))
    bar = [int((np.abs(row - rgb).max(1) < 12).sum()) for rgb in colours]
    assert bar == pytest.approx([1136 * 0.6, 1136 * 0.3, 1136 * 0.1], abs=4)
    assert [line for line in lines(figure) if "%" in line][:2] == ["downloaded, 60.0%", "missing, 30.0%"]
    assert lines(figure)[-6:] == ["2", "no banner", "1", "timed $out$", "1", "HTTP Error 404"]
    for each in (figure, show.report(SimpleNamespace(table=table[:0]))):
        assert_drawn_well(each)


def test_any_name_is_drawn_as_it_is_and_without_a_warning(recwarn, caplog):
    album = {at: banner(at, name) for at, name in enumerate(SCRIPTS + STRANGE, 1)}
    figure = show.banners(album, list(album))
    assert_drawn_well(figure)
    assert not [*recwarn.list, *caplog.records]
    assert set(SCRIPTS) < set(lines(figure))
    said = "".join(lines(figure))
    assert "$$ Rich $x^2$" in said
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)  # no formula
    assert not set(said) & set("\u202e\x07\u200d\U000e0041")
    assert any(line.endswith("…") for line in lines(figure))
    assert "▫" in lines(figure)  # in place of what no font has


def test_a_notebook_shows_it_once_in_few_bytes_and_says_what_it_is(monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (48, 32, 3), np.uint8)  # which hardly compresses
    album = dict.fromkeys(range(15), Banner(1, "Game", jpeg(Image.fromarray(noise).resize((256, 384)))))
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda *data, **options: shown.append((*data, options)))
    show.banners(album, range(15))._ipython_display_()
    ((data, options),) = shown
    assert data.keys() == {"image/jpeg", "text/plain"}
    assert 100_000 < len(base64.b64decode(data["image/jpeg"])) < 400_000
    named = ", ".join(["Game"] * 12)
    assert options["metadata"] == {"image/jpeg": {"alt": f"The banners of {named} and 3 more.", "width": 900}}


@pytest.fixture
def explanation():
    """All patches add the same, but for one in the upper left corner of the query and one low in the match."""
    maps = np.full((2, 14, 14), 0.004, np.float32)
    maps[0, 0, 0] = maps[1, 13, 2] = 0.02
    manifest = {"checkpoint": "small", "pooling": "complex", "image": "crop", "preparation": "centred"}
    box = (16.0, 80.0, 240.0, 304.0)
    return explain.Explanation(0.55, -0.25, *maps, box, manifest | {"trained": False})


def test_maps_point_at_the_hottest_patch_and_are_not_one_wash(explanation):
    """The hottest patch is warm though every patch adds to the cosine, and it lies where the map says.

    On the page the query's map begins at (321, 32), the match's at (609, 32), and 270 pixels are a banner's 256.
    """
    pixels = read(show.reasons(explanation, GREY, GREY))[32:437]
    for left, row, column in ((321, 88, 24), (609, 296, 56)):
        heat = pixels[:, left : left + 270]
        warm = heat[..., 0] - heat[..., 2] > 60
        np.testing.assert_allclose(np.argwhere(warm).mean(0), np.multiply((row, column), 270 / 256), atol=5)
        assert warm.mean() < 0.03
    seen, unseen = pixels[210, 450].mean(), pixels[40, 450].mean()
    assert seen > 1.5 * unseen  # what the network did not see is dark
    ramp = np.linspace(0.001, 0.01, 196, dtype=np.float32).reshape(14, 14)  # both halves of it have their colour
    whole = replace(explanation, query_map=ramp, match_map=ramp, box=(0.0, 0.0, 256.0, 384.0))
    pixels = read(show.reasons(whole, GREY, GREY))[32:437, 321:591]
    upper, lower = pixels[10:60, 20:-20].mean((0, 1)), pixels[-60:-10, 20:-20].mean((0, 1))
    assert upper[2] - upper[0] > 60
    assert lower[0] - lower[2] > 60


def test_words_say_how_much_where_and_what_the_maps_add_up_to(explanation):
    heat = np.zeros((10, 10), np.float32)
    heat[:2, :5] = 0.06
    heat[5:] = 0.004
    found = replace(explanation, query_map=heat, match_map=heat[::-1, ::-1])
    figure = show.reasons(found, GREY, banner(1, "ファイナル $x$"))
    assert "ファイナル $x$" in lines(figure)
    assert "Cosine 0.55: 0.80 from patches and −0.25 from CLS, which lies nowhere." in lines(figure)
    assert any("never trained" in line for line in lines(figure))
    assert show.reasons_sentence(found) in figure.alt
    assert "75% of the cosine in the query, around its upper left part" in figure.alt
    assert "75% in the match, around its lower right part." in figure.alt
    assert "against this match" in show.reasons_sentence(replace(found, cosine=-0.3))
    flat = np.full((14, 14), 0.004, np.float32)
    trained = replace(found, unplaced=0.0, query_map=flat, match_map=flat, manifest=found.manifest | {"trained": True})
    figure = show.reasons(trained, GREY, GREY)
    assert lines(figure)[-2:] == ["Cosine 0.55: each map's patches add up to it.", "small, complex, crop, centred"]
    assert_drawn_well(figure)


def test_where_there_is_no_map_a_sentence_stands_in_its_place():
    sentence = "POOLING 'pooled' has no heat map: it is the CLS token alone, which lies nowhere in the banner"
    figure = show.reasons(sentence, banner(1), banner(5))
    assert " ".join(lines(figure)[-3:]).endswith(sentence[-60:])
    assert rows_of(figure, [1, 5]) == [[1, 5]]
    assert sentence in figure.alt
