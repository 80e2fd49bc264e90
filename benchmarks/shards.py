"""How fast an update finds nothing to do, and how fast verified shards are read, beside the limit and a peer.

    PYTHONPATH=. python benchmarks/shards.py [--games 3000] [--runs 5]

An update with nothing to do on 100,000 planned games; reading shards beside bare `tarfile` (the limit) and webdataset
without a checksum (the peer), interleaved. Figures are medians, with their ranges.
"""

import argparse
import io
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"  # before anything imports tqdm: no bars in a log

import pandas as pd
import pyarrow as pa
import webdataset

import sample
from tools.ranges import ranged
from utils import banners, catalogue, files, snapshot
from utils.snapshot import plan, shards


def nothing_to_do(rows: int) -> None:
    """Print how long an update takes that finds `rows` planned games on disk and nothing new."""
    address = "http://127.0.0.1:9/store_item_assets/"
    urls = [f"{address}steam/apps/{appid}/x.jpg?t=1" for appid in range(1, rows + 1)]
    games = pd.DataFrame({"appid": range(1, rows + 1), "name": "A game", "banner_url": urls})
    with tempfile.TemporaryDirectory() as place:
        pictures = games["banner_url"].map(plan.picture_identity)
        planned = plan.write_plan(Path(place), games.assign(picture=pictures), 1000)
        (planned.folder / "shards").mkdir()
        for number in planned.shards:
            written(shards.Snapshot(planned.folder, planned, {}), number)
        began = time.perf_counter()
        downloaded = snapshot.update(games, Path(place), assets_url=address).count("downloaded")
        print(f"\nnothing to do, {downloaded:,} planned games: {time.perf_counter() - began:.1f} s")


def written(snap: shards.Snapshot, number: int) -> None:
    """Write a shard and its record as a finished download leaves them, with an empty tar."""
    tar = snap.part(number, ".tar")
    tar.write_bytes(bytes(1024))
    rows = snap.plan.part_of_table(number).assign(status="downloaded", reason="", retryable=False, offset=0, size=0)
    stat = tar.stat()
    noted = {"sha256": files.sha256(tar), "bytes": str(stat.st_size), "mtime_ns": str(stat.st_mtime_ns)}
    noted |= {"plan": snap.plan.sha256, "shard": str(number)}
    record = pa.Table.from_pandas(rows[shards.RECORD.names], shards.RECORD, preserve_index=False)
    files.write_table(snap.record_file(number), record, noted)


@contextmanager
def verified_shards(games: int) -> Iterator[Path]:
    """Yield a folder of verified shards."""
    with tempfile.TemporaryDirectory() as place, sample.Store(sample.many(games)) as store:
        found = catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)
        snapshot.update(found, Path(place), shard_size=1000, assets_url=store.assets_url)
        yield Path(place)


def reading(games: int, runs: int) -> None:
    """Print how fast verified shards are read, beside bare tarfile."""
    with verified_shards(games) as folder:
        paths = [str(shard.path) for shard in snapshot.verified(folder)]
        raw = webdataset.WebDataset(paths, shardshuffle=False).to_tuple("jpg", "json")
        stages = {
            "banners.read (checksum, raw JPEG)": lambda: sum(1 for _ in banners.read(folder)),
            "banners.read, decoded": lambda: sum(banner.rgb.shape[0] > 0 for banner in banners.read(folder)),
            "tarfile alone (limit)": lambda: sum(map(members, paths)) // 2,
            "webdataset, raw (peer)": lambda: sum(1 for _ in raw),
        }
        speeds = {name: [] for name in stages}
        for _ in range(runs):
            for name, stage in stages.items():
                began = time.perf_counter()
                speeds[name].append(stage() / (time.perf_counter() - began))
    print("\n| reading | samples/s |\n|---|---|")
    for name, got in speeds.items():
        print(f"| {name} | {ranged(tuple(got))} |")


def members(path: str) -> int:
    with tarfile.open(fileobj=io.BytesIO(Path(path).read_bytes())) as tar:
        return sum(1 for member in tar if tar.extractfile(member).read())


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--games", type=int, default=3_000)
    options.add_argument("--runs", type=int, default=5)
    asked = options.parse_args()
    print(f"{os.cpu_count()} cores, {asked.games} banners")
    nothing_to_do(100_000)
    reading(asked.games, asked.runs)
