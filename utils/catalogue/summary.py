"""What a fetched catalogue has, and has not, in words."""

import pandas as pd


def summary(games: pd.DataFrame) -> str:
    """Return a line on a catalogue of `fetch_catalogue`: games found, announced, left out and skipped, with reasons."""
    counted = games.attrs
    parts = [f"{len(games):,} games of {counted.get('announced', len(games)):,} announced"]
    if short := counted.get("short"):
        parts.append(f"the store listed {short:,} fewer than that; run again later for the rest")
    if adult := counted.get("adult"):
        parts.append(f"{adult:,} for adults only left out")
    if skipped := counted.get("skipped"):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in skipped.items())
        parts.append(f"skipped: {reasons}")
    if counted.get("tags") == 0:
        parts.append("the store gave no tags")
    return "; ".join(parts)
