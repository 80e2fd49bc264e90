"""Heat maps: their sums against matching's cosines, their places by painted patches, their worth by hidden ones."""

from dataclasses import replace
from pathlib import Path

import checkpoints
import numpy as np
import pytest
from PIL import Image

import sample
from utils import banners, encoder, explain, matching, settings
from utils.features import Features

POOLINGS = {"tuned": ("pooled", "mean", "complex", "mean@2", "complex@1"), "masked": ("mean", "complex", "mean@2")}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("checkpoints")
    return {kind: checkpoints.write(home / kind, kind) for kind in checkpoints.KINDS}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Ten smooth pictures, uint8 (10, 384, 256, 3)."""
    noise = np.random.RandomState(1).randint(0, 256, (10, 12, 8, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((256, 384), Image.Resampling.BICUBIC)) for each in noise])


def load(folder: Path, pooling: str = "pooled", image: str = "squash") -> encoder.Encoder:
    return encoder.load(folder, pooling, image, device="cpu", dtype="float32")


def features(beit: encoder.Encoder, pictures: np.ndarray) -> Features:
    """The features of pictures as games 10, 20, ..., as they are on disk."""
    appids = 10 * np.arange(1, 1 + len(pictures))
    manifest = beit.identity | {"preparation": "as they are"}
    return Features(appids, appids.astype(str).astype(object), beit(pictures).half().numpy(), manifest)


@pytest.mark.parametrize("image", checkpoints.IMAGES)
@pytest.mark.parametrize(("kind", "pooling"), [(kind, each) for kind, some in POOLINGS.items() for each in some])
def test_both_maps_and_what_has_no_place_sum_to_the_cosine(folders, pictures, kind, pooling, image):
    beit = load(folders[kind], pooling, image)
    for how in matching.PREPARATIONS:
        prepared = matching.prepare(features(beit, pictures[:8]), how)
        for query, match in ((0, 1), (8, 2), (9, 3)):  # a game's own banner, and pictures that are no game's
            found = explain.why(beit, prepared, pictures[query], pictures[match])
            appids, cosines = matching.nearest(prepared, beit(pictures[[query]]).numpy(), 8)
            assert found.cosine == pytest.approx(cosines[appids == 10 * (match + 1)][0], abs=1e-4)
            assert found.query_map.dtype == found.match_map.dtype == np.float32
            assert found.query_map.shape == found.match_map.shape == ((21, 14) if image == "whole" else (14, 14))
            assert found.query_map.sum() == pytest.approx(found.placed, abs=1e-5)
            assert found.match_map.sum() == pytest.approx(found.placed, abs=1e-5)
            assert (found.unplaced != 0) == pooling.startswith("complex")


@pytest.mark.parametrize(("kind", "pooling"), [("tuned", "pooled"), ("masked", "mean"), ("tuned", "complex")])
def test_each_patch_is_worth_its_pairs(folders, pictures, kind, pooling):
    beit = load(folders[kind], pooling)
    prepared = matching.prepare(features(beit, pictures[:8]), "whitened")
    found = explain.why(beit, prepared, pictures[0], pictures[1])
    kept = beit(pictures[:2]).half().double().numpy()
    tokens = beit.tokens(pictures[:2])[:, 1:].double().numpy()
    if pooling == "pooled":  # the norm's spread is that of the mean, its centre each token's own
        spread = np.sqrt(tokens.mean(1).var(1) + beit.norm.eps)[:, None, None]
        gamma, beta = beit.norm.gamma.numpy(), beit.norm.beta.numpy()
        tokens = gamma * (tokens - tokens.mean(2, keepdims=True)) / spread + beta
    elif kind == "masked":
        tokens = beit.norm(beit.tokens(pictures[:2])[:, 1:]).numpy()
    hidden = tokens.shape[2]
    tokens = tokens - tokens.mean(1, keepdims=True) + kept[:, None, -hidden:]  # the rounding, shared out
    ours, theirs = (tokens - prepared.shift[-hidden:]) @ prepared.turn[-hidden:]
    moved = (kept - prepared.shift) @ prepared.turn
    pairs = ours @ theirs.T / len(ours) ** 2 / np.prod(np.linalg.norm(moved, axis=1))
    np.testing.assert_allclose(found.query_map, pairs.sum(1).reshape(14, 14), atol=1e-6)
    np.testing.assert_allclose(found.match_map, pairs.sum(0).reshape(14, 14), atol=1e-6)


def test_cls_has_the_pairs_it_takes_part_in(folders, pictures):
    """Without a turn, CLS meets CLS only: its share is the product of the first halves."""
    beit = load(folders["tuned"], "complex")
    prepared = matching.prepare(features(beit, pictures[:8]), "centred")
    found = explain.why(beit, prepared, pictures[0], pictures[1])
    ours, theirs = prepared.vectors[:2].astype(float)
    assert found.unplaced == pytest.approx(ours[:32] @ theirs[:32], abs=1e-5)
    assert found.placed == pytest.approx(ours[32:] @ theirs[32:], abs=1e-5)


def patch(box: tuple[float, ...], grid: tuple[int, int], number: int) -> tuple[slice, slice]:
    """The pixels of a banner, rows and columns, that a patch sees."""
    (left, top, right, bottom), (rows, columns) = box, grid
    row, column = divmod(int(number), columns)
    ys, xs = (np.linspace(top, bottom, rows + 1).round(), np.linspace(left, right, columns + 1).round())
    return slice(int(ys[row]), int(ys[row + 1])), slice(int(xs[column]), int(xs[column + 1]))


@pytest.mark.parametrize("image", settings.IMAGES)
def test_a_patch_lies_where_the_map_says(folders, pictures, image):
    beit = load(folders["tuned"], "mean", image)
    prepared = matching.prepare(features(beit, pictures[:8]), "centred")
    before = explain.why(beit, prepared, pictures[0], pictures[1])
    for number in (16, 100, 179):
        painted = pictures[0].copy()
        painted[patch(before.box, beit.grid, number)] = (255, 0, 255)
        after = explain.why(beit, prepared, painted, pictures[1])
        assert np.abs(after.query_map - before.query_map).argmax() == number


@pytest.fixture(scope="module")
def tried(tmp_path_factory) -> tuple[encoder.Encoder, np.ndarray, Features]:
    """The sample's checkpoint, its banners, uint8 (n, 384, 256, 3), and their features as games 10, 20, ..."""
    beit, stock = load(sample.checkpoint(tmp_path_factory.mktemp("tiny"))), sample.fictional()
    files = [stock.picture(game.appid) for game in stock.games[:70]]
    shown = np.stack([banners.decode(each) for each in files if each])
    return beit, shown, features(beit, shown)


