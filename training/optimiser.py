"""Muon for the blocks' matrices, AdamW for everything else.

Muon (Jordan and others, 2024, https://kellerjordan.github.io/posts/muon): momentum, then the nearest orthogonal matrix
by a Newton-Schulz iteration. torch's own works in bfloat16, which a processor without it does in software.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from training.student import has_bfloat16

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_DECAY = 0.05


class Muon(Optimizer):
    """Orthogonalised momentum for matrices; matrices of one shape go through the iteration together."""

    def __init__(self, parameters: list[nn.Parameter], rate: float, momentum: float = 0.95, steps: int = 4) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": momentum, "steps": steps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # noqa: ARG002  # ty: ignore[incompatible-method-override]
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for value in group["params"]:
                shapes[value.shape].append(value)
            for values in shapes.values():
                self._update(values, group)

    def _update(self, values: list[nn.Parameter], group: dict[str, Any]) -> None:
        directions = torch.stack([self._momentum(value, group["momentum"]) for value in values])
        turned = orthogonalised(directions, group["steps"])
        rows, columns = values[0].shape
        scale = 0.2 * max(rows, columns) ** 0.5  # the size of an AdamW step, so that both share a rate
        for value, direction in zip(values, turned, strict=True):
            value.mul_(1 - group["lr"] * _DECAY)
            value.add_(direction, alpha=-group["lr"] * scale)

    def _momentum(self, value: nn.Parameter, momentum: float) -> Tensor:
        state = self.state[value]
        if not state:
            state["momentum"] = torch.zeros_like(value)
        gradient = torch.zeros_like(value) if value.grad is None else value.grad
        state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum"], momentum)


def orthogonalised(matrices: Tensor, steps: int) -> Tensor:
    """(n, rows, columns) to nearly orthogonal matrices with the same row and column spaces."""
    first, second, third = _COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    turned = matrices.mT if tall else matrices
    turned = turned / (turned.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if has_bfloat16():
        turned = turned.bfloat16()
    for _ in range(steps):
        square = turned @ turned.mT
        turned = first * turned + (second * square + third * square @ square) @ turned
    return (turned.mT if tall else turned).float()


def optimisers(net: nn.Module, rate: float, *, muon: bool = True) -> list[Optimizer]:
    """One or two optimisers whose rates are set together."""
    matrices = []
    plain = []
    vectors = []
    for name, value in net.named_parameters():
        if value.ndim < 2 or "relative_position_bias" in name or "token" in name:
            vectors.append(value)
        elif muon and ".layers." in name:
            matrices.append(value)
        else:
            plain.append(value)
    groups = [{"params": plain, "weight_decay": _DECAY}, {"params": vectors, "weight_decay": 0.0}]
    adam = AdamW(groups, lr=rate, betas=(0.9, 0.98))
    return [adam, Muon(matrices, rate)] if matrices else [adam]
