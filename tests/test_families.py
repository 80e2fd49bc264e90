"""Every family by two routes: ours, and transformers' own outputs."""

from pathlib import Path

import checkpoints
import families
import numpy as np
import pytest
import torch
from PIL import Image

from utils import encoder

NAMES = tuple(families.FAMILIES)
ALL = ("pooled", "cls", "mean", "complex", "cls@2", "mean@1", "complex@2")
POOLINGS = dict.fromkeys(("vit", "dinov2", "dinov2_with_registers", "dinov3_vit"), ALL)
POOLINGS |= dict.fromkeys(("bit", "mobilenet_v2", "resnet", "convnextv2"), ("pooled", "mean"))
POOLINGS |= {"clip": ("pooled", "cls", "cls@2", "mean@2"), "siglip": ("pooled", "mean", "mean@2")}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Two smooth pictures, uint8 (2, 384, 256, 3)."""
    noise = np.random.RandomState(1).randint(0, 256, (2, 12, 8, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((256, 384), Image.Resampling.BICUBIC)) for each in noise])


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("families")
    return {name: families.write(home / name, name) for name in NAMES}


def load(folder: Path, pooling: str = "pooled", image: str = "squash") -> encoder.Encoder:
    return encoder.load(folder, pooling, image, device="cpu", dtype="float32")


@pytest.mark.parametrize("image", checkpoints.IMAGES)
@pytest.mark.parametrize("name", NAMES)
def test_features_are_those_of_transformers(folders, pictures, name, image):
    for pooling in POOLINGS[name] if image == "whole" else POOLINGS[name][:1]:
        one = load(folders[name], pooling, image)
        inputs = families.pixels(name, image, pictures, one.preparation.shape)
        theirs = families.features(folders[name], name, pooling, inputs)
        ours = one(pictures)
        assert ours.shape == theirs.shape == (2, one.dims)
        assert (ours - theirs).abs().max() < 2e-5 * max(1, theirs.abs().max()), pooling
        assert torch.equal(one.pool(one.tokens(pictures)), ours)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_older_files_give_the_same_features(folders, pictures, tmp_path, name):
    old = load(families.write_old(tmp_path / name, name))
    new = load(folders[name])
    assert (old.identity["weights"], new.identity["weights"]) == ("pytorch_model.bin", "model.safetensors")
    assert torch.equal(old(pictures), new(pictures))
    assert old.identity["revision"] != new.identity["revision"]


def test_parameters_are_those_that_a_picture_goes_through(folders):
    bare = families.FAMILIES["convnextv2"].model(families.FAMILIES["convnextv2"].config())
    one = load(folders["convnextv2"])
    assert one.parameters == sum(weight.numel() for weight in bare.parameters())
    assert (
        load(folders["clip"]).parameters
        > load(folders["clip"], "cls").parameters
        > load(folders["clip"], "cls@1").parameters
    )


@pytest.mark.parametrize("name", NAMES)
def test_registers_and_cls_are_no_patches(folders, name):
    one = load(folders[name], POOLINGS[name][-1].replace("complex", "mean"), "whole")
    rows, columns = one.grid
    tokens = one.tokens([np.zeros((384, 256, 3), np.uint8)])
    assert one.leading == families.FAMILIES[name].leading
    assert tokens.shape[1] == one.leading + rows * columns
    assert one.preparation.shape[0] * 2 == one.preparation.shape[1] * 3
    changed = tokens.clone()
    changed[:, : one.leading] += 100
    assert torch.equal(one.pool(changed), one.pool(tokens))


@pytest.mark.parametrize(
    ("name", "pooling", "reason"),
    [
        ("clip", "mean", "CLIP was not trained for; allowed are pooled, cls"),
        ("siglip", "cls", "SigLIP has no CLS token; allowed are pooled, mean"),
        ("bit", "complex", "BiT has no CLS token"),
        ("resnet", "mean@2", "ResNet has no blocks; allowed are pooled, mean"),
    ],
)
def test_what_a_family_cannot_give_is_refused(folders, name, pooling, reason):
    with pytest.raises(encoder.CheckpointError, match=reason):
        load(folders[name], pooling)
    with pytest.raises(ValueError, match=r"block is 3; allowed are 1 to 2"):
        load(folders["siglip"], "mean@3")


@pytest.mark.parametrize("name", ["vit", "dinov2", "dinov2_with_registers", "clip", "siglip"])
def test_positions_are_worked_out_once(folders, pictures, monkeypatch, name):
    one = load(folders[name], image="whole")
    expected = one(pictures)
    copy = one.to("cpu")
    monkeypatch.setattr(torch.nn.functional, "interpolate", None)
    assert torch.equal(one(pictures), expected)
    assert torch.equal(copy(pictures), expected)


@pytest.mark.slow
def test_half_precision_stays_near(folders, pictures):
    for name in NAMES:
        exact = load(folders[name])(pictures)
        fast = encoder.load(folders[name], device="cpu", dtype="bfloat16")(pictures)
        assert torch.nn.functional.cosine_similarity(exact, fast).min() > 0.99, name
