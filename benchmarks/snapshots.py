"""How fast banners come in, beside the limit and a peer, all against one loopback store.

    PYTHONPATH=. python benchmarks/snapshots.py [--games 3000] [--runs 5]

Download: `snapshot.update` (verification included), bare img2dataset on the same list and options (the limit), and a
plain pool of keep-alive connections with the same resize (the peer), interleaved, with answers delayed by 0 and 50 ms.
"Start" is the time until the first picture is asked for, "steady" the speed between the first finished shard and the
last. With 3,000 games and 5 runs it takes about ten minutes on two quiet cores. Figures are medians, with their ranges.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"  # before anything imports tqdm: no bars in a log

import cv2
import numpy as np
import urllib3
import webdataset

import sample
from tests import faults
from tools.ranges import ranged
from utils import catalogue, images, snapshot
from utils.snapshot import img2dataset_process

SHARD = 250
PROCESSES = 2
THREADS = 32
BARE = "import json, sys; from img2dataset import download; download(**json.load(sys.stdin))"


class Bench:
    """A store in a process of its own, whose pictures are drawn beforehand."""

    def __init__(self, games: int, latency: float) -> None:
        here, there = multiprocessing.Pipe()
        self._pipe = here
        self._process = multiprocessing.Process(target=_serve, args=(games, latency, there), daemon=True)
        self._process.start()
        self.api_url, self.assets_url = here.recv()
        self.games = catalogue.fetch_catalogue(api_url=self.api_url, assets_url=self.assets_url)

    def first_asked(self) -> float:
        """Return when (time.monotonic) the first picture was asked for since the last call."""
        self._pipe.send("first")
        return self._pipe.recv()

    def close(self) -> None:
        self._pipe.send("close")
        self._process.join()


def _serve(games: int, latency: float, pipe: Connection) -> None:
    stock = sample.many(games)
    pictures = [stock.picture(game.appid) for game in stock.games[:64]]
    with faults.Store(sample.Stock(stock.games, lambda appid: pictures[appid // 10 % 64])) as store:
        if latency:
            store.trouble("store_item_assets", "slow", seconds=latency)
        pipe.send((store.api_url, store.assets_url))
        while pipe.recv() != "close":
            pipe.send(min(request.at for request in store.requests if "store_item_assets" in request.target))
            store.requests.clear()


def ours(bench: Bench, folder: Path) -> Iterator[Path]:
    """Download by `snapshot.update`, and return the files that were written as shards were finished."""
    sizes = {"shard_size": SHARD, "processes": PROCESSES, "threads": THREADS}
    snapshot.update(bench.games, folder, assets_url=bench.assets_url, **sizes)
    return (folder / "0001" / "verified").iterdir()


def img2dataset(bench: Bench, folder: Path) -> Iterator[Path]:
    """The same of bare img2dataset."""
    folder.mkdir()
    addresses = bench.games[["appid", "name"]].assign(picture="", url=bench.games["banner_url"])
    addresses.to_parquet(folder / "addresses.parquet")
    options = img2dataset_process.OPTIONS | {
        "url_list": str(folder / "addresses.parquet"),
        "output_folder": str(folder / "shards"),
        "number_sample_per_shard": SHARD,
        "processes_count": PROCESSES,
        "thread_count": THREADS,
    }
    environment = os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"}
    told = json.dumps(options).encode()
    subprocess.run([sys.executable, "-c", BARE], input=told, env=environment, capture_output=True, check=True)
    return (folder / "shards").glob("*_stats.json")


def thread_pool(bench: Bench, folder: Path) -> Iterator[Path]:
    """The same of a plain pool of keep-alive connections in one process, with the same resize, into the same tars."""
    folder.mkdir()
    pool = urllib3.PoolManager(maxsize=THREADS)
    cv2.setNumThreads(1)

    def fetch(url: str) -> bytes:
        picture = cv2.imdecode(np.frombuffer(pool.request("GET", url).data, np.uint8), cv2.IMREAD_UNCHANGED)
        small = cv2.resize(picture, (images.WIDTH, images.HEIGHT), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()

    with ThreadPoolExecutor(THREADS) as threads:
        for start in range(0, len(bench.games), SHARD):
            some = bench.games.iloc[start : start + SHARD]
            with webdataset.TarWriter(str(folder / f"{start}.tar")) as tar:
                for appid, jpeg in zip(some["appid"], threads.map(fetch, some["banner_url"]), strict=True):
                    tar.write({"__key__": str(appid), "jpg": jpeg, "json": {"appid": int(appid)}})
    return folder.glob("*.tar")


def timed(stage: Callable[[Bench, Path], Iterator[Path]], bench: Bench) -> tuple[float, float]:
    """Return seconds until the first picture was asked for, and banners a second between first and last shard."""
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        times = sorted(file.stat().st_mtime for file in stage(bench, Path(place, "run")))
    return bench.first_asked() - began, (len(bench.games) - SHARD) / (times[-1] - times[0])


def download(games: int, runs: int) -> None:
    """Print the table of downloads."""
    stages = {"snapshot.update": ours, "img2dataset (limit)": img2dataset, "keep-alive threads (peer)": thread_pool}
    print("| latency | stage | start, s | steady, banners/s | of the limit |\n|---|---|---|---|---|")
    for latency in (0, 0.05):
        bench = Bench(games, latency)
        got = {name: [] for name in stages}
        for _ in range(runs):
            for name, stage in stages.items():
                got[name].append(timed(stage, bench))
        bench.close()
        limit = statistics.median(speed for _, speed in got["img2dataset (limit)"])
        for name, figures in got.items():
            starts, speeds = zip(*figures, strict=True)
            share = statistics.median(speeds) / limit
            print(f"| {1000 * latency:.0f} ms | {name} | {ranged(starts, 1)} | {ranged(speeds)} | {share:.2f} |")


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--games", type=int, default=3_000)
    options.add_argument("--runs", type=int, default=5)
    asked = options.parse_args()
    print(
        f"{os.cpu_count()} cores, {asked.games} banners in shards of {SHARD}, {PROCESSES} processes, {THREADS} threads"
    )
    download(asked.games, asked.runs)
