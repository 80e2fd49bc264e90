"""Random histories of a store and its updates, against a model of ten lines.

The store's games come, go and change; it is down for a while; downloads die in the middle; files are lost. Many
histories run with img2dataset's contract (what it writes, and what it leaves when it dies), a few with itself.
"""

import contextlib
import io
import json
import random
import tarfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from downloads import jpeg, noise, update
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

import sample
from sample import Game
from utils import banners, snapshot
from utils.errors import DownloadError

APPIDS = range(10, 130, 10)
BLANK = jpeg(Image.new("RGB", (256, 384), "white"))
ERRORS = {"failed": "status 503", "missing": "status 404"}


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
        look = random.Random(f"{appid} {self.versions[appid]}").random()  # noqa: S311
        if look < 0.2:
            return None
        return BLANK if look < 0.3 else look_of(appid, self.versions[appid])

    def outcome(self, appid):
        """Return what an update must make of a game that it asks for now."""
        if self.down:
            return "failed"
        picture = self.picture(appid) if appid in self.versions else None
        return "missing" if picture is None else "refused" if picture is BLANK else "downloaded"

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

    def wanted(self, world):
        """Return the games whose picture is not known, failed, or was overtaken by another one."""
        return [
            appid
            for appid, version in world.versions.items()
            if self.last.get((appid, version), "failed") == "failed"
            or (self.last[appid, version] == "downloaded" and self.newest[appid] != version)
        ]

    def update(self, world):
        for appid in self.wanted(world):
            version = world.versions[appid]
            self.last[appid, version] = world.outcome(appid)
            if self.last[appid, version] == "downloaded":
                self.newest[appid] = version


def contract(world, asked, die_after):
    """Return what stands for `img2dataset`: it writes what it would, and dies within its `die_after`-th shard."""

    @contextlib.contextmanager
    def run(plan, addresses, numbers, _):
        for place, number in enumerate(numbers):
            part = addresses.loc[plan.part_of_table(number).index]
            asked.extend(part["appid"])
            write_shard(plan.folder / "shards" / f"{number:05}", part, world, died=place == die_after)
            if place == die_after:
                break
        tmp = plan.folder / "shards" / "_tmp"
        yield SimpleNamespace(is_over=lambda: True, asked=lambda: 0, exit_message=lambda: "it died", tmp=tmp)

    return run


def write_shard(place, part, world, *, died):
    """Write a shard as img2dataset does; where it dies, half a tar and nothing else."""
    rows = part.reset_index(drop=True)
    rows["key"] = [f"{place.name}{row:04}" for row in rows.index]
    rows["error_message"] = [ERRORS.get(world.outcome(appid)) for appid in rows["appid"]]
    rows["status"] = np.where(rows["error_message"].isna(), "success", "failed_to_download")
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for row in rows[rows["status"] == "success"].itertuples():
            for ending, body in (("jpg", world.picture(row.appid)), ("json", b'{"appid": %d}' % row.appid)):
                member = tarfile.TarInfo(f"{row.key}.{ending}")
                member.size = len(body)
                tar.addfile(member, io.BytesIO(body))
    written = content.getvalue()
    place.with_suffix(".tar").write_bytes(written[: len(written) // 2] if died else written)
    if not died:
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), place.with_suffix(".parquet"))
        place.with_name(f"{place.name}_stats.json").write_text(json.dumps({"count": len(rows)}))


def lose_a_record(folder, chance):
    """Delete, empty or spoil what was found in a shard: the next update finds it again, without asking the store."""
    files = sorted(folder.glob("*/verified/*.parquet"))
    if files and chance.random() < 0.5:
        file = chance.choice(files)
        chance.choice([file.unlink, lambda: file.write_bytes(b""), lambda: file.write_bytes(b"PAR1" * 9)])()


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
        if not world.down:
            assert set(asked) == set(model.wanted(world))
        check(model, world, report, folder)
        lose_a_record(folder, world.random)


@pytest.mark.slow
def test_a_history_of_real_downloads(tmp_path):
    world, model = World(101), Model()
    with sample.Store(sample.Stock([], lambda _: None)) as store:
        for _ in range(4):
            world.live()
            store.calm()
            store.games = [Game(appid, "A game", "b.jpg", updated=version) for appid, version in world.versions.items()]
            store.pictures = {appid: world.picture(appid) for appid in world.versions}
            if world.down:
                store.trouble("store_item_assets", 503, seconds=0)
            report = update(store, tmp_path, world.catalogue(store.assets_url), shard_size=3)
            check(model, world, report, tmp_path)
            lose_a_record(tmp_path, world.random)


def check(model, world, report, folder):
    """Let the model do what the update did, and compare what is on disk and what is said of it."""
    model.update(world)
    expected = {appid: model.last[appid, version] for appid, version in world.versions.items()}
    assert dict(zip(report.table["appid"], report.table["status"], strict=True)) == expected
    assert {banner.appid for banner in banners.read(folder)} == model.newest.keys()
    live = pd.DataFrame({"appid": list(world.versions)})
    assert {banner.appid for banner in banners.read(folder, live)} == model.newest.keys() & world.versions.keys()
    for appid, banner in banners.Album(folder).items():
        shown = banners.decode(look_of(appid, model.newest[appid])).astype("int16")
        assert np.abs(banner.rgb - shown).mean() < 6, "it shows another version"
