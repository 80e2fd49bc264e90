"""A banner -> the network's input, by the numbers of the checkpoint's own processor and Pillow.

How a banner of 256x384 pixels becomes the input of a checkpoint of 224 pixels, with the checkpoint's own filter:

    image       size (width x height)     what it shows
    squash      224 x 224                 all of the banner, its ratio lost: what BEiT's processor does
    crop        224 x 224                 the centre, after resizing to the width that the checkpoint crops from
    whole       224 x 336                 all of the banner, its ratio kept; positions are interpolated

The width of `whole` is the least multiple of two patches (or strides) that is not below the checkpoint's own, so that
patches fill it: 224 x 336 for those of 8, 14 and 16 pixels, 256 x 384, the banner itself, for those of 32. Where
patches do not fill a square, as 14 does not 384, the pixels after the last whole patch are left out, as transformers
does.

A banner can be looked at in several views, each prepared in this way: the "whole" of it, a "crop" of its centre, and a
"grey" copy.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from utils.errors import CheckpointError, SettingsError, shown
from utils.images import HEIGHT, WIDTH

VIEWS = ("whole", "crop", "grey")
CROP = 0.82  # the share of each side of a banner that the view "crop" shows

_MARGIN = (1 - CROP) / 2
_CENTRE = (WIDTH * _MARGIN, HEIGHT * _MARGIN, WIDTH - WIDTH * _MARGIN, HEIGHT - HEIGHT * _MARGIN)
_LARGEST_SIDE = 1_024  # pixels of an input
_MOST_PATCHES = 8_192  # of an input: more than memory bears
_SMALLEST_STD = 1e-4  # where levels are 0 to 1; less makes numbers that float32 does not hold
_NUMBERS = ("size", "resample", "image_mean", "image_std")

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels of the 256x384 banner


@dataclass(frozen=True)
class Preparation:
    """A banner -> the network's input. Picklable, without weights."""

    size: tuple[int, int]  # height and width of the network's input, pixels
    cover: tuple[int, int]  # height and width that a view is resized to; for "crop" more than the size
    corner: tuple[int, int]  # row and column where the input begins in the cover
    resample: int  # Pillow's number of the filter
    scale: float  # what a level of 0..255 is multiplied with
    mean: tuple[float, ...]  # of red, green and blue
    std: tuple[float, ...]
    views: tuple[str, ...] = ("whole",)  # some of VIEWS
    mirrored: bool = False  # whether left and right are swapped first

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what a banner becomes: its views, one below the other."""
        return len(self.views) * self.size[0], self.size[1]

    @property
    def box(self) -> Box:
        """The part of the banner that is seen, in the view that shows most of it."""
        return min(map(self.box_of, self.views))

    def box_of(self, view: str) -> Box:
        """Return the part of the banner that the input shows in a view."""
        left, top, right, bottom = _CENTRE if view == "crop" else (0, 0, WIDTH, HEIGHT)
        (row, column), (rows, columns), (height, width) = self.corner, self.size, self.cover
        return (
            left + column * (right - left) / width,
            top + row * (bottom - top) / height,
            left + (column + columns) * (right - left) / width,
            top + (row + rows) * (bottom - top) / height,
        )

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Return a banner, uint8 (384, 256, 3), resized and cut: uint8 (views * height, width, 3)."""
        picture = Image.fromarray(rgb[:, ::-1] if self.mirrored else rgb)
        (top, left), (height, width) = self.corner, self.size
        seen = []
        for view in self.views:
            box = _CENTRE if view == "crop" else None
            resized = picture.resize(self.cover[::-1], Image.Resampling(self.resample), box)
            if view == "grey":
                resized = resized.convert("L").convert("RGB")
            seen.append(np.asarray(resized)[top : top + height, left : left + width])
        return np.concatenate(seen)

    def on_one_grid(self, values: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return values of the patches of all views, (views * rows * columns,), on one grid (rows, columns) over `box`.

        The value of a patch is shared out among the cells that it lies on, by area: the sum stays what it was.
        """
        left, top, right, bottom = self.box
        total = torch.zeros(grid, dtype=values.dtype)
        for view, seen in zip(self.views, values.reshape(-1, *grid), strict=True):
            x0, y0, x1, y1 = self.box_of(view)
            rows = _overlaps((y0, y1), (top, bottom), grid[0]).to(values)
            columns = _overlaps((x0, x1), (left, right), grid[1]).to(values)
            total += rows.mT @ seen @ columns
        return total


def _overlaps(inner: tuple[float, float], outer: tuple[float, float], count: int) -> Tensor:
    """Return which share of each of `count` equal parts of one span lies in each part of another: float64 (n, n)."""
    edges = torch.linspace(*inner, count + 1, dtype=torch.float64)
    others = torch.linspace(*outer, count + 1, dtype=torch.float64)
    ends = torch.minimum(edges[1:, None], others[1:])
    starts = torch.maximum(edges[:-1, None], others[:-1])
    return (ends - starts).clamp(min=0) / edges.diff()[:, None]


def read_preparation(processor: dict, image: str, views: object, stride: int, *, trimmed: bool) -> Preparation:
    """Return the Preparation by a processor's numbers, in today's form or an older one, for a patch or stride.

    `trimmed` says whether what does not fill a patch is left out. Raises CheckpointError for numbers that are missing
    or cannot be used, and for more patches than memory bears; SettingsError for views that are not some of VIEWS.
    """
    names = [*map(str, views)] if isinstance(views, list | tuple) else []
    if not names or len(set(names)) < len(names) or not set(names) <= set(VIEWS):
        raise SettingsError(f"views are {shown(repr(views), 100)}; allowed are some of {', '.join(VIEWS)}")
    if lacking := [name for name in _NUMBERS if name not in processor]:
        raise CheckpointError(f"the processor's numbers cannot be used: it lacks {', '.join(lacking)}")
    size, cover, corner = _layout(processor, image, stride, trimmed=trimmed)
    patches = (size[0] // stride) * (size[1] // stride)
    if patches > _MOST_PATCHES:
        raise CheckpointError(
            f"an input of {size[1]} x {size[0]} pixels has {patches:,} patches, over {_MOST_PATCHES:,}"
        )
    factor = processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 1.0
    normal = processor.get("do_normalize", True)
    levels = [[factor] * 3, *([processor["image_mean"], processor["image_std"]] if normal else [[0.0] * 3, [1.0] * 3])]
    try:
        numbers = np.array(levels, np.float64)  # (3, 3): scale, mean and std of red, green and blue
        resample = Image.Resampling(processor["resample"])
    except (TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(f"the processor's numbers {shown(levels)} cannot be used: {error}") from None
    if numbers.shape != (3, 3) or not np.isfinite(numbers).all() or numbers[2].min() < _SMALLEST_STD:
        raise CheckpointError(
            f"scale, mean and std are {shown(levels)}; allowed are finite numbers, std from {_SMALLEST_STD}"
        )
    mean, std = map(tuple, numbers[1:].tolist())
    return Preparation(size, cover, corner, resample, numbers[0, 0].item(), mean, std, tuple(names))


def _layout(processor: dict, image: str, stride: int, *, trimmed: bool) -> tuple[tuple[int, int], ...]:
    """Return height and width of the input, those that a view is resized to, and the input's corner in it."""
    side, edge = _sides(processor)
    if image == "whole":
        width = math.ceil(side / (2 * stride)) * 2 * stride
        size = (width * HEIGHT // WIDTH, width)
        return size, size, (0, 0)
    patch = stride if trimmed else 1
    if side < patch:
        raise CheckpointError(f"an input of {side} x {side} pixels has not one patch of {patch}")
    cover = (edge * HEIGHT // WIDTH, edge) if image == "crop" else (side, side)
    seen = side // patch * patch
    return (seen, seen), cover, ((cover[0] - side) // 2, (cover[1] - side) // 2)


def _sides(processor: dict) -> tuple[int, int]:
    """Return the side of the square input, and the shorter side that a picture has before its centre is cut."""
    edge = _side(processor["size"])
    if processor.get("do_center_crop") and "crop_size" in processor:
        side = _side(processor["crop_size"])
        return side, max(side, edge)
    share = processor.get("crop_pct", 0.875)  # ConvNeXt's and ResNet's; else as unilm evaluates BEiT
    if not isinstance(share, int | float) or not 0.1 <= share <= 1:
        raise CheckpointError(f"the processor's crop_pct is {share}; allowed are 0.1 to 1")
    exact = edge / share
    return edge, int(exact) if "crop_pct" in processor else round(exact)


def _side(size: int | dict) -> int:
    """Return the side that a processor's size says, as a number, {"height", "width"} or {"shortest_edge"}."""
    found = {each for each in size.values() if each is not None} if isinstance(size, dict) else {size}
    side = found.pop()
    if found or type(side) is not int or not 1 <= side <= _LARGEST_SIDE:
        raise CheckpointError(
            f"the processor's size is {size}; allowed is 1 to {_LARGEST_SIDE} pixels, as a number, a shortest_edge, "
            "or equal height and width"
        )
    return side
