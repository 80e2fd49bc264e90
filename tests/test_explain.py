"""Heat maps: their sums against matching's cosines, their places by painted patches, their worth by hidden ones."""

from dataclasses import replace

import checkpoints
import families
import numpy as np
import pytest
from PIL import Image

import sample
from utils import banners, encoder, explain, matching, settings
from utils.errors import MatchError
from utils.features import Features

BEIT = {"tuned": ("pooled", "mean", "complex"), "masked": ("mean", "complex")}
FAMILIES = {
    "vit": ("mean", "complex"),
    "dinov2_with_registers": ("mean",),
    "dinov3_vit": ("mean",),
    "siglip": ("mean",),
    "bit": ("pooled",),
    "convnextv2": ("pooled", "mean"),
}
WITHOUT_MAPS = [("dinov2", "pooled", "CLS token alone"), ("clip", "pooled", "head"), ("siglip", "pooled", "head")]


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """What writes a small checkpoint of a name once and returns its folder."""
    written = {}

    def write(name):
        if name not in written:
            module = checkpoints if name in checkpoints.KINDS else families
            written[name] = module.write(tmp_path_factory.mktemp("checkpoints") / name, name)
        return written[name]

    return write


@pytest.fixture(scope="module")
def pictures():
    """Ten smooth pictures, uint8 (10, 384, 256, 3)."""
    noise = np.random.RandomState(1).randint(0, 256, (10, 12, 8, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((256, 384), Image.Resampling.BICUBIC)) for each in noise])


def load(folder, pooling="pooled", image="squash"):
    return encoder.load(folder, pooling, image, device="cpu", dtype="float32")


def features(network, pictures):
    """The features of pictures as games 10, 20, ..., as they are on disk."""
    appids = 10 * np.arange(1, 1 + len(pictures))
    manifest = network.identity | {"preparation": "as they are"}
    return Features(appids, appids.astype(str).astype(object), network(pictures).half().numpy(), manifest)


def assert_sums(network, prepared, pictures, query, match):
    """Both maps and what has no place sum to the cosine that matching gives."""
    found = explain.reason(network, prepared, pictures[query], pictures[match])
    appids, cosines = matching.nearest(prepared, network(pictures[[query]]).numpy(), 8)
    assert found.cosine == pytest.approx(cosines[appids == 10 * (match + 1)][0], abs=1e-4)
    for heat in (found.query_map, found.match_map):
        assert heat.dtype == np.float32
        assert heat.shape == network.grid
        assert heat.sum() == pytest.approx(found.placed, abs=1e-5)
    assert (found.unplaced != 0) == network.pooling.startswith("complex")


@pytest.mark.parametrize("image", checkpoints.IMAGES)
@pytest.mark.parametrize(("kind", "pooling"), [(kind, each) for kind, some in BEIT.items() for each in some])
def test_maps_sum_to_the_cosine(folder_of, pictures, kind, pooling, image):
    network = load(folder_of(kind), pooling, image)
    for how in matching.PREPARATIONS:
        prepared = matching.prepare(features(network, pictures[:8]), how)
        for query, match in ((0, 1), (8, 2)):  # a game's own banner, and a picture that is no game's
            assert_sums(network, prepared, pictures, query, match)


@pytest.mark.parametrize(("name", "pooling"), [(name, each) for name, some in FAMILIES.items() for each in some])
def test_maps_of_other_families_sum_to_the_cosine(folder_of, pictures, name, pooling):
    network = load(folder_of(name), pooling, "whole")
    assert pooling in network.heat_maps
    assert_sums(network, matching.prepare(features(network, pictures[:8]), "centred"), pictures, 0, 1)


@pytest.mark.parametrize(
    ("name", "pooling", "image"),
    [
        ("tuned", "pooled", "squash"),
        ("tuned", "complex", "crop"),
        ("masked", "mean", "whole"),
        ("bit", "mean", "whole"),
    ],
)
def test_maps_of_several_views_sum_to_the_cosine(folder_of, pictures, name, pooling, image):
    views = ("crop", "whole", "grey")
    network = encoder.load(folder_of(name), pooling, image, device="cpu", dtype="float32", views=views)
    for how in matching.PREPARATIONS:
        assert_sums(network, matching.prepare(features(network, pictures[:8]), how), pictures, 8, 2)


@pytest.mark.parametrize(("name", "pooling", "cause"), WITHOUT_MAPS)
def test_what_is_no_sum_over_patches_says_why(folder_of, pictures, name, pooling, cause):
    network = load(folder_of(name), pooling, "whole")
    said = explain.reason(network, matching.prepare(features(network, pictures)), pictures[0], pictures[1])
    assert cause in said
    assert ", ".join(network.heat_maps) in said


