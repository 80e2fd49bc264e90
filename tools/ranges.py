"""A figure of a benchmark as the tables give it: the median of its runs, and their range."""

import statistics
from collections.abc import Sequence


def ranged(figures: Sequence[float], digits: int = 0) -> str:
    """Return the median of some figures and their range, as text."""
    middle = statistics.median(figures)
    return f"{middle:,.{digits}f} ({min(figures):,.{digits}f} to {max(figures):,.{digits}f})"
