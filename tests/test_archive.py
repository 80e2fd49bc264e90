"""Finished work as one archive: what is in it, what becomes of it in another place, and what a stranger's can do."""

import hashlib
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import downloads
import pytest
import yaml
from data_dirs import FEATURES, GAMES, finished, tree
from downloads import flip
from hosts import refusal

import sample
from share import archive
from utils import catalogue, drive, encoder, features, files, matching, settings
from utils.errors import CellError, DamagedError, HttpError, PlainError, SettingsError, StorageError


@pytest.fixture(scope="session")
def packed(finished_dir, tmp_path_factory):
    """The archive of the finished data_dir; not to be changed."""
    return archive.pack(finished_dir, tmp_path_factory.mktemp("archive") / "snapshot.tar")


@pytest.fixture(scope="session")
def content(finished_dir):
    """What that archive has to hold: path -> content."""
    return {path: body for path, body in finished(finished_dir).items() if not path.startswith("snapshots/")}


def member(name="features/beit/vectors.npy", kind=tarfile.REGTYPE, body=b"", **headers):
    """The bytes of a member, to be put before those of an archive."""
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.pax_headers = kind, "/etc/passwd", headers
    header.size = len(body)
    return header.tobuf(tarfile.PAX_FORMAT) + body.ljust(-(-len(body) // 512) * 512, b"\0")


def assert_refused(place, data_dir, word="", kind=DamagedError):
    assert word in refusal(kind, archive.fetch, place, data_dir)
    assert not tree(data_dir)


def test_what_is_finished_travels_what_differs_is_replaced_and_what_is_equal_kept(content, packed, tmp_path):
    with tarfile.open(packed, "r:") as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == content
    assert [file.name for file in packed.parent.iterdir()] == [packed.name]
    target = tmp_path / "there" / "steam"
    assert archive.fetch(packed, target) == f"{len(content)} files came from {packed}"
    assert tree(target) == content
    before = {path: (target / path).stat().st_ino for path in content}
    assert "is here" in archive.fetch(packed, target)
    flip(target / "catalogue.parquet", 100)
    (target / f"features/{FEATURES}/img_emb/img_emb_00002.npy").unlink()
    (target / "mine.txt").write_text("kept")
    archive.fetch(packed, target)
    assert tree(target) == content | {"mine.txt": b"kept"}
    changed = {path for path in before if before[path] != (target / path).stat().st_ino}
    assert {path for path in changed if "00002" not in path} == {"catalogue.parquet"}


def test_no_archive_there_a_folder_in_use_a_disk_that_is_too_small_or_no_folder(packed, tmp_path, monkeypatch):
    for source in (tmp_path / "nowhere.tar", tmp_path, "~nobody-of-that-name/a.tar", "a\0b", "x" * 5_000):
        assert_refused(source, tmp_path, kind=SettingsError)
    with files.locked(tmp_path / "snapshots"):
        assert_refused(packed, tmp_path, kind=StorageError)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    assert_refused(packed, tmp_path, f"{2 * packed.stat().st_size:,} bytes", StorageError)
    (tmp_path / "file").touch()
    assert "file" in refusal(StorageError, archive.fetch, packed, tmp_path / "file" / "sample")


def test_from_an_address_once_a_version(content, packed, httpserver, tmp_path):
    address = httpserver.url_for("/a.tar?token=secret")
    for tag in ("one", "two"):
        httpserver.clear()
        httpserver.expect_request("/a.tar").respond_with_data(packed.read_bytes(), headers={"ETag": f'"{tag}"'})
        assert archive.fetch(address, tmp_path).startswith(f"{len(content)} files came from localhost")
        assert "is here" in archive.fetch(address, tmp_path)
        assert len(httpserver.log) == 3
    assert tree(tmp_path) == content
    httpserver.clear()
    httpserver.expect_request("/a.tar").respond_with_data(b"", status=404)
    line = refusal(HttpError, archive.fetch, address, tmp_path)
    assert "404" in line
    assert "secret" not in line


@pytest.mark.parametrize("length", [None, "1000", str(1 << 60)])
def test_a_server_that_lies_about_its_length(packed, raw_host, tmp_path, length):
    head = "HTTP/1.1 200 OK\r\nConnection: close\r\n" + (f"Content-Length: {length}\r\n" if length else "")
    assert_refused(raw_host(head.encode() + b"\r\n" + packed.read_bytes()), tmp_path, kind=PlainError)


def test_an_archive_that_grows_after_it_was_offered_is_refused(packed, httpserver, tmp_path):
    httpserver.expect_oneshot_request("/a.tar").respond_with_data(packed.read_bytes())
    httpserver.expect_request("/a.tar").respond_with_data(packed.read_bytes() + bytes(1 << 20))
    assert_refused(httpserver.url_for("/a.tar"), tmp_path, kind=HttpError)


EVIL = "x` <svg onload=alert(3)> [click](javascript:alert(2)) `"
BEFORE = {  # what stands before the members of an archive
    "a climbing name": member("../outside.txt", body=b"x"),
    "a name that climbs on its way": member("features/../../outside.txt", body=b"x"),
    "a link": member(kind=tarfile.SYMTYPE),
    "a hard link": member(kind=tarfile.LNKTYPE),
    "a pipe": member(kind=tarfile.FIFOTYPE),
    "a folder": member(kind=tarfile.DIRTYPE),
    "holes": member(**{"GNU.sparse.map": "0,0", "GNU.sparse.size": "1000000"}),
    "nested headers": member(kind=tarfile.XHDTYPE, body=b"512 comment=" + b"y" * 499 + b"\n") * 2_000,
}


@pytest.mark.parametrize("kind", BEFORE)
def test_members_that_are_no_plain_files_or_lead_out_are_refused(packed, tmp_path, kind):
    (tmp_path / "a.tar").write_bytes(BEFORE[kind] + packed.read_bytes())
    assert_refused(tmp_path / "a.tar", tmp_path / "home")
    assert not list(tmp_path.rglob("outside.txt"))


@pytest.mark.parametrize("name", ["/outside.txt", "a/" * 200 + "b", "./features/of-mine.txt"])
def test_a_name_that_is_not_ours_costs_that_member(content, packed, tmp_path, name):
    (tmp_path / "a.tar").write_bytes(member(name, body=b"x") + packed.read_bytes())
    assert "1 are damaged or not ours" in archive.fetch(tmp_path / "a.tar", tmp_path / "home")
    assert tree(tmp_path / "home") == content
    assert not Path("/outside.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_of_five_gigabytes(tmp_path, kind, monkeypatch):
    """The file is sparse, so the five gigabytes are there to be read; memory must not grow by them."""
    monkeypatch.setattr(archive, "_SPARE", -(10 << 30))
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = kind, 5 << 30
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(long.tobuf())
        file.truncate(5 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert_refused(tmp_path / "a.tar", tmp_path / "home", "header")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_what_is_no_whole_archive_of_ours_is_refused_whole(finished_dir, packed, raw_host, tmp_path):
    whole, shard = packed.read_bytes(), (finished_dir / "snapshots/0001/shards/00000.tar").read_bytes()
    with tarfile.open(packed) as tar:
        border = tar.getmembers()[-1].offset
    for other in (whole[: len(whole) // 2], whole[:border], shard):
        (tmp_path / "a.tar").write_bytes(other)
        assert_refused(tmp_path / "a.tar", tmp_path / "home", "a.tar")
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n" + b"<html>sign in</html>" * 1_000
    assert_refused(raw_host(page), tmp_path / "home", "127.0.0.1")


def test_a_damaged_member_costs_that_member(content, packed, tmp_path):
    """Its readers, not sums that whoever forges an archive makes right, say what is in order."""
    shutil.copy(packed, tmp_path / "a.tar")
    vectors = content[f"features/{FEATURES}/img_emb/img_emb_00002.npy"]
    flip(tmp_path / "a.tar", packed.read_bytes().index(vectors) + len(vectors) - 1)
    assert "2 are damaged or not ours" in archive.fetch(tmp_path / "a.tar", tmp_path / "home")
    assert tree(tmp_path / "home").items() < content.items()


@pytest.fixture
def chosen(finished_dir, tmp_path):
    chosen = settings.Settings(source="sample", data=tmp_path / "data")
    shutil.copytree(finished_dir, chosen.data_dir)
    shutil.rmtree(chosen.data_dir / "matches")
    prepared = matching.prepare(features.load(chosen.data_dir / "features" / FEATURES))
    matching.all_matches(prepared, 5, chosen.data_dir / "matches" / FEATURES)
    return chosen


def test_a_release_has_all_but_the_banners_and_the_names_in_its_card_are_text(chosen, tmp_path):
    shutil.copytree(chosen.data_dir / "features" / FEATURES, chosen.data_dir / "features" / EVIL)
    shutil.copytree(chosen.data_dir / "matches" / FEATURES, chosen.data_dir / "matches" / EVIL)
    folder = archive.release(chosen, tmp_path / "release").parent
    tables = ["catalogue.parquet", f"matches/{FEATURES}.parquet", f"matches/{EVIL}.parquet"]
    sums = dict(reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {"README.md", archive.ARCHIVE, *tables}
    others = {path: content for path, content in tree(folder).items() if path != "SHA256SUMS"}
    assert sums == {path: hashlib.sha256(content).hexdigest() for path, content in others.items()}
    _, front, body = (folder / "README.md").read_text().split("---\n", 2)
    assert [config["data_files"] for config in yaml.safe_load(front)["configs"]] == tables
    assert f"{GAMES} games" in body
    assert f": {GAMES} banners, 64 dimensions (" in body
    assert "<svg" not in body
    assert "](javascript" not in body
    flip(chosen.data_dir / "snapshots/0001/shards/00001.tar", 5_000)
    assert "00001.tar" in refusal(DamagedError, archive.release, chosen, tmp_path / "another")
    shutil.rmtree(chosen.data_dir / "matches")
    assert refusal(CellError, archive.release, chosen, tmp_path / "another")
    assert not (tmp_path / "another").exists()


@pytest.mark.slow
def test_a_stranger_who_starts_from_what_the_command_made_embeds_nothing_again(
    finished_dir, chosen, tmp_path, monkeypatch
):
    """The banners come from the store; where their bytes are those that were embedded, the vectors are taken."""
    environment = {"STEAM_BANNERS_SOURCE": "sample", "STEAM_BANNERS_DATA": str(chosen.data), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "tools.release", str(tmp_path / "release")]
    assert "as SNAPSHOT" in subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    there = tmp_path / "stranger" / "sample"
    archive.fetch(tmp_path / "release" / archive.ARCHIVE, there)
    games = catalogue.load(there / "catalogue.parquet")
    with sample.Store(sample.many(GAMES)) as store:
        paths = games["banner_url"].str.partition("/store_item_assets/")[2]
        downloads.update(store, there / "snapshots", games.assign(banner_url=store.assets_url + paths), shard_size=7)
    original = features.load(finished_dir / "features" / FEATURES)
    checkpoint = sample.checkpoint(tmp_path / original.manifest["checkpoint"])
    beit = encoder.load(str(checkpoint), image="squash", dtype="float32")
    monkeypatch.setattr(type(beit), "embed", lambda *_: pytest.fail("a banner was embedded again"))
    found = features.extract(there / "snapshots", beit, there / "features" / FEATURES, workers=0)
    vectors = [dict(zip(each.appids.tolist(), map(bytes, each.vectors), strict=True)) for each in (found, original)]
    assert vectors[0] == vectors[1]


KILLER = """
import os, signal, sys
from pathlib import Path
from share import archive
from utils import drive, features

source, folder, stride = sys.argv[1:]
bring = drive.copy_finished if Path(source).is_dir() else archive.fetch

def strike_at(moment):
    left = [moment]
    def event(name, args):
        if name in ("os.rename", "os.remove", "os.mkdir", "os.utime") or name == "open" and "w" in str(args[1]):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
    return event

for moment in range(1, 1_000, int(stride)):
    child = os.fork()
    if not child:
        sys.addaudithook(strike_at(moment))
        bring(Path(source), Path(folder, str(moment)))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(moment)
"""
STRIDE = int(os.environ.get("STRIDE", "11"))  # with 1, every moment


@pytest.mark.kill
@pytest.mark.slow
@pytest.mark.parametrize("bring", [archive.fetch, drive.copy_finished])
def test_killed_at_any_moment(finished_dir, packed, content, tmp_path, bring):
    """What counts is whole, and the next call brings the rest."""
    source, whole = (packed, content) if bring is archive.fetch else (finished_dir, finished(finished_dir))
    (tmp_path / "targets").mkdir()
    killer = [sys.executable, "-c", KILLER, str(source), str(tmp_path / "targets"), str(STRIDE)]
    moments = int(subprocess.run(killer, check=True, capture_output=True, text=True).stdout)
    assert 20 < moments < 300
    for moment in range(1, moments, STRIDE):
        target = tmp_path / "targets" / str(moment)
        for path in itertools.chain(*drive.finished(target)):
            assert (target / path).read_bytes() == whole[path]
        bring(source, target)
        assert whole.items() <= tree(target).items()
        shutil.rmtree(target)
