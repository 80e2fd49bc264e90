"""Sessions that end without warning, as Colab's do: the process is killed and its disk wiped; Drive is what is left."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

import sample
from utils import features, settings, snapshot, transfer

GAMES = 60
SHARD = 10  # banners
SESSION = """
import sys, time
from pathlib import Path
from utils import catalogue, settings, snapshot, transfer

step, data, drive, api_url, assets_url, checkpoint = sys.argv[1:]
chosen = settings.Settings(
    source="sample", data=Path(data), drive=Path(drive), api_url=api_url, assets_url=assets_url, checkpoint=checkpoint
)
print(transfer.open_drive(chosen), flush=True)
games = catalogue.load_or_fetch(chosen.catalogue_file, **chosen.request)
if step == "download":
    snapshot.update(games, chosen.snapshots, assets_url=assets_url, processes=1, threads=2, shard_size=10)
else:
    from utils import encoder, features
    beit = encoder.load(checkpoint, dtype="float32")
    embed = type(beit).embed
    type(beit).embed = lambda self, batch: (time.sleep(0.5), embed(self, batch))[1]
    features.extract(chosen.snapshots, beit, chosen.features, batch_size=5, workers=0)
print(transfer.sync_drive(chosen))
"""

pytestmark = [pytest.mark.kill, pytest.mark.slow]


@pytest.fixture
def store():
    with sample.Store(sample.many(GAMES)) as store:
        yield store


@pytest.fixture
def start(store, tmp_path):
    """Start sessions that work on one Drive, each in a folder of its own; give the process and its settings."""
    (tmp_path / "MyDrive").mkdir()
    checkpoint = sample.checkpoint(tmp_path / "checkpoint")
    began = []

    def start_one(step, name):
        (tmp_path / name).mkdir(exist_ok=True)
        chosen = settings.Settings(
            source="sample",
            data=tmp_path / name / "data",
            drive=tmp_path / "MyDrive" / "banners",
            checkpoint=str(checkpoint),
        )
        words = [str(chosen.data), str(chosen.drive), store.api_url, store.assets_url, str(checkpoint)]
        command = [sys.executable, "-c", SESSION, step, *words]
        began.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True))
        return began[-1], chosen

    yield start_one
    for child in began:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)


def kill_when(child, ready):
    while not ready():
        assert child.poll() is None, child.stdout.read()
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL


def shards(home):
    return snapshot.finished_files(home / "snapshots", check=True)[1:]  # without the plan


def parts(home):
    return [group for group in features.finished_files(home / "features", check=True) if len(group) > 1]


def ended_well(child):
    output, _ = child.communicate(timeout=300)
    assert child.returncode == 0, output
    return output


def test_a_download_goes_on_from_drive_in_a_fresh_folder(store, start, tmp_path):
    store.trouble("store_item_assets", "slow", seconds=0.5)
    first, chosen = start("download", "first")
    there = chosen.drive / chosen.data_dir.name
    kill_when(first, lambda: len(list(there.glob("snapshots/0001/verified/*.parquet"))) >= 2)
    made = len(shards(chosen.data_dir))
    kept = len(shards(there))
    shutil.rmtree(tmp_path / "first")
    assert 2 <= kept < GAMES / SHARD
    assert made - kept <= 1

    store.calm()
    asked = store.count("library_600x900")
    second, chosen = start("download", "second")
    assert "files came from" in ended_well(second)
    assert store.count("library_600x900") - asked == GAMES - kept * SHARD
    assert len(shards(chosen.data_dir)) == len(shards(there)) == GAMES / SHARD
    assert store.count("IStoreQueryService") == 1  # the catalogue came back as well


def test_features_go_on_from_drive_in_a_fresh_folder(start, tmp_path):
    download, chosen = start("download", "first")
    ended_well(download)
    there = chosen.drive / chosen.data_dir.name
    first, chosen = start("extract", "first")
    kill_when(first, lambda: len(list(there.glob("features/*/metadata/*.parquet"))) >= 2)
    made = len(parts(chosen.data_dir))
    kept = [there.joinpath(*file.relative_to(there).parts).stat().st_mtime_ns for _, file in parts(there)]
    shutil.rmtree(tmp_path / "first")
    assert 2 <= len(kept) < GAMES / SHARD
    assert made - len(kept) <= 1

    second, chosen = start("extract", "second")
    ended_well(second)
    times = [file.stat().st_mtime_ns for _, file in parts(chosen.data_dir)]
    assert len(times) == GAMES / SHARD
    assert set(kept) <= set(times)  # those were copied, not computed again
    assert len(features.load(chosen.features)) == GAMES


def test_a_drive_that_fails_does_not_end_the_work(start, tmp_path):
    child, chosen = start("download", "first")
    there = chosen.drive / chosen.data_dir.name
    kill_when(child, lambda: (there / "catalogue.parquet").is_file())
    shutil.rmtree(tmp_path / "first")
    shutil.rmtree(there)
    there.write_text("a file in the way")
    child, chosen = start("download", "second")
    output, _ = child.communicate(timeout=300)
    assert child.returncode == 1  # sync_drive says that Drive does not have it
    assert len(shards(chosen.data_dir)) == GAMES / SHARD
    assert transfer.TransferError.__name__ not in output
