"""Run everything against a store that means harm, and print how much memory that takes: python -m tools.hostile

240 games of a store on loopback whose pictures are endless, bombs, dripping, huge, no pictures, or lead elsewhere: each
kind at every tenth game or so. The catalogue, the download, the features and the matches run in a process of their own;
its resident memory and that of its children is added up ten times a second. For Linux.
"""

import io
import subprocess
import sys
import tempfile
import time

import psutil
from PIL import Image

import sample
from tests import faults

GAMES = 240
LIMIT = 1_500_000_000  # bytes, as docs/SECURITY.md promises
KINDS = ("endless", "bomb", "drip", "drip headers", "html", "empty", "truncated", "drop", "redirect", 503)
SIZES = ((7_000, 7_000), (3_900, 3_900), (40_000, 40_000), (1, 60_000))  # pixels of PNGs that are small as files
RUN = """
import sys
from pathlib import Path

from utils import catalogue, encoder, features, matching, snapshot
from utils.snapshot import img2dataset_process

img2dataset_process.PATIENCE = 3.0  # seconds, not to wait a minute for each picture that drips
home, api_url, assets_url, checkpoint = sys.argv[1:]
games = catalogue.fetch_catalogue(adult=True, api_url=api_url, assets_url=assets_url)
report = snapshot.update(games, Path(home, "snapshots"), assets_url=assets_url, processes=2, shard_size=40)
beit = encoder.load(checkpoint, dtype="float32")
found = features.extract(Path(home, "snapshots"), beit, Path(home, "features"))
matches = matching.all_matches(matching.prepare(found), 10, Path(home, "matches"))
print(report)
print(len(found), "banners have features,", len(matches.appids), "have matches")
"""


def main() -> int:
    """Return 0 where the run ends well within LIMIT."""
    Image.MAX_IMAGE_PIXELS = None  # it is us who make the bombs
    with tempfile.TemporaryDirectory() as home, faults.Store(sample.many(GAMES)) as store:
        spoil(store)
        command = [sys.executable, "-c", RUN, home, store.api_url, store.assets_url, "sample/beit-small"]
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        peak = 0
        while child.poll() is None:
            peak = max(peak, resident(child.pid))
            time.sleep(0.1)
        print(child.communicate()[0], end="")
        seconds = time.monotonic() - began
    print(f"peak of the process and its children: {peak / 1e6:,.0f} MB of {LIMIT / 1e6:,.0f} MB; {seconds:,.0f} s")
    return child.returncode or int(peak > LIMIT)


def spoil(store: faults.Store) -> None:
    """Give every other game's picture some kind of trouble."""
    appids = [game.appid for game in store.games]
    for place, kind in enumerate(KINDS):
        for appid in appids[2 * place :: 2 * len(KINDS) + 2 * len(SIZES)]:
            store.trouble(f"apps/{appid}/", kind, seconds=0.5, to="http://127.0.0.1:9/x.jpg")
    for place, size in enumerate(SIZES, len(KINDS)):
        content = io.BytesIO()
        Image.new("L" if max(size) > 7_000 else "RGB", size).save(content, "PNG")
        for appid in appids[2 * place :: 2 * len(KINDS) + 2 * len(SIZES)]:
            store.pictures[appid] = content.getvalue()


def resident(pid: int) -> int:
    """Return the resident bytes of a process and all that it started, those that some of them share counted once."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


if __name__ == "__main__":
    sys.exit(main())
