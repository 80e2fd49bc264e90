"""What can be known of pictures without a network: the rows of the table that a network has to beat."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

import imagehash
import numpy as np
import torch
from PIL import Image
from torch import Tensor


class Baseline(NamedTuple):
    """Which columns of `Pixels` a baseline looks at, and what `matching.prepare` does to them."""

    columns: slice
    preparation: str


HASH = "perceptual hash, 64 bits"
BASELINES = {
    "colour histogram, 64 bins": Baseline(slice(0, 64), "as they are"),
    HASH: Baseline(slice(64, 128), "as they are"),
    "thumbnail, 8 x 12 pixels": Baseline(slice(128, 416), "centred"),
    "thumbnail, whitened": Baseline(slice(128, 416), "whitened"),
}


class _Quarter:
    """A banner, uint8 (384, 256, 3) -> the same at a quarter of its width and height. Can be pickled."""

    shape = (96, 64)

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(rgb).reduce(4))


class Pixels:
    """Pictures -> the numbers of all BASELINES, behind an Encoder's doors, as `features.extract` asks."""

    identity = MappingProxyType({"checkpoint": "pixels", "dtype": "float32", "dims": 416})
    preparation = _Quarter()
    device = torch.device("cpu")
    batch_size = 256

    def __call__(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the vectors of banners, uint8 RGB arrays (384, 256, 3), as a float32 tensor (n, 416)."""
        return self.embed(torch.from_numpy(np.stack([self.preparation(picture) for picture in pictures])))

    def embed(self, batch: Tensor) -> Tensor:
        """Return the vectors of prepared pictures, uint8 (n, 96, 64, 3), as a float32 tensor (n, 416)."""
        return torch.cat([_colours(batch), _hashes(batch), _thumbnails(batch)], 1)


def _colours(pictures: Tensor) -> Tensor:
    """Return the square roots of the shares of 4 x 4 x 4 colours, whose cosine is Bhattacharyya's coefficient."""
    colours = ((pictures // 64).long() * torch.tensor([16, 4, 1])).sum(-1).flatten(1)  # (n, pixels)
    shares = torch.zeros(len(colours), 64).scatter_add_(1, colours, torch.ones(colours.shape)) / colours.shape[1]
    return shares.sqrt()


def _hashes(pictures: Tensor) -> Tensor:
    """Return pHash's bits as -1 and 1, so that the order by cosine is that by Hamming distance."""
    bits = [imagehash.phash(Image.fromarray(picture)).hash.ravel() for picture in pictures.numpy()]
    return 2 * torch.from_numpy(np.stack(bits)).float() - 1


def _thumbnails(pictures: Tensor) -> Tensor:
    """Return the means of squares of 8 x 8 pixels."""
    return torch.nn.functional.avg_pool2d(pictures.float().permute(0, 3, 1, 2), 8).flatten(1)
