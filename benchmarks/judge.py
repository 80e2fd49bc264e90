"""How good the matches are: the judge's tables for a folder of covers, or for the sample.

    PYTHONPATH=. python benchmarks/judge.py [FOLDER] [--checkpoint CHECKPOINT ...] [--quick] [--figure FILE.jpg]

FOLDER holds pictures and a CSV with appid, name and title, what counts as one franchise; it goes the way of the source
`folder`, through the small store, img2dataset and the verified shards. Without one, the sample's games are taken. Each
checkpoint (default: the source's own) is judged in every preparation, and --exponent, --pooling and --image add ways.
All of FOLDER's titles are tested, since nothing is chosen by them; of the sample, the half that nothing is chosen by.
--data keeps banners and features for the next run. The checkpoint "efficientnet-lite2" is the teacher of training/.
"""

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

import pandas as pd

import sample
import study
from study import figure, truth
from training import teacher
from utils import catalogue, settings, snapshot
from utils.encoder import Encoder
from utils.errors import PlainError
from utils.settings import Settings


class Teacher(study.Configuration):
    """One way from banners to matches by the teacher, which `encoder.load` does not know."""

    def load(self, dtype: str | None) -> Encoder:
        return teacher.encoder(self.pooling, self.image, dtype=dtype, views=self.views)


def fetched(folder: Path | None, data: Path) -> tuple[Settings, pd.DataFrame]:
    """Fetch the banners as the notebooks do; return the settings and the catalogue."""
    source = {"SOURCE": "folder", "FOLDER": folder} if folder else {"SOURCE": "sample"}
    chosen = sample.open_store(settings.read(**source, GAMES=0, DATA=data))
    games = catalogue.load_or_fetch(chosen.catalogue_file, **chosen.request)
    truth.require_truth(games)
    snapshot.update(games, chosen.snapshots, assets_url=chosen.assets_url)
    return chosen, games


def ways(asked: argparse.Namespace, chosen: Settings) -> list[study.Configuration]:
    """Return all that is compared: each checkpoint, pooling and input in each preparation."""
    preparations = [(how, 0.5) for how in settings.PREPARATIONS]
    preparations += [("whitened", exponent) for exponent in asked.exponent]
    checkpoints = asked.checkpoint or [chosen.checkpoint]
    found = []
    views = [tuple(each.split("+")) for each in asked.views] or [None]
    for checkpoint, pooling, image, seen in itertools.product(checkpoints, asked.pooling, asked.image, views):
        kind = Teacher if checkpoint == teacher.NAME else study.Configuration
        found += [kind(checkpoint, pooling, image, *each, views=seen) for each in preparations]
    return found


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown, numbers with two decimals."""
    cells = table.map(lambda value: value if isinstance(value, str) else "" if pd.isna(value) else f"{value:.2f}")
    lines = [["", *cells.columns], ["---"] * (1 + len(cells.columns))]
    lines += [[name, *row] for name, row in zip(cells.index, cells.to_numpy().tolist(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--checkpoint", action="append", default=[])
    parser.add_argument("--pooling", nargs="+", default=["pooled"])
    parser.add_argument("--image", nargs="+", default=["squash"])
    parser.add_argument("--views", nargs="+", default=[], help="such as whole whole+crop+grey")
    parser.add_argument("--dtype", choices=settings.DTYPES, help="else the fastest that this machine is made for")
    parser.add_argument("--exponent", type=float, nargs="+", default=[])
    parser.add_argument("--quick", action="store_true", help="fewer queries and altered pictures")
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--data", type=Path)
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory() as beside:
        chosen, games = fetched(asked.folder, asked.data or Path(beside))
        limits = dict(study.QUICK) if asked.quick else {}
        compared = ways(asked, chosen)
        out = chosen.features.parent
        limits |= {"halves": asked.folder is None, "dtype": asked.dtype}
        result = study.compare(compared, chosen.snapshots, games, out, **limits)
        print(f"\n{result.about}\n\n{markdown(result.by_query)}\n\n{markdown(result.short)}")
        if result.best:
            print(f"\nbest on the half to choose by: {result.best}")
    if asked.figure:
        asked.figure.write_bytes(figure.draw(result).jpeg())


if __name__ == "__main__":
    try:
        main()
    except PlainError as error:
        sys.exit(str(error))
