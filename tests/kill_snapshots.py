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


def gets_through(store: sample.Store, folder: Path, seconds: float | None = None) -> bool:
    """Update, for so many seconds from its first request on; return whether it came to its end before it was killed."""
    command = [sys.executable, "-c", UPDATE, str(folder.parent / "games.parquet"), str(folder), store.assets_url]
    before = store.count()
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None and store.count() == before:
            time.sleep(0.05)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
    time.sleep(0.5)  # the helpers of a killed run need a moment to notice
    if child.returncode > 0:
        raise SystemExit(f"an update ended with code {child.returncode}")
    return child.returncode == 0


def pictures(folder: Path) -> list[tuple[int, bytes]]:
    """Return what is on disk, sorted; a doubled game would be there twice."""
    return sorted((banner.appid, banner.jpeg) for banner in banners.read(folder))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--games", type=int, default=2_000)
    options.add_argument("--seconds", type=float, default=5, help="the longest time from the first picture to a kill")
    asked = options.parse_args()
    seeded = random.Random(0)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as place, sample.Store(sample.many(asked.games)) as store:
        games = catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)
        games.to_parquet(Path(place, "games.parquet"))
        gets_through(store, Path(place, "undisturbed"))
        expected = pictures(Path(place, "undisturbed"))
        kills = runs = 0
        while kills < asked.kills:
            store.requests.clear()
            runs, before = runs + 1, kills
            folder = Path(place, f"run-{runs}")
            while kills < asked.kills and not gets_through(store, folder, seeded.uniform(0, asked.seconds)):
                kills += 1
            gets_through(store, folder)
            again = store.count("store_item_assets") - len(expected)
            if pictures(folder) != expected or len(snapshot.verified(folder)) != -(-len(expected) // SHARD):
                raise SystemExit(f"{folder.name} after {kills - before} kills is not as the undisturbed one")
            if again > (kills - before) * SHARD * PROCESSES:
                raise SystemExit(f"{folder.name} asked for {again} pictures again after {kills - before} kills")
            print(f"{folder.name}: {kills - before} kills, {again} pictures asked again, all as undisturbed")
    print(f"{kills} kills of downloads of {asked.games} games: nothing lost, nothing doubled")


if __name__ == "__main__":
    main()
