"""Downloads that are killed, stopped, cut off or damaged: what is finished stays, the rest comes later."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from downloads import asked, fetch, pictures, update

import sample
from utils import banners, snapshot
from utils.errors import DamagedError, DownloadError
from utils.snapshot import img2dataset_process, outcome, shards

# A process that was started in the background ignores interrupts; a notebook's kernel never does.
UPDATE = """
import pandas, signal, sys
from utils import snapshot
signal.signal(signal.SIGINT, signal.default_int_handler)
games = pandas.read_parquet(sys.argv[1])
snapshot.update(games, sys.argv[2], shard_size=40, processes=2, assets_url=sys.argv[3])
"""


def start(store, games, place, **options):
    """Start an update in a process of its own."""
    games.to_parquet(place / "games.parquet")
    command = [sys.executable, "-c", UPDATE, str(place / "games.parquet"), str(place / "snapshots"), store.assets_url]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def wait_until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def is_quiet(store):
    """Return whether two seconds went by without a request."""
    before = store.count()
    time.sleep(2)
    return store.count() == before


def copy_of(folder, to):
    return Path(shutil.copytree(folder, to))


@pytest.mark.kill
@pytest.mark.parametrize("pictures_asked", [0, 100])
def test_killed_and_resumed_is_as_undisturbed(downloaded, tmp_path, pictures_asked):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        store.trouble("store_item_assets", "slow", seconds=0.3)
        games = fetch(store)
        child = start(store, games, tmp_path)
        wait_until(lambda: store.count("store_item_assets") >= pictures_asked)
        child.kill()
        child.communicate()
        wait_until(lambda: is_quiet(store))
        assert store.count("store_item_assets") < 240, "its helpers outlive it"
        store.calm()
        kept = sum(len(shard.appids) for shard in snapshot.verified(tmp_path / "snapshots"))
        store.requests.clear()
        report = update(store, tmp_path / "snapshots", games, shard_size=40)
        assert len(asked(store)) <= 240 - kept
    assert report.downloaded == 240
    assert pictures(tmp_path / "snapshots") == pictures(folder)
    assert len(list(banners.read(tmp_path / "snapshots"))) == 240


@pytest.mark.kill
def test_stopping_shows_one_line_and_keeps_what_is_finished(downloaded, tmp_path):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        store.trouble("store_item_assets", "slow", seconds=0.5, skip=60)
        child = start(store, fetch(store), tmp_path)
        wait_until(lambda: store.count("store_item_assets") > 60)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=60)[1]
        store.calm()
        assert "CellError: stopped; what is finished in" in said.strip().splitlines()[-1]
        assert update(store, tmp_path / "snapshots").downloaded == 240
    assert pictures(tmp_path / "snapshots") == pictures(folder)


@pytest.mark.slow
def test_an_outage_of_the_store_gives_nothing_up(tmp_path):
    """Three updates while the store is down, by refused connections and by statuses, and all comes when it is up."""
    stock = sample.many(6)
    with sample.Store(stock) as store:
        games = fetch(store)
        store.trouble("store_item_assets", 503, seconds=0, times=24)
        for _ in range(2):
            assert update(store, tmp_path, games).failed == 6
        address = store.assets_url
    report = snapshot.update(games, tmp_path, assets_url=address, check=True)
    assert report.failed == 6
    assert report.table["reason"].str.contains("cannot be reached").all()
    with sample.Store(stock) as store:
        assert update(store, tmp_path).downloaded == 6


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["no answer", "status 503"])
def test_a_store_that_is_down_ends_the_download_in_time(tmp_path, monkeypatch, raw_host, trouble):
    """A store that accepts connections and says nothing would cost two minutes a picture: days for the whole store."""
    monkeypatch.setattr(img2dataset_process, "PATIENCE", 0.3)
    monkeypatch.setattr(img2dataset_process, "MOST_IN_VAIN", 5)
    stock = sample.many(60)
    with sample.Store(stock) as store:
        games = fetch(store)
        store.trouble("store_item_assets", 503, seconds=0, skip=20)
        address = raw_host(lambda _: time.sleep(60)) if trouble == "no answer" else store.assets_url
        games["banner_url"] = games["banner_url"].str.replace(store.assets_url, address)
        with pytest.raises(DownloadError, match="5 pictures in a row"):
            snapshot.update(games, tmp_path, assets_url=address, shard_size=10, processes=1, threads=2)
        kept = len(snapshot.verified(tmp_path))
        assert kept == (0 if trouble == "no answer" else 2)
        assert store.count("store_item_assets") < 60
        store.calm()
        store.requests.clear()
        monkeypatch.undo()
        assert update(store, tmp_path).downloaded == 60
        assert len(set(asked(store))) == 60 - 10 * kept


@pytest.mark.slow
def test_failures_that_are_not_in_a_row_end_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(img2dataset_process, "MOST_IN_VAIN", 3)
    with sample.Store(sample.many(20)) as store:
        games = fetch(store)
        for appid in games["appid"][::2]:
            store.trouble(f"apps/{appid}/", 503, seconds=0)
        report = update(store, tmp_path, games, processes=1, threads=1)
    assert (report.downloaded, report.failed) == (10, 10)


@pytest.mark.parametrize("said", ["IncompleteRead(40404 bytes read)", "127.0.0.1:41004 broke off", "port 4104"])
def test_a_number_in_a_message_is_no_status(said):
    assert outcome.of_error(said).retryable


@pytest.mark.slow
def test_a_404_and_a_410_are_final_and_never_asked_again(tmp_path):
    with sample.Store(sample.many(2)) as store:
        store.trouble("apps/100000000/", 404)
        store.trouble("apps/100000010/", 410)
        assert update(store, tmp_path).missing == 2
        store.requests.clear()
        assert update(store, tmp_path).missing == 2
        assert asked(store) == []


@pytest.mark.slow
def test_the_store_goes_away_and_comes_back(downloaded, tmp_path):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        store.trouble("store_item_assets", lambda gone: gone.close(), skip=100, times=1)
        report = update(store, tmp_path, shard_size=40)
    assert 0 < report.failed < 240
    reasons = report.table.loc[report.table["status"] == "failed", "reason"]
    assert reasons.str.contains("cannot be reached|broke off").all()
    with sample.Store(stock) as store:
        report = update(store, tmp_path, shard_size=40)
    assert report.downloaded == 240
    assert pictures(tmp_path) == pictures(folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drip", "drip headers"])
def test_a_picture_that_drips_is_given_up_in_time_and_asked_again_later(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(img2dataset_process, "PATIENCE", 1.0)
    with sample.Store(sample.many(4)) as store:
        store.trouble("apps/100000020/", kind, times=2, seconds=0.3)
        games = fetch(store)
        report = update(store, tmp_path, games)
        hung = report.table[report.table["status"] == "failed"]
        assert hung["appid"].tolist() == [100_000_020]
        assert "does not answer in time" in hung["reason"].item()
        assert update(store, tmp_path, games).downloaded == 4


@pytest.mark.slow
def test_a_full_disk_is_an_error_that_says_what_is_kept(tmp_path):
    """A limit on the size of files stands for the full disk: writing fails in the same place."""
    with sample.Store(sample.many(120)) as store:
        games = fetch(store)
        games.to_parquet(tmp_path / "games.parquet")
        command = [sys.executable, "-c", UPDATE, str(tmp_path / "games.parquet"), str(tmp_path / "snapshots")]
        full = f"ulimit -f 100; exec {shlex.join(command)} {store.assets_url}"
        ended = subprocess.run(["bash", "-c", full], capture_output=True, text=True, check=False)
        last = ended.stderr.strip().splitlines()[-1]
        assert "DownloadError: img2dataset ended with code" in last
        assert "0 of 3 shards are finished and kept: run the update again to go on" in last
        assert update(store, tmp_path / "snapshots", games, shard_size=40).downloaded == 120


@pytest.mark.slow
def test_a_shard_that_rots_is_named_and_fetched_again(downloaded, tmp_path):
    stock, folder = downloaded
    expected = pictures(folder)
    folder = copy_of(folder, tmp_path / "snapshots")
    shard = snapshot.verified(folder)[2]
    stat = shard.path.stat()
    content = bytearray(shard.path.read_bytes())
    content[len(content) // 2] ^= 1
    shard.path.write_bytes(content)
    os.utime(shard.path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # rot leaves no date
    with pytest.raises(DamagedError, match=r"00002\.tar changed .*check=True"):
        list(banners.read(folder))
    assert len(snapshot.finished_files(folder)) == 7
    assert len(snapshot.finished_files(folder, check=True)) == 6
    with sample.Store(stock) as store:
        assert update(store, folder, check=True).downloaded == 240
        assert len(asked(store)) == 40
    assert pictures(folder) == expected
    assert len(snapshot.finished_files(folder, check=True)) == 7


RECORD = "0001/verified/00001.parquet"
DAMAGES = {  # name -> (file, what becomes of it, how many pictures are asked again)
    "tar cut": ("0001/shards/00001.tar", lambda file: os.truncate(file, 51_200), 40),
    "tar gone": ("0001/shards/00001.tar", Path.unlink, 40),
    "tar empty": ("0001/shards/00001.tar", lambda file: os.truncate(file, 0), 40),
    "record gone": (RECORD, Path.unlink, 0),
    "record empty": (RECORD, lambda file: os.truncate(file, 0), 0),
    "record cut": (RECORD, lambda file: os.truncate(file, 1_000), 0),
    "record of another shard": (RECORD, lambda file: shutil.copy(file.with_name("00002.parquet"), file), 0),
    "plan.parquet empty": ("0001/plan.parquet", lambda file: os.truncate(file, 0), 0),
}


@pytest.mark.slow
def test_a_folder_may_have_any_name(downloaded, tmp_path):
    """Brackets and braces are globs to img2dataset, which would then download every shard again."""
    stock, folder = downloaded
    expected = pictures(folder)
    folder = copy_of(folder, tmp_path / "odd [1] {a,b} 'é' $HOME")
    kept = (folder / "0001/shards/00002.tar").stat().st_mtime_ns
    (folder / "0001/shards/00001.tar").unlink()
    with sample.Store(stock) as store:
        assert update(store, folder).downloaded == 240
        assert len(asked(store)) == 40
    assert pictures(folder) == expected
    assert (folder / "0001/shards/00002.tar").stat().st_mtime_ns == kept


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_is_made_whole(downloaded, tmp_path, damage):
    stock, folder = downloaded
    expected = pictures(folder)
    folder = copy_of(folder, tmp_path / "snapshots")
    name, spoil, again = DAMAGES[damage]
    spoil(folder / name)
    with sample.Store(stock) as store:
        report = update(store, folder)
        assert len(asked(store)) == again
    assert report.downloaded == 240
    assert pictures(folder) == expected
    assert len(report.notes) == (damage == "plan.parquet empty")


@pytest.mark.slow
def test_a_plan_that_was_edited_is_left_as_it_is_and_its_rest_planned_again(downloaded, tmp_path):
    stock, folder = downloaded
    expected = pictures(folder)
    folder = copy_of(folder, tmp_path / "snapshots")
    (folder / "0001" / "verified" / "00000.parquet").unlink()
    (folder / "0001" / "shards" / "00000_stats.json").unlink()
    plan = pq.read_table(folder / "0001" / "plan.parquet")
    pq.write_table(plan.take(list(range(239, -1, -1))), folder / "0001" / "plan.parquet")
    with sample.Store(stock) as store:
        report = update(store, folder)
        assert len(asked(store)) == 40
    assert report.downloaded == 240
    assert "0001/plan.parquet is not what was planned" in str(report)
    assert pictures(folder) == expected


@pytest.mark.slow
def test_a_shard_of_another_folder_does_not_count(downloaded, tmp_path):
    """A whole, finished shard of the same size, with its record and without."""
    stock, folder = downloaded
    copied = copy_of(folder, tmp_path / "snapshots")
    others = sample.Stock(list(sample.many(480).games[240:]), stock.picture)
    with sample.Store(others) as store:
        update(store, tmp_path / "others", shard_size=40)
    for number, endings in (
        (1, [".tar", ".parquet", "_stats.json", "record"]),
        (2, [".tar", ".parquet", "_stats.json"]),
    ):
        for ending in endings:
            name = f"0001/verified/{number:05}.parquet" if ending == "record" else f"0001/shards/{number:05}{ending}"
            shutil.copy(tmp_path / "others" / name, copied / name)
    (copied / "0001/verified/00002.parquet").unlink()
    assert sum(len(shard.appids) for shard in snapshot.verified(copied)) == 160
    with sample.Store(stock) as store:
        assert update(store, copied).downloaded == 240
        assert len(asked(store)) == 80
    assert pictures(copied) == pictures(folder)


def test_a_tar_with_fewer_samples_than_its_parquet_says_does_not_count(downloaded, tmp_path):
    _, folder = downloaded
    folder = copy_of(folder, tmp_path / "snapshots")
    tar = folder / "0001" / "shards" / "00003.tar"
    with tarfile.open(tar) as members:
        end = members.getmembers()[-2].offset
    tar.write_bytes(tar.read_bytes()[:end] + bytes(1024))  # cut on a sample's border: readers see no error
    (folder / "0001" / "verified" / "00003.parquet").unlink()
    (found,) = shards.read(folder)
    assert shards.verify(found, 3) is None
    assert shards.verify(found, 4) is not None
