"""Train the student on the pool: rounds, resumable, each with its curve in a CSV.

python -m training.train WORK               # all rounds, from nothing
python -m training.train WORK CHECKPOINT    # the rounds since the released checkpoint, from its weights
"""

from __future__ import annotations

import csv
import logging
import sys
import time
from pathlib import Path

import torch
from transformers import BeitForImageClassification

from training.feed import Batch, Pool, held_out
from training.losses import agreement, partners_found
from training.pool import load_projection
from training.run import Run, begin, go_on, grow, load, released, save, step
from training.schedule import ROUNDS, SINCE_RELEASE, Schedule
from training.student import has_bfloat16, side_of

_log = logging.getLogger(__name__)


@torch.no_grad()
def judged(net: BeitForImageClassification, seen: Batch) -> tuple[float, float]:
    """Mean cosine with the teacher over held-out views, and how many of them find the other view of their pair."""
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
        pooled = torch.cat([net.beit(part).pooler_output.float() for part in seen.pictures.split(64)])
    return float(agreement(pooled, seen.target)), partners_found(pooled)


def train(work: Path, plan: Schedule, name: str, after: Run | None = None) -> Run:
    """Run the schedule to its end, or take it up where it was left; the curve is appended to `<name>.csv`.

    A fresh run goes on from the averaged weights of the run `after`, if there is one.
    """
    pool = Pool(work / "pool")
    path = work / f"{name}.pt"
    if path.exists():
        run = load(plan, pool, path)
    elif after:
        run = go_on(after, plan)
    else:
        run = begin(plan, pool)
    whitening = torch.from_numpy(load_projection(work / "projection.npz").half_whitening).float()
    if pool.rotation is not None:
        whitening = pool.rotation.T @ whitening
    started = time.monotonic() - run.seconds
    losses = []
    while run.step < plan.steps:
        if run.step == plan.grown_at and side_of(run.net) != plan.side:
            run = grow(run, plan)
        losses.append(step(run, plan, pool, whitening))
        run.seconds = time.monotonic() - started
        if run.step % (plan.every // plan.count) == 0 or run.step == plan.steps:
            save(run, plan, path)
            row = {
                **looked_at(run, plan, work),
                "distinct": pool.refresh(),
                "loss": round(sum(losses) / len(losses), 4),
            }
            append(row, work / f"{name}.csv")
            _log.info(" ".join(f"{key} {value}" for key, value in row.items()))
            losses = []
    return run


def looked_at(run: Run, plan: Schedule, work: Path) -> dict[str, float | str]:
    """Where the run stands, and how far its averaged weights agree with the teacher on held-out pictures."""
    side = side_of(run.net)
    plain, recoloured = (judged(run.averaged, held_out(work / "held", side, recolour=each)) for each in (False, True))
    return {
        "minutes": round(run.seconds / 60, 2),
        "views": run.step * plan.count,
        "side": side,
        "rate": f"{plan.rate_at(run.step):.2e}",
        "agreement": round(plain[0], 4),
        "recoloured": round(recoloured[0], 4),
        "pairs": round(plain[1], 4),
    }


def append(row: dict[str, float | str], path: Path) -> None:
    """Add a row to a CSV, with a header if it is the first."""
    first = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if first:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    work = Path(sys.argv[1])
    last = released(Path(sys.argv[2]), work) if len(sys.argv) > 2 else None
    rounds = {name: plan for name, plan in ROUNDS.items() if last is None or name in SINCE_RELEASE}
    for name, plan in rounds.items():
        last = train(work, plan, name, after=last)
