"""The learning curve of all rounds, as a table and as a figure.

python -m training.curve WORK training/curve.csv training/curve.png
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from training.schedule import ROUNDS


def joined(tables: Sequence[Path]) -> list[dict[str, str]]:
    """The rows of several rounds' curves as one: views and minutes go on where the round before ended."""
    rows: list[dict[str, str]] = []
    for table in tables:
        views = int(rows[-1]["views"]) if rows else 0
        minutes = float(rows[-1]["minutes"]) if rows else 0.0
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                summed = {"minutes": f"{minutes + float(row['minutes']):.2f}", "views": str(views + int(row["views"]))}
                rows.append(row | summed)
    return rows


def write(rows: list[dict[str, str]], table: Path) -> None:
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def draw(rows: list[dict[str, str]], figure: Path) -> None:
    """Agreement with the teacher on held-out pictures over views seen, as they are and recoloured."""
    from matplotlib.figure import Figure

    views = [int(row["views"]) / 1000 for row in rows]
    page = Figure(figsize=(8, 4.2), layout="constrained")
    axes = page.subplots()
    for column, label, colour in (("agreement", "as they are", "#1f5fa8"), ("recoloured", "recoloured", "#c2571a")):
        axes.plot(views, [float(row[column]) for row in rows], color=colour, label=label, marker=".")
    for place in range(1, len(rows)):
        side = rows[place]["side"]
        if side != rows[place - 1]["side"]:
            axes.axvline(views[place], color="#888888", linestyle=":")
            axes.text(views[place], 0.02, f" {side} px", color="#666666", fontsize=8)
    axes.set_xlabel("views seen, thousands")
    axes.set_ylabel("mean cosine with the teacher, held-out pictures")
    axes.set_ylim(0)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    page.savefig(figure, dpi=150)


if __name__ == "__main__":
    work, table, figure = map(Path, sys.argv[1:])
    curve = joined([work / f"{name}.csv" for name in ROUNDS])
    write(curve, table)
    draw(curve, figure)
