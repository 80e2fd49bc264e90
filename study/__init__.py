"""How good the matches are, in numbers: what the catalogue knows, common metrics, and baselines beside them.

A ranking is judged by games of one franchise, which belong together; with the query mirrored, cut, in other colours or
in grey, which tells seeing from comparing colours; by games of the same developers, but of another franchise; and by
altered copies of a banner, which must find their original. Hubness says whether a few games are shown all the time.
"""

from study.alterations import ALTERATIONS, COPIES, QUERIES, alter
from study.baselines import BASELINES, Pixels
from study.compare import compare, matches_by_eye
from study.deletion import Deletion, deletion
from study.figure import figure
from study.metrics import METRICS, averages, hubness, micro_average_precision, rank, scores
from study.results import QUICK, UNTRAINED, Configuration, Result
from study.threshold import duplicate_threshold
from study.truth import Query, among, developers, franchises, half

__all__ = [
    "ALTERATIONS",
    "BASELINES",
    "COPIES",
    "METRICS",
    "QUERIES",
    "QUICK",
    "UNTRAINED",
    "Configuration",
    "Deletion",
    "Pixels",
    "Query",
    "Result",
    "alter",
    "among",
    "averages",
    "compare",
    "deletion",
    "developers",
    "duplicate_threshold",
    "figure",
    "franchises",
    "half",
    "hubness",
    "matches_by_eye",
    "micro_average_precision",
    "rank",
    "scores",
]
