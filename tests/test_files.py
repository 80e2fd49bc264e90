"""Files are whole or not there, whatever interrupts their writing; what a disk refuses is one line."""

import errno
import fcntl
import os
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import pytest

from utils import files
from utils.errors import StorageError


def test_what_a_killed_writer_left_is_removed_an_hour_later(tmp_path):
    with files.writing(tmp_path / "file") as part:
        part.write_bytes(b"old")
    part.write_bytes(b"half")  # as if it had been killed here
    for seconds, stays in ((time.time(), True), (0, False)):  # another process may still be writing a young one
        os.utime(part, (seconds, seconds))
        files.sweep.cache_clear()  # as in a new process
        files.write(tmp_path / "file", b"newer")
        assert part.exists() == stays


def test_two_that_write_the_same_file_do_not_meet_and_an_error_leaves_the_old_one(tmp_path):
    file = tmp_path / "deep" / "file"
    with files.writing(file) as first, files.writing(file) as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    with pytest.raises(ZeroDivisionError), files.writing(file) as third:
        third.write_bytes(bytes([1 // 0]))
    assert file.read_bytes() == b"first"  # it ended last
    assert [each.name for each in file.parent.iterdir()] == ["file"]


REFUSED = {"ENOSPC": "full", "EDQUOT": "full", "EROFS": "the right", "EACCES": "the right", "ENOTCONN": "mount"}


@pytest.mark.parametrize(("code", "words"), [*REFUSED.items(), ("ENAMETOOLONG", "too long"), ("ENOTDIR", "blocks")])
def test_what_a_disk_refuses_is_one_line_with_its_place(tmp_path, code, words):
    refused = partial(OSError, getattr(errno, code), code)
    with pytest.raises(StorageError, match=str(tmp_path / "file")), files.writing(tmp_path / "file") as part:
        raise refused(str(part))
    with pytest.raises(StorageError, match="/else where/") as caught, files.storage_errors(tmp_path):
        raise refused("/else\nwhere/\udcff")
    assert words in str(caught.value)


def refusing(code):
    """Return what stands for a call that the system refuses."""

    def refuse(*_):
        raise OSError(getattr(errno, code), code)

    return refuse


@pytest.mark.parametrize("code", ["EINVAL", "EBADF", "EOPNOTSUPP", "ENOTSUP", "EIO"])
def test_a_mount_that_cannot_flush_is_good_enough(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "fsync", refusing(code))
    with pytest.raises(StorageError) if code == "EIO" else nullcontext():
        files.write(tmp_path / "file", b"new")
    assert (tmp_path / "file").exists() == (code != "EIO")


@pytest.mark.parametrize("code", [None, "ENOTSUP", "ENOLCK", "ENOSYS"])
def test_a_folder_is_locked_where_the_system_has_no_locks(tmp_path, monkeypatch, code):
    if code:
        monkeypatch.setattr(fcntl, "flock", refusing(code))
    for _ in range(2):
        with files.locked(tmp_path), pytest.raises(StorageError, match="another"), files.locked(tmp_path):
            pass


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux says which file is being flushed")
def test_a_power_cut_leaves_old_or_new(tmp_path, monkeypatch, part_name):
    """The content is on the disk before the name leads to it, and the name before anybody is told that it is there."""
    done = []
    fsync, replace = os.fsync, os.replace
    path = lambda handle: str(Path(f"/proc/self/fd/{handle}").readlink())  # noqa: E731
    monkeypatch.setattr(os, "fsync", lambda handle: (done.append(path(handle)), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda old, new: (done.append(f"{old} -> {new}"), replace(old, new)))
    files.write(tmp_path / "a.json", b"{}")
    part = tmp_path / part_name
    assert done == [str(part), f"{part} -> {tmp_path / 'a.json'}", str(tmp_path)]
