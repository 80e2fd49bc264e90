"""judge's baselines and altered pictures."""

import imagehash
import numpy as np
import pytest
from PIL import Image

from utils import judge


def test_baselines_look_at_what_they_say():
    rng = np.random.default_rng(0)
    noise = np.asarray(Image.fromarray(rng.integers(0, 256, (12, 8, 3), dtype=np.uint8)).resize((256, 384)))
    red = np.zeros((384, 256, 3), np.uint8) + np.array([255, 0, 70], np.uint8)
    found = judge.Pixels()([noise, red]).numpy()
    columns = {name.split(",")[0]: found[:, where] for name, (where, _) in judge.BASELINES.items()}
    assert np.flatnonzero(columns["colour histogram"][1]).tolist() == [3 * 16 + 0 * 4 + 1]
    np.testing.assert_allclose(np.linalg.norm(columns["colour histogram"], axis=1), 1, rtol=1e-6)
    small = Image.fromarray(noise).reduce(4)
    np.testing.assert_array_equal(columns["perceptual hash"][0] > 0, imagehash.phash(small).hash.ravel())
    thumbnail = np.asarray(small.resize((8, 12), Image.Resampling.BOX)).transpose(2, 0, 1)
    np.testing.assert_allclose(columns["thumbnail"][0], thumbnail.ravel(), atol=1)


@pytest.mark.parametrize("name", judge.ALTERATIONS)
def test_altered_copies_are_banners_that_changed(name):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (24, 16, 3), dtype=np.uint8))
    rgb = np.asarray(small.resize((256, 384), Image.Resampling.BICUBIC))
    altered = judge.alter(rgb, name)
    assert (altered.shape, altered.dtype) == (rgb.shape, np.uint8)
    assert 1 < np.abs(altered.astype(int) - rgb).mean() < 80
    np.testing.assert_array_equal(altered, judge.alter(rgb, name))
