"""Snapshots: real img2dataset against the loopback store, its faults, and what is on disk afterwards."""

import dataclasses
import io
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import filelock
import numpy as np
import pandas as pd
import pytest
import webdataset
from PIL import Image

import sample
from utils import banners, catalogue, snapshot


def fetch(store):
    return catalogue.fetch_catalogue(adult=True, api_url=store.api_url, assets_url=store.assets_url)


def pictures(folder):
    """Return what a folder of snapshots holds: appid -> JPEG."""
    return {banner.appid: banner.jpeg for banner in banners.read(folder)}


def png(size, colour, mode="RGB"):
    content = io.BytesIO()
    Image.new(mode, size, colour).save(content, "PNG")
    return content.getvalue()


def jpeg(image, **options):
    content = io.BytesIO()
    image.save(content, "JPEG", quality=90, **options)
    return content.getvalue()


def noise(size, seed=0):
    patches = np.random.default_rng(seed).integers(0, 255, (size[1] // 50, size[0] // 50, 3), "uint8")
    return Image.fromarray(patches).resize(size)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run without trouble over 240 games in shards of 40: the store's stock, and what must be on disk."""
    folder = tmp_path_factory.mktemp("undisturbed")
    stock = sample.many(240)
    with sample.Store(stock) as store:
        report = snapshot.update(fetch(store), folder, shard_size=40)
    assert report.downloaded == report.asked == 240
    return stock, pictures(folder), folder


def test_shards_are_webdatasets_with_the_appid_in_each_sample(undisturbed):
    stock, had, folder = undisturbed
    paths = [str(shard.path) for shard in snapshot.verified(folder)]
    dataset = webdataset.WebDataset(paths, shardshuffle=False, empty_check=False).decode("rgb8").to_tuple("jpg", "json")
    samples = {meta["appid"]: (picture, meta["name"]) for picture, meta in dataset}
    assert {appid: name for appid, (_, name) in samples.items()} == {game.appid: game.name for game in stock.games}
    assert all(picture.shape == (384, 256, 3) for picture, _ in samples.values())
    assert all(np.array_equal(banners.decode(had[appid]), picture) for appid, (picture, _) in samples.items())


def test_nothing_new_is_nothing_done(undisturbed):
    stock, _, folder = undisturbed
    with sample.Store(stock) as store:
        games = fetch(store)
        report = snapshot.update(games, folder)
        assert store.count("store_item_assets") == 0
    assert report.downloaded == 240
    assert not (folder / "0002").exists()


def test_each_kind_of_picture_and_each_reason(tmp_path):
    stock = sample.many(16)
    appids = [game.appid for game in stock.games]
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn clockwise makes it upright
    upright = noise((600, 900))
    with sample.Store(stock) as store:
        store.pictures = {
            appids[0]: jpeg(noise((300, 450)).convert("L")),
            appids[1]: jpeg(upright.transpose(Image.Transpose.ROTATE_90), exif=turned),
            appids[2]: png((1, 1), "red"),
            appids[3]: png((600, 900), "white"),
            appids[4]: None,
            appids[5]: b"<html>a block page</html>",
            appids[6]: jpeg(noise((600, 900)))[:2_000],
            appids[7]: jpeg(noise((460, 215))),
            appids[8]: png((600, 900), 50_000, "I;16"),
            appids[9]: jpeg(noise((600, 900)).convert("CMYK")),
        }
        store.games = [*store.games[:-1], dataclasses.replace(store.games[-1], banner=None)]
        store.trouble(f"apps/{appids[10]}/", 503)
        report = snapshot.update(fetch(store), tmp_path)
    found = report.table.set_index("appid")
    assert found["status"].tolist() == [
        *("downloaded", "downloaded", "refused", "refused", "missing", "failed", "failed", "downloaded", "refused"),
        *("downloaded", "failed", "downloaded", "downloaded", "downloaded", "downloaded", "missing"),
    ]
    reasons = found["reason"].to_dict()
    assert "smaller than 64 pixels" in reasons[appids[2]]
    assert reasons[appids[3]] == reasons[appids[8]] == "the picture is blank"
    assert "404" in reasons[appids[4]]
    assert "not a picture" in reasons[appids[5]]
    assert "503" in reasons[appids[10]]
    assert "no vertical banner" in reasons[appids[15]]
    assert str(report) == "16 games asked: 8 downloaded, 2 missing, 3 refused, 3 failed"
    album = banners.Album(tmp_path)
    assert {album[appid].rgb.shape for appid in album} == {(384, 256, 3)}
    expected = np.asarray(upright.resize((256, 384), Image.Resampling.BOX), "int16")
    assert np.abs(album[appids[1]].rgb - expected).mean() < 4
    assert np.abs(album[appids[1]].rgb - expected[::-1, ::-1]).mean() > 40
    grey = album[appids[0]].rgb
    assert (grey[..., 0] == grey[..., 2]).all()


def test_snapshots_grow_by_what_is_new(tmp_path):
    stock = sample.many(60)
    first, second = stock.games[0].appid, stock.games[1].appid
    with sample.Store(stock) as store:
        store.trouble(f"apps/{first}/", 500, times=2)
        store.trouble("apps/100000590/", 404)
        before = fetch(store)
        assert snapshot.update(before, tmp_path).failed == 1
        old = pictures(tmp_path)
        store.pictures[second] = jpeg(noise((600, 900)))
        changed = dataclasses.replace(store.games[1], updated=store.games[1].updated + 5)
        added = dataclasses.replace(store.games[2], appid=100_000_900, name="A new one")
        store.games = [store.games[0], changed, *store.games[3:], added]
        store.requests.clear()
        games = fetch(store)
        report = snapshot.update(games, tmp_path)
        asked = {target.split("/")[4] for _, target, _ in store.requests if "store_item_assets" in target}
    assert asked == {str(first), str(second), "100000900"}
    assert report.downloaded == 59
    new = pictures(tmp_path)
    assert new.keys() - old.keys() == {first, 100_000_900}
    assert new[second] != old[second]
    assert banners.Album(tmp_path)[second].jpeg == new[second]
    assert {appid for appid in new if new[appid] != old.get(appid)} == {first, second, 100_000_900}
    removed = stock.games[2].appid
    assert removed in new
    assert removed not in {banner.appid for banner in banners.read(tmp_path, games)}


def test_a_passing_failure_is_asked_three_times_in_all(tmp_path):
    with sample.Store(sample.many(2)) as store:
        store.trouble(f"apps/{store.games[0].appid}/", 500)
        for tries in range(1, 5):
            report = snapshot.update(fetch(store), tmp_path)
            assert (report.downloaded, report.failed) == (1, 1)
            assert len(list(tmp_path.glob("0*"))) == min(tries, snapshot.MAX_TRIES)


KILLED = """
import pandas, sys
from utils import snapshot
snapshot.update(pandas.read_parquet(sys.argv[1]), sys.argv[2], shard_size=40, processes=2)
"""


def run_and_kill(games, folder, file, seconds):
    """Start an update in a process of its own, end it with SIGKILL, and wait until its helpers are gone too."""
    games.to_parquet(file)
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(file), str(folder)], stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    child.wait()


@pytest.mark.parametrize("seconds", [1.5, 9.0])
def test_killed_and_resumed_is_as_undisturbed(undisturbed, tmp_path, seconds):
    stock, expected, _ = undisturbed
    with sample.Store(stock) as store:
        store.trouble("store_item_assets", "slow", seconds=0.5)
        games = fetch(store)
        run_and_kill(games, tmp_path / "snapshots", tmp_path / "games.parquet", seconds)
        store.calm()
        time.sleep(1)
        kept = sum(len(shard.appids) for shard in snapshot.verified(tmp_path / "snapshots"))
        store.requests.clear()
        report = snapshot.update(games, tmp_path / "snapshots", shard_size=40)
        assert store.count("store_item_assets") <= 240 - kept
    assert report.downloaded == 240
    assert pictures(tmp_path / "snapshots") == expected
    assert len(list(banners.read(tmp_path / "snapshots"))) == 240


def test_helpers_do_not_outlive_a_killed_run(tmp_path):
    with sample.Store(sample.many(400)) as store:
        store.trouble("store_item_assets", "slow", seconds=0.3)
        run_and_kill(fetch(store), tmp_path / "snapshots", tmp_path / "games.parquet", 8)
        time.sleep(1.5)
        asked = store.count("store_item_assets")
        time.sleep(1)
        assert store.count("store_item_assets") == asked


def test_the_store_goes_away_and_comes_back(undisturbed, tmp_path):
    stock, expected, _ = undisturbed
    with sample.Store(stock) as store:
        store.trouble("store_item_assets", lambda gone: gone.close(), skip=100, times=1)
        report = snapshot.update(fetch(store), tmp_path, shard_size=40)
    assert 0 < report.failed < 240
    assert set(
        report.table.loc[report.table["status"] == "failed", "reason"].str.contains("refused|reset|closed|remote")
    )
    with sample.Store(stock) as store:
        report = snapshot.update(fetch(store), tmp_path, shard_size=40)
    assert report.downloaded == 240
    assert pictures(tmp_path) == expected


def test_a_picture_that_drips_is_given_up_and_asked_again_later(tmp_path):
    with sample.Store(sample.many(90)) as store:
        store.trouble("apps/100000500/", "drip", times=2, seconds=0.5)
        games = fetch(store)
        report = snapshot.update(games, tmp_path, shard_size=45, patience=15)
        hung = report.table[report.table["status"] == "failed"]
        assert 100000500 in hung["appid"].tolist()
        assert set(hung["reason"]) == {"its download did not end"}
        store.calm()
        assert snapshot.update(games, tmp_path).downloaded == 90


def test_a_second_run_is_told_to_wait(undisturbed):
    stock, _, folder = undisturbed
    with sample.Store(stock) as store, filelock.FileLock(folder / ".lock"):
        games = fetch(store)
        with pytest.raises(snapshot.SnapshotError, match=r"another update or fetch of .* is running"):
            snapshot.update(games, folder)


def copy_of(folder, to):
    return Path(shutil.copytree(folder, to))


def test_a_shard_that_rots_is_named_and_fetched_again(undisturbed, tmp_path):
    stock, expected, folder = undisturbed
    folder = copy_of(folder, tmp_path / "snapshots")
    shard = snapshot.verified(folder)[2]
    stat, content = shard.path.stat(), bytearray(shard.path.read_bytes())
    content[len(content) // 2] ^= 1
    shard.path.write_bytes(content)
    os.utime(shard.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # rot leaves no date
    with pytest.raises(banners.ShardDamaged, match=r"00002\.tar changed .*check=True"):
        list(banners.read(folder))
    with sample.Store(stock) as store:
        assert snapshot.update(fetch(store), folder, check=True).downloaded == 240
        assert store.count("store_item_assets") == 40
    assert pictures(folder) == expected


@pytest.mark.parametrize("damage", ["cut", "gone", "no record"])
def test_a_shard_that_is_cut_or_gone_is_made_whole(undisturbed, tmp_path, damage):
    stock, expected, folder = undisturbed
    folder = copy_of(folder, tmp_path / "snapshots")
    tar = snapshot.verified(folder)[1].path
    if damage == "cut":
        tar.write_bytes(tar.read_bytes()[: 100 * 512])
    elif damage == "gone":
        tar.unlink()
    else:
        (folder / "0001" / "verified" / "00001.parquet").unlink()
    with sample.Store(stock) as store:
        assert snapshot.update(fetch(store), folder).downloaded == 240
        assert store.count("store_item_assets") == (0 if damage == "no record" else 40)
    assert pictures(folder) == expected


def test_a_tar_with_fewer_samples_than_its_parquet_says_does_not_count(undisturbed, tmp_path):
    _, _, folder = undisturbed
    folder = copy_of(folder, tmp_path / "snapshots")
    tar = folder / "0001" / "shards" / "00003.tar"
    with tarfile.open(tar) as members:
        end = members.getmembers()[-2].offset
    tar.write_bytes(tar.read_bytes()[:end] + bytes(1024))  # cut on a sample's border: readers see no error
    (folder / "0001" / "verified" / "00003.parquet").unlink()
    plan = snapshot._plans(folder)[0]
    assert not snapshot._verify(plan, 3)
    assert snapshot._verify(plan, 4)


def test_a_full_disk_is_an_error_that_says_what_is_kept(tmp_path):
    """A limit on the size of files stands for the full disk: writing fails in the same place."""
    games_file, folder = tmp_path / "games.parquet", tmp_path / "snapshots"
    with sample.Store(sample.many(120)) as store:
        games = fetch(store)
        games.to_parquet(games_file)
        full = f"ulimit -f 200; exec {sys.executable} -c {shlex.quote(KILLED)} {games_file} {folder}"
        ended = subprocess.run(["bash", "-c", full], capture_output=True, text=True, check=False)
        assert "SnapshotError: img2dataset ended with code" in ended.stderr
        assert "run the update again" in ended.stderr
        assert snapshot.update(games, folder, shard_size=40).downloaded == 120


def test_a_plan_that_was_edited_is_refused(undisturbed, tmp_path):
    stock, _, folder = undisturbed
    folder = copy_of(folder, tmp_path / "snapshots")
    (folder / "0001" / "verified" / "00000.parquet").unlink()
    (folder / "0001" / "shards" / "00000_stats.json").unlink()
    plan = pd.read_parquet(folder / "0001" / "plan.parquet")
    plan.iloc[1:].to_parquet(folder / "0001" / "plan.parquet")
    with sample.Store(stock) as store, pytest.raises(snapshot.SnapshotError, match="changed after it was planned"):
        snapshot.update(fetch(store), folder)


def test_wrong_input_is_named(tmp_path):
    games = pd.DataFrame({"appid": [1, 1], "name": ["a", "b"], "banner_url": [None, None]})
    with pytest.raises(snapshot.SnapshotError, match=r"appids twice, such as \[1\]"):
        snapshot.update(games, tmp_path)
    with pytest.raises(snapshot.SnapshotError, match="no column banner_url"):
        snapshot.update(games[["appid", "name"]], tmp_path)
    with pytest.raises(snapshot.SnapshotError, match="unknown distributor 'dask'; known are multiprocessing"):
        snapshot.update(games.iloc[:1], tmp_path, distributor="dask")
    assert snapshot.update(games.iloc[:1], tmp_path).missing == 1


@pytest.mark.parametrize("distributor", ["pyspark", "ray"])
def test_other_distributors(undisturbed, tmp_path, distributor):
    stock, expected, _ = undisturbed
    with sample.Store(stock) as store:
        try:
            __import__(distributor)
        except ImportError:
            with pytest.raises(snapshot.SnapshotError, match=f"pip install {distributor}"):
                snapshot.update(fetch(store), tmp_path, distributor=distributor)
            pytest.skip(f"{distributor} is not installed")
        snapshot.update(fetch(store), tmp_path, shard_size=40, distributor=distributor)
    assert pictures(tmp_path) == expected
