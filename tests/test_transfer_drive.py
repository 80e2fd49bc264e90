"""Finished work on a folder that stands for Google Drive: copied while the work goes on, and back in a new session."""

import shutil
import sys
import time
from pathlib import Path

import homes
import pytest
from homes import EYE, GAMES, finished, flip, pictures, tree

import sample
from utils import features, settings, snapshot, transfer
from utils.transfer import drive


@pytest.fixture(autouse=True)
def _quick_looks(monkeypatch):
    monkeypatch.setattr(drive, "PAUSE", 0.05)
    monkeypatch.setattr(drive, "REST", 0.05)
    yield
    for thread in drive.watchers():
        thread.stop()


@pytest.fixture
def chosen(tmp_path):
    (tmp_path / "MyDrive").mkdir()
    (tmp_path / "work").mkdir()
    return settings.Settings(source="sample", data=tmp_path / "work" / "data", drive=tmp_path / "MyDrive" / "banners")


def on_drive(chosen):
    return chosen.drive / "sample"


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def holds(place, expected):
    """Whether a folder that is being written to holds exactly this."""
    try:
        return tree(place) == expected
    except FileNotFoundError:  # a file that had another name a moment ago
        return False


def test_without_a_drive_nothing_happens(tmp_path):
    chosen = settings.Settings(source="sample", data=tmp_path / "data")
    assert transfer.open_drive(chosen) == "DRIVE is empty: finished work stays on this disk"
    assert transfer.sync_drive(chosen) == "DRIVE is empty: nothing was copied"
    assert not any(tmp_path.iterdir())


def test_what_gets_finished_is_copied_while_the_work_goes_on(finished_home, chosen):
    assert "had nothing new" in transfer.open_drive(chosen)
    for step in ("catalogue.parquet", "snapshots", "features"):
        place = finished_home / step
        move = shutil.copytree if place.is_dir() else shutil.copy
        chosen.data_dir.mkdir(parents=True, exist_ok=True)
        move(place, chosen.data_dir / step)
        there = chosen.data_dir
        expected = {path: content for path, content in finished(finished_home).items() if (there / path).exists()}
        until(lambda expected=expected: holds(on_drive(chosen), expected))
    assert tree(on_drive(chosen)) == finished(finished_home)
    assert transfer.sync_drive(chosen) == f"{on_drive(chosen)} has all that is finished"


def test_a_new_session_starts_from_drive(finished_home, chosen):
    transfer.copy_finished(finished_home, on_drive(chosen))
    assert transfer.open_drive(chosen).startswith(f"{len(finished(finished_home))} files came from")
    assert tree(chosen.data_dir) == finished(finished_home)
    assert pictures(chosen.data_dir) == pictures(finished_home)
    assert len(features.load(chosen.data_dir / "features" / EYE)) == GAMES
    assert "had nothing new" in transfer.open_drive(chosen)


def test_what_lies_damaged_on_drive_is_not_brought_back(finished_home, chosen):
    transfer.copy_finished(finished_home, on_drive(chosen))
    shards = on_drive(chosen) / "snapshots/0001/shards"
    flip(shards / "00001.tar", 5_000)
    (shards / "00002.tar").write_bytes(b"cut")
    (on_drive(chosen) / "features" / EYE / "img_emb" / "img_emb_00000.npy").write_bytes(b"")
    news = transfer.open_drive(chosen)
    assert "damaged ones there are made again" in news
    assert len(snapshot.verified(chosen.data_dir / "snapshots")) == 1
    assert len(list((chosen.data_dir / "features" / EYE / "metadata").iterdir())) == homes.SHARDS - 1


def test_what_is_here_is_not_replaced_by_what_is_on_drive(finished_home, chosen):
    transfer.copy_finished(finished_home, on_drive(chosen))
    shutil.copytree(finished_home, chosen.data_dir)
    flip(on_drive(chosen) / "catalogue.parquet", 50)
    before = tree(chosen.data_dir)
    transfer.open_drive(chosen)
    assert tree(chosen.data_dir) == before
    transfer.sync_drive(chosen)
    assert tree(on_drive(chosen)) == finished(finished_home)


