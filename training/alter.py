"""What is done to the student's picture and not to the teacher's: cuts, mirrors, other colours, blur, noise, badges."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, avg_pool2d, grid_sample

_RECOLOURED = 0.85
_TURNED = 0.55
_GREY = 0.22
_BLURRED = 0.15
_NOISY = 0.2
_BADGED = 0.12


def _uniform(count: int, low: float, high: float, random: Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=random)


def _chance(count: int, share: float, random: Generator) -> Tensor:
    return torch.rand(count, generator=random) < share


def windows(count: int, least: float, whole: float, random: Generator) -> Tensor:
    """Affine maps (n, 2, 3): windows of `least` to all of each side, mirrored for half; `whole` of them all of it."""
    scale = _uniform(count, least, 1, random)
    shape = torch.exp(0.08 * torch.randn(count, generator=random))
    wide = (scale * shape).clamp(max=1)
    high = (scale / shape).clamp(max=1)
    uncut = _chance(count, whole, random)
    wide[uncut] = 1
    high[uncut] = 1
    across = (1 - wide) * _uniform(count, -1, 1, random)
    down = (1 - high) * _uniform(count, -1, 1, random)
    mirrored = torch.where(_chance(count, 0.5, random), -1.0, 1.0)
    zero = torch.zeros(count)
    rows = (torch.stack([wide * mirrored, zero, across], -1), torch.stack([zero, high, down], -1))
    return torch.stack(rows, 1)


def seen_through(maps: Tensor, planes: Tensor, side: int) -> Tensor:
    """(n, c, h, w) to (n, c, side, side), each through its window."""
    grid = affine_grid(maps, [len(planes), 1, side, side], align_corners=False)
    return grid_sample(planes, grid, mode="bilinear", padding_mode="border", align_corners=False)


def altered(pictures: Tensor, random: Generator) -> Tensor:
    """(n, 3, side, side) in -1 to 1, recoloured and spoilt at random."""
    count = len(pictures)
    changed = torch.where(_each(_chance(count, _RECOLOURED, random)), recoloured(pictures, random), pictures)
    soft = avg_pool2d(changed, 3, stride=1, padding=1, count_include_pad=False)
    changed = torch.where(_each(_chance(count, _BLURRED, random)), soft, changed)
    level = 0.08 * _chance(count, _NOISY, random) * torch.rand(count, generator=random)
    changed = changed + _each(level) * torch.randn(changed.shape, generator=random)
    for place in _chance(count, _BADGED, random).nonzero().flatten().tolist():
        _badge(changed[place], random)
    return changed.clamp(-1, 1)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def recoloured(pictures: Tensor, random: Generator) -> Tensor:
    """Turned about the grey axis, other saturation, contrast and brightness; grey for some."""
    count = len(pictures)
    angle = _uniform(count, -math.pi, math.pi, random) * _chance(count, _TURNED, random)
    saturation = _uniform(count, 0.4, 1.5, random)
    saturation[_chance(count, _GREY, random)] = 0
    contrast = torch.exp(0.35 * torch.randn(count, generator=random))
    brightness = 0.25 * torch.randn(count, generator=random)
    matrix = colour_turn(angle, saturation) * contrast[:, None, None]
    mixed = torch.einsum("nij,njhw->nihw", matrix, pictures)
    return (mixed + _each(brightness)).clamp(-1, 1)


def colour_turn(angle: Tensor, saturation: Tensor) -> Tensor:
    """(n, 3, 3): the rotation by `angle` (radians) about the grey axis, its coloured part scaled by `saturation`."""
    grey = torch.full((3, 3), 1 / 3)
    cross = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    cosine = torch.cos(angle)[:, None, None]
    sine = torch.sin(angle)[:, None, None]
    return grey + saturation[:, None, None] * (cosine * (torch.eye(3) - grey) + sine * cross)


def _badge(picture: Tensor, random: Generator) -> None:
    """A flat rectangle in one corner or anywhere, in place."""
    side = picture.shape[-1]
    high, wide = (side * _uniform(2, 0.08, 0.3, random)).int().tolist()
    top, left = (torch.rand(2, generator=random) * torch.tensor([side - high, side - wide])).int().tolist()
    colour = 2 * torch.rand(3, generator=random) - 1
    picture[:, top : top + high, left : left + wide] = colour[:, None, None]
