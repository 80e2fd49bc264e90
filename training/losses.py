"""What the student is asked for: the teacher's pooled feature, its cells, and the batch's similarities."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

_WHITENED = 0.3
_PATCHES = 0.5
_SIZES = 1.0
_SIMILARITIES = 1.0


def loss(pooled: Tensor, shares: Tensor, target: Tensor, cells: Tensor, whitening: Tensor) -> Tensor:
    """Sum of five terms, for n pictures of k patches.

    - `pooled`, `target` (n, width): one minus their cosine, plain and half whitened by `whitening`;
    - `shares`, `cells` (n, k, width): one minus their cosine, patches weighted by the norm of the teacher's cell;
    - the same, each over the norm of its picture's feature: what is left unexplained, so that sizes count as well;
    - mean square of the difference between the batch's cosines in student and teacher.
    """
    plain = 1 - agreement(pooled, target)
    whitened = 1 - agreement(pooled @ whitening, target @ whitening)
    patches = _patch_loss(shares, cells)
    similarities = (_cosines(pooled) - _cosines(target)).square().mean()
    sizes = _unexplained(shares / _norm(pooled), cells / _norm(target))
    return plain + _WHITENED * whitened + _PATCHES * patches + _SIZES * sizes + _SIMILARITIES * similarities


def agreement(pooled: Tensor, target: Tensor) -> Tensor:
    """Mean cosine of the student's features with the teacher's."""
    return cosine_similarity(pooled, target, dim=-1).mean()


def partners_found(features: Tensor) -> float:
    """The share of features (2n, width), in pairs, whose nearest other one by centred cosine is their partner."""
    cosines = _cosines(features - features.mean(0)).fill_diagonal_(-1)
    return float((cosines.argmax(1) == torch.arange(len(features)).bitwise_xor(torch.tensor(1))).float().mean())


def _patch_loss(shares: Tensor, cells: Tensor) -> Tensor:
    weights = cells.norm(dim=-1)
    cosines = cosine_similarity(shares, cells, dim=-1)
    return 1 - (weights * cosines).sum() / weights.sum().clamp(min=1e-6)


def _norm(features: Tensor) -> Tensor:
    return features.norm(dim=-1)[:, None, None]


def _unexplained(shares: Tensor, cells: Tensor) -> Tensor:
    """The part of the cells' squares that the shares leave unexplained, averaged over pictures."""
    missed = (shares - cells).square().sum((1, 2))
    return (missed / cells.square().sum((1, 2)).clamp(min=1e-6)).mean()


def _cosines(features: Tensor) -> Tensor:
    unit = normalize(features, dim=-1)
    return unit @ torch.t(unit)
