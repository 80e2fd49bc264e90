"""How fast banners come in and are read again, beside the limit and a peer, all against one loopback store.

    PYTHONPATH=. python benchmarks/snapshots.py [--games 3000] [--runs 3]

Download: `snapshot.update` (verification included), bare img2dataset on the same list and options (the limit), and a
plain pool of keep-alive connections with the same resize (the peer), interleaved, with answers delayed by 0 and 50 ms.
"Steady" is the speed between the first finished shard and the last; "start" is the time to the first one. Then: an
update with nothing to do on 100,000 planned games, and reading verified shards beside bare `tarfile`.
"""

import argparse
import hashlib
import io
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import urllib3
import webdataset

import sample
from utils import banners, catalogue, snapshot

SHARD, PROCESSES, THREADS = 250, 2, 32
BARE = "import json, sys; from img2dataset import download; download(**json.load(sys.stdin))"


def serve(games: int, latency: float, pipe: "multiprocessing.connection.Connection") -> None:
    """Serve a store whose pictures are drawn beforehand, in a process of its own, until the pipe closes."""
    stock = sample.many(games)
    pictures = [stock.picture(game.appid) for game in stock.games[:64]]
    with sample.Store(sample.Stock(stock.games, lambda appid: pictures[appid // 10 % 64])) as store:
        if latency:
            store.trouble("store_item_assets", "slow", seconds=latency)
        pipe.send((store.api_url, store.assets_url))
        pipe.recv()


def ours(games: pd.DataFrame, folder: Path) -> tuple[float, float]:
    """Return seconds to the first verified shard and banners a second from then on."""
    began = time.time()
    snapshot.update(games, folder, shard_size=SHARD, processes=PROCESSES, threads=THREADS)
    return steady(began, (folder / "0001" / "verified").iterdir(), len(games))


def img2dataset(games: pd.DataFrame, folder: Path) -> tuple[float, float]:
    """The same of bare img2dataset."""
    folder.mkdir()
    addresses = games[["appid", "name"]].assign(picture="", url=games["banner_url"])
    addresses.to_parquet(folder / "addresses.parquet")
    options = snapshot._OPTIONS | {
        "url_list": str(folder / "addresses.parquet"),
        "output_folder": str(folder / "shards"),
        "number_sample_per_shard": SHARD,
        "processes_count": PROCESSES,
        "thread_count": THREADS,
    }
    began, environment = time.time(), os.environ | {"NO_ALBUMENTATIONS_UPDATE": "1"}
    subprocess.run(
        [sys.executable, "-c", BARE], input=json.dumps(options).encode(), env=environment, capture_output=True
    )
    return steady(began, (folder / "shards").glob("*_stats.json"), len(games))


def thread_pool(games: pd.DataFrame, folder: Path) -> tuple[float, float]:
    """The same of a plain pool of keep-alive connections in one process, with the same resize, into the same tars."""
    folder.mkdir()
    began, pool = time.time(), urllib3.PoolManager(maxsize=THREADS)
    cv2.setNumThreads(1)

    def fetch(url: str) -> bytes:
        picture = cv2.imdecode(np.frombuffer(pool.request("GET", url).data, np.uint8), cv2.IMREAD_UNCHANGED)
        small = cv2.resize(picture, (snapshot.WIDTH, snapshot.HEIGHT), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()

    with ThreadPoolExecutor(THREADS) as threads:
        for start in range(0, len(games), SHARD):
            some = games.iloc[start : start + SHARD]
            with webdataset.TarWriter(str(folder / f"{start}.tar")) as tar:
                for appid, jpeg in zip(some["appid"], threads.map(fetch, some["banner_url"]), strict=True):
                    tar.write({"__key__": str(appid), "jpg": jpeg, "json": {"appid": int(appid)}})
    return steady(began, folder.glob("*.tar"), len(games))


def steady(began: float, finished: "list[Path]", games: int) -> tuple[float, float]:
    """Return seconds to the first finished shard, and banners a second between it and the last."""
    times = sorted(file.stat().st_mtime for file in finished)
    return times[0] - began, (games - SHARD) / (times[-1] - times[0])


def download(games: int, runs: int) -> None:
    """Print the table of downloads."""
    stages = {"snapshot.update": ours, "img2dataset (limit)": img2dataset, "keep-alive threads (peer)": thread_pool}
    print(f"| latency | stage | start, s | steady, banners/s | of the limit |\n|---|---|---|---|---|  ({runs} runs)")
    for latency in (0, 0.05):
        here, there = multiprocessing.Pipe()
        store = multiprocessing.Process(target=serve, args=(games, latency, there))
        store.start()
        api_url, assets_url = here.recv()
        found = catalogue.fetch_catalogue(api_url=api_url, assets_url=assets_url)
        figures = {name: [] for name in stages}
        for _ in range(runs):
            for name, stage in stages.items():
                with tempfile.TemporaryDirectory() as place:
                    figures[name].append(stage(found, Path(place, "run")))
        here.send("close")
        store.join()
        medians = {name: [statistics.median(each) for each in zip(*got, strict=True)] for name, got in figures.items()}
        limit = medians["img2dataset (limit)"][1]
        for name, (start, speed) in medians.items():
            print(f"| {1000 * latency:.0f} ms | {name} | {start:.1f} | {speed:.0f} | {speed / limit:.2f} |")


def nothing_to_do(rows: int) -> None:
    """Print how long an update takes that finds `rows` planned games on disk and nothing new."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        urls = [f"http://127.0.0.1:9/store_item_assets/steam/apps/{appid}/x.jpg?t=1" for appid in range(1, rows + 1)]
        games = pd.DataFrame({"appid": range(1, rows + 1), "name": "A game", "banner_url": urls})
        plan = snapshot._plan(games, folder, 1000)
        for number in plan.shards:
            written(plan, number, games)
        began = time.perf_counter()
        report = snapshot.update(games, folder)
        print(f"\nnothing to do, {report.downloaded:,} planned games: {time.perf_counter() - began:.1f} s")


def written(plan: "snapshot._Plan", number: int, games: pd.DataFrame) -> None:
    """Write a shard and its record as a finished download leaves them, with an empty tar."""
    tar = plan.part(number, ".tar")
    tar.write_bytes(bytes(1024))
    some = games.iloc[number * plan.shard_size :][: plan.size(number)]
    rows = some.assign(picture=some["banner_url"].map(snapshot._picture), status="downloaded", reason="", passing=False)
    rows = rows.assign(offset=0, size=0, rotation=0)[snapshot._RECORD.names]
    stat, sha256 = tar.stat(), hashlib.sha256(bytes(1024)).hexdigest()
    seen = {"sha256": sha256, "bytes": str(stat.st_size), "mtime_ns": str(stat.st_mtime_ns)}
    pq.write_table(pa.Table.from_pandas(rows, snapshot._RECORD.with_metadata(seen)), plan.record(number))


def reading(games: int, runs: int) -> None:
    """Print how fast verified shards are read, beside bare tarfile."""
    with tempfile.TemporaryDirectory() as place, sample.Store(sample.many(games)) as store:
        found = catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)
        snapshot.update(found, Path(place), shard_size=1000)
        paths = [shard.path for shard in snapshot.verified(Path(place))]
        stages = {
            "banners.read (hashed, raw JPEG)": lambda: sum(1 for _ in banners.read(Path(place))),
            "banners.read, decoded": lambda: sum(banner.rgb.shape[0] > 0 for banner in banners.read(Path(place))),
            "tarfile alone (limit)": lambda: sum(map(members, paths)) // 2,
            "webdataset, raw (peer)": lambda: sum(
                1 for _ in webdataset.WebDataset(list(map(str, paths)), shardshuffle=False).to_tuple("jpg", "json")
            ),
        }
        speeds = {name: [] for name in stages}
        for _ in range(runs):
            for name, stage in stages.items():
                began = time.perf_counter()
                speeds[name].append(stage() / (time.perf_counter() - began))
    print("\n| reading | samples/s |\n|---|---|")
    for name, got in speeds.items():
        print(f"| {name} | {statistics.median(got):,.0f} |")


def members(path: Path) -> int:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as tar:
        return sum(1 for member in tar if tar.extractfile(member).read())


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--games", type=int, default=3_000)
    options.add_argument("--runs", type=int, default=3)
    asked = options.parse_args()
    print(
        f"{os.cpu_count()} cores, {asked.games} banners in shards of {SHARD}, {PROCESSES} processes, {THREADS} threads"
    )
    download(asked.games, asked.runs)
    nothing_to_do(100_000)
    reading(asked.games, max(5, asked.runs))
