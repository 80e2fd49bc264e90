"""Files are whole or not there, whatever interrupts their writing; what a disk refuses is one line."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pytest

from utils import files
from utils.errors import DamagedError, StorageError


def run(code, place):
    """Run code on a place in another process."""
    code = f"import os, pathlib, sys\nfrom utils import files\nplace = pathlib.Path(sys.argv[1])\n{code}"
    return subprocess.run([sys.executable, "-c", code, place], check=False, capture_output=True, text=True)


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    files.write(tmp_path / "deep" / "file", b"old")
    with pytest.raises(ZeroDivisionError), files.writing(tmp_path / "deep" / "file") as part:
        part.write_bytes(bytes([1 // 0]))
    assert (tmp_path / "deep" / "file").read_bytes() == b"old"
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["file"]


def test_a_kill_while_writing_leaves_the_old_file_and_what_it_left_is_removed_later(tmp_path):
    files.write(tmp_path / "file", b"old")
    killed = "with files.writing(place) as part:\n    part.write_bytes(b'new')\n    os.kill(os.getpid(), 9)"
    assert run(killed, tmp_path / "file").returncode < 0
    (part,) = tmp_path.glob(".*.part")
    assert (tmp_path / "file").read_bytes() == b"old"
    for expected in (True, False):  # another process may still be writing a young one
        run("files.write(place, b'newer')", tmp_path / "file")
        assert part.exists() == expected
        if expected:
            os.utime(part, (0, 0))
    assert (tmp_path / "file").read_bytes() == b"newer"


def test_two_that_write_the_same_file_do_not_meet(tmp_path):
    with files.writing(tmp_path / "file") as first, files.writing(tmp_path / "file") as second:
        first.write_bytes(b"first")
        second.write_bytes(b"second")
    assert (tmp_path / "file").read_bytes() == b"first"  # it ends last


REFUSED = {"ENOSPC": "full", "EDQUOT": "full", "EROFS": "the right", "EACCES": "the right", "ENOTCONN": "mount"}


@pytest.mark.parametrize(("code", "words"), [*REFUSED.items(), ("ENAMETOOLONG", "too long"), ("ENOTDIR", "blocks")])
def test_what_a_disk_refuses_is_one_line_with_its_place(tmp_path, code, words):
    number = getattr(errno, code)
    with pytest.raises(StorageError, match=str(tmp_path / "file")), files.writing(tmp_path / "file") as part:
        raise OSError(number, os.strerror(number), str(part))
    with pytest.raises(StorageError, match="/else where/") as caught, files.storage_errors(tmp_path):
        raise OSError(number, os.strerror(number), "/else\nwhere/\udcff")
    assert words in str(caught.value)


@pytest.mark.parametrize("code", ["EINVAL", "EBADF", "EOPNOTSUPP", "ENOTSUP", "EIO"])
def test_a_mount_that_cannot_flush_a_folder_is_good_enough(tmp_path, monkeypatch, code):
    fsync = os.fsync

    def no_folders(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(getattr(errno, code), code)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", no_folders)
    with pytest.raises(StorageError) if code == "EIO" else nullcontext():
        files.write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


@pytest.mark.parametrize("code", [None, "ENOTSUP", "ENOLCK", "ENOSYS"])
def test_a_folder_is_locked_where_the_system_has_no_locks(tmp_path, monkeypatch, code):
    def no_locks(*_):
        raise OSError(getattr(errno, code), code)

    if code:
        monkeypatch.setattr(fcntl, "flock", no_locks)
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


TABLE = pa.table({"appid": [620, 730], "name": ["Portal 2", "é"], "near": [[1.5], [2.5, 3.5]]})


def test_a_table_comes_back_as_it_was_and_other_types_are_refused_whatever_their_checksum(tmp_path):
    """Damage of every kind: test_damage.py."""
    file = tmp_path / "table.parquet"
    files.write_table(file, TABLE, {"made": "today"})
    table, about = files.read_table(file, TABLE.schema)
    assert (table.equals(TABLE), about) == (True, {"made": "today"})
    for appids in (["620", "730"], [620.0, 730.0], [[620], [730]]):
        files.write_table(file, TABLE.set_column(0, "appid", pa.array(appids)), about)
        with pytest.raises(DamagedError):
            files.read_table(file, TABLE.schema)
