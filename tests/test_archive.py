"""Finished work as one archive: what is in it, what becomes of it in another place, and what a stranger's can do."""

import copy
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import SimpleNamespace

import data_dirs
import pytest
from archive_host import Host
from data_dirs import FEATURES, GAMES, SHARDS, finished, flip, pictures, tree

import sample
from share import archive
from utils import catalogue, drive, features, files, http, snapshot
from utils.errors import CellError, DamagedError, HttpError, PlainError, SettingsError, StorageError


@pytest.fixture(scope="session")
def packed(finished_dir, tmp_path_factory):
    """The archive of the finished data_dir; not to be changed."""
    return archive.pack(finished_dir, tmp_path_factory.mktemp("archive") / "snapshot.tar")


@pytest.fixture
def host(packed):
    with Host(packed.read_bytes()) as opened:
        yield opened


def members(place):
    with tarfile.open(place, "r:") as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]


def written(place, some):
    """Write members as an archive, each as long as its content."""
    with tarfile.open(place, "w") as tar:
        for member, body in some:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return place


def refused(place, data_dir, word=""):
    """Fetching must raise DamagedError in one line, and leave nothing."""
    with pytest.raises(DamagedError) as error:
        archive.fetch(place, data_dir)
    assert word in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
    assert not tree(data_dir)


def said(place, data_dir):
    """Return the line that fetching says, or fails with."""
    try:
        line = archive.fetch(place, data_dir)
    except PlainError as error:
        line = str(error)
    assert "\n" not in line
    return line


def test_an_archive_holds_what_is_finished(finished_dir, packed):
    assert {member.name: body for member, body in members(packed)} == finished(finished_dir)
    assert [file.name for file in packed.parent.iterdir()] == [packed.name]


@pytest.mark.parametrize("part", ["features", "banners"])
def test_packing_without_a_part(finished_dir, tmp_path, part):
    with tarfile.open(archive.pack(finished_dir, tmp_path / "a.tar", **{part: False})) as tar:
        names = set(tar.getnames())
    folder = {"features": "features/", "banners": "snapshots/"}[part]
    assert names == {path for path in finished(finished_dir) if not path.startswith(folder)}


def test_what_is_damaged_or_not_there_is_not_packed(finished_dir, tmp_path):
    shutil.copytree(finished_dir, tmp_path / "home")
    flip(tmp_path / "home/snapshots/0001/shards/00001.tar", 5_000)
    with pytest.raises(DamagedError, match=r"00001\.tar changed after it was finished"):
        archive.pack(tmp_path / "home", tmp_path / "archive" / "a.tar")
    with pytest.raises(CellError):
        archive.pack(tmp_path / "nothing", tmp_path / "archive" / "a.tar")
    assert not (tmp_path / "archive").exists()


def test_what_was_fetched_is_as_good_as_downloaded(finished_dir, packed, tmp_path):
    target = tmp_path / "there" / "steam"
    assert archive.fetch(packed, target) == f"{len(finished(finished_dir))} files came from {packed}"
    assert tree(target) == finished(finished_dir)
    assert data_dirs.times(target) == data_dirs.times(finished_dir)
    games = catalogue.load(target / "catalogue.parquet")
    report = snapshot.update(games, target / "snapshots")  # the store is closed: it could fetch nothing
    assert report.downloaded == report.asked == GAMES
    assert len(features.load(target / "features" / FEATURES)) == GAMES


def test_what_is_equal_is_kept_what_differs_replaced_what_is_gone_comes_back(finished_dir, packed, tmp_path):
    archive.fetch(packed, tmp_path)
    before = {path: (tmp_path / path).stat().st_ino for path in tree(tmp_path)}
    assert "is here" in archive.fetch(packed, tmp_path)
    flip(tmp_path / "catalogue.parquet", 100)
    (tmp_path / "snapshots/0001/shards/00002.tar").unlink()
    (tmp_path / "mine.txt").write_text("kept")
    archive.fetch(packed, tmp_path)
    assert tree(tmp_path) == finished(finished_dir) | {"mine.txt": b"kept"}
    changed = {path for path in before if before[path] != (tmp_path / path).stat().st_ino}
    assert "catalogue.parquet" in changed
    assert {path for path in changed if "00002" not in path} == {"catalogue.parquet"}


