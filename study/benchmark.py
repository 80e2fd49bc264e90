"""What all configurations are asked, the same for each, and one row of the table for what they answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from study.alterations import COPIES, QUERIES, Altered
from study.baselines import BASELINES, HASH
from study.metrics import K, averages, hubness, micro_average_precision, rank, scores
from study.truth import Query, among, developers, franchises, half
from utils import banners, matching
from utils.features import Features
from utils.matching import Prepared

NEAR = 6  # bits, of the 64 of the perceptual hash, in which near-identical banners may differ

Row = dict[tuple[str, str], float]  # (task, metric) -> number


@dataclass(frozen=True)
class Benchmark:
    """What all are asked."""

    queries: dict[str, list[Query]]  # by task
    totals: dict[str, int]  # from how many queries those were taken
    distinct: np.ndarray  # appids, one of each group of near-identical banners
    originals: list[int]  # appids whose altered copies are shown
    album: banners.Album

    @property
    def shown(self) -> dict[str, list[int]]:
        """Whose altered banners are shown: alteration -> appids."""
        shown = {name: [query.appid for query in self.queries[name]] for name in QUERIES}
        return shown | dict.fromkeys(COPIES, self.originals)

    @property
    def about(self) -> str:
        """How many games, queries and groups stand behind the numbers."""
        parts = [f"{len(self.album):,} games, {len(self.distinct):,} distinct"]
        for task, queries in self.queries.items():
            groups = len({query.group for query in queries})
            parts.append(f"{task}: {len(queries):,} of {self.totals[task]:,} queries, {groups:,} groups")
        parts.append(f"copies: {len(self.originals):,} games, {len(COPIES)} alterations each")
        return "; ".join(parts)


def build_benchmark(
    pixels: Features, catalogue: pd.DataFrame, album: banners.Album, queries: int, pictures: int, *, halves: bool
) -> Benchmark:
    """Return what is asked of games whose baselines' features are given; `halves` as `compare` has it."""
    columns, how = BASELINES[HASH]
    hashes = matching.prepare(replace(pixels, vectors=pixels.vectors[:, columns]), how)
    distinct = hashes.appids
    for group in matching.near_duplicates(hashes, 1 - 2 * NEAR / 64):
        distinct = np.setdiff1d(distinct, group.appids[1:])
    positives = among(franchises(catalogue), hashes.appids)
    tested = half(positives, "test") if halves else positives
    every = {
        "development": half(positives, "development") if halves else [],
        "franchises": tested,
        "collapsed": among(tested, distinct),
        **dict.fromkeys(QUERIES, tested),
        "developers": among(developers(catalogue), hashes.appids),
    }
    asked = {task: _some_of(every[task], pictures if task in QUERIES else queries) for task in every}
    totals = {task: len(every[task]) for task in every}
    return Benchmark(asked, totals, distinct, _some_of(distinct.tolist(), pictures), album)


def _some_of(items: Sequence, most: int) -> list:
    """Return at most `most` of the items in their order, a random choice that is always the same."""
    chosen = np.random.default_rng(0).permutation(len(items))[:most]
    return [items[at] for at in sorted(chosen)]


def evaluate(games: Prepared, altered: Altered, benchmark: Benchmark) -> Row:
    """Return one row of the table."""
    distinct = games.only(benchmark.distinct)
    found = {}
    for task, queries in benchmark.queries.items():
        gallery = distinct if task == "collapsed" else games
        ranked = rank(gallery, queries, altered.get(task)) if queries else np.empty((0, K), np.int64)
        found[task] = averages(scores(ranked, queries))
    found["copies"] = _copies(distinct, altered, np.array(benchmark.originals))
    found["shown"] = hubness(games)
    return {(task, metric): value for task, numbers in found.items() for metric, value in numbers.items()}


def _copies(games: Prepared, altered: Altered, originals: np.ndarray) -> dict[str, float]:
    """Return how well altered copies find their originals (n,) among games: micro-AP, accuracy@1 of each alteration.

    For micro-AP every second original is taken out of what its copies find: their pairs are all wrong, and should
    have low cosines.
    """
    own = originals[:, None]
    is_there = np.arange(len(originals)) % 2 == 0
    accuracy, hits, cosines = {}, [], []
    for name in COPIES:
        found, nearness = matching.nearest(games, altered[name], K + 1)
        accuracy[name] = float((found[:, 0] == originals).mean())
        counted = (found != own) | is_there[:, None]
        hits.append((found == own)[counted])
        cosines.append(nearness[counted])
    positives = len(COPIES) * int(is_there.sum())
    precision = micro_average_precision(np.concatenate(hits), np.concatenate(cosines), positives)
    return {"micro-AP": precision, "accuracy@1": float(np.mean(list(accuracy.values())))} | accuracy
