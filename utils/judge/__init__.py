"""How good the matches are, in numbers: what the catalogue knows, common metrics, and baselines beside them.

A ranking is judged by games of one franchise, which belong together; with the query mirrored, cut, in other colours or
in grey, which tells seeing from comparing colours; by games of the same developers, but of another franchise; and by
altered copies of a banner, which must find their original. Hubness says whether a few games are shown all the time.
"""

from utils.judge.alterations import ALTERATIONS, COPIES, QUERIES, alter
from utils.judge.baselines import BASELINES, Pixels
from utils.judge.compare import compare, matches_by_eye
from utils.judge.deletion import Deletion, deletion
from utils.judge.figure import figure
from utils.judge.metrics import METRICS, averages, hubness, micro_average_precision, rank, scores
from utils.judge.results import QUICK, UNTRAINED, Configuration, Result
from utils.judge.threshold import duplicate_threshold
from utils.judge.truth import Query, among, developers, franchises, half

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
