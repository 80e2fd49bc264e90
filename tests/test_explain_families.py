"""Heat maps of every family whose features are a sum over patches or cells, and a sentence for the others."""

import re
from pathlib import Path

import families
import numpy as np
import pytest

from utils import encoder, explain, matching
from utils.features import Features

MAPPED = {
    "vit": ("mean", "complex", "mean@2"),
    "dinov2_with_registers": ("mean", "complex@2"),
    "dinov3_vit": ("mean",),
    "clip": ("mean@2",),
    "siglip": ("mean", "mean@2"),
    "bit": ("pooled",),
    "convnextv2": ("pooled", "mean"),
}
UNMAPPED = [
    ("dinov2", "pooled", "CLS token alone.* are mean, complex, mean@N, complex@N"),
    ("clip", "pooled", "trained head.* are mean@N, complex@N"),
    ("siglip", "pooled", "trained head.* are mean, mean@N"),
]


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    noise = np.random.RandomState(5).randint(0, 256, (6, 12, 8, 3)).astype(np.uint8)
    return noise.repeat(32, axis=1).repeat(32, axis=2)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("families")
    return {name: families.write(home / name, name) for name in (*MAPPED, "dinov2")}


def load(folder: Path, pooling: str) -> encoder.Encoder:
    return encoder.load(folder, pooling, "whole", device="cpu", dtype="float32")


def prepared(eye: encoder.Encoder, pictures: np.ndarray) -> matching.Prepared:
    appids = np.arange(len(pictures))
    manifest = eye.identity | {"preparation": "as they are"}
    stored = Features(appids, appids.astype(str).astype(object), eye(pictures).half().numpy(), manifest)
    return matching.prepare(stored, "centred")


@pytest.mark.parametrize(("name", "pooling"), [(name, each) for name, some in MAPPED.items() for each in some])
def test_both_maps_sum_to_the_cosine(folders, pictures, name, pooling):
    eye = load(folders[name], pooling)
    assert pooling in eye.heat_maps or f"{pooling.partition('@')[0]}@N" in eye.heat_maps
    games = prepared(eye, pictures)
    found = explain.why(eye, games, pictures[0], pictures[1])
    appids, cosines = matching.nearest(games, eye(pictures[:1]).numpy(), 6)
    assert found.cosine == pytest.approx(cosines[appids == 1][0], abs=1e-4)
    assert found.query_map.shape == eye.grid
    assert found.query_map.sum() == pytest.approx(found.placed, abs=1e-5)
    assert found.match_map.sum() == pytest.approx(found.placed, abs=1e-5)


@pytest.mark.parametrize(("name", "pooling", "reason"), UNMAPPED)
def test_what_is_no_sum_over_patches_is_refused(folders, pictures, name, pooling, reason):
    eye = load(folders[name], pooling)
    with pytest.raises(explain.ExplainError, match=reason):
        explain.why(eye, prepared(eye, pictures), pictures[0], pictures[1])
    assert re.search(reason, explain.reason(eye, prepared(eye, pictures), pictures[0], pictures[1]))


def test_the_hottest_patches_lie_where_the_map_is_highest(folders, pictures):
    eye = load(folders["siglip"], "mean")
    found = explain.why(eye, prepared(eye, pictures), pictures[0], pictures[1])
    boxes = found.hottest(0.25)
    rows, columns = eye.grid
    assert len(boxes) == rows * columns // 4
    for box, value in zip(boxes, np.sort(found.query_map, axis=None)[::-1], strict=False):
        left, top, right, bottom = box
        assert (right - left, bottom - top) == (256 // columns, 384 // rows)
        assert found.query_map[top * rows // 384, left * columns // 256] == value
