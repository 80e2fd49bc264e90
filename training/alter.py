"""What is done to the student's picture and not to the teacher's: cuts, mirrors, other colours, blur, noise, badges."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample

_RECOLOURED = 0.85
_TURNED = 0.55
_GREY = 0.22
_BLURRED = 0.25
_MOST_BLUR = 2.5 / 160  # standard deviation, of a side
_NOISY = 0.2
_BADGED = 0.12
_BARRED = 0.15


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
    for place in _chance(count, _BLURRED, random).nonzero().flatten().tolist():
        sigma = float(torch.rand(1, generator=random)) * _MOST_BLUR * pictures.shape[-1]
        changed[place] = blurred(changed[place], sigma)
    level = 0.08 * _chance(count, _NOISY, random) * torch.rand(count, generator=random)
    changed = changed + _each(level) * torch.randn(changed.shape, generator=random)
    for place in _chance(count, _BADGED, random).nonzero().flatten().tolist():
        _badge(changed[place], random)
    for place in _chance(count, _BARRED, random).nonzero().flatten().tolist():
        _bar(changed[place], random)
    return changed.clamp(-1, 1)


def blurred(picture: Tensor, sigma: float) -> Tensor:
    """(3, side, side) under a Gaussian of `sigma` pixels, its edges repeated."""
    reach = max(1, math.ceil(3 * sigma))
    steps = torch.arange(-reach, reach + 1).float()
    kernel = torch.exp(-0.5 * (steps / max(sigma, 1e-3)) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    padded = torch.nn.functional.pad(picture[:, None], (reach,) * 4, mode="replicate")
    return conv2d(conv2d(padded, kernel), kernel.mT)[:, 0]


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


def _bar(picture: Tensor, random: Generator) -> None:
    """A flat bar from edge to edge with a row of letter-like strokes on it, in place."""
    side = picture.shape[-1]
    high = int(side * _uniform(1, 0.06, 0.2, random))
    top = int(torch.rand(1, generator=random) * (side - high))
    ground, ink = 2 * torch.rand(2, 3, generator=random) - 1
    strokes = torch.rand(3, side // 4, generator=random) < 0.5
    line = strokes.repeat_interleave(max(1, high // 5), 0)[: high - 2].repeat_interleave(4, 1)[:, :side]
    picture[:, top : top + high] = ground[:, None, None]
    below = top + max(1, (high - len(line)) // 2)
    picture[:, below : below + len(line), : line.shape[1]] = torch.where(
        line, ink[:, None, None], ground[:, None, None]
    )
