"""How good the matches are: the judge's table for a folder of covers, or for the sample.

    PYTHONPATH=. python benchmarks/judge.py [FOLDER] [--checkpoint CHECKPOINT ...] [--figure FILE.jpg]

FOLDER holds pictures and a CSV with appid, name and title, what counts as one franchise; it goes the way of the source
`folder`, through the small store, img2dataset and the verified shards. Without one, the sample's games are taken. Each
checkpoint (default: the sample's own, untrained) is judged with every preparation.
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd

import sample
from utils import catalogue, judge, matching, settings, snapshot


def compare(folder: Path | None, checkpoints: list[str], data: Path) -> judge.Result:
    """Fetch the banners as the notebooks do, and judge the checkpoints by them."""
    source = {"SOURCE": "folder", "FOLDER": folder} if folder else {"SOURCE": "sample"}
    chosen = sample.open_store(settings.read(**source, GAMES=0, DATA=data))
    games = catalogue.load_or_fetch(chosen.catalogue_file, **chosen.request)
    snapshot.update(games, chosen.snapshots, assets_url=chosen.assets_url)
    ways = [
        judge.Configuration(checkpoint, chosen.pooling, chosen.image, preparation)
        for checkpoint in checkpoints or [chosen.checkpoint]
        for preparation in matching.PREPARATIONS
    ]
    return judge.compare(ways, chosen.snapshots, games, chosen.features.parent)


def markdown(table: pd.DataFrame) -> str:
    """Return a table of numbers as Markdown, two decimals each, with the interval beside what it belongs to."""
    cells = table.map(lambda value: "" if pd.isna(value) else f"{value:.2f}")
    first = cells.columns[0]
    cells[first] += " (" + cells.pop("low") + " to " + cells.pop("high") + ")"
    lines = [["", *cells.columns], ["---"] * (1 + len(cells.columns))]
    lines += [[name, *row] for name, row in zip(cells.index, cells.to_numpy().tolist(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        result = compare(asked.folder, asked.checkpoint, Path(data))
    print(f"\n{result.about}\n\n{markdown(result.short)}\n\nbest: {result.best}")
    if asked.figure:
        asked.figure.write_bytes(judge.figure(result).jpeg())


if __name__ == "__main__":
    main()
