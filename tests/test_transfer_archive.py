"""Finished work as one archive: what is in it, and what becomes of it in another place."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest
from homes import GAMES, SHARDS, finished, flip, pictures, times, tree

from utils import catalogue, features, files, snapshot, transfer
from utils.errors import StorageError


def test_an_archive_holds_what_is_finished_and_lists_it_first(finished_home, archive):
    with tarfile.open(archive, "r:") as tar:
        members = tar.getmembers()
        manifest = json.loads(tar.extractfile(members[0]).read())
        content = {member.name: tar.extractfile(member).read() for member in members[1:]}
    assert members[0].name == "manifest.json"
    assert manifest["format"] == 1
    assert content == finished(finished_home)
    assert len(content) >= 1 + 2 + 4 * SHARDS + 1 + 2 * SHARDS
    listed = {each["path"]: (each["bytes"], each["sha256"]) for each in manifest["files"]}
    assert listed == {path: (len(each), hashlib.sha256(each).hexdigest()) for path, each in content.items()}
    assert [file.name for file in archive.parent.iterdir()] == [archive.name]


@pytest.mark.parametrize("part", ["features", "banners"])
def test_packing_without_a_part(finished_home, tmp_path, part):
    with tarfile.open(transfer.pack(finished_home, tmp_path / "a.tar", **{part: False})) as tar:
        names = set(tar.getnames()) - {"manifest.json"}
    folder = {"features": "features/", "banners": "snapshots/"}[part]
    assert names == {path for path in finished(finished_home) if not path.startswith(folder)}


def test_a_shard_that_is_to_be_fetched_again_stays(finished_home, tmp_path):
    shutil.copytree(finished_home, tmp_path / "home")
    (tmp_path / "home/snapshots/0001/shards/00001.tar").unlink()
    with tarfile.open(transfer.pack(tmp_path / "home", tmp_path / "a.tar")) as tar:
        assert not [name for name in tar.getnames() if "snapshots" in name and "00001" in name]


def test_a_shard_that_changed_is_named_and_nothing_is_packed(finished_home, tmp_path):
    shutil.copytree(finished_home, tmp_path / "home")
    flip(tmp_path / "home/snapshots/0001/shards/00001.tar", 5_000)
    with pytest.raises(transfer.TransferError, match=r"00001\.tar changed after it was finished.*check=True"):
        transfer.pack(tmp_path / "home", tmp_path / "archive" / "a.tar")
    assert not (tmp_path / "archive").exists()


def test_nothing_to_pack(tmp_path):
    with pytest.raises(transfer.TransferError, match="nothing finished"):
        transfer.pack(tmp_path, tmp_path / "a.tar")


def test_what_was_fetched_is_as_good_as_downloaded(finished_home, archive, tmp_path):
    target = tmp_path / "there" / "steam"
    transfer.fetch(archive, target)
    assert tree(target) == finished(finished_home)
    assert pictures(target) == pictures(finished_home)
    assert times(target) == times(finished_home)
    games = catalogue.load(target / "catalogue.parquet")
    report = snapshot.update(games, target / "snapshots")  # the store is closed: it could fetch nothing
    assert report.downloaded == report.asked == GAMES
    assert [place.name for place in (target / "snapshots").glob("0*")] == ["0001"]
    (eye,) = (target / "features").iterdir()
    assert len(features.load(eye)) == GAMES


def test_files_that_are_equal_are_kept_and_others_replaced(finished_home, archive, tmp_path):
    transfer.fetch(archive, tmp_path)
    before = {path: (tmp_path / path).stat().st_ino for path in tree(tmp_path)}
    flip(tmp_path / "catalogue.parquet", 100)
    shard = [path for path in before if "00002" in path and path.startswith("snapshots")]
    (tmp_path / "snapshots/0001/shards/00002.tar").write_bytes(b"cut")
    (tmp_path / "mine.txt").write_text("kept")
    transfer.fetch(str(archive), tmp_path)
    assert tree(tmp_path) == finished(finished_home) | {"mine.txt": b"kept"}
    after = {path: (tmp_path / path).stat().st_ino for path in before}
    assert {path for path in before if before[path] != after[path]} == {"catalogue.parquet", *shard}


def test_no_fetch_into_a_folder_that_is_being_updated(archive, tmp_path):
    with files.locked(tmp_path / "snapshots"), pytest.raises(StorageError, match="another process"):
        transfer.fetch(archive, tmp_path)
    assert not tree(tmp_path)


def test_another_snapshot_of_the_same_number_is_not_overwritten(finished_home, archive, tmp_path):
    other = tmp_path / "snapshots/0001"
    other.mkdir(parents=True)
    (other / "plan.json").write_text('{"games": 1, "shard_size": 1, "sha256": ""}')
    before = tree(tmp_path)
    for move in (lambda: transfer.fetch(archive, tmp_path), lambda: transfer.copy_finished(finished_home, tmp_path)):
        with pytest.raises(transfer.TransferError, match="0001 is another snapshot"):
            move()
        assert tree(tmp_path) == before


def test_no_archive_there(tmp_path):
    with pytest.raises(transfer.TransferError, match=r"no archive at .*nowhere\.tar"):
        transfer.fetch(tmp_path / "nowhere.tar", tmp_path / "home")
    with pytest.raises(transfer.TransferError, match="no archive at"):
        transfer.fetch(tmp_path, tmp_path / "home")
    with pytest.raises(transfer.TransferError, match="this machine has no such user"):
        transfer.fetch("~nobody-of-that-name/a.tar", tmp_path / "home")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, the disk that is always full")
def test_a_full_disk(finished_home, tmp_path, part_name):
    (tmp_path / part_name).symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"the disk of .*a\.tar is full; make room"):
        transfer.pack(finished_home, tmp_path / "a.tar")
    assert not tree(tmp_path)


def test_a_home_that_cannot_be_written_to(archive, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match=r"file.* \(Not a directory\)"):
        transfer.fetch(archive, tmp_path / "file" / "sample")