@pytest.mark.slow
@pytest.mark.parametrize("how", matching.PREPARATIONS)
def test_the_cosine_is_the_one_of_the_matches(tried, how):
    beit, shown, on_disk = tried
    kept = matching.prepare(on_disk, how)
    appids, cosines = matching.nearest(kept, kept.appids[:10], 5)
    for query in range(10):
        for rank in (0, 4):
            found = explain.why(beit, kept, shown[query], shown[appids[query, rank] // 10 - 1])
            assert found.cosine == pytest.approx(cosines[query, rank], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [5, 20])
def test_hiding_the_hottest_patches_costs_more_than_hiding_others(tried, rank):
    """Others: as many at random, and the hottest ones' shape turned by 180 degrees.

    A fifth of the query is hidden under its mean colour. It holds on average over 40 pairs, not in every one.
    """
    beit, shown, on_disk = tried
    prepared, rng = matching.prepare(on_disk), np.random.default_rng(0)
    appids, _ = matching.nearest(prepared, prepared.appids, rank)
    drops = []
    for row in rng.permutation(len(prepared))[:40]:
        match = appids[row, -1] // 10 - 1
        found = explain.why(beit, prepared, shown[row], shown[match])
        hottest = found.query_map.ravel().argsort()[::-1]
        orders = hottest, rng.permutation(hottest), hottest.size - 1 - hottest
        moved = beit([hidden(shown[row], found.box, beit.grid, each[:40]) for each in orders]).double().numpy()
        moved = (moved - prepared.shift) @ prepared.turn
        drops.append(found.cosine - moved @ prepared.vectors[match] / np.linalg.norm(moved, axis=1))
    hot, random, turned = np.transpose(drops)
    for other in (random, turned):
        assert (hot - other).mean() > 2 * (hot - other).std() / np.sqrt(len(hot))


def hidden(rgb: np.ndarray, box: tuple[float, ...], grid: tuple[int, int], patches: np.ndarray) -> np.ndarray:
    covered, mean = rgb.copy(), rgb.mean((0, 1)).round()
    for number in patches:
        covered[patch(box, grid, number)] = mean
    return covered


def test_what_cannot_be_explained_is_said(folders, pictures):
    beit = load(folders["tuned"], "cls")
    prepared = matching.prepare(features(beit, pictures[:8]))
    with pytest.raises(explain.ExplainError, match=r"'cls'.*pooled, mean, complex"):
        explain.why(beit, prepared, pictures[0], pictures[1])
    with pytest.raises(explain.ExplainError, match=r"features are of pooling cls, but the encoder is of pooling mean;"):
        explain.why(load(folders["tuned"], "mean"), prepared, pictures[0], pictures[1])
    with pytest.raises(explain.ExplainError, match=r"of checkpoint tuned, but .*of checkpoint masked;"):
        explain.why(load(folders["masked"], "cls", "whole"), prepared, pictures[0], pictures[1])
    beit = load(folders["tuned"], "mean")
    prepared = matching.prepare(features(beit, pictures), "centred")
    nowhere = replace(prepared, shift=beit(pictures[:1])[0].half().double().numpy())
    with pytest.raises(explain.ExplainError, match="points nowhere"):
        explain.why(beit, nowhere, pictures[0], pictures[1])
    with pytest.raises(explain.ExplainError, match=r"matching\.prepare"):
        explain.why(beit, features(beit, pictures), pictures[0], pictures[1])
