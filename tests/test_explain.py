"""Heat maps: their sums against matching's cosines, their places by painted patches, their worth by hidden ones."""

import io
from dataclasses import replace
from pathlib import Path

import checkpoints
import numpy as np
import pytest
from PIL import Image

import sample
from utils import banners, encoder, explain, matching
from utils.banners import Banner
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


@pytest.mark.parametrize("image", encoder.IMAGES)
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


@pytest.mark.parametrize("image", encoder.IMAGES)
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


@pytest.mark.parametrize("how", matching.PREPARATIONS)
def test_the_cosine_is_the_one_of_the_matches(tried, how):
    beit, shown, on_disk = tried
    kept = matching.prepare(on_disk, how)
    appids, cosines = matching.nearest(kept, kept.appids[:10], 5)
    for query in range(10):
        for rank in (0, 4):
            found = explain.why(beit, kept, shown[query], shown[appids[query, rank] // 10 - 1])
            assert found.cosine == pytest.approx(cosines[query, rank], abs=1e-4)


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
    with pytest.raises(explain.ExplainError, match=r"checkpoint tuned, .*image squash, .*checkpoint masked, .*whole;"):
        explain.why(load(folders["masked"], "cls", "whole"), prepared, pictures[0], pictures[1])
    beit = load(folders["tuned"], "mean")
    prepared = matching.prepare(features(beit, pictures), "centred")
    nowhere = replace(prepared, shift=beit(pictures[:1])[0].half().double().numpy())
    with pytest.raises(explain.ExplainError, match="points nowhere"):
        explain.why(beit, nowhere, pictures[0], pictures[1])
    with pytest.raises(explain.ExplainError, match=r"matching\.prepare"):
        explain.why(beit, features(beit, pictures), pictures[0], pictures[1])


def jpeg(rgb: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(rgb).save(content, "JPEG", quality=95)
    return content.getvalue()


@pytest.fixture
def explanation() -> explain.Explanation:
    """One patch for, in the upper left corner of the query; one against, low on the left of the match."""
    maps = np.zeros((2, 14, 14), np.float32)
    maps[0, 0, 0], maps[1, 13, 2], maps[1, 0, 0] = 0.75, -0.25, 1
    manifest = {"checkpoint": "small", "pooling": "complex", "image": "crop", "preparation": "centred"}
    manifest["trained"] = False
    return explain.Explanation(0.5, -0.25, *maps, (16.0, 80.0, 240.0, 304.0), manifest)


def test_the_figure_shows_the_maps_in_their_places(explanation):
    """The query's map is drawn from (314, 84) on, the match's from (628, 84), 258 pixels wide for a banner's 256."""
    picture = np.full((384, 256, 3), (40, 200, 60), np.uint8)
    figure = explain.figure(explanation, picture, Banner(1, "Portal", jpeg(picture)), "Why")
    pixels = np.asarray(Image.open(io.BytesIO(figure.jpeg()))).astype(int)
    blue, green = pixels[..., 2] - pixels[..., 0], pixels[..., 1] - pixels[..., 0]
    query_map, match_map = (slice(84, 471), slice(314, 572)), (slice(84, 471), slice(628, 886))
    places = {  # middle of a patch of 16 pixels, row and column of the banner
        (88, 24): np.argwhere(blue[query_map] > 40).mean(0),
        (296, 56): np.argwhere(blue[match_map] < -15).mean(0),
    }
    for middle, found in places.items():
        np.testing.assert_allclose(found, np.multiply(middle, 258 / 256), atol=4)
    seen, unseen = pixels[84 + 200, 314 + 128].mean(), pixels[84 + 60, 314 + 128].mean()
    assert 1.5 * unseen < seen
    assert green[200, 100] > 120  # the banners have their colours, their maps are on grey
    assert green[200, 1100] > 120
    assert abs(green[250, 400]) < 10


def test_the_figure_says_what_the_maps_sum_to(explanation):
    grey = np.full((384, 256, 3), 200, np.uint8)
    figure = explain.figure(explanation, grey, Banner(1, "ファイナル", jpeg(grey)), "Why")
    figure.jpeg()
    texts = [text for text in figure.axes[0].texts if text.get_text()]
    assert [text.get_text() for text in texts] == [
        "Why",
        *("for 0.75", "against 0.00"),
        "ファイナル",
        *("for 1.00", "against 0.25"),
        "Cosine 0.50: 0.75 from pairs of patches, to which each map sums, and −0.25 from CLS, without a place",
        "small (untrained: it shows that this works, no more), complex, crop, centred. "
        "The deepest colour is 1.000 for one patch.",
    ]
    extents = [text.get_window_extent() for text in texts]
    assert all(each.x0 > 0 and each.x1 < 1200 and each.y0 > 0 and each.y1 < figure.bbox.height for each in extents)
    assert not any(a.overlaps(b) for at, a in enumerate(extents) for b in extents[:at])


def test_the_figure_of_a_trained_checkpoint_without_cls(explanation):
    trained = replace(explanation, cosine=0.75, unplaced=0.0, manifest=explanation.manifest | {"trained": True})
    grey = np.full((384, 256, 3), 200, np.uint8)
    texts = [text.get_text() for text in explain.figure(trained, grey, grey).axes[0].texts]
    assert "Cosine 0.75, all of it from pairs of patches: each map sums to it" in texts
    assert texts[-1].startswith("small, complex")
