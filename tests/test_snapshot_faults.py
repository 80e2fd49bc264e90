"""Downloads that are killed, stopped, cut off, refused or damaged: what is finished stays, the rest comes later."""

import os
import shutil
import signal
import subprocess
import tarfile
import threading
import time
from contextlib import suppress

import psutil
import pytest
from downloads import asked, command, copy_of, fetch, flip, jpeg, noise, pictures, png, update, wait_until
from hosts import refusal

import sample
from utils import banners, files, snapshot
from utils.errors import DamagedError, DownloadError
from utils.snapshot import img2dataset_process, shards
from utils.snapshot.plan import SCHEMA

KILLS = range(150) if os.environ.get("HYPOTHESIS_PROFILE") == "long" else (0, 100)  # after so many pictures


def is_quiet(store):
    """Return whether two seconds went by without a request."""
    before = store.count()
    time.sleep(2)
    return store.count() == before


@pytest.mark.kill
@pytest.mark.parametrize("end", ["interrupted", *KILLS])
def test_ended_and_resumed_is_as_undisturbed(downloaded, tmp_path, end):
    """Interrupted by hand, or killed: at most a shard a process is asked for twice."""
    stock, folder = downloaded
    is_killed = end in KILLS
    with sample.Store(stock) as store:
        store.trouble("store_item_assets", "slow", seconds=0.3)
        games = fetch(store)
        child = subprocess.Popen(command(store, games, tmp_path), stderr=subprocess.PIPE, text=True)
        wait_until(lambda: store.count("store_item_assets") >= (end if is_killed else 100))
        child.send_signal(signal.SIGKILL if is_killed else signal.SIGINT)
        said = child.communicate(timeout=60)[1]
        assert is_killed or "CellError: stopped; what is finished in" in said.strip().splitlines()[-1]
        wait_until(lambda: is_quiet(store))
        assert store.count("store_item_assets") < 240, "its helpers outlive it"
        store.calm()
        assert update(store, tmp_path / "snapshots", games, shard_size=40).count("downloaded") == 240
        assert store.count("store_item_assets") <= 240 + 2 * 40
    assert pictures(tmp_path / "snapshots") == pictures(folder)


@pytest.mark.kill
def test_a_worker_that_dies_is_noticed(tmp_path):
    """As the system does where memory is short; img2dataset's own pool would wait for it for ever."""
    counted = tmp_path / "0001/shards/_tmp/asked"

    def kill_one():
        wait_until(lambda: counted.is_dir() and any(counted.iterdir()))
        os.kill(int(next(counted.iterdir()).name), signal.SIGKILL)

    with sample.Store(sample.many(120)) as store:
        store.trouble("store_item_assets", "slow", seconds=0.2)
        games = fetch(store)
        killer = threading.Thread(target=kill_one)
        killer.start()
        line = refusal(DownloadError, update, store, tmp_path, games, processes=2, threads=4, shard_size=40)
        killer.join()
        assert "terminated abruptly" in line
        assert " of 3 shards are finished and kept" in line
        store.calm()
        assert update(store, tmp_path, games).count("downloaded") == 120


ANSWERS = {"no answer": "time", 403: "403", "html": "not a picture"}


@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_store_that_is_down_or_refuses_ends_the_download_with_its_answer(tmp_path, monkeypatch, answer):
    """A store that accepts connections and says nothing would cost two minutes a picture: days for the whole store."""
    monkeypatch.setattr(img2dataset_process, "PATIENCE", 0.5 if answer == "no answer" else 60)
    monkeypatch.setattr(img2dataset_process, "MOST_IN_VAIN", 15)  # more than a shard has
    with sample.Store(sample.many(60)) as store:
        games = fetch(store)
        store.trouble("store_item_assets", "slow" if answer == "no answer" else answer, seconds=2, skip=20)
        line = refusal(DownloadError, update, store, tmp_path, games, shard_size=10, processes=1, threads=2)
        assert ANSWERS[answer] in line
        kept = {appid for shard in snapshot.verified(tmp_path) for appid in shard.appids}
        assert len(kept) == 20
        assert len(set(asked(store))) < 60, "every picture was asked"
        store.calm()
        store.requests.clear()
        monkeypatch.undo()
        assert update(store, tmp_path).count("downloaded") == 60
        assert not kept & set(asked(store))


