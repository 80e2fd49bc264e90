"""What can be known of pictures without a network: the rows of the table that a network has to beat."""

from collections.abc import Sequence
from types import MappingProxyType

import imagehash
import numpy as np
import torch
from PIL import Image
from torch import Tensor

HASH = "perceptual hash, 64 bits"
BASELINES = {  # name -> which columns of `Pixels` it looks at, and what `matching.prepare` does to them
    "colour histogram, 64 bins": (slice(0, 64), "as they are"),
    HASH: (slice(64, 128), "as they are"),
    "thumbnail, 8 x 12 pixels": (slice(128, 416), "centred"),
    "thumbnail, whitened": (slice(128, 416), "whitened"),
}


class _Quarter:
    """A banner, uint8 (384, 256, 3) -> the same at a quarter of its width and height. Can be pickled."""

    shape = (96, 64)

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(rgb).reduce(4))


class Pixels:
    """Pictures -> the numbers of all BASELINES, with the attributes of an Encoder that `features.extract` asks for."""

    identity = MappingProxyType({"checkpoint": "pixels", "dtype": "float32", "dims": 416})
    preparation = _Quarter()
    device = torch.device("cpu")
    batch_size = 256

    def __call__(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the vectors of banners, uint8 RGB arrays (384, 256, 3), as a float32 tensor (n, 416)."""
        return self.embed(torch.from_numpy(np.stack(list(map(self.preparation, pictures)))))

    def embed(self, batch: Tensor) -> Tensor:
        """Return the vectors of prepared pictures, uint8 (n, 96, 64, 3), as a float32 tensor (n, 416).

        They are the square roots of the shares of 4 x 4 x 4 colours, whose cosine is Bhattacharyya's coefficient;
        pHash's bits as -1 and 1, so that the order by cosine is that by Hamming distance; the means of squares of
        8 x 8 pixels.
        """
        colours = ((batch // 64).long() * torch.tensor([16, 4, 1])).sum(-1).flatten(1)  # (n, pixels)
        counts = torch.zeros(len(batch), 64).scatter_add_(1, colours, torch.ones(colours.shape))
        bits = [imagehash.phash(Image.fromarray(picture)).hash.ravel() for picture in batch.numpy()]
        hashes = 2 * torch.from_numpy(np.stack(bits)).float() - 1
        thumbnails = torch.nn.functional.avg_pool2d(batch.float().permute(0, 3, 1, 2), 8).flatten(1)
        return torch.cat([(counts / colours.shape[1]).sqrt(), hashes, thumbnails], 1)
