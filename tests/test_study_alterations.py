"""The study's baselines and altered pictures."""

import io

import imagehash
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from study import alterations, baselines


def test_baselines_look_at_what_they_say():
    rng = np.random.default_rng(0)
    noise = np.asarray(Image.fromarray(rng.integers(0, 256, (12, 8, 3), dtype=np.uint8)).resize((256, 384)))
    red = np.zeros((384, 256, 3), np.uint8) + np.array([255, 0, 70], np.uint8)
    found = baselines.Pixels()([noise, red]).numpy()
    columns = {name.split(",")[0]: found[:, where] for name, (where, _) in baselines.BASELINES.items()}
    assert np.flatnonzero(columns["colour histogram"][1]).tolist() == [3 * 16 + 0 * 4 + 1]
    np.testing.assert_allclose(np.linalg.norm(columns["colour histogram"], axis=1), 1, rtol=1e-6)
    small = Image.fromarray(noise).reduce(4)
    np.testing.assert_array_equal(columns["perceptual hash"][0] > 0, imagehash.phash(small).hash.ravel())
    thumbnail = np.asarray(small.resize((8, 12), Image.Resampling.BOX)).transpose(2, 0, 1)
    np.testing.assert_allclose(columns["thumbnail"][0], thumbnail.ravel(), atol=1)


@pytest.mark.parametrize("name", alterations.ALTERATIONS)
def test_altered_copies_are_banners_that_changed(name):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (24, 16, 3), dtype=np.uint8))
    rgb = np.asarray(small.resize((256, 384), Image.Resampling.BICUBIC))
    altered = alterations.alter(rgb, name)
    assert (altered.shape, altered.dtype) == (rgb.shape, np.uint8)
    assert 1 < np.abs(altered.astype(int) - rgb).mean() < 80
    np.testing.assert_array_equal(altered, alterations.alter(rgb, name))


def corners(rgb):
    """Return where in `places()` the upper left and the lower right corner of a picture come from: x, y, x, y."""
    return np.concatenate([rgb[0, 0, :2], rgb[-1, -1, :2]]).astype(float)


def places():
    """A picture that says where each pixel is: red is x, green is y / 2."""
    y, x = np.mgrid[:384, :256]
    return np.stack([x, y / 2, np.zeros_like(x)], axis=2).astype(np.uint8)


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
    np.testing.assert_allclose(corners(alterations.alter(places(), name)), expected, atol=1.5)


@pytest.mark.parametrize(
    ("name", "colour", "expected"),
    [
        ("hue", (200, 0, 0), (0, 200, 22)),  # 127 degrees on
        ("hue", (200, 0, 100), (84, 200, 0)),  # past the end of the circle, which has 256 steps
        ("hue", (120, 120, 120), (120, 120, 120)),
        ("colour", (200, 0, 0), (240, 180, 0)),  # 45 degrees on, and brighter by a fifth
        ("grey", (200, 0, 0), (60, 60, 60)),  # what red adds to luma: 0.299
    ],
)
def test_a_recoloured_copy_has_the_colour_that_it_should(name, colour, expected):
    altered = alterations.alter(np.zeros((384, 256, 3), np.uint8) + np.array(colour, np.uint8), name)
    np.testing.assert_allclose(altered.reshape(-1, 3), np.broadcast_to(expected, (384 * 256, 3)), atol=2)


@pytest.mark.parametrize(
    ("name", "where", "colour"),
    [
        ("badge", np.s_[:57, 150:], (0x4C, 0x6B, 0x22)),
        ("text", np.s_[160:225], (0x1B, 0x28, 0x38)),
    ],
)
def test_a_badge_and_a_line_of_text_hide_what_they_should_and_no_more(name, where, colour):
    altered = alterations.alter(places(), name).copy()
    shown = altered[where]
    assert (shown == colour).all(2).mean() > 0.5
    assert (shown.min(2) > 200).mean() > 0.02  # white letters
    shown[...] = places()[where]
    np.testing.assert_array_equal(altered, places())


def test_a_blurred_and_a_recompressed_copy_are_as_bad_as_they_should_be():
    rgb = np.random.default_rng(0).integers(0, 256, (384, 256, 3), dtype=np.uint8)
    blurred = ndimage.gaussian_filter(rgb.astype(float), (4, 4, 0))
    inside = np.s_[20:-20, 20:-20]
    np.testing.assert_allclose(alterations.alter(rgb, "blur")[inside], blurred[inside], atol=4)
    content = io.BytesIO()
    Image.fromarray(rgb).save(content, "JPEG", quality=10)
    np.testing.assert_array_equal(alterations.alter(rgb, "JPEG"), np.asarray(Image.open(content)))


def test_a_histogram_says_the_root_of_each_colours_share():
    half = np.zeros((384, 256, 3), np.uint8)
    half[:96] = (10, 250, 130)  # a quarter: 0 * 16 + 3 * 4 + 2
    half[96:192] = (64, 128, 192)  # a quarter, each at the lower end of its bin: 1 * 16 + 2 * 4 + 3
    found = baselines.Pixels()([half])[0, baselines.BASELINES["colour histogram, 64 bins"][0]]
    assert found[[0, 14, 27]].tolist() == pytest.approx([0.5**0.5, 0.5, 0.5])
