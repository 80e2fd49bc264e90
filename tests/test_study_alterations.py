"""The study's baselines and altered pictures."""

import imagehash
import numpy as np
import pytest
from PIL import Image

from study import alterations, baselines


def test_baselines_look_at_what_they_say():
    rng = np.random.default_rng(0)
    noise = np.asarray(Image.fromarray(rng.integers(0, 256, (12, 8, 3), dtype=np.uint8)).resize((256, 384)))
    half = np.zeros((384, 256, 3), np.uint8)
    half[:96] = (10, 250, 130)  # a quarter: 0 * 16 + 3 * 4 + 2
    half[96:192] = (64, 128, 192)  # a quarter, each at the lower end of its bin: 1 * 16 + 2 * 4 + 3
    found = baselines.Pixels()([noise, half]).numpy()
    colours, hashes, thumbnails, _ = (found[:, columns] for columns, _ in baselines.BASELINES.values())
    assert colours[1, [0, 14, 27]].tolist() == pytest.approx([0.5**0.5, 0.5, 0.5])
    np.testing.assert_allclose(np.linalg.norm(colours, axis=1), 1, rtol=1e-6)
    small = Image.fromarray(noise).reduce(4)
    np.testing.assert_array_equal(hashes[0] > 0, imagehash.phash(small).hash.ravel())
    thumbnail = np.asarray(small.resize((8, 12), Image.Resampling.BOX)).transpose(2, 0, 1)
    np.testing.assert_allclose(thumbnails[0], thumbnail.ravel(), atol=1)


y, x = np.mgrid[:384, :256]
PLACES = np.stack([x, y / 2, np.zeros_like(x)], axis=2).astype(np.uint8)  # red is x, green is y / 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mirrored", (255, 0, 0, 191)),
        ("cut", (26, 29, 230, 163)),  # 0.8 of the width, 0.7 of the height
        ("crop", (26, 19, 229, 172)),  # four fifths of each side
        ("ratio", (43, 0, 213, 191)),  # the middle two thirds of the width
    ],
)
def test_a_moved_copy_shows_the_part_that_it_should(name, expected):
    """The upper left and the lower right corner of the copy come from these places."""
    altered = alterations.alter(PLACES, name)
    assert altered.shape == (384, 256, 3)
    np.testing.assert_allclose([*altered[0, 0, :2], *altered[-1, -1, :2]], expected, atol=1.5)


@pytest.mark.parametrize(
    ("name", "colour", "expected"),
    [
        ("hue", (200, 0, 0), (0, 200, 22)),  # 127 degrees on
        ("hue", (200, 0, 100), (84, 200, 0)),  # past the end of the circle, which has 256 steps
        ("colour", (200, 0, 0), (240, 180, 0)),  # 45 degrees on, and brighter by a fifth
        ("grey", (200, 0, 0), (60, 60, 60)),  # what red adds to luma: 0.299
    ],
)
def test_a_recoloured_copy_has_the_colour_that_it_should(name, colour, expected):
    altered = alterations.alter(np.full((384, 256, 3), colour, np.uint8), name)
    np.testing.assert_allclose(altered, np.full((384, 256, 3), expected), atol=2)


@pytest.mark.parametrize(
    ("name", "where", "colour"),
    [("badge", np.s_[:57, 150:], (0x4C, 0x6B, 0x22)), ("text", np.s_[160:225], (0x1B, 0x28, 0x38))],
)
def test_a_badge_and_a_line_of_text_hide_what_they_should_and_no_more(name, where, colour):
    altered = alterations.alter(PLACES, name).copy()
    assert (altered[where] == colour).all(2).mean() > 0.5
    assert (altered[where].min(2) > 200).mean() > 0.02  # white letters
    altered[where] = PLACES[where]
    np.testing.assert_array_equal(altered, PLACES)
