"""A run of the training: its networks, one step, and how it is kept so that a kill loses little."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize
from torch.optim import Optimizer
from transformers import BeitForImageClassification

from training import student
from training.feed import Pool, as_pixels, as_planes, batch
from training.losses import loss
from training.optimiser import optimisers
from training.schedule import Schedule


@dataclass
class Run:
    """What a checkpoint of the training holds."""

    net: BeitForImageClassification
    averaged: BeitForImageClassification
    optimisers: list[Optimizer]
    step: int = 0
    seconds: float = 0.0


def begin(plan: Schedule, pool: Pool) -> Run:
    """A fresh run; patches of the pool's first views shape the patch embedding."""
    random = torch.Generator().manual_seed(plan.seed)
    views, planes = pool.draw(512, random)
    settings = student.config(plan.side_at(0), width=planes.shape[1])
    net = student.new(settings, _patches(views), plan.seed)
    return Run(net, copy.deepcopy(net), optimisers(net, plan.rate, muon=plan.muon))


def _patches(views: Tensor) -> Tensor:
    windows = views.unfold(2, student.PATCH, 40).unfold(3, student.PATCH, 40)
    return windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)


def grow(run: Run, plan: Schedule) -> Run:
    """The same networks for pictures of the full side; the optimisers begin again."""
    net = student.resized(run.net, plan.side)
    averaged = student.resized(run.averaged, plan.side)
    return Run(net, averaged, optimisers(net, plan.rate, muon=plan.muon), run.step, run.seconds)


def go_on(run: Run, plan: Schedule) -> Run:
    """A fresh run that begins with the averaged weights of another, at the small side of its own schedule."""
    net = student.resized(run.averaged, plan.side_at(0))
    return Run(net, copy.deepcopy(net), optimisers(net, plan.rate, muon=plan.muon))


def released(folder: Path, work: Path) -> Run:
    """A run that stands where a released checkpoint was left, once the pool's targets are rotated into its space."""
    net = BeitForImageClassification.from_pretrained(folder, dtype=torch.float32)
    net.set_attn_implementation("eager")
    if not (work / "rotation.npy").exists():
        np.save(work / "rotation.npy", _rotation(net, Pool(work / "pool")).numpy())
    return Run(net, copy.deepcopy(net), [])


@torch.no_grad()
def _rotation(net: BeitForImageClassification, pool: Pool) -> Tensor:
    """The orthogonal matrix (width, width) that brings the pool's targets nearest to what a network sees (Procrustes).

    Targets are principal axes of one pool; another machine or another teacher's targets have axes of their own.
    """
    correlation = torch.zeros(net.config.hidden_size, net.config.hidden_size)
    for views, targets in list(pool.chunks.values())[:24]:
        pictures = interpolate(as_pixels(views), size=(student.side_of(net),) * 2, mode="bilinear", antialias=True)
        pooled = normalize(net.beit(pictures).pooler_output)
        correlation += normalize(as_planes(targets).mean((2, 3))).T @ pooled
    left, _, right = torch.linalg.svd(correlation)
    return left @ right


def step(run: Run, plan: Schedule, pool: Pool, whitening: Tensor) -> float:
    """One batch; returns its loss."""
    random = torch.Generator().manual_seed(plan.seed * 1_000_003 + run.step)
    side = plan.side_at(run.step)
    whole = plan.whole_at(run.step)
    seen = batch(pool, plan.count, random, side=side, least=plan.least, whole=whole)
    with torch.autocast("cpu", torch.bfloat16, enabled=student.has_bfloat16()):
        pooled, shares = student.see(run.net, seen.pictures)
    value = loss(pooled.float(), shares.float(), seen.target, seen.cells, whitening)
    value.backward()
    torch.nn.utils.clip_grad_norm_(run.net.parameters(), 1.0)
    for optimiser in run.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = plan.rate_at(run.step)
        optimiser.step()
        optimiser.zero_grad()
    run.step += 1
    _average(run, min(plan.average, run.step / (run.step + 10)))
    return float(value.detach())


@torch.no_grad()
def _average(run: Run, share: float) -> None:
    for average, value in zip(run.averaged.parameters(), run.net.parameters(), strict=True):
        average.lerp_(value, 1 - share)


def save(run: Run, plan: Schedule, path: Path) -> None:
    """Write the run so that a kill loses nothing before it."""
    state = {
        "side": student.side_of(run.net),
        "net": run.net.state_dict(),
        "averaged": run.averaged.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in run.optimisers],
        "step": run.step,
        "seconds": run.seconds,
        "plan": asdict(plan),
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.rename(path)


def load(plan: Schedule, pool: Pool, path: Path) -> Run:
    """Take a run up where it was saved."""
    state = torch.load(path, weights_only=True)
    run = begin(plan, pool)
    if state["side"] != student.side_of(run.net):
        run = grow(run, plan)
    run.net.load_state_dict(state["net"])
    run.averaged.load_state_dict(state["averaged"])
    for optimiser, stored in zip(run.optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(stored)
    run.step = state["step"]
    run.seconds = state["seconds"]
    return run
