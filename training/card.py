"""The model card of a run, from its pictures, its schedule and its curve."""

from __future__ import annotations

from pathlib import Path

from training.curve import joined
from training.packages import rows
from training.schedule import ROUNDS, Schedule
from training.student import PATCH

_TEMPLATE = Path(__file__).with_name("card.md")


def card(work: Path, plan: Schedule) -> str:
    """The hub's form: a YAML header, then what it is, how it was made, numbers, limits."""
    curve = joined([work / f"{name}.csv" for name in ROUNDS])
    last = curve[-1]
    packages = rows()
    values = {
        "pictures": f"{sum(int(row['kept']) for row in packages):,}",
        "held_pictures": f"{sum(int(row['held_out']) for row in packages):,}",
        "packages": len(packages),
        "views": f"{int(last['views']):,}",
        "distinct": f"{max(int(row['distinct']) for row in curve):,}",
        "minutes": round(float(last["minutes"])),
        "agreement": f"{float(last['agreement']):.3f}",
        "recoloured": f"{float(last['recoloured']):.3f}",
        "side": plan.side,
        "grid": plan.side // PATCH,
        "small": plan.small,
    }
    return _TEMPLATE.read_text(encoding="utf-8").format_map(values)
