"""Configurations and baselines side by side, on the same banners and queries."""

import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from study.baselines import BASELINES, Pixels
from study.exam import Exam, Row, draw_up, judged
from study.metrics import METRICS
from study.results import UNTRAINED, Configuration, Result
from study.views import Views, altered_views
from utils import banners, encoder, features, matching
from utils.encoder import Encoder
from utils.features import Features
from utils.matching import Prepared

_CHANCE = 16  # dimensions of the random vectors
_ALTERED = "altered"  # the folder, beside an eye's features, of its vectors of altered banners


def compare(
    configurations: Iterable[Configuration],
    snapshots: Path,
    catalogue: pd.DataFrame,
    out: Path,
    *,
    queries: int = 5000,
    pictures: int = 200,
    halves: bool = True,
    dtype: str | None = None,
) -> Result:
    """Judge configurations, of one checkpoint or several, and the baselines by the banners of a folder of snapshots.

    Features are kept in folders of `out`, with those of altered pictures, and what is there is read. Of each task at
    most `queries` queries are asked, and of at most `pictures` games altered pictures are shown, taken at random but
    always the same. The best is chosen by the franchises of the development half; the metrics of franchises are those
    of the test half. Without `halves` nothing is chosen and all franchises are tested. Speed is pictures a second from
    pixels to vectors on this machine, size the millions of parameters. `dtype` is as encoder.load has it.

    Raises what features.extract, encoder.load and matching.prepare do.
    """
    pixels = features.extract(snapshots, cast("Encoder", Pixels()), out / "pixels")  # has all of it that extract asks
    exam = draw_up(pixels, catalogue, banners.Album(snapshots), queries, pictures, halves=halves)
    rows: dict[str, Row] = {}
    looked = altered_views(Pixels(), Pixels.identity, exam.shown, exam.album, out / "pixels" / _ALTERED)
    for label, games, views in _baselines(pixels, looked):
        rows[label] = judged(games, views, exam) | _cost(np.nan, 0)
    known = {}
    for configuration, eye, games, views in _configured(configurations, snapshots, out, exam, dtype):
        label = _label(configuration, games)
        known[label] = configuration
        rows[label] = judged(games, views, exam) | _cost(views.speed, eye.parameters)
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    chosen = table.loc[list(known), ("development", METRICS[0])].dropna()
    return Result(table, known[chosen.idxmax()] if len(chosen) else None, exam.about)


def matches_by_eye(
    configurations: Iterable[Configuration], out: Path, appid: int, k: int = 10
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return one game's matches by each configuration: its name -> appids int64 (k,) and cosines float32 (k,).

    Reads the features that `compare` kept in `out`. Raises features.FeaturesMissing for others, and MatchError for a
    game that is not among them.
    """
    found = {}
    for each in configurations:
        stored = features.load(out / each.folder)
        games = matching.prepare(stored, each.preparation, exponent=each.exponent)
        appids, cosines = matching.nearest(games, [appid], k)
        found[_label(each, games)] = (appids[0], cosines[0])
    return found


def _label(configuration: Configuration, games: Prepared) -> str:
    return str(configuration) if games.manifest["trained"] else f"{configuration} {UNTRAINED}"


def _cost(speed: float, parameters: float) -> Row:
    return {("cost", "banners/s"): speed, ("cost", "M parameters"): parameters / 1e6}


def _baselines(pixels: Features, views: Views) -> Iterator[tuple[str, Prepared, Views]]:
    """Yield the name of each baseline, its games and its views; chance is a random vector for every picture."""
    rng = np.random.default_rng(0)
    chance = replace(pixels, vectors=rng.normal(size=(len(pixels), _CHANCE)).astype(np.float16))
    noise = views.changed(lambda vectors: rng.normal(size=(len(vectors), _CHANCE)))
    yield "chance", matching.prepare(chance, "as they are"), noise
    for name, (columns, how) in BASELINES.items():
        games = matching.prepare(replace(pixels, vectors=pixels.vectors[:, columns]), how)
        yield name, games, views.changed(operator.itemgetter(np.s_[:, columns]))


def _configured(
    configurations: Iterable[Configuration], snapshots: Path, out: Path, exam: Exam, dtype: str | None
) -> Iterator[tuple[Configuration, Encoder, Prepared, Views]]:
    """Yield each configuration, its eye, games and views; those that differ in preparation only share the network."""
    for _, group in itertools.groupby(configurations, lambda each: (each.checkpoint, each.folder)):
        alike: Sequence[Configuration] = list(group)
        first = alike[0]
        eye = encoder.load(first.checkpoint, first.pooling, first.image, dtype=dtype)
        stored = features.extract(snapshots, eye, out / first.folder)
        views = altered_views(eye, eye.identity, exam.shown, exam.album, out / first.folder / _ALTERED)
        for each in alike:
            yield each, eye, matching.prepare(stored, each.preparation, exponent=each.exponent), views
