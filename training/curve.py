"""The learning curve as a figure.

python -m training.curve training/curve.csv training/curve.png
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path


def draw(table: Path, figure: Path) -> None:
    """Agreement with the teacher on held-out pictures over views seen, as they are and recoloured."""
    from matplotlib.figure import Figure

    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    views = [int(row["views"]) / 1000 for row in rows]
    page = Figure(figsize=(8, 4.2), layout="constrained")
    axes = page.subplots()
    for column, label, colour in (("agreement", "as they are", "#1f5fa8"), ("recoloured", "recoloured", "#c2571a")):
        axes.plot(views, [float(row[column]) for row in rows], color=colour, label=label, marker=".")
    grown = [count for count, row in zip(views, rows, strict=True) if row["side"] != rows[0]["side"]]
    if grown:
        axes.axvline(grown[0], color="#888888", linestyle=":", label=f"from here {rows[-1]['side']} pixels")
    axes.set_xlabel("views seen, thousands")
    axes.set_ylabel("mean cosine with the teacher, held-out pictures")
    axes.set_ylim(0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    page.savefig(figure, dpi=150)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]))
