"""From a run to a checkpoint in the hub's form: averaged weights in float16, the processor's numbers, the model card.

python -m training.export WORK FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import BeitForImageClassification

from training import student
from training.curve import joined
from training.feed import Pool
from training.packages import rows
from training.run import load
from training.schedule import ROUNDS, Schedule
from training.student import PATCH

VIEWS = ["whole", "crop"]  # chosen on the development half of the sample's series (docs/results.md)

_TEMPLATE = Path(__file__).with_name("card.md")


def processor(side: int) -> dict[str, object]:
    """The picture squashed to `side` pixels, values from -1 to 1: as for Microsoft's checkpoints."""
    return {
        "do_center_crop": False,
        "do_normalize": True,
        "do_resize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_processor_type": "BeitImageProcessor",
        "image_std": [0.5, 0.5, 0.5],
        "resample": 2,
        "size": {"height": side, "width": side},
    }


def export(net: BeitForImageClassification, side: int, folder: Path) -> None:
    """Write config.json, model.safetensors in float16 and preprocessor_config.json, for pictures of `side` pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    larger = student.resized(net, side)
    larger.config.steam_banners_views = VIEWS
    larger.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)  # it is written for its owner alone
    text = json.dumps(processor(side), indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")


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


def main(work: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    name, plan = list(ROUNDS.items())[-1]
    run = load(plan, Pool(work / "pool"), work / f"{name}.pt")
    export(run.averaged, plan.side, folder)
    (folder / "README.md").write_text(card(work, plan), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