@pytest.mark.slow
def test_features_of_another_eye_are_not_mixed_in(finished_home, chosen, tmp_path):
    """Here is the beginning of one eye's features, on Drive are all of another's, in folders of one name."""
    transfer.copy_finished(finished_home, on_drive(chosen))
    shutil.copytree(finished_home, chosen.data_dir, ignore=shutil.ignore_patterns("features"))
    homes.extract(chosen.data_dir, sample.checkpoint(tmp_path / "checkpoint"), image="crop")
    eye = chosen.data_dir / "features" / EYE
    whole = features.load(eye).vectors
    for name in ("metadata_00001.parquet", "metadata_00002.parquet"):
        (eye / "metadata" / name).unlink()
    transfer.open_drive(chosen)
    homes.extract(chosen.data_dir, sample.checkpoint(tmp_path / "checkpoint"), image="crop")
    assert (features.load(eye).vectors == whole).all()


def test_there_and_back(finished_home, tmp_path):
    place, back = tmp_path / "drive" / "steam", tmp_path / "new" / "steam"
    assert transfer.copy_finished(finished_home, place) == len(finished(finished_home))
    assert homes.times(place) == homes.times(finished_home)
    assert transfer.copy_finished(finished_home, place) == 0
    assert transfer.copy_finished(place, back) == len(finished(finished_home))
    assert tree(back) == finished(finished_home)


def test_the_first_time_there_is_neither_data_nor_a_folder_on_drive(finished_home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "banners" / "steam"
    assert transfer.copy_finished(place, Path("data/steam")) == 0
    transfer.copy_finished(finished_home, place)
    transfer.copy_finished(place, Path("data/steam"))
    assert tree(tmp_path / "data/steam") == finished(finished_home)


def test_only_what_is_absent_or_differs_is_copied(finished_home, tmp_path):
    source, place = tmp_path / "source", tmp_path / "drive"
    shutil.copytree(finished_home, source)
    record = source / "snapshots/0001/verified/00002.parquet"
    record.rename(tmp_path / "later")
    everything = len(finished(finished_home))
    assert transfer.copy_finished(source, place) == everything - 4
    (tmp_path / "later").rename(record)
    assert transfer.copy_finished(source, place) == 4
    flip(place / "catalogue.parquet", 50)
    (place / "snapshots/0001/shards/00001.tar").write_bytes(b"cut")
    assert transfer.copy_finished(source, place) == 1 + 4
    assert tree(place) == finished(finished_home)


def test_drive_is_not_mounted(finished_home, chosen, tmp_path):
    nowhere = tmp_path / "drive" / "MyDrive" / "banners" / "steam"
    for move in (
        lambda: transfer.copy_finished(finished_home, nowhere),
        lambda: transfer.copy_finished(nowhere, tmp_path),
        lambda: transfer.open_drive(settings.Settings(source="sample", data=chosen.data, drive=nowhere.parent)),
    ):
        with pytest.raises(transfer.TransferError, match=r"MyDrive does not exist.*mount Drive first"):
            move()
    assert not (tmp_path / "drive").exists()


def test_colab_is_asked_to_mount_drive(chosen, tmp_path, monkeypatch):
    package = tmp_path / "site" / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "drive.py").write_text(
        "import pathlib\ndef mount(place): pathlib.Path(place, 'MyDrive').mkdir(parents=True)"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(drive, "MOUNT", tmp_path / "content" / "drive")
    __import__("google.colab")
    try:
        colab = settings.Settings(source="sample", data=chosen.data, drive=drive.MOUNT / "MyDrive" / "banners")
        assert "had nothing new" in transfer.open_drive(colab)
        assert "Colab wipes" in transfer.open_drive(settings.Settings(source="sample", data=chosen.data))
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "google"]:
            del sys.modules[name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, the disk that is always full")
def test_a_full_drive_is_said_once_and_the_work_goes_on(finished_home, chosen, capfd, part_name):
    on_drive(chosen).mkdir(parents=True)
    (on_drive(chosen) / part_name).symlink_to("/dev/full")  # it goes with the first try
    transfer.open_drive(chosen)
    shutil.copytree(finished_home, chosen.data_dir)
    until(lambda: holds(on_drive(chosen), finished(finished_home)))
    said = capfd.readouterr().err.splitlines()
    assert len([line for line in said if "is full; make room" in line]) == 1
    assert said[0].startswith("Not copied to Drive, and tried again later while the work goes on: the disk of")


def test_a_disk_that_forgets(finished_home, tmp_path, part_name):
    (tmp_path / part_name).symlink_to("/dev/null")
    with pytest.raises(transfer.TransferError, match=r"catalogue\.parquet does not read as it was written"):
        transfer.copy_finished(finished_home, tmp_path)
    assert not tree(tmp_path)
