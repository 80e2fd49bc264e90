"""Files are whole or not there, whatever interrupts their writing; what a disk refuses is one line."""

import errno
import fcntl
import hashlib
import os
import stat
import subprocess
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    with pytest.raises(StorageError) as caught, files.writing(tmp_path / "file") as part:
        raise OSError(number, os.strerror(number), str(part))
    assert words in str(caught.value)
    assert str(tmp_path / "file") in str(caught.value)
    with pytest.raises(StorageError) as caught, files.storage_errors(tmp_path):
        raise OSError(number, os.strerror(number), "/else\nwhere/\udcff")
    assert "/else where/" in str(caught.value)


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


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 1_000_000)
    assert files.sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_a_second_process_is_asked_to_wait(tmp_path):
    with files.locked(tmp_path):
        assert "another process" in run("with files.locked(place): pass", tmp_path).stderr


@pytest.mark.parametrize("code", ["ENOTSUP", "ENOLCK", "ENOSYS"])
def test_a_folder_is_locked_where_the_system_has_no_locks(tmp_path, monkeypatch, code):
    def no_locks(*_):
        raise OSError(getattr(errno, code), code)

    monkeypatch.setattr(fcntl, "flock", no_locks)
    for _ in range(2):
        with files.locked(tmp_path), pytest.raises(StorageError), files.locked(tmp_path):
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


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("table") / "table.parquet"
    files.write_table(file, TABLE, {"made": "today"})
    return file


@given(st.data())
def test_a_table_is_read_as_it_was_written_or_not_at_all(table_file, data):
    content = bytearray(table_file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    damaged = table_file.with_name("damaged.parquet")
    damaged.write_bytes(content)
    with suppress(DamagedError):
        table, about = files.read_table(damaged, TABLE.schema)
        assert (table.equals(TABLE), about["made"]) == (True, "today")


@pytest.mark.parametrize("appids", [["620", "730"], [620.0, 730.0], [[620], [730]]])
def test_a_table_of_other_types_is_refused_whatever_its_checksum(table_file, appids):
    table, about = files.read_table(table_file, TABLE.schema)
    assert (table.equals(TABLE), about) == (True, {"made": "today"})
    other = table_file.with_name("other.parquet")
    files.write_table(other, TABLE.set_column(0, "appid", pa.array(appids)), about)
    with pytest.raises(DamagedError):
        files.read_table(other, TABLE.schema)
