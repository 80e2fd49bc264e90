"""The figure of the reasons: its maps lie where they should, point where they should, and are said in words."""

import io
from dataclasses import replace

import numpy as np
import pytest
from pages import assert_drawn_well, lines, read
from PIL import Image

from utils import explain, show
from utils.banners import Banner

# Pixels of the page: the query's map begins at (321, 32), the match's at (609, 32); 270 are a banner's 256.
QUERY_MAP = (slice(32, 437), slice(321, 591))
MATCH_MAP = (slice(32, 437), slice(609, 879))
TILE = 270


def jpeg(rgb):
    content = io.BytesIO()
    Image.fromarray(rgb).save(content, "JPEG", quality=95)
    return content.getvalue()


def plain(colour):
    return np.full((384, 256, 3), colour, np.uint8)


@pytest.fixture
def explanation():
    """All patches add the same, but for one in the upper left corner of the query and one low in the match."""
    maps = np.full((2, 14, 14), 0.004, np.float32)
    maps[0, 0, 0] = 0.02
    maps[1, 13, 2] = 0.02
    manifest = {"checkpoint": "small", "pooling": "complex", "image": "crop", "preparation": "centred"}
    box = (16.0, 80.0, 240.0, 304.0)
    return explain.Explanation(0.55, -0.25, *maps, box, manifest | {"trained": False})


def test_maps_point_at_the_hottest_patch(explanation):
    """The hottest patch is warm though every patch adds to the cosine, and it lies where the map says."""
    grey = plain(150)
    pixels = read(show.reasons(explanation, grey, grey))
    for where, (row, column) in ((QUERY_MAP, (88, 24)), (MATCH_MAP, (296, 56))):
        warm = pixels[where][..., 0] - pixels[where][..., 2] > 60
        middle = np.argwhere(warm).mean(0)
        np.testing.assert_allclose(middle, np.multiply((row, column), TILE / 256), atol=5)
        assert warm.mean() < 0.03


def test_a_map_is_not_one_wash(explanation):
    """Of a map that runs evenly from small to large, both halves have their colour."""
    ramp = np.linspace(0.001, 0.01, 196, dtype=np.float32).reshape(14, 14)
    whole = replace(explanation, query_map=ramp, match_map=ramp, box=(0.0, 0.0, 256.0, 384.0))
    pixels = read(show.reasons(whole, plain(150), plain(150)))[QUERY_MAP]
    upper, lower = pixels[10:60, 20:-20].mean((0, 1)), pixels[-60:-10, 20:-20].mean((0, 1))
    assert upper[2] - upper[0] > 60
    assert lower[0] - lower[2] > 60


def test_banners_keep_their_colours_and_what_was_not_seen_is_dark(explanation):
    green = plain((40, 200, 60))
    pixels = read(show.reasons(explanation, green, Banner(1, "Portal", jpeg(green))))
    for x in (150, 1050):
        assert pixels[200, x, 1] - pixels[200, x, 0] > 120
    seen, unseen = pixels[32 + 210, 450].mean(), pixels[32 + 40, 450].mean()
    assert seen > 1.5 * unseen


def test_the_figure_says_what_the_maps_add_up_to(explanation):
    grey = plain(200)
    figure = show.reasons(explanation, grey, Banner(1, "ファイナル", jpeg(grey)), "Why")
    said = lines(figure)
    assert said[0] == "Why"
    assert "ファイナル" in said
    assert "Cosine 0.55: 0.80 from patches and −0.25 from CLS, which lies nowhere." in said
    assert "small (never trained: it shows how this works, not what looks alike), complex, crop," in said
    assert_drawn_well(figure)


def test_a_trained_checkpoint_without_cls(explanation):
    trained = replace(explanation, cosine=0.8, unplaced=0.0, manifest=explanation.manifest | {"trained": True})
    said = lines(show.reasons(trained, plain(200), plain(200)))
    assert "Cosine 0.80: each map's patches add up to it." in said
    assert said[-1] == "small, complex, crop, centred"


def test_the_sentence_says_how_much_and_where(explanation):
    heat = np.zeros((10, 10), np.float32)
    heat[:2, :5] = 0.06
    heat[5:] = 0.004
    found = replace(explanation, cosine=0.8, unplaced=0.0, query_map=heat, match_map=heat[::-1, ::-1])
    assert show.reasons_sentence(found) == (
        "The tenth of the patches that add most give 75% of the cosine in the query, around its upper left part, "
        "and 75% in the match, around its lower right part."
    )
    assert show.reasons_sentence(found) in show.reasons(found, plain(9), plain(9)).alt
    against = replace(found, cosine=-0.1, query_map=-heat, match_map=-heat)
    assert "against this match" in show.reasons_sentence(against)


def test_a_map_without_any_difference_is_drawn(explanation):
    flat = np.full((14, 14), 0.004, np.float32)
    assert_drawn_well(show.reasons(replace(explanation, query_map=flat, match_map=flat), plain(9), plain(9)))


def test_where_there_is_no_map_a_sentence_stands_in_its_place():
    sentence = "POOLING 'pooled' has no heat map: it is the CLS token alone, which lies nowhere in the banner"
    figure = show.reasons(sentence, plain((40, 200, 60)), Banner(1, "Portal", jpeg(plain((200, 40, 60)))))
    assert " ".join(lines(figure)[-3:]).endswith(sentence[-60:])
    assert sentence in figure.alt
    assert show.reasons_sentence(sentence) == sentence
    assert_drawn_well(figure)
    pixels = read(figure)
    assert pixels[200, 150].argmax() == 1
    assert pixels[200, 450].argmax() == 0
