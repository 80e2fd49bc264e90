"""Random histories of a store and its updates, against a model of ten lines.

The store's games come, go and change; it is down for a while; downloads die in the middle; files are lost. Downloads
are img2dataset's contract: what it writes, and what it leaves when it dies.
"""

import contextlib
import json
import os
import random
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset
from downloads import jpeg, noise
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from utils import banners, snapshot
from utils.errors import DownloadError

APPIDS = range(10, 130, 10)
BLANK = jpeg(Image.new("RGB", (256, 384), "white"))


class World:
    """A store of our own, and what it answers."""

    def __init__(self, seed):
        self.random = random.Random(seed)  # noqa: S311 - histories, not secrets
        self.versions = {}  # appid -> version of its picture
        self.down = False

    def live(self):
        """Let something happen."""
        for appid in self.random.sample(APPIDS, 5):
            self.versions[appid] = self.random.randrange(1, 5)
            if self.random.random() < 0.3:
                del self.versions[appid]
        self.down = self.random.random() < 0.25

    def picture(self, appid):
        """Return the file at a game's address now; None where there is none."""
        version = self.versions.get(appid)
        look = random.Random(f"{appid} {version}").random()  # noqa: S311
        if version is None or look < 0.2:
            return None
        return BLANK if look < 0.3 else look_of(appid, version)

    def outcome(self, appid):
        """Return what an update must make of a game that it asks for now."""
        became = {None: "missing", BLANK: "refused"}.get(self.picture(appid), "downloaded")
        return "failed" if self.down else became

    def catalogue(self, assets_url):
        urls = {appid: f"{assets_url}steam/apps/{appid}/b.jpg?t={version}" for appid, version in self.versions.items()}
        return pd.DataFrame({"appid": list(urls), "name": "A game", "banner_url": list(urls.values())})


def look_of(appid, version):
    return jpeg(noise((300, 450), seed=[appid, version]).resize((256, 384)))


class Model:
    """What must be on disk: the last outcome of each picture, and of each game the newest that was downloaded."""

    def __init__(self):
        self.last = {}  # (appid, version) -> status
        self.newest = {}  # appid -> version

    def is_wanted(self, appid, version):
        """Return whether a picture is not known, failed, or was overtaken by another one."""
        last = self.last.get((appid, version), "failed")
        return last == "failed" or (last == "downloaded" and self.newest[appid] != version)

    def update(self, world):
        """Do what an update must do, and return the games that it must ask for."""
        wanted = [appid for appid, version in world.versions.items() if self.is_wanted(appid, version)]
        for appid in wanted:
            version = world.versions[appid]
            self.last[appid, version] = world.outcome(appid)
            if self.last[appid, version] == "downloaded":
                self.newest[appid] = version
        return set(wanted)


def contract(world, asked, die_after):
    """Return what stands for `img2dataset`: it writes what it would, and dies within its `die_after`-th shard."""

    @contextlib.contextmanager
    def run(plan, addresses, numbers, *_):
        (plan.folder / "shards").mkdir(exist_ok=True)
        for place, number in enumerate(numbers):
            part = addresses.loc[plan.part_of_table(number).index]
            asked.extend(part["appid"])
            write_shard(plan.folder / "shards" / f"{number:05}", part, world, died=place == die_after)
            if place == die_after:
                break
        yield SimpleNamespace(is_over=lambda: True, asked=lambda: 0, exit_message=lambda: "it died")

    return run


def write_shard(place, part, world, *, died):
    """Write a shard as img2dataset does; where it dies, half a tar and nothing else."""
    rows = part.reset_index(drop=True)
    rows["key"] = [f"{place.name}{row:04}" for row in rows.index]
    rows["error_message"] = rows["appid"].map(world.outcome).map({"failed": "status 503", "missing": "status 404"})
    rows["status"] = np.where(rows["error_message"].isna(), "success", "failed_to_download")
    tar = place.with_suffix(".tar")
    with webdataset.TarWriter(str(tar)) as out:
        for row in rows[rows["status"] == "success"].itertuples():
            out.write({"__key__": row.key, "jpg": world.picture(row.appid), "json": {"appid": row.appid}})
    if died:
        os.truncate(tar, tar.stat().st_size // 2)
        return
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), place.with_suffix(".parquet"))
    place.with_name(f"{place.name}_stats.json").write_text(json.dumps({"count": len(rows)}))


@pytest.mark.slow
@settings(max_examples=8, phases=[Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 1 << 30))
def test_histories_of_the_contract(tmp_path_factory, monkeypatch, seed):
    folder = tmp_path_factory.mktemp("history")
    assets_url = "http://127.0.0.1:9/store_item_assets/"
    world, model = World(seed), Model()
    for _ in range(8):
        world.live()
        asked = []
        for die_after in (world.random.choice([0, 1, None]), None):
            monkeypatch.setattr(snapshot, "img2dataset", contract(world, asked, die_after))
            with contextlib.suppress(DownloadError):
                report = snapshot.update(world.catalogue(assets_url), folder, assets_url=assets_url, shard_size=3)
        assert set(asked) == check(model, world, report, folder)
        records = sorted(folder.glob("*/verified/*.parquet"))
        if records and world.random.random() < 0.5:  # one is lost, and found again without asking the store
            record = world.random.choice(records)
            record.write_bytes(world.random.choice([b"", b"PAR1" * 9]))
            if world.random.random() < 0.3:
                record.unlink()


def check(model, world, report, folder):
    """Let the model do what the update did, compare what is on disk and what is said of it; return what it wanted."""
    wanted = model.update(world)
    expected = {appid: model.last[appid, version] for appid, version in world.versions.items()}
    assert dict(zip(report.table["appid"], report.table["status"], strict=True)) == expected
    assert {banner.appid for banner in banners.read(folder)} == model.newest.keys()
    live = pd.DataFrame({"appid": list(world.versions)})
    assert {banner.appid for banner in banners.read(folder, live)} == model.newest.keys() & world.versions.keys()
    for appid, banner in banners.Album(folder).items():
        shown = banners.decode(look_of(appid, model.newest[appid])).astype("int16")
        assert np.abs(banner.rgb - shown).mean() < 6, "it shows another version"
    return wanted
