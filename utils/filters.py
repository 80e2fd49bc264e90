"""Which games may be among the matches: by tag, release year and reviews, and one of each near-identical group."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Filter:
    """What a game must have; the default lets every game pass."""

    tag: str = ""  # one of the store's tags
    since: int | None = None  # the first release year that passes
    until: int | None = None  # the last one
    score: float = 0  # percent of positive reviews

    def __bool__(self) -> bool:
        return self != Filter()


def passing(catalogue: pd.DataFrame, wanted: Filter) -> np.ndarray:
    """Return the appids, int64 (m,), of a catalogue's games that pass; an unknown year or score does not."""
    passes = np.ones(len(catalogue), bool)
    if wanted.tag:
        passes &= np.array([wanted.tag in tags for tags in catalogue["tags"]], bool)
    if wanted.since is not None or wanted.until is not None:
        years = release_years(catalogue)
        passes &= (years >= (wanted.since or 1)) & (years <= (wanted.until or 9999))
    if wanted.score:
        passes &= (catalogue["review_score"] >= wanted.score).to_numpy()
    return catalogue["appid"].to_numpy()[passes]


def tags(catalogue: pd.DataFrame) -> list[str]:
    """Return the hundred commonest tags of a catalogue, the commonest first, then by name."""
    counts = catalogue["tags"].explode().value_counts().sort_index()
    return counts.sort_values(ascending=False, kind="stable").index[:100].tolist()


def release_years(catalogue: pd.DataFrame) -> np.ndarray:
    """Return the years, int64 (n,), in which a catalogue's games were released; 0 where unknown."""
    seconds = catalogue["release_date"].to_numpy()
    years = pd.to_datetime(seconds, unit="s").year.to_numpy()
    return np.where(seconds > 0, years, 0)


def distinct(vectors: np.ndarray, cosines: np.ndarray, threshold: float, k: int) -> np.ndarray:
    """Return the positions, int64 (m,), of the first k ranked matches that are no near-duplicate of a better one.

    vectors: float32 (n, dim) of length 1, of the matches, nearest first; cosines (n,): to the query, of which a
    near-duplicate is left out as well. A near-duplicate is one whose cosine is `threshold` or more.
    """
    kept: list[int] = []
    for at in np.flatnonzero(cosines < threshold):
        if len(kept) == k:
            break
        if not (vectors[kept] @ vectors[at] >= threshold).any():
            kept.append(int(at))
    return np.array(kept, dtype=np.int64)
