"""Files are whole or not there, whatever interrupts their writing."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils import files
from utils.errors import StorageError


def test_a_file_is_written_whole(tmp_path):
    files.write(tmp_path / "deep" / "file", b"new")
    assert (tmp_path / "deep" / "file").read_bytes() == b"new"
    assert [each.name for each in (tmp_path / "deep").iterdir()] == ["file"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    files.write(tmp_path / "file", b"old")
    with pytest.raises(RuntimeError), files.writing(tmp_path / "file") as part:  # noqa: PT012
        part.write_bytes(b"ha")
        raise RuntimeError("interrupted")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    files.write(tmp_path / "file", b"old")
    program = (
        "import os, pathlib, signal, sys\nfrom utils import files\n"
        "with files.writing(pathlib.Path(sys.argv[1])) as part:\n"
        "    part.write_bytes(b'new')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, tmp_path / "file"], check=False)
    assert ended.returncode < 0
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_full_disk_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"disk of .*file is full; make room"), files.writing(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_sha256_of_a_file(tmp_path):
    (tmp_path / "file").write_bytes(b"abc" * 1_000_000)
    assert files.sha256(tmp_path / "file") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_a_second_process_is_asked_to_wait(tmp_path):
    program = "import pathlib, sys\nfrom utils import files\nwith files.locked(pathlib.Path(sys.argv[1])): pass\n"
    with files.locked(tmp_path):
        ended = subprocess.run([sys.executable, "-c", program, tmp_path], check=False, capture_output=True, text=True)
    assert ended.returncode
    assert "another process" in ended.stderr


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux says which file is being flushed")
def test_a_power_cut_leaves_old_or_new(tmp_path, monkeypatch, part_name):
    """The content is on the disk before the name leads to it, and the name before anybody is told that it is there."""
    done = []
    fsync = os.fsync
    replace = os.replace

    def noted_fsync(handle):
        done.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    def noted_replace(old, new):
        done.append(f"{old} -> {new}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "replace", noted_replace)
    files.write(tmp_path / "a.json", b"{}")
    part = tmp_path / part_name
    assert done == [str(part), f"{part} -> {tmp_path / 'a.json'}", str(tmp_path)]