def test_no_fetch_into_a_folder_that_is_being_updated(packed, tmp_path):
    with files.locked(tmp_path / "snapshots"), pytest.raises(StorageError):
        archive.fetch(packed, tmp_path)
    assert not tree(tmp_path)


def test_another_snapshot_of_the_same_number_is_not_overwritten(downloaded, packed, tmp_path):
    shutil.copytree(downloaded[1], tmp_path / "snapshots")
    before = tree(tmp_path)
    with pytest.raises(StorageError, match="0001 is another snapshot"):
        archive.fetch(packed, tmp_path)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("source", ["{}/nowhere.tar", "{}", "~nobody-of-that-name/a.tar", "a\0b", "x" * 5_000])
def test_no_archive_there(tmp_path, source):
    with pytest.raises(SettingsError) as error:
        archive.fetch(source.format(tmp_path), tmp_path / "home")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("address", ["http://[::1", "ftp://127.0.0.1/a.tar", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none(tmp_path, address):
    with pytest.raises(HttpError):
        archive.fetch(address, tmp_path)
    assert not tree(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, the disk that is always full")
def test_a_disk_that_is_full_or_too_small_or_no_folder(finished_dir, packed, tmp_path, part_name, monkeypatch):
    (tmp_path / part_name).symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"a\.tar is full"):
        archive.pack(finished_dir, tmp_path / "a.tar")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        archive.fetch(packed, tmp_path / "file" / "sample")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    with pytest.raises(StorageError, match=f"needs {packed.stat().st_size:,} bytes"):
        archive.fetch(packed, tmp_path / "home")
    assert tree(tmp_path) == {"file": b""}


# ---------------------------------------------------------------------------------------------------- from an address


def test_a_download_that_breaks_off_goes_on_and_is_not_repeated(finished_dir, host, tmp_path):
    host.breaks = [300_000, 400_000, 500_000]
    archive.fetch(host.url, tmp_path)
    assert tree(tmp_path) == finished(finished_dir)
    asked = [int(each.removeprefix("bytes=").removesuffix("-")) for each, _ in host.seen if each]
    assert asked == sorted(asked)
    assert {condition for each, condition in host.seen if each} == {'"one"'}
    host.seen.clear()
    assert "is here" in archive.fetch(host.url, tmp_path)
    assert host.seen == [(None, None)]
    host.tag = '"two"'
    assert "files came" in archive.fetch(host.url, tmp_path)


@pytest.mark.parametrize("status", [404, 403, 503])
def test_a_server_that_says_no(host, tmp_path, status):
    host.status = status
    with pytest.raises(HttpError, match=rf"127\.0\.0\.1.* {status}") as error:
        archive.fetch(host.url, tmp_path)
    assert "secret" not in str(error.value)
    assert len(host.seen) == (http.TRIES if status == 503 else 1)
    assert not tree(tmp_path)


@pytest.mark.parametrize("length", ["", "abc", "-1", "1000", str(1 << 60)])
def test_a_server_that_lies_about_its_length(host, tmp_path, length):
    host.length = length
    with pytest.raises((HttpError, StorageError, DamagedError)) as error:
        archive.fetch(host.url, tmp_path)
    assert "\n" not in str(error.value)
    assert sum(map(len, tree(tmp_path).values())) <= len(host.content)


def test_what_comes_and_is_no_archive_is_thrown_away(finished_dir, host, tmp_path):
    good = host.content
    host.content = b"<html>sign in</html>" * 1_000
    refused(host.url, tmp_path / "home", "127.0.0.1")
    host.content = good
    archive.fetch(host.url, tmp_path / "home")
    assert tree(tmp_path / "home") == finished(finished_dir)


def test_what_was_left_of_another_address_is_removed(finished_dir, host, tmp_path):
    host.breaks = [100_000] * (http.TRIES + 1)
    with pytest.raises(HttpError):
        archive.fetch(host.url, tmp_path)
    assert tree(tmp_path)
    host.breaks = []
    archive.fetch(f"{host.url}&other=address", tmp_path)
    assert tree(tmp_path) == finished(finished_dir)


# ------------------------------------------------------------------------------------------- what a stranger may write


@pytest.mark.parametrize("name", ["../outside.txt", "/outside.txt", "features/../../outside.txt", "a/" * 200 + "b"])
def test_names_lead_nowhere_else(packed, tmp_path, name):
    odd = written(tmp_path / "a.tar", [*members(packed), (tarfile.TarInfo(name), b"x")])
    line = said(odd, tmp_path / "home")
    assert "1 are damaged or not ours" in line or "no archive of ours" in line
    assert not list(tmp_path.rglob("outside.txt"))
    assert not Path("/outside.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_devices_and_folders(packed, tmp_path, kind):
    link = tarfile.TarInfo("features/beit/vectors.npy")
    link.type, link.linkname = kind, "/etc/passwd"
    refused(written(tmp_path / "a.tar", [(link, b""), *members(packed)]), tmp_path / "home", link.name)


def test_a_member_that_grows_out_of_holes(packed, tmp_path):
    holes = tarfile.TarInfo("features/beit/vectors.npy")
    holes.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": "1000000"}
    refused(written(tmp_path / "a.tar", [*members(packed), (holes, b"")]), tmp_path / "home", holes.name)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_of_five_gigabytes(tmp_path, kind, monkeypatch):
    """The file is sparse, so the five gigabytes are there to be read; memory must not grow by them."""
    monkeypatch.setattr(archive, "_SPARE", -(10 << 30))
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = kind, 5 << 30
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(long.tobuf())
        file.truncate(5 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(tmp_path / "a.tar", tmp_path / "home", "header")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_two_thousand_nested_headers(packed, tmp_path):
    body = b"512 comment=" + b"y" * 499 + b"\n"
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(body)
    nested = (header.tobuf(tarfile.USTAR_FORMAT) + body) * 2_000
    (tmp_path / "a.tar").write_bytes(nested + packed.read_bytes())
    refused(tmp_path / "a.tar", tmp_path / "home")


@pytest.mark.parametrize("time", ["1e999999", "nan", "1e30", "-1e30"])
def test_times_of_nonsense(tmp_path, time):
    odd = tarfile.TarInfo("catalogue.parquet")
    odd.pax_headers = {"mtime": time}
    assert "a.tar" in said(written(tmp_path / "a.tar", [(odd, b"x")]), tmp_path / "home")


@pytest.mark.parametrize("content", [b"", b"<html>" * 1_000, b"PK\x03\x04" + bytes(5_000), bytes(10_240)])
def test_other_files_are_no_archives(finished_dir, tmp_path, content):
    (tmp_path / "a.tar").write_bytes(content)
    refused(tmp_path / "a.tar", tmp_path / "home", "a.tar")
    with tarfile.open(tmp_path / "packed.tar", "w:gz") as tar:
        tar.add(finished_dir / "catalogue.parquet", "catalogue.parquet")
    refused(tmp_path / "packed.tar", tmp_path / "home")
    shutil.copy(finished_dir / "snapshots/0001/shards/00000.tar", tmp_path / "shard.tar")
    refused(tmp_path / "shard.tar", tmp_path / "home", "nothing finished")


def test_a_damaged_member_costs_that_member(finished_dir, packed, tmp_path):
    """Its readers, not sums that whoever forges an archive makes right, say what is in order."""
    changed = [(copy.copy(member), body) for member, body in members(packed)]
    bad = {"snapshots/0001/shards/00001.tar", f"features/{FEATURES}/img_emb/img_emb_00002.npy"}
    changed = [(member, body[:-1] + b"?" if member.name in bad else body) for member, body in changed]
    line = archive.fetch(written(tmp_path / "a.tar", changed), tmp_path / "home")
    assert "6 are damaged or not ours" in line
    assert len(pictures(tmp_path / "home")) == GAMES * (SHARDS - 1) // SHARDS
    assert tree(tmp_path / "home").items() < finished(finished_dir).items()


def test_an_archive_cut_anywhere(packed, tmp_path):
    whole = packed.read_bytes()
    with tarfile.open(packed, "r:") as tar:
        starts = [member.offset for member in tar]
        end = tar.offset
    for size in [*starts[1:], *range(7, end, end // 20)]:
        (tmp_path / "a.tar").write_bytes(whole[:size])
        refused(tmp_path / "a.tar", tmp_path / "home", "a.tar")


# ------------------------------------------------------------------------------------------------------------- killed

KILLER = """
import os, signal, sys
from pathlib import Path
import sample
from share import archive
from utils import drive, features

what, source, folder, stride = sys.argv[1:]
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.utime")

def strike_at(moment):
    left = [moment]
    def event(name, args):
        if name in WRITES or name == "open" and "w" in str(args[1]):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    return event

for moment in range(1, 1_000, int(stride)):
    child = os.fork()
    if not child:
        sys.addaudithook(strike_at(moment))
        {"fetch": archive.fetch, "copy": drive.copy_finished}[what](Path(source), Path(folder, str(moment)))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(moment)
"""
STRIDE = int(os.environ.get("STRIDE", "11"))  # with 1, every moment


@pytest.mark.kill
@pytest.mark.slow
@pytest.mark.parametrize("over", ["nothing", "other features"])
@pytest.mark.parametrize("what", ["fetch", "copy"])
def test_killed_at_any_moment(finished_dir, packed, tmp_path, what, over):
    """What counts is whole and of one kind, and the next call brings the rest."""
    source = packed if what == "fetch" else finished_dir
    if over == "other features":
        shutil.copytree(finished_dir, tmp_path / "other", ignore=shutil.ignore_patterns("features"))
        data_dirs.extract(tmp_path / "other", sample.checkpoint(tmp_path / "checkpoint"), image="crop")
        for moment in range(1, 300, STRIDE):
            drive.copy_finished(tmp_path / "other", tmp_path / "targets" / str(moment))
    (tmp_path / "targets").mkdir(exist_ok=True)
    killer = [sys.executable, "-c", KILLER, what, str(source), str(tmp_path / "targets"), str(STRIDE)]
    moments = int(subprocess.run(killer, check=True, capture_output=True, text=True).stdout)
    assert 20 < moments < 300
    for moment in range(1, moments, STRIDE):
        target = tmp_path / "targets" / str(moment)
        assert pictures(target).items() <= pictures(finished_dir).items()
        if what == "fetch":
            archive.fetch(source, target)
        else:
            drive.copy_finished(source, target)
        assert finished(finished_dir).items() <= tree(target).items()
        shutil.rmtree(target)


@pytest.mark.kill
def test_a_killed_download_goes_on(finished_dir, host, tmp_path):
    host.breaks = [600_000]
    host.hangs = True
    code = f"from pathlib import Path; from share import archive; archive.fetch({host.url!r}, Path({str(tmp_path)!r}))"
    child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not any(part.stat().st_size for part in tmp_path.glob(".*.part")):
        assert child.poll() is None
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    (part,) = tmp_path.glob(".*.part")
    kept = part.stat().st_size
    host.hangs, host.breaks = False, []
    host.seen.clear()
    archive.fetch(host.url, tmp_path)
    assert host.seen[-1] == (f"bytes={kept}-", '"one"')
    assert tree(tmp_path) == finished(finished_dir)
