"""How fast banners come in, beside bare img2dataset and the limit, all from one host on loopback, over TLS.

    PYTHONPATH=. python benchmarks/snapshots.py [--games 3000] [--runs 5]

`snapshot.update` (verification included), bare img2dataset on the same list and options (the peer), and a plain pool of
keep-alive connections with the same resize (the limit), interleaved, at round trips of 0 and 50 ms: an answer takes
one, a new connection two more. "Start" is the time until the first picture is asked for, "steady" the speed between the
first finished shard and the last. With 3,000 games and 5 runs it takes about ten minutes on two quiet cores. Figures
are medians, with their ranges.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"  # before anything imports tqdm: no bars in a log

import cv2
import numpy as np
import pandas as pd
import trustme
import urllib3
import webdataset

import sample
from tools.ranges import ranged
from utils import images, snapshot
from utils.snapshot import img2dataset_process

SHARD = 250
PROCESSES = 2
THREADS = 32
BARE = "import json, sys; from img2dataset import download; download(**json.load(sys.stdin))"


class Host:
    """A host of pictures in a process of its own, which every client here trusts."""

    def __init__(self, games: int, latency: float, place: Path) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(place / "ca.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(place / "own.pem")
        os.environ["SSL_CERT_FILE"] = str(place / "ca.pem")
        here, there = multiprocessing.Pipe()
        self._pipe = here
        arguments = (latency, place / "own.pem", there)
        self._process = multiprocessing.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        self.assets_url = f"https://127.0.0.1:{here.recv()}/"
        appids = range(10, 10 * games + 10, 10)
        urls = [f"{self.assets_url}{appid}/library_600x900.jpg?t=1" for appid in appids]
        self.games = pd.DataFrame({"appid": appids, "name": "A game", "banner_url": urls})

    def first_asked(self) -> float:
        """Return when (time.monotonic) the first picture was asked for since the last call."""
        self._pipe.send("first")
        return self._pipe.recv()

    def close(self) -> None:
        self._process.terminate()
        self._process.join()


def _serve(latency: float, certificate: Path, pipe: Connection) -> None:
    stock = sample.many(64)
    pictures = [stock.picture(game.appid) for game in stock.games]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked: list[float] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            await asyncio.sleep(2 * latency)  # the connection's and TLS's handshake
            while True:
                target = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]
                asked.append(time.monotonic())
                await asyncio.sleep(latency)
                body = pictures[int(target.split(b"/")[1]) // 10 % 64]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        writer.close()

    asyncio.run(_listen(answer, context, asked, pipe))


async def _listen(answer: Callable, context: ssl.SSLContext, asked: list[float], pipe: Connection) -> None:
    """Serve until the process ends; tell who asks when the first picture was asked for."""

    def tell() -> None:
        pipe.recv()
        pipe.send(min(asked))
        asked.clear()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context, backlog=256)
    asyncio.get_running_loop().add_reader(pipe.fileno(), tell)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def ours(host: Host, folder: Path) -> Iterator[Path]:
    """Download by `snapshot.update`, and return the files that were written as shards were finished."""
    sizes = {"shard_size": SHARD, "processes": PROCESSES, "threads": THREADS}
    snapshot.update(host.games, folder, assets_url=host.assets_url, **sizes)
    return (folder / "0001" / "verified").iterdir()


def img2dataset(host: Host, folder: Path) -> Iterator[Path]:
    """The same of bare img2dataset."""
    folder.mkdir()
    addresses = host.games[["appid", "name"]].assign(picture="", url=host.games["banner_url"])
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


def thread_pool(host: Host, folder: Path) -> Iterator[Path]:
    """The same of a plain pool of keep-alive connections in one process, with the same resize, into the same tars."""
    folder.mkdir()
    pool = urllib3.PoolManager(maxsize=THREADS)
    cv2.setNumThreads(1)

    def fetch(url: str) -> bytes:
        picture = cv2.imdecode(np.frombuffer(pool.request("GET", url).data, np.uint8), cv2.IMREAD_UNCHANGED)
        small = cv2.resize(picture, (images.WIDTH, images.HEIGHT), interpolation=cv2.INTER_AREA)
        return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()

    with ThreadPoolExecutor(THREADS) as threads:
        for start in range(0, len(host.games), SHARD):
            some = host.games.iloc[start : start + SHARD]
            with webdataset.TarWriter(str(folder / f"{start}.tar")) as tar:
                for appid, jpeg in zip(some["appid"], threads.map(fetch, some["banner_url"]), strict=True):
                    tar.write({"__key__": str(appid), "jpg": jpeg, "json": {"appid": int(appid)}})
    return folder.glob("*.tar")


def timed(stage: Callable[[Host, Path], Iterator[Path]], host: Host) -> tuple[float, float]:
    """Return seconds until the first picture was asked for, and banners a second between first and last shard."""
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        times = sorted(file.stat().st_mtime for file in stage(host, Path(place, "run")))
    return host.first_asked() - began, (len(host.games) - SHARD) / (times[-1] - times[0])


def download(games: int, runs: int) -> None:
    """Print the table of downloads."""
    stages = {"snapshot.update": ours, "img2dataset (peer)": img2dataset, "keep-alive threads (limit)": thread_pool}
    print("| round trip | stage | start, s | steady, banners/s | of the limit |\n|---|---|---|---|---|")
    for latency in (0, 0.05):
        with tempfile.TemporaryDirectory() as place:
            host = Host(games, latency, Path(place))
            got = {name: [] for name in stages}
            for _ in range(runs):
                for name, stage in stages.items():
                    got[name].append(timed(stage, host))
            host.close()
        limit = statistics.median(speed for _, speed in got["keep-alive threads (limit)"])
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
