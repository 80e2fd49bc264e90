"""The schedules of the training's rounds: everything that decides them, but the pool."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Schedule:
    """Everything that decides a run, but the pool."""

    views: int = 226_000
    small_until: float = 0.68  # of the views are seen at `small` pixels, at nearly twice the pace
    small: int = 96
    side: int = 128
    count: int = 64  # views in a batch
    rate: float = 2e-3
    warm_up: int = 150  # steps
    average: float = 0.996  # of the weights, a step
    least: float = 0.55  # of each side seen through a window
    whole_from: float = 0.8  # of the schedule: from here on ...
    whole_late: float = 0.8  # ... this part of the views is seen whole, 0.25 before
    muon: bool = True
    seed: int = 1
    every: int = 8_000  # views between two looks at the held-out ones

    @property
    def steps(self) -> int:
        return self.views // self.count

    @property
    def grown_at(self) -> int:
        """The step from which pictures have their full side."""
        return int(self.steps * self.small_until)

    def side_at(self, step: int) -> int:
        return self.small if step < self.grown_at else self.side

    def whole_at(self, step: int) -> float:
        return self.whole_late if step >= self.whole_from * self.steps else 0.25

    def rate_at(self, step: int) -> float:
        """Warm-up, then a cosine to zero; warmed up once more where the pictures grow."""
        since = step - self.grown_at if step >= self.grown_at else step
        warm = min(1.0, (since + 1) / self.warm_up)
        return self.rate * warm * 0.5 * (1 + math.cos(math.pi * step / self.steps))


_LATER = Schedule(small_until=0.76, side=160, rate=1.5e-3, whole_from=0.85, whole_late=0.5, every=12_000)
SINCE_RELEASE = ("fourth", "fifth")  # the rounds that begin with the released weights
ROUNDS = {
    "first": Schedule(),
    "second": replace(_LATER, views=172_000, seed=2),
    "third": replace(_LATER, views=160_000, small_until=0.65, seed=3),
    "fourth": replace(_LATER, views=375_000, small_until=0.8, seed=4, every=25_000),
    "fifth": replace(_LATER, views=23_040, side=224, small_until=0.0, rate=2e-4, warm_up=20, seed=5, every=7_680),
}
