"""Downloads that are killed, stopped, cut off, refused or damaged: what is finished stays, the rest comes later."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest
from downloads import asked, copy_of, fetch, jpeg, noise, pictures, png, update

import sample
from utils import banners, files, snapshot
from utils.errors import DamagedError, DownloadError, StorageError
from utils.snapshot import img2dataset_process, shards

# A process that was started in the background ignores interrupts; a notebook's kernel never does.
UPDATE = """
import pandas, signal, sys
from utils import snapshot
signal.signal(signal.SIGINT, signal.default_int_handler)
games = pandas.read_parquet(sys.argv[1])
snapshot.update(games, sys.argv[2], shard_size=40, processes=2, assets_url=sys.argv[3])
"""
GAMES = pd.DataFrame({"appid": [10], "name": ["A game"], "banner_url": ["http://127.0.0.1:9/a/1.jpg?t=1"]})


def command(store, games, place):
    """Return how an update is started in a process of its own."""
    games.to_parquet(place / "games.parquet")
    return [sys.executable, "-c", UPDATE, str(place / "games.parquet"), str(place / "snapshots"), store.assets_url]


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


@pytest.mark.kill
@pytest.mark.parametrize("pictures_asked", [0, 100])
def test_killed_and_resumed_is_as_undisturbed(downloaded, tmp_path, pictures_asked):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        store.trouble("store_item_assets", "slow", seconds=0.3)
        games = fetch(store)
        child = subprocess.Popen(command(store, games, tmp_path))
        wait_until(lambda: store.count("store_item_assets") >= pictures_asked)
        child.kill()
        child.wait()
        wait_until(lambda: is_quiet(store))
        assert store.count("store_item_assets") < 240, "its helpers outlive it"
        store.calm()
        kept = sum(len(shard.appids) for shard in snapshot.verified(tmp_path / "snapshots"))
        store.requests.clear()
        report = update(store, tmp_path / "snapshots", games, shard_size=40)
        assert len(asked(store)) <= 240 - kept
    assert report.downloaded == 240
    assert pictures(tmp_path / "snapshots") == pictures(folder)


@pytest.mark.kill
def test_stopping_shows_one_line_and_keeps_what_is_finished(downloaded, tmp_path):
    stock, folder = downloaded
    with sample.Store(stock) as store:
        store.trouble("store_item_assets", "slow", seconds=0.5, skip=60)
        child = subprocess.Popen(command(store, fetch(store), tmp_path), stderr=subprocess.PIPE, text=True)
        wait_until(lambda: store.count("store_item_assets") > 60)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=60)[1]
        store.calm()
        assert "CellError: stopped; what is finished in" in said.strip().splitlines()[-1]
        assert update(store, tmp_path / "snapshots").downloaded == 240
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
        with pytest.raises(DownloadError) as caught:
            update(store, tmp_path, games, processes=2, threads=4, shard_size=40)
        killer.join()
        assert "terminated abruptly" in str(caught.value)
        store.calm()
        assert update(store, tmp_path, games).downloaded == 120


@pytest.mark.slow
def test_an_outage_of_the_store_gives_nothing_up(tmp_path):
    """Three updates while the store is in trouble, breaks off and is down; and all comes when it is up."""
    stock = sample.many(6)
    with sample.Store(stock) as store:
        games = fetch(store)
        address = store.assets_url
        store.trouble("store_item_assets", 503, seconds=0, times=12)
        assert update(store, tmp_path, games).failed == 6
        store.trouble("store_item_assets", lambda gone: gone.close(), skip=3, times=1)
        assert 0 < update(store, tmp_path, games).failed < 6
    assert snapshot.update(games, tmp_path, assets_url=address, check=True).failed > 0
    with sample.Store(stock) as store:
        assert update(store, tmp_path).downloaded == 6


ANSWERS = {"no answer": "time", 403: "403", "html": "not a picture"}


@pytest.mark.slow
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_store_that_is_down_or_refuses_ends_the_download_with_its_answer(tmp_path, monkeypatch, raw_host, answer):
    """A store that accepts connections and says nothing would cost two minutes a picture: days for the whole store."""
    monkeypatch.setattr(img2dataset_process, "PATIENCE", 0.3 if answer == "no answer" else 60)
    monkeypatch.setattr(img2dataset_process, "MOST_IN_VAIN", 15)  # more than a shard has
    with sample.Store(sample.many(60)) as store:
        games = fetch(store)
        address = raw_host(lambda _: time.sleep(60)) if answer == "no answer" else store.assets_url
        if answer != "no answer":
            store.trouble("store_item_assets", answer, seconds=0, skip=20)
        games["banner_url"] = games["banner_url"].str.replace(store.assets_url, address)
        with pytest.raises(DownloadError) as caught:
            snapshot.update(games, tmp_path, assets_url=address, shard_size=10, processes=1, threads=2)
        assert ANSWERS[answer] in str(caught.value)
        kept = {appid for shard in snapshot.verified(tmp_path) for appid in shard.appids}
        assert len(kept) == (0 if answer == "no answer" else 20)
        assert len(set(asked(store))) < 60, "every picture was asked"
        store.calm()
        store.requests.clear()
        monkeypatch.undo()
        assert update(store, tmp_path).downloaded == 60
        assert not kept & set(asked(store))


@pytest.mark.slow
def test_failures_that_are_not_in_a_row_end_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(img2dataset_process, "MOST_IN_VAIN", 3)
    with sample.Store(sample.many(20)) as store:
        games = fetch(store)
        for appid in games["appid"][::2]:
            store.trouble(f"apps/{appid}/", 503, seconds=0)
        report = update(store, tmp_path, games, processes=1, threads=1)
    assert (report.downloaded, report.failed) == (10, 10)


@pytest.mark.slow
def test_a_full_disk_is_an_error_that_says_what_is_kept(tmp_path):
    """A limit on the size of files stands for the full disk: writing fails in the same place."""
    with sample.Store(sample.many(120)) as store:
        games = fetch(store)
        full = f"ulimit -f 100; exec {shlex.join(command(store, games, tmp_path))}"
        ended = subprocess.run(["bash", "-c", full], capture_output=True, text=True, check=False)
        last = ended.stderr.strip().splitlines()[-1]
        assert "DownloadError: img2dataset ended with code" in last
        assert "0 of 3 shards are finished and kept" in last
        assert update(store, tmp_path / "snapshots", games, shard_size=40).downloaded == 120


RECORD = "0001/verified/00001.parquet"
TAR = "0001/shards/00001.tar"


def flip(file):
    """Flip a bit in the middle of a file, as rot does: size and times stay."""
    stat = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def reverse(file):
    """Write a plan in another order, with a shard of it that is still to come."""
    plan = pq.read_table(file)
    pq.write_table(plan.take(list(range(len(plan)))[::-1]), file)
    for name in ("verified/00001.parquet", "shards/00001_stats.json"):
        (file.parent / name).unlink()


def of_another_shard(tar):
    """Put a whole, finished shard in the place of another one, without its record."""
    for end in (".tar", ".parquet", "_stats.json"):
        shutil.copy(tar.with_name(f"00002{end}"), tar.with_name(f"00001{end}"))
    tar.parent.with_name("verified").joinpath("00001.parquet").unlink()


def lose_a_sample(tar):
    """Cut a tar on a sample's border, where readers see no error, and take its record."""
    with tarfile.open(tar) as members:
        end = members.getmembers()[-2].offset
    tar.write_bytes(tar.read_bytes()[:end] + bytes(1024))
    tar.parent.with_name("verified").joinpath("00001.parquet").unlink()


