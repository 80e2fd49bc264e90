"""Figures: grids of banners, matches, near-duplicates, a map of the store, a download's report, why two banners match.

Each function returns a `Figure` of its own, without pyplot: as the last line of a cell it is shown once, with a text
for those who cannot see it. `album` is any mapping from appid to Banner, `banners.Album` above all; only the banners
that are drawn are read from it.
"""

from utils.show.eyes import alike, eyes
from utils.show.grids import banners, duplicates, matches, queries, unique
from utils.show.page import Figure
from utils.show.plane import plane
from utils.show.reasons import reasons, reasons_sentence
from utils.show.report import report
from utils.show.store_map import store_map

__all__ = [
    "Figure",
    "alike",
    "banners",
    "duplicates",
    "eyes",
    "matches",
    "plane",
    "queries",
    "reasons",
    "reasons_sentence",
    "report",
    "store_map",
    "unique",
]
