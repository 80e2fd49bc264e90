"""Finished work on a folder that stands for Google Drive: copied while the work goes on, and back in a new session."""

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import data_dirs
import pytest
from data_dirs import FEATURES, GAMES, SHARDS, finished, pictures, tree
from downloads import flip, wait_until
from hosts import refusal

import sample
from utils import catalogue, drive, features, files, settings, snapshot
from utils.errors import DamagedError, StorageError


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    monkeypatch.setattr(drive, "PAUSE", 0.05)
    monkeypatch.setattr(drive, "REST", 0.05)
    for name in ("MyDrive", "work"):
        (tmp_path / name).mkdir()
    chosen = settings.Settings(source="sample", data=tmp_path / "work" / "data", drive=tmp_path / "MyDrive" / "banners")
    yield chosen
    drive.stop_watching(chosen.data_dir)


@pytest.fixture
def there(chosen, finished_dir):
    """The folder on Drive, with all that is finished."""
    drive.copy_finished(finished_dir, chosen.drive / "sample")
    return chosen.drive / "sample"


def test_what_gets_finished_is_copied_while_the_work_goes_on(finished_dir, chosen):
    assert "had nothing new" in drive.open_drive(chosen)
    all_of_it = finished(finished_dir)
    here, there = chosen.data_dir, chosen.drive / "sample"
    for step in ("snapshots", "features", "catalogue.parquet"):
        (shutil.copy if "." in step else shutil.copytree)(finished_dir / step, here / step)
        wait_until(lambda: tree(there) == {path: all_of_it[path] for path in all_of_it if (here / path).exists()})
    assert tree(there) == all_of_it
    assert "has all that is finished" in drive.sync_drive(chosen)


def test_a_new_session_starts_from_drive(finished_dir, chosen, there):
    assert drive.open_drive(chosen).startswith(f"{len(finished(finished_dir))} files came from {there}")
    assert tree(chosen.data_dir) == finished(finished_dir)
    assert pictures(chosen.data_dir) == pictures(finished_dir)
    assert data_dirs.times(chosen.data_dir) == data_dirs.times(finished_dir)
    assert len(features.load(chosen.data_dir / "features" / FEATURES)) == GAMES
    assert "had nothing new" in drive.open_drive(chosen)


def test_what_lies_damaged_on_drive_or_cannot_be_read_is_made_again_and_the_rest_comes(
    finished_dir, chosen, there, monkeypatch
):
    read, gone = Path.read_bytes, there / "snapshots/0001/shards/00002.parquet"
    monkeypatch.setattr(Path, "read_bytes", lambda file: read(file / "gone" if file == gone else file))
    flip(there / "snapshots/0001/shards/00001.tar", 5_000)
    (there / "features" / FEATURES / "img_emb" / "img_emb_00000.npy").write_bytes(b"")
    assert "; 10 damaged ones there are made again" in drive.open_drive(chosen)
    assert len(snapshot.verified(chosen.data_dir / "snapshots")) == 1
    assert len(list((chosen.data_dir / "features" / FEATURES / "metadata").iterdir())) == SHARDS - 1
    other = shutil.copytree(finished_dir, chosen.drive / "other")
    (other / "snapshots/0001/shards/00002.tar").write_bytes(b"cut")
    assert "00002.tar cannot be read" in refusal(DamagedError, drive.copy_finished, there, other)
    assert len(drive.finished(other)) == len(drive.finished(there)) - 1  # of which a part was replaced


def test_a_mount_that_goes_away_is_one_line_that_names_it(chosen, there, monkeypatch):
    stat = os.stat

    def refuses(path, *rest, **more):
        if str(path).startswith(str(there.parent.parent)):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(path))
        return stat(path, *rest, **more)

    monkeypatch.setattr(os, "stat", refuses)
    for cell in (drive.sync_drive, drive.open_drive):
        assert str(there.parent.parent) in refusal(StorageError, cell, chosen)


def test_what_is_here_is_not_replaced_by_what_is_on_drive(finished_dir, chosen, there):
    shutil.copytree(finished_dir, chosen.data_dir)
    catalogue.save(catalogue.load(there / "catalogue.parquet")[:9], there / "catalogue.parquet")  # whole, another
    before = tree(chosen.data_dir)
    (chosen.data_dir / "snapshots/0001/verified/00002.parquet").unlink()
    drive.open_drive(chosen)
    assert tree(chosen.data_dir) == before
    drive.sync_drive(chosen)
    assert tree(there) == finished(finished_dir)


@pytest.mark.slow
@pytest.mark.usefixtures("there")
def test_features_of_another_encoder_are_not_mixed_in(finished_dir, chosen, tmp_path):
    """Here is the beginning of one encoder's features, on Drive are all of another's, in folders of one name."""
    shutil.copytree(finished_dir, chosen.data_dir, ignore=shutil.ignore_patterns("features"))
    checkpoint = sample.checkpoint(tmp_path / "checkpoint")
    data_dirs.extract(chosen.data_dir, checkpoint, image="crop")
    folder = chosen.data_dir / "features" / FEATURES
    whole = features.load(folder).vectors
    for number in (1, 2):
        (folder / "metadata" / f"metadata_{number:05}.parquet").unlink()
    drive.open_drive(chosen)
    data_dirs.extract(chosen.data_dir, checkpoint, image="crop")
    assert (features.load(folder).vectors == whole).all()