@pytest.mark.slow
def test_shards_that_are_damaged_are_made_whole_and_no_others_asked_for(downloaded, tmp_path, monkeypatch):
    stock, folder = downloaded
    temporary = tmp_path / (
        "t" * 100
    )  # a socket's name has 107 letters at most; on clusters TMPDIR alone may have them
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    folder = copy_of(folder, tmp_path / "odd [1] {a,b} 'é' $HOME")  # brackets and braces are globs to img2dataset
    shards_there = folder / "0001/shards"
    os.truncate(shards_there / "00000.tar", 51_200)
    flip(shards_there / "00001.tar")
    with tarfile.open(shards_there / "00002.tar") as members:  # cut on a sample's border, where readers see no error
        end = members.getmembers()[-2].offset
    (shards_there / "00002.tar").write_bytes((shards_there / "00002.tar").read_bytes()[:end] + bytes(1024))
    for end in (".tar", ".parquet", "_stats.json"):  # another shard, whole and finished, in the place of this one
        shutil.copy(shards_there / f"00005{end}", shards_there / f"00003{end}")
    shutil.copy(folder / "0001/verified/00005.parquet", folder / "0001/verified/00003.parquet")
    for number in (2, 4):
        (folder / f"0001/verified/{number:05}.parquet").unlink()
    assert str(shards_there / "00000.tar") in refusal(DamagedError, lambda: list(banners.read(folder)))
    with sample.Store(stock) as store:
        assert update(store, folder, check=True).count("downloaded") == 240
        assert asked(store) == sorted(game.appid for game in stock.games[:160])
    assert not (folder / "0002").exists()
    assert pictures(folder) == pictures(downloaded[1])


@pytest.mark.slow
@pytest.mark.parametrize(("is_damaged", "again"), [(True, 40), (False, 240)])
def test_records_count_though_their_plan_is_damaged_but_not_for_another_plan(downloaded, tmp_path, is_damaged, again):
    stock, folder = downloaded
    folder = copy_of(folder, tmp_path / "snapshots")
    if is_damaged:
        flip(folder / "0001/plan.parquet")
    else:
        plan, about = files.read_table(folder / "0001/plan.parquet", SCHEMA)
        files.write_table(folder / "0001/plan.parquet", plan.sort_by([("appid", "descending")]), about)
    for lost in ("verified/00001.parquet", "shards/00001_stats.json"):
        (folder / "0001" / lost).unlink()
    with sample.Store(stock) as store:
        report = update(store, folder)
        assert len(asked(store)) == again
    assert (report.count("downloaded"), len(report.notes)) == (240, is_damaged)
    assert pictures(folder) == pictures(downloaded[1])


@pytest.mark.slow
def test_what_a_record_vouches_for_is_on_the_disk_before_it(downloaded, tmp_path, monkeypatch):
    folder = copy_of(downloaded[1], tmp_path / "snapshots")
    record = folder / "0001/verified/00001.parquet"
    record.unlink()
    flushed, flush = [], files.flush
    monkeypatch.setattr(files, "flush", lambda path: (flushed.append((path, record.exists())), flush(path)))
    (found,) = shards.read(folder)
    assert shards.verify(found, 1)
    assert (folder / "0001/shards/00001.tar", False) in flushed


@pytest.mark.parametrize("name", ["plan.parquet", "shards/00000_stats.json"])
def test_a_pipe_among_the_banners_is_not_waited_for(downloaded, tmp_path, name):
    folder = copy_of(downloaded[1], tmp_path / "snapshots")
    (folder / "0001" / "verified" / "00000.parquet").unlink()
    (folder / "0001" / name).unlink()
    os.mkfifo(folder / "0001" / name)
    assert [shards.verify(each, 0) for each in shards.read(folder)] == [None]


@pytest.mark.slow
def test_bombs_cost_a_game_its_banner_and_no_memory(tmp_path):
    """Pictures of very many pixels, endless bodies and zipped gigabytes, all at once, in less than 1.5 GB."""
    with sample.Store(sample.many(64)) as store:
        appids = [game.appid for game in store.games]
        store.pictures = dict.fromkeys(appids[:20], png((12_000, 12_000), 0, "1"))
        store.pictures |= dict.fromkeys(appids[20:40], png((3_900, 3_900), "red", "RGBA"))
        store.pictures[appids[40]] = jpeg(noise((600, 900)).resize((9_000, 13_500)))
        for place, appid in enumerate(appids[41:56]):
            store.trouble(f"apps/{appid}/", "endless" if place < 9 else "bomb")
        games, most = fetch(store), 0
        child = psutil.Popen(command(store, games, tmp_path), stderr=subprocess.DEVNULL)
        while child.poll() is None:
            with suppress(psutil.Error):  # one that ended meanwhile
                held = [each.memory_full_info().pss for each in (child, *child.children(recursive=True))]
                most = max(most, sum(held))
            time.sleep(0.1)
        assert child.returncode == 0
        before = store.count()
        statuses = update(store, tmp_path / "snapshots", games).table["status"].tolist()
        assert store.count() == before
    assert statuses == ["refused"] * 40 + ["downloaded"] + ["refused"] * 15 + ["downloaded"] * 8
    assert most < 1.5 * (1 << 30)
