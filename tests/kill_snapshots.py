"""Kill downloads at random moments and compare what is resumed with an undisturbed run: the long version, by hand.

    PYTHONPATH=. python tests/kill_snapshots.py [--kills 100] [--games 2000]

A run over so many games is ended by SIGKILL again and again, each time after a random while, and resumed. When a run
gets through, its (appid, picture bytes) must be those of the undisturbed run, and a new one begins, until the kills are
spent. Pictures asked for again are counted: at most one shard a process and kill. Exits with 1 where anything differs.
"""

import argparse
import random
import subprocess
import tempfile
import time
from pathlib import Path

from downloads import command, fetch, pictures

import sample
from utils import snapshot

SHARD, PROCESSES = 40, 2  # of `command`


def gets_through(store, games, place, seconds=None):
    """Update, for so many seconds from its first request on; return whether it came to its end before it was killed."""
    before = store.count()
    with subprocess.Popen(command(store, games, place), stderr=subprocess.DEVNULL) as child:
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


def run(store, games, place, moments):
    """Update and be killed at these moments, then undisturbed; return the kills, and what came."""
    place.mkdir()
    store.requests.clear()
    kills = 0
    while kills < len(moments) and not gets_through(store, games, place, moments[kills]):
        kills += 1
    gets_through(store, games, place)
    found = pictures(place / "snapshots")
    again = store.count("store_item_assets") - len(found)
    if again > kills * SHARD * PROCESSES or len(snapshot.verified(place / "snapshots")) != -(-len(found) // SHARD):
        raise SystemExit(f"{place.name} asked for {again} pictures again after {kills} kills, or has a shard twice")
    print(f"{place.name}: {kills} kills, {again} pictures asked again")
    return kills, found


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--games", type=int, default=2_000)
    options.add_argument("--seconds", type=float, default=5, help="the longest time from the first picture to a kill")
    asked = options.parse_args()
    seeded = random.Random(0)  # noqa: S311 - moments, not secrets
    moments = [seeded.uniform(0, asked.seconds) for _ in range(asked.kills)]
    with tempfile.TemporaryDirectory() as home, sample.Store(sample.many(asked.games)) as store:
        games = fetch(store)
        _, expected = run(store, games, Path(home, "undisturbed"), [])
        while moments:
            kills, found = run(store, games, Path(home, f"with {len(moments)} kills to come"), moments)
            del moments[: max(kills, 1)]
            if found != expected:
                raise SystemExit("a run that was killed is not as the undisturbed one")
    print(f"{asked.kills} kills of downloads of {asked.games} games: nothing lost, nothing doubled")


if __name__ == "__main__":
    main()
