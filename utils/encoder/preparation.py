"""A banner -> the network's input, by the numbers of the checkpoint's own processor and Pillow.

How a banner of 256x384 pixels becomes the input of a checkpoint of 224 pixels, with the checkpoint's own filter:

    image       size (width x height)     what it shows
    squash      224 x 224                 all of the banner, its ratio lost: what BEiT's processor does
    crop        224 x 224                 the centre, after resizing to the width that the checkpoint crops from
    whole       224 x 336                 all of the banner, its ratio kept; positions are interpolated

The width of `whole` is the least multiple of two patches (or strides) that is not below the checkpoint's own, so that
patches fill it: 224 x 336 for those of 8, 14 and 16 pixels, 256 x 384, the banner itself, for those of 32.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from utils.encoder.checkpoint import CheckpointError
from utils.images import HEIGHT, WIDTH

_LARGEST_SIDE = 1_024  # pixels of an input
_SMALLEST_STD = 1e-4  # where levels are 0 to 1; less makes numbers that float32 does not hold
_NUMBERS = ("size", "resample", "image_mean", "image_std")


@dataclass(frozen=True)
class Preparation:
    """A banner -> the network's input. Picklable, without weights."""

    image: str  # one of settings.IMAGES
    shape: tuple[int, int]  # height and width of the input, pixels
    cover: tuple[int, int]  # height and width that the banner is resized to; for "crop" more than the shape
    resample: int  # Pillow's number of the filter
    scale: float  # what a level of 0..255 is multiplied with
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    mirrored: bool = False  # whether left and right are swapped first

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The part of the banner that the input shows: left, top, right, bottom, in pixels of the 256x384 banner."""
        top, left = self._corner
        height, width = self.cover
        right = left + self.shape[1]
        bottom = top + self.shape[0]
        return (left * WIDTH / width, top * HEIGHT / height, right * WIDTH / width, bottom * HEIGHT / height)

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Return a banner, uint8 (384, 256, 3), resized and cut: uint8 (height, width, 3)."""
        turned = rgb[:, ::-1] if self.mirrored else rgb
        picture = Image.fromarray(turned).resize(self.cover[::-1], Image.Resampling(self.resample))
        top, left = self._corner
        return np.asarray(picture)[top : top + self.shape[0], left : left + self.shape[1]]

    @property
    def _corner(self) -> tuple[int, int]:
        """Row and column where the shape begins in the cover: its centre, rounded up and left."""
        return (self.cover[0] - self.shape[0]) // 2, (self.cover[1] - self.shape[1]) // 2


def read_preparation(processor: dict, image: str, stride: int) -> Preparation:
    """Return the Preparation by a processor's numbers, in today's form or an older one, for a patch or stride.

    Raises CheckpointError for numbers that are missing or cannot be used.
    """
    if lacking := [name for name in _NUMBERS if name not in processor]:
        raise CheckpointError(f"the processor's numbers cannot be used: it lacks {', '.join(lacking)}")
    side, edge = _sides(processor)
    shape, cover = _shapes(image, side, edge, stride)
    try:
        normal = processor.get("do_normalize", True)
        return Preparation(
            image=image,
            shape=shape,
            cover=cover,
            resample=Image.Resampling(processor["resample"]),
            scale=_finite(processor.get("rescale_factor", 1 / 255)) if processor.get("do_rescale", True) else 1.0,
            mean=_three(processor["image_mean"]) if normal else (0.0, 0.0, 0.0),
            std=_positive(_three(processor["image_std"])) if normal else (1.0, 1.0, 1.0),
        )
    except (TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"the processor's numbers cannot be used: {error}") from None


def _sides(processor: dict) -> tuple[int, int]:
    """Return the side of the square input, and the shorter side that a picture has before its centre is cut."""
    edge = _side(processor["size"])
    if processor.get("do_center_crop") and "crop_size" in processor:
        side = _side(processor["crop_size"])
        return side, max(side, edge)
    if "crop_pct" in processor:  # ConvNeXt's and ResNet's
        share = processor["crop_pct"]
        if not isinstance(share, int | float) or not 0.1 <= share <= 1:
            raise CheckpointError(f"the processor's crop_pct is {share}; allowed are 0.1 to 1")
        return edge, int(edge / share)
    return edge, round(edge * 256 / 224)  # unilm's evaluation of BEiT


def _side(size: int | dict) -> int:
    """Return the side that a processor's size says, as a number, {"height", "width"} or {"shortest_edge"}."""
    found = (size, size)
    if isinstance(size, dict):
        edge = size.get("shortest_edge")
        found = (size.get("height", edge), size.get("width", edge))
    height, width = found
    if not isinstance(height, int) or isinstance(height, bool) or height != width:
        raise CheckpointError(
            f"the processor's size is {size}; allowed are a number, a shortest_edge, or equal height and width"
        )
    if not 1 <= height <= _LARGEST_SIDE:
        raise CheckpointError(f"the processor's size is {height}; allowed are 1 to {_LARGEST_SIDE} pixels")
    return height


def _shapes(image: str, side: int, edge: int, stride: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return height and width of the input, and those that a banner is resized to."""
    if image == "whole":
        width = math.ceil(side / (2 * stride)) * 2 * stride
        shape = (width * HEIGHT // WIDTH, width)
        return shape, shape
    if side % stride:
        raise CheckpointError(
            f"the input would be {side} x {side} pixels, which patches of {stride} do not fill; "
            "take image='whole' or another checkpoint"
        )
    cover = (edge * HEIGHT // WIDTH, edge) if image == "crop" else (side, side)
    return (side, side), cover


def _three(numbers: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = map(_finite, numbers)
    return red, green, blue


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return float(number)


def _positive(numbers: tuple[float, float, float]) -> tuple[float, float, float]:
    if min(numbers) < _SMALLEST_STD:
        raise ValueError(f"image_std is {list(numbers)}; allowed are numbers from {_SMALLEST_STD}")
    return numbers
