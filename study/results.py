"""What is compared, and the table that comes of it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from study.alterations import QUERIES
from study.metrics import METRICS
from utils.settings import features_name

UNTRAINED = "(untrained)"  # what the name of a checkpoint that was never trained ends with
QUICK = {"queries": 500, "pictures": 24}  # for `compare`: some 264 altered pictures an eye instead of 2,200

_RECALL = METRICS[0]
_SHORT = {  # column of the table -> what Result.short calls it
    ("franchises", _RECALL): _RECALL,
    ("franchises", f"{_RECALL} low"): "low",
    ("franchises", f"{_RECALL} high"): "high",
    **{("franchises", metric): metric for metric in METRICS[1:]},
    ("collapsed", _RECALL): "collapsed",
    **{(task, _RECALL): task for task in QUERIES},
    ("developers", _RECALL): "developers",
    ("copies", "micro-AP"): "copies micro-AP",
    ("copies", "accuracy@1"): "copies accuracy@1",
    ("shown", "never"): "never shown",
    ("shown", "skew"): "skew",
}


_ASKED = {"franchises": "plain"} | dict(zip(QUERIES, QUERIES, strict=True))  # task -> what Result.sight calls it


@dataclass(frozen=True)
class Configuration:
    """One way from banners to matches."""

    checkpoint: str  # a name on the hub, or a folder
    pooling: str = "pooled"  # as encoder.load takes it: "mean@8" is that of block 8
    image: str = "squash"
    preparation: str = "whitened"  # as matching.prepare takes it
    exponent: float = 0.5  # of the whitening

    @property
    def folder(self) -> str:
        """What the folder of its features is called."""
        return features_name(self.checkpoint, self.pooling, self.image)

    def __str__(self) -> str:
        power = f" {self.exponent:g}" if self.preparation == "whitened" else ""
        return f"{Path(self.checkpoint).name}, {self.pooling}, {self.image}, {self.preparation}{power}"


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
    def sight(self) -> pd.DataFrame:
        """Hit@1 and recall@10 of plain and altered queries as text, each with its 95 % interval; speed and size."""
        table = pd.DataFrame(index=self.table.index)
        for task, name in _ASKED.items():
            for metric in METRICS[1::-1]:
                table[f"{name} {metric}"] = self.table[task].apply(_bounded, axis=1, args=(metric,))
        return table.join(self.table["cost"])

    @property
    def eyes(self) -> pd.DataFrame:
        """What tells networks apart, as text: what they find, with 95 % intervals, their speed here and their size.

        A row a configuration, by checkpoint and way; baselines are left out.
        """
        table = self.sight[[f"plain {METRICS[0]}", f"plain {METRICS[1]}", f"hue {METRICS[0]}"]].copy()
        table["speed"] = self.table["cost", "banners/s"].map("{:6,.0f} a second".format, na_action="ignore")
        table["size"] = self.table["cost", "M parameters"].map("{:.1f} M".format)
        table.index = table.index.str.split(", ", n=1, expand=True)
        return table[self.table["cost", "M parameters"].to_numpy() > 0]


def _bounded(row: pd.Series, metric: str) -> str:
    return f"{row[metric]:.2f} ({row[f'{metric} low']:.2f} to {row[f'{metric} high']:.2f})"
