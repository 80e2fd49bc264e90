"""What the tests of downloads share: a catalogue of a store, an update from it, pictures to put into it."""

import io
import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from utils import banners, catalogue, snapshot

# A process that was started in the background ignores interrupts; a notebook's kernel never does.
UPDATE = """
import pandas, signal, sys
from utils import snapshot
signal.signal(signal.SIGINT, signal.default_int_handler)
games = pandas.read_parquet(sys.argv[1] + "/games.parquet")
snapshot.update(games, sys.argv[1] + "/snapshots", shard_size=40, processes=2, assets_url=sys.argv[2])
"""


def command(store, games, place):
    """Return how an update of `place/snapshots` is started in a process of its own."""
    games.to_parquet(place / "games.parquet")
    return [sys.executable, "-c", UPDATE, str(place), store.assets_url]


def fetch(store):
    return catalogue.fetch_catalogue(adult=True, api_url=store.api_url, assets_url=store.assets_url)


def update(store, folder, games=None, **options):
    """Bring a folder up to date with a store and return the report."""
    games = fetch(store) if games is None else games
    return snapshot.update(games, folder, assets_url=store.assets_url, **options)


def pictures(folder):
    """Return what a folder of snapshots holds: appid -> JPEG."""
    return {banner.appid: banner.jpeg for banner in banners.read(folder)}


def asked(store):
    """Return the appids whose pictures a store was asked for, sorted, each as often as it was."""
    targets = [request.target for request in store.requests if "store_item_assets" in request.target]
    return sorted(int(target.split("/")[4]) for target in targets)


def copy_of(folder, to):
    return Path(shutil.copytree(folder, to))


def flip(file, position=None):
    """Flip a bit of a file, in its middle or where it is said, as rot does: size and times stay."""
    stat, content = file.stat(), bytearray(file.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 0x10
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def wait_until(true):
    """Wait, two minutes at most."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with suppress(FileNotFoundError):  # a file that had another name a moment ago
            if true():
                return
        time.sleep(0.02)
    raise AssertionError("it did not come to that")


def png(size, colour, mode="RGB"):
    return file(Image.new(mode, size, colour), "PNG")


def file(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def jpeg(image, **options):
    return file(image, "JPEG", quality=90, **options)


def noise(size, seed=0):
    patches = np.random.default_rng(seed).integers(0, 255, (size[1] // 50, size[0] // 50, 3), "uint8")
    return Image.fromarray(patches).resize(size)
