"""Heat maps: their sums against matching's cosines, their places by painted patches."""

from dataclasses import replace

import checkpoints
import families
import numpy as np
import pytest
from PIL import Image

from utils import encoder, explain, matching, settings
from utils.errors import MatchError
from utils.features import Features

ALL = ("crop", "whole", "grey")
TWO = ("whole", "grey")  # both lie in the same places
SUMS = [  # checkpoint, pooling, image, views
    ("tuned", "pooled", "squash", None),
    ("tuned", "mean", "crop", None),
    ("tuned", "complex", "whole", None),
    ("masked", "mean", "squash", None),
    ("masked", "complex", "crop", None),
    ("vit", "complex", "whole", None),
    ("dinov2_with_registers", "mean", "whole", None),
    ("dinov3_vit", "mean", "whole", None),
    ("siglip", "mean", "whole", None),
    ("bit", "pooled", "whole", None),
    ("convnextv2", "pooled", "whole", None),
    ("convnextv2", "mean", "whole", None),
    ("tuned", "pooled", "squash", ALL),
    ("tuned", "complex", "crop", ALL),
    ("masked", "mean", "whole", ALL),
    ("bit", "mean", "whole", ALL),
]


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """What loads a small checkpoint by name, which is written once."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def of(name, pooling="pooled", image="squash", views=None):
        if not (folder / name).exists():
            (checkpoints if name in checkpoints.KINDS else families).write(folder / name, name)
        return encoder.load(folder / name, pooling, image, device="cpu", dtype="float32", views=views)

    return of


@pytest.fixture(scope="module")
def pictures():
    """Ten smooth pictures, uint8 (10, 384, 256, 3)."""
    noise = np.random.RandomState(1).randint(0, 256, (10, 12, 8, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((256, 384), Image.Resampling.BICUBIC)) for each in noise])


def features(network, pictures):
    """The features of pictures as games 10, 20, ..., as they are on disk."""
    appids = 10 * np.arange(1, 1 + len(pictures))
    manifest = network.identity | {"preparation": "as they are"}
    return Features(appids, appids.astype(str).astype(object), network(pictures).half().numpy(), manifest)


@pytest.mark.parametrize(("name", "pooling", "image", "views"), SUMS)
def test_maps_and_what_has_no_place_sum_to_the_cosine_of_matching(load, pictures, name, pooling, image, views):
    network = load(name, pooling, image, views)
    assert pooling in network.heat_maps
    stored = features(network, pictures[:8])
    for how in settings.PREPARATIONS:
        prepared = matching.prepare(stored, how)
        for query, match in ((0, 1), (8, 2)):  # a game's own banner, and a picture that is no game's
            found = explain.reason(network, prepared, pictures[query], pictures[match])
            appids, cosines = matching.nearest(prepared, network(pictures[[query]]).numpy(), 8)
            assert found.cosine == pytest.approx(cosines[appids == 10 * (match + 1)][0], abs=1e-4)
            for heat in (found.query_map, found.match_map):
                assert (heat.dtype, heat.shape) == (np.float32, network.grid)
                assert heat.sum() == pytest.approx(found.placed, abs=1e-5)
            assert (found.unplaced != 0) == (pooling == "complex")


@pytest.mark.parametrize(("name", "cause"), [("dinov2", "the cls token alone"), ("siglip", "siglip's own")])
def test_what_is_no_sum_over_patches_says_why(load, pictures, name, cause):
    network = load(name, "pooled", "whole")
    said = explain.reason(network, matching.prepare(features(network, pictures)), pictures[0], pictures[1])
    assert cause in said.lower()
    assert ", ".join(network.heat_maps) in said


@pytest.mark.parametrize("of", [("tuned",), ("masked", "mean"), ("tuned", "complex"), ("tuned", "mean", "squash", TWO)])
def test_each_patch_is_worth_its_pairs_and_each_view_counts_alike(load, pictures, of):
    beit = load(*of)
    prepared = matching.prepare(features(beit, pictures[:8]), "whitened")
    found = explain.reason(beit, prepared, pictures[0], pictures[1])
    on_disk = beit(pictures[:2]).half().double().numpy()
    tokens = beit.tokens(pictures[:2])[:, 1:].double().numpy()
    if beit.pooling == "pooled":  # the norm's spread is that of the mean, its centre each token's own
        spread = np.sqrt(tokens.mean(1).var(1) + beit.norm.eps)[:, None, None]
        gamma, beta = beit.norm.weight.numpy(), beit.norm.bias.numpy()
        tokens = gamma * (tokens - tokens.mean(2, keepdims=True)) / spread + beta
    elif of[0] == "masked":
        tokens = beit.norm(beit.tokens(pictures[:2])[:, 1:]).numpy()
    elif len(beit.views) > 1:
        units = tokens / np.linalg.norm(tokens.mean(1), axis=1)[:, None, None]
        tokens = units.reshape(2, 2, *units.shape[1:]).mean(1)
    hidden = tokens.shape[2]
    tokens = tokens - tokens.mean(1, keepdims=True) + on_disk[:, None, -hidden:]  # the rounding, shared out
    ours, theirs = (tokens - prepared.mean[-hidden:]) @ prepared.whitening_matrix[-hidden:]
    moved = (on_disk - prepared.mean) @ prepared.whitening_matrix
    pairs = ours @ theirs.T / len(ours) ** 2 / np.prod(np.linalg.norm(moved, axis=1))
    np.testing.assert_allclose(found.query_map, pairs.sum(1).reshape(14, 14), atol=1e-6)
    np.testing.assert_allclose(found.match_map, pairs.sum(0).reshape(14, 14), atol=1e-6)


@pytest.mark.parametrize("image", settings.IMAGES)
def test_a_patch_lies_where_the_map_says(load, pictures, image):
    beit = load("tuned", "mean", image)
    prepared = matching.prepare(features(beit, pictures[:8]), "centred")
    before = explain.reason(beit, prepared, pictures[0], pictures[1])
    left, top, right, bottom = before.box
    rows, columns = beit.grid
    for number in (16, 100, 179):
        row, column = divmod(number, columns)
        ys = np.linspace(top, bottom, rows + 1).round().astype(int)[row : row + 2]
        xs = np.linspace(left, right, columns + 1).round().astype(int)[column : column + 2]
        painted = pictures[0].copy()
        painted[slice(*ys), slice(*xs)] = (255, 0, 255)
        after = explain.reason(beit, prepared, painted, pictures[1])
        assert np.abs(after.query_map - before.query_map).argmax() == number


def test_what_cannot_be_compared_is_refused(load, pictures):
    beit = load("tuned", "mean")
    prepared = matching.prepare(features(beit, pictures), "centred")
    just_the_mean = replace(prepared, mean=beit(pictures[:1])[0].half().double().numpy())
    with pytest.raises(MatchError):
        explain.reason(beit, just_the_mean, pictures[0], pictures[1])
    for other in (("tuned",), ("masked", "mean"), ("tuned", "mean", "crop"), ("tuned", "mean", "squash", ("grey",))):
        with pytest.raises(MatchError):
            explain.reason(load(*other), prepared, pictures[0], pictures[1])
