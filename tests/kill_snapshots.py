"""Kill downloads at random moments and compare what is resumed with an undisturbed run: the long version, by hand.

    PYTHONPATH=. python tests/kill_snapshots.py [--kills 100] [--games 2000]

A run over so many games is ended by SIGKILL again and again, each time after a random while, and resumed. When a run
gets through, its (appid, picture bytes) must be those of the undisturbed run, and a new one begins, until the kills are
spent. Pictures asked for again are counted: at most one shard a process and kill. Exits with 1 where anything differs.
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import sample
from utils import banners, catalogue, snapshot

SHARD, PROCESSES = 50, 2
UPDATE = f"""
import pandas, sys
from utils import snapshot
snapshot.update(pandas.read_parquet(sys.argv[1]), sys.argv[2], shard_size={SHARD}, processes={PROCESSES})
"""


def pictures(folder: Path) -> list[tuple[int, bytes]]:
    """Return what a folder holds, sorted; a doubled game would be there twice."""
    return sorted((banner.appid, banner.jpeg) for banner in banners.read(folder))


def run(games: Path, folder: Path, seconds: float | None) -> bool:
    """Update, for so many seconds at most; return whether it came to its end before it was killed."""
    child = subprocess.Popen([sys.executable, "-c", UPDATE, str(games), str(folder)], stderr=subprocess.DEVNULL)
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()
        time.sleep(0.5)  # the helpers of a killed run need a moment to notice
        return False
    if child.returncode:
        raise SystemExit(f"an update ended with code {child.returncode}")
    return True


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--games", type=int, default=2_000)
    options.add_argument("--seconds", type=float, default=15, help="the longest time until a kill")
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    moments = random.Random(asked.seed)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as place, sample.Store(sample.many(asked.games)) as store:
        games = Path(place, "games.parquet")
        found = catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)
        found.to_parquet(games)
        run(games, Path(place, "undisturbed"), None)
        expected = pictures(Path(place, "undisturbed"))
        kills = finished = again = 0
        while kills < asked.kills:
            folder = Path(place, f"run-{finished}")
            store.requests.clear()
            killed = 0
            while kills + killed < asked.kills and not run(games, folder, moments.uniform(0, asked.seconds)):
                killed += 1
            run(games, folder, None)
            kills, finished = kills + killed, finished + 1
            more = store.count("store_item_assets") - len(expected)
            again += more
            if pictures(folder) != expected or len(snapshot.verified(folder)) != -(-asked.games // SHARD):
                raise SystemExit(f"run {finished} after {killed} kills is not as the undisturbed one")
            if more > killed * SHARD * PROCESSES:
                raise SystemExit(f"run {finished} asked for {more} pictures again after {killed} kills")
            print(f"run {finished}: {killed} kills, {more} pictures asked again, all {len(expected)} as undisturbed")
    print(
        f"{kills} kills in {finished} runs of {asked.games} games: nothing lost, nothing doubled, {again} asked again"
    )


if __name__ == "__main__":
    main()