DAMAGES = {  # name -> (file, what becomes of it, how many pictures are asked again)
    "tar cut": (TAR, lambda file: os.truncate(file, 51_200), 40),
    "tar without a sample": (TAR, lose_a_sample, 40),
    "another shard": (TAR, of_another_shard, 40),
    "record gone": (RECORD, Path.unlink, 0),
    "plan flipped": ("0001/plan.parquet", flip, 0),
    "plan reversed": ("0001/plan.parquet", reverse, 40),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_damaged_is_made_whole(downloaded, tmp_path, damage):
    stock, folder = downloaded
    folder = copy_of(folder, tmp_path / "odd [1] {a,b} 'é' $HOME")  # brackets and braces are globs to img2dataset
    name, spoil, again = DAMAGES[damage]
    spoil(folder / name)
    with sample.Store(stock) as store:
        report = update(store, folder)
        assert len(asked(store)) == again
    assert report.downloaded == 240
    assert pictures(folder) == pictures(downloaded[1])
    assert len(report.notes) == damage.startswith("plan")


@pytest.mark.parametrize("other", [{"plan": "0" * 64}, {"shard": "2"}])
def test_a_record_counts_for_its_own_plan_and_shard_alone(downloaded, tmp_path, other):
    folder = copy_of(downloaded[1], tmp_path / "snapshots")
    table, about = files.read_table(folder / RECORD, shards.RECORD)
    files.write_table(folder / RECORD, table, about | other)
    assert [shard.path.name for shard in snapshot.verified(folder)] == [f"{at:05}.tar" for at in (0, 2, 3, 4, 5)]


@pytest.mark.slow
def test_a_shard_that_rots_is_named_and_fetched_again(downloaded, tmp_path):
    stock, folder = downloaded
    folder = copy_of(folder, tmp_path / "snapshots")
    flip(folder / TAR)
    with pytest.raises(DamagedError) as caught:
        list(banners.read(folder))
    assert str(folder / TAR) in str(caught.value)
    with sample.Store(stock) as store:
        assert update(store, folder, check=True).downloaded == 240
        assert len(asked(store)) == 40
    assert pictures(folder) == pictures(downloaded[1])


def test_what_a_record_vouches_for_is_on_the_disk_before_it(downloaded, tmp_path, monkeypatch):
    folder = copy_of(downloaded[1], tmp_path / "snapshots")
    (folder / RECORD).unlink()
    flushed = []
    flush = files.flush
    monkeypatch.setattr(files, "flush", lambda path: (flushed.append((path, (folder / RECORD).exists())), flush(path)))
    (found,) = shards.read(folder)
    assert shards.verify(found, 1)
    assert (folder / TAR, False) in flushed


@pytest.mark.slow
def test_a_number_in_use_is_not_taken_and_a_long_tmpdir_is_no_matter(tmp_path, monkeypatch):
    """A socket's name has 107 letters at most; on clusters TMPDIR alone may have as many."""
    place, temporary = tmp_path / "snapshots", tmp_path / ("t" * 100)
    for folder in (place / "0001", place / "0002.part", temporary):
        folder.mkdir(parents=True)
    (place / "0001" / "theirs.txt").write_text("not ours")
    monkeypatch.setenv("TMPDIR", str(temporary))
    with sample.Store(sample.many(2)) as store:
        assert update(store, place).downloaded == 2
    assert (place / "0001" / "theirs.txt").is_file()
    assert (place / "0002" / "plan.parquet").is_file()


STRANGE = {
    "a loop of links": lambda place: place.symlink_to(place),
    "the next snapshot is a file": lambda place: (place.mkdir(), (place / "0001.part").write_text("mine")),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_a_folder_that_cannot_be_one_of_snapshots_is_named(tmp_path, kind):
    STRANGE[kind](tmp_path / "snapshots")
    with pytest.raises(StorageError) as caught:
        snapshot.update(GAMES, tmp_path / "snapshots", assets_url="http://127.0.0.1:9/a/")
    assert str(tmp_path / "snapshots") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["plan.parquet", "shards/00000_stats.json"])
def test_a_pipe_among_the_banners_is_not_waited_for(downloaded, tmp_path, name):
    folder = copy_of(downloaded[1], tmp_path / "snapshots")
    (folder / "0001" / "verified" / "00000.parquet").unlink()
    (folder / "0001" / name).unlink()
    os.mkfifo(folder / "0001" / name)
    assert snapshot.report(GAMES, folder).asked == 1
    assert [shards.verify(each, 0) for each in shards.read(folder)] == [None]


def held_by(process):
    """Return the bytes that a process and all its descendants hold together."""
    with suppress(psutil.Error):
        return sum(each.memory_full_info().pss for each in [process, *process.children(recursive=True)])
    return 0


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
            most = max(most, held_by(child))
            time.sleep(0.1)
        assert child.returncode == 0
    statuses = snapshot.report(games, tmp_path / "snapshots", assets_url=store.assets_url).table["status"].tolist()
    assert statuses == ["refused"] * 40 + ["downloaded"] + ["refused"] * 15 + ["downloaded"] * 8
    assert most < 1.5 * (1 << 30)