@pytest.mark.slow
def test_another_snapshot_of_the_same_number_is_not_overwritten(finished_dir, chosen, there, downloaded):
    shutil.copytree(downloaded[1], chosen.data_dir / "snapshots")
    before = tree(there), tree(chosen.data_dir)
    for cell in (drive.open_drive, drive.sync_drive):
        assert "0001 is another snapshot" in refusal(StorageError, cell, chosen)
    assert (tree(there), tree(chosen.data_dir)) == before
    (there / "snapshots/0001/plan.parquet").write_bytes(b"no plan")  # that is no snapshot, and must not block one
    drive.copy_finished(finished_dir, there)
    assert tree(there) == finished(finished_dir)


def test_only_what_is_absent_or_differs_is_copied(finished_dir, tmp_path):
    place, shard = tmp_path / "drive", "snapshots/0001/shards/00001.tar"
    left = place / ".1-0.part"  # by a session that was killed
    place.mkdir()
    left.touch()
    os.utime(left, (0, 0))
    assert drive.copy_finished(finished_dir, place) == len(finished(finished_dir))
    assert drive.copy_finished(finished_dir, place) == 0
    flip(place / "catalogue.parquet", 50)
    (place / shard).write_bytes(b"cut")
    (place / "snapshots/0001/verified/00002.parquet").unlink()
    assert drive.copy_finished(finished_dir, place) == 1 + 4 + 4
    assert tree(place) == finished(finished_dir)
    (place / shard).unlink()
    assert len(drive.finished(place)) == len(drive.finished(finished_dir)) - 1


def test_drive_is_mounted_by_colab_and_missed_elsewhere(chosen, tmp_path, monkeypatch):
    mount = tmp_path / "content" / "drive"
    monkeypatch.setattr(drive, "MOUNT", mount)
    for nowhere in (mount / "MyDrive" / "banners", mount / "MyDrive", tmp_path / "a" / "b"):
        for cell in (drive.open_drive, drive.sync_drive):
            assert "mount Drive first" in refusal(StorageError, cell, replace(chosen, drive=nowhere))
    assert not mount.exists()
    module = ModuleType("drive")
    module.mount = lambda place: Path(place, "MyDrive").mkdir(parents=True)
    module.drive = module
    for name in ("google", "google.colab", "google.colab.drive"):
        monkeypatch.setitem(sys.modules, name, module)
    assert "had nothing new" in drive.open_drive(replace(chosen, drive=mount / "MyDrive" / "banners"))
    assert "Colab wipes" in drive.open_drive(replace(chosen, drive=None))
    assert "nothing was copied" in drive.sync_drive(replace(chosen, drive=None))


def test_a_full_drive_is_said_once_and_the_work_goes_on(finished_dir, chosen, capfd, monkeypatch):
    write, refusals = files.writing, iter([errno.ENOSPC] * 3)

    def full(file):
        for code in refusals:
            raise OSError(code, os.strerror(code), str(file))
        return write(file)

    shutil.copytree(finished_dir, chosen.data_dir)
    monkeypatch.setattr(files, "writing", full)
    drive.open_drive(chosen)
    wait_until(lambda: tree(chosen.drive / "sample") == finished(finished_dir))
    assert capfd.readouterr().err.count("is full") == 1


def test_a_disk_that_forgets(finished_dir, tmp_path, part_name):
    (tmp_path / part_name).symlink_to("/dev/null")
    line = refusal(StorageError, drive.copy_finished, finished_dir, tmp_path)
    assert "catalogue.parquet does not read as it was written" in line
    assert not tree(tmp_path)


SESSION = """
import sys
from pathlib import Path
from utils import catalogue, drive, settings, snapshot

data, there, api_url, assets_url = sys.argv[1:]
chosen = settings.Settings(source="sample", data=Path(data), drive=Path(there), api_url=api_url, assets_url=assets_url)
drive.open_drive(chosen)
games = catalogue.load_or_fetch(chosen.catalogue_file, **chosen.request)
snapshot.update(games, chosen.snapshots, assets_url=assets_url, processes=1, threads=2, shard_size=10)
drive.sync_drive(chosen)
"""


@pytest.mark.kill
@pytest.mark.slow
def test_a_session_that_is_killed_goes_on_from_drive_in_a_fresh_folder(tmp_path):
    """As on Colab: the process is killed and its disk wiped; Drive is what is left, and lacks a shard at most."""
    (tmp_path / "MyDrive").mkdir()
    there = tmp_path / "MyDrive" / "banners" / "sample"
    with sample.Store(sample.many(GAMES)) as store:

        def session(name):
            (tmp_path / name).mkdir()
            words = tmp_path / name / "data", there.parent, store.api_url, store.assets_url
            return subprocess.Popen([sys.executable, "-c", SESSION, *map(str, words)])

        store.trouble("store_item_assets", "slow", seconds=0.5)
        first = session("first")
        wait_until(lambda: len(list(there.glob("snapshots/0001/verified/*.parquet"))) >= 2)
        first.kill()
        first.wait()
        made, kept = (len(snapshot.verified(place / "snapshots")) for place in (tmp_path / "first/data/sample", there))
        shutil.rmtree(tmp_path / "first")
        assert 2 <= kept < GAMES / 10
        assert made - kept <= 1
        store.calm()
        asked = store.count("library_600x900")
        assert session("second").wait(timeout=300) == 0
        assert store.count("library_600x900") - asked == GAMES - kept * 10
    assert len(snapshot.verified(there / "snapshots")) == GAMES / 10
