"""How good are the matches? Configurations and baselines side by side, on the same banners and queries.

A ranking is judged by games of one franchise, which belong together; with the query mirrored, cut, in other colours or
in grey, which tells seeing from comparing colours; by games of the same developers, but of another franchise; and by
altered copies of a banner, which must find their original. Hubness says whether a few games are shown all the time.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from study.alterations import QUERIES, Altered, embed_altered
from study.baselines import BASELINES, Pixels
from study.benchmark import Benchmark, Row, build_benchmark, evaluate
from study.metrics import METRICS
from study.truth import require_truth
from utils import banners, encoder, features, matching
from utils.encoder import Encoder
from utils.features import Features
from utils.matching import Prepared
from utils.settings import features_name

UNTRAINED = "(untrained)"  # what the name of a checkpoint that was never trained ends with
QUICK = {"queries": 500, "pictures": 24}  # for `compare`: some 264 altered pictures a network instead of 2,200

_RECALL, _HIT = METRICS[:2]
_SHORT = {  # column of the table -> what Result.short calls it
    ("franchises", _RECALL): _RECALL,
    ("franchises", f"{_RECALL} low"): "low",
    ("franchises", f"{_RECALL} high"): "high",
    **{("franchises", metric): metric for metric in METRICS[1:]},
    **{(task, _RECALL): task for task in ("collapsed", *QUERIES, "developers")},
    ("copies", "micro-AP"): "copies micro-AP",
    ("copies", "accuracy@1"): "copies accuracy@1",
    ("shown", "never"): "never shown",
    ("shown", "skew"): "skew",
}
_CHANCE = 16  # dimensions of the random vectors
_ALTERED = "altered"  # the folder, beside an encoder's features, of its embeddings of altered banners


@dataclass(frozen=True)
class Configuration:
    """One way from banners to matches."""

    checkpoint: str  # a name on the hub, or a folder
    pooling: str = "pooled"  # as encoder.load takes it
    image: str = "squash"
    preparation: str = "whitened"  # as matching.prepare takes it
    exponent: float = 0.5  # of the whitening
    views: tuple[str, ...] | None = None  # as encoder.load takes them; None are the checkpoint's own

    @property
    def folder(self) -> str:
        """What the folder of its features is called."""
        name = features_name(self.checkpoint, self.pooling, self.image)
        return f"{name}--{'+'.join(self.views)}" if self.views else name

    def load(self, dtype: str | None) -> Encoder:
        """Return its Encoder, in a precision as `encoder.load` has it."""
        return encoder.load(self.checkpoint, self.pooling, self.image, dtype=dtype, views=self.views)

    def __str__(self) -> str:
        power = f" {self.exponent:g}" if self.preparation == "whitened" else ""
        views = f", views {'+'.join(self.views)}" if self.views else ""
        return f"{Path(self.checkpoint).name}, {self.pooling}, {self.image}, {self.preparation}{power}{views}"


@dataclass(frozen=True)
class Result:
    """What `compare` found."""

    table: pd.DataFrame  # a row a configuration or baseline; columns (task, metric)
    best: Configuration | None  # by recall in the franchises of the development half; None if there are none
    about: str  # how many games, queries and groups stand behind the numbers

    @property
    def short(self) -> pd.DataFrame:
        """The columns of the table that say most, under plain names."""
        return self.table[list(_SHORT)].set_axis(list(_SHORT.values()), axis=1)

    @property
    def by_query(self) -> pd.DataFrame:
        """Hit@1 and recall@10 of plain and altered queries as text, each with its 95 % interval; speed and size."""
        table = pd.DataFrame(index=self.table.index)
        for task, metric in itertools.product(("franchises", *QUERIES), (_HIT, _RECALL)):
            name = "plain" if task == "franchises" else task
            table[f"{name} {metric}"] = self.table[task].apply(_bounded, axis=1, args=(metric,))
        return table.join(self.table["cost"])

    @property
    def networks(self) -> pd.DataFrame:
        """What tells networks apart, as text: what they find, with 95 % intervals, their speed here and their size.

        A row a configuration, by checkpoint and way; baselines are left out.
        """
        table = self.by_query[[f"plain {_RECALL}", f"plain {_HIT}", f"hue {_RECALL}"]].copy()
        table["speed"] = self.table["cost", "banners/s"].map("{:6,.0f} a second".format, na_action="ignore")
        table["size"] = self.table["cost", "M parameters"].map("{:.1f} M".format)
        table.index = table.index.str.split(", ", n=1, expand=True)
        return table[self.table["cost", "M parameters"].to_numpy() > 0]


def _bounded(row: pd.Series, metric: str) -> str:
    return f"{row[metric]:.2f} ({row[f'{metric} low']:.2f} to {row[f'{metric} high']:.2f})"


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

    Raises what features.extract, encoder.load and matching.prepare do, and MatchError where `truth.require_truth` does.
    """
    require_truth(catalogue)
    pixels = features.extract(snapshots, cast("Encoder", Pixels()), out / "pixels")  # has all of it that extract asks
    asked = build_benchmark(pixels, catalogue, banners.Album(snapshots), queries, pictures, halves=halves)
    altered, _ = embed_altered(Pixels(), asked.shown, asked.album, out / "pixels" / _ALTERED)
    rows: dict[str, Row] = {}
    for label, games, seen in _baselines(pixels, altered):
        rows[label] = evaluate(games, seen, asked) | _cost(np.nan, 0)
    known = {}
    for configuration, games, altered, cost in _configured(configurations, snapshots, out, asked, dtype):
        label = _label(configuration, games)
        known[label] = configuration
        rows[label] = evaluate(games, altered, asked) | cost
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    chosen = table.loc[list(known), ("development", _RECALL)].dropna()
    return Result(table, known[chosen.idxmax()] if len(chosen) else None, asked.about)


def matches_by_network(
    configurations: Iterable[Configuration], out: Path, appid: int, k: int = 10
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return one game's matches by each configuration: its name -> appids int64 (k,) and cosines float32 (k,).

    Reads the features that `compare` kept in `out`. Raises DamagedError where they are not there, and MatchError for a
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


def _baselines(pixels: Features, altered: Altered) -> Iterator[tuple[str, Prepared, Altered]]:
    """Yield the name of each baseline, its games and altered queries; chance is a random vector for every picture."""
    rng = np.random.default_rng(0)
    chance = replace(pixels, vectors=rng.normal(size=(len(pixels), _CHANCE)).astype(np.float16))
    noise = {name: rng.normal(size=(len(vectors), _CHANCE)) for name, vectors in altered.items()}
    yield "chance", matching.prepare(chance, "as they are"), noise
    for name, (columns, how) in BASELINES.items():
        games = matching.prepare(replace(pixels, vectors=pixels.vectors[:, columns]), how)
        yield name, games, {alteration: vectors[:, columns] for alteration, vectors in altered.items()}


def _configured(
    configurations: Iterable[Configuration], snapshots: Path, out: Path, asked: Benchmark, dtype: str | None
) -> Iterator[tuple[Configuration, Prepared, Altered, Row]]:
    """Yield each configuration, its games, altered queries and cost; preparations of one network share it."""
    for _, (first, *others) in itertools.groupby(configurations, lambda each: (each.checkpoint, each.folder)):
        network = first.load(dtype)
        stored = features.extract(snapshots, network, out / first.folder)
        altered, speed = embed_altered(network, asked.shown, asked.album, out / first.folder / _ALTERED)
        for each in (first, *others):
            games = matching.prepare(stored, each.preparation, exponent=each.exponent)
            yield each, games, altered, _cost(speed, network.parameters)