@pytest.mark.parametrize(("kind", "pooling"), [("tuned", "pooled"), ("masked", "mean"), ("tuned", "complex")])
def test_each_patch_is_worth_its_pairs(folder_of, pictures, kind, pooling):
    beit = load(folder_of(kind), pooling)
    prepared = matching.prepare(features(beit, pictures[:8]), "whitened")
    found = explain.reason(beit, prepared, pictures[0], pictures[1])
    on_disk = beit(pictures[:2]).half().double().numpy()
    tokens = beit.tokens(pictures[:2])[:, 1:].double().numpy()
    if pooling == "pooled":  # the norm's spread is that of the mean, its centre each token's own
        spread = np.sqrt(tokens.mean(1).var(1) + beit.norm.eps)[:, None, None]
        gamma, beta = beit.norm.gamma.numpy(), beit.norm.beta.numpy()
        tokens = gamma * (tokens - tokens.mean(2, keepdims=True)) / spread + beta
    elif kind == "masked":
        tokens = beit.norm(beit.tokens(pictures[:2])[:, 1:]).numpy()
    hidden = tokens.shape[2]
    tokens = tokens - tokens.mean(1, keepdims=True) + on_disk[:, None, -hidden:]  # the rounding, shared out
    ours, theirs = (tokens - prepared.mean[-hidden:]) @ prepared.whitening_matrix[-hidden:]
    moved = (on_disk - prepared.mean) @ prepared.whitening_matrix
    pairs = ours @ theirs.T / len(ours) ** 2 / np.prod(np.linalg.norm(moved, axis=1))
    np.testing.assert_allclose(found.query_map, pairs.sum(1).reshape(14, 14), atol=1e-6)
    np.testing.assert_allclose(found.match_map, pairs.sum(0).reshape(14, 14), atol=1e-6)


def patch(box, grid, number):
    """The pixels of a banner, rows and columns, that a patch sees."""
    (left, top, right, bottom), (rows, columns) = box, grid
    row, column = divmod(int(number), columns)
    ys, xs = (np.linspace(top, bottom, rows + 1).round(), np.linspace(left, right, columns + 1).round())
    return slice(int(ys[row]), int(ys[row + 1])), slice(int(xs[column]), int(xs[column + 1]))


@pytest.mark.parametrize("image", settings.IMAGES)
def test_a_patch_lies_where_the_map_says(folder_of, pictures, image):
    beit = load(folder_of("tuned"), "mean", image)
    prepared = matching.prepare(features(beit, pictures[:8]), "centred")
    before = explain.reason(beit, prepared, pictures[0], pictures[1])
    for number in (16, 100, 179):
        painted = pictures[0].copy()
        painted[patch(before.box, beit.grid, number)] = (255, 0, 255)
        after = explain.reason(beit, prepared, painted, pictures[1])
        assert np.abs(after.query_map - before.query_map).argmax() == number


@pytest.mark.slow
@pytest.mark.parametrize("rank", [5, 20])
def test_hiding_the_hottest_patches_costs_more_than_hiding_others(tmp_path, rank):
    """Others: as many at random, and the hottest ones' shape turned by 180 degrees.

    A fifth of the query is hidden under its mean colour. It holds on average over 40 pairs, not in every one.
    """
    beit, stock, rng = load(sample.checkpoint(tmp_path / "tiny")), sample.fictional(), np.random.default_rng(0)
    files = [stock.picture(game.appid) for game in stock.games[:70]]
    shown = np.stack([banners.decode(each) for each in files if each])
    prepared = matching.prepare(features(beit, shown))
    appids, _ = matching.nearest(prepared, prepared.appids, rank)
    drops = []
    for row in rng.permutation(len(prepared))[:40]:
        match = appids[row, -1] // 10 - 1
        found = explain.reason(beit, prepared, shown[row], shown[match])
        hottest = found.query_map.ravel().argsort()[::-1]
        orders = hottest, rng.permutation(hottest), hottest.size - 1 - hottest
        moved = beit([hidden(shown[row], found.box, beit.grid, each[:40]) for each in orders]).double().numpy()
        moved = (moved - prepared.mean) @ prepared.whitening_matrix
        drops.append(found.cosine - moved @ prepared.vectors[match] / np.linalg.norm(moved, axis=1))
    hot, random, turned = np.transpose(drops)
    for other in (random, turned):
        assert (hot - other).mean() > 2 * (hot - other).std() / np.sqrt(len(hot))


def hidden(rgb, box, grid, patches):
    covered, mean = rgb.copy(), rgb.mean((0, 1)).round()
    for number in patches:
        covered[patch(box, grid, number)] = mean
    return covered


def test_what_cannot_be_compared_is_refused(folder_of, pictures):
    beit = load(folder_of("tuned"), "mean")
    stored = features(beit, pictures)
    prepared = matching.prepare(stored, "centred")
    just_the_mean = replace(prepared, mean=beit(pictures[:1])[0].half().double().numpy())
    other_pooling = load(folder_of("tuned"), "pooled")
    other_checkpoint = load(folder_of("masked"), "mean")
    for network, games in (
        (beit, just_the_mean),
        (other_pooling, prepared),
        (other_checkpoint, prepared),
    ):
        with pytest.raises(MatchError):
            explain.reason(network, games, pictures[0], pictures[1])
