"""Kill downloads at random moments and compare what is resumed with an undisturbed run: the long version, by hand.

    PYTHONPATH=. python tests/kill_snapshots.py [--kills 100] [--games 2000]

A run over so many games is ended by SIGKILL again and again, each time after a random while, and resumed. When a run
gets through, its (appid, picture bytes) must be those of the undisturbed run, and a new one begins, until the kills are
spent. Pictures asked for again are counted: at most one shard a process and kill. Exits with 1 where anything differs.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sample
from utils import banners, catalogue, snapshot

SHARD = 50
PROCESSES = 2
UPDATE = f"""
import pandas, sys
from utils import snapshot
games = pandas.read_parquet(sys.argv[1])
snapshot.update(games, sys.argv[2], shard_size={SHARD}, processes={PROCESSES}, assets_url=sys.argv[3])
"""


@dataclass
class Trial:
    """A store, its catalogue in a file, and a folder for what is downloaded."""

    store: sample.Store
    games: Path
    folder: Path

    def run(self, seconds: float | None) -> bool:
        """Update, for so many seconds at most; return whether it came to its end before it was killed."""
        command = [sys.executable, "-c", UPDATE, str(self.games), str(self.folder), self.store.assets_url]
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            time.sleep(0.5)  # the helpers of a killed run need a moment to notice
            return False
        if child.returncode:
            raise SystemExit(f"an update ended with code {child.returncode}")
        return True

    def pictures(self) -> list[tuple[int, bytes]]:
        """Return what is on disk, sorted; a doubled game would be there twice."""
        return sorted((banner.appid, banner.jpeg) for banner in banners.read(self.folder))


def killed_runs(trial: Trial, kills: int, moments: Iterator[float]) -> int:
    """Kill and resume until a run gets through or the kills are spent, then finish; return how often it was killed."""
    killed = 0
    while killed < kills and not trial.run(next(moments)):
        killed += 1
    trial.run(None)
    return killed


def check(trial: Trial, expected: list[tuple[int, bytes]], killed: int) -> int:
    """Return how many pictures were asked for again; ends the program where anything is not as it must be."""
    again = trial.store.count("store_item_assets") - len(expected)
    if trial.pictures() != expected or len(snapshot.verified(trial.folder)) != -(-len(expected) // SHARD):
        raise SystemExit(f"{trial.folder.name} after {killed} kills is not as the undisturbed one")
    if again > killed * SHARD * PROCESSES:
        raise SystemExit(f"{trial.folder.name} asked for {again} pictures again after {killed} kills")
    print(f"{trial.folder.name}: {killed} kills, {again} pictures asked again, all {len(expected)} as undisturbed")
    return again


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--games", type=int, default=2_000)
    options.add_argument("--seconds", type=float, default=15, help="the longest time until a kill")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    seeded = random.Random(asked.seed)  # noqa: S311 - moments, not secrets
    moments = iter(lambda: seeded.uniform(0, asked.seconds), None)
    with tempfile.TemporaryDirectory() as place, sample.Store(sample.many(asked.games)) as store:
        games = Path(place, "games.parquet")
        catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url).to_parquet(games)
        undisturbed = Trial(store, games, Path(place, "undisturbed"))
        undisturbed.run(None)
        expected = undisturbed.pictures()
        kills = runs = again = 0
        while kills < asked.kills:
            store.requests.clear()
            runs += 1
            trial = Trial(store, games, Path(place, f"run-{runs}"))
            killed = killed_runs(trial, asked.kills - kills, moments)
            again += check(trial, expected, killed)
            kills += killed
    print(f"{kills} kills in {runs} runs of {asked.games} games: nothing lost, nothing doubled, {again} asked again")


if __name__ == "__main__":
    main()
