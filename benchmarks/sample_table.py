"""How well the sample tells networks from histograms: each baseline and checkpoint, over all of its games.

    PYTHONPATH=. python benchmarks/sample_table.py [CHECKPOINT ...]

A query is a game, what should be found are the others of its series. Without checkpoints: the sample's own. The name
"efficientnet-lite2" is the teacher of training/.
"""

import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from torch import Tensor

import sample
from sample import encoders
from study import baselines, metrics, truth
from training import teacher
from utils import banners, encoder, matching
from utils.features import Features

Describe = Callable[[Sequence[np.ndarray]], Tensor]

BATCH = 16  # pictures


def games_with_banners() -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Return the sample's games as the judge reads a catalogue, and their banners, uint8 (384, 256, 3)."""
    stock = sample.fictional()
    rows = []
    pictures = []
    for game in stock.games:
        picture = stock.picture(game.appid)
        if picture and game.banner and game.franchises and game.release_date and not game.type:
            rows.append((game.appid, game.name, game.franchises, game.developers, game.publishers))
            pictures.append(banners.decode(picture))
    return pd.DataFrame(rows, columns=["appid", "name", "franchises", "developers", "publishers"]), pictures


def described(games: pd.DataFrame, pictures: list[np.ndarray], describe: Describe) -> Features:
    """Return the features of all banners."""
    batches = [describe(pictures[start : start + BATCH]).float().numpy() for start in range(0, len(pictures), BATCH)]
    return Features(games["appid"].to_numpy(), games["name"].to_numpy(), np.concatenate(batches), {})


def row(name: str, stored: Features, how: str, queries: list[truth.Query]) -> str:
    """Return a line of the table."""
    found = metrics.averages(metrics.scores(metrics.rank(matching.prepare(stored, how), queries), queries))
    return f"| {name} | {found['hit@1']:.2f} | {found['recall@10']:.2f} |"


def main() -> None:
    games, pictures = games_with_banners()
    queries = truth.franchises(games)
    print(f"{len(queries)} queries, {len({query.group for query in queries})} series\n")
    print("| | hit@1 | recall@10 |\n|---|---|---|")
    pixels = described(games, pictures, baselines.Pixels())
    for name, (columns, how) in baselines.BASELINES.items():
        part = Features(pixels.appids, pixels.names, pixels.vectors[:, columns], {})
        print(row(name, part, how, queries))
    for checkpoint in sys.argv[1:] or [str(encoders.SMALL)]:
        network = teacher.encoder() if checkpoint == teacher.NAME else encoder.load(checkpoint)
        stored = described(games, pictures, network)
        for how in ("centred", "whitened"):
            print(row(f"{checkpoint}, {how}", stored, how, queries))


if __name__ == "__main__":
    main()
