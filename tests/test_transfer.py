"""Finished work moved between machines: real snapshots, a real server with its moods, forged archives, real kills."""

import copy
import gzip
import hashlib
import io
import json
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import filelock
import numpy as np
import pytest

import sample
from utils import banners, catalogue, files, snapshot, transfer

SHARDS = 3
STRIDE = 11  # every so many moments a fetch or a copy is killed; every moment, with 1, takes two minutes
DEBRIS = (
    "snapshots/.lock",
    "snapshots/0001/addresses.parquet",
    "snapshots/0001/download.log",
    "snapshots/0001/shards/00000.tar.part",
    "snapshots/0001/shards/00009.tar",
    "snapshots/0001/shards/_tmp/0.feather",
    "snapshots/0001/verified/00009.parquet.part",
    "snapshots/0002/plan.parquet",
    "features/beit--squash--pooled/img_emb/img_emb_00003.npy.part",
    "features/beit--squash--pooled/_tmp/x",
    "features/beit--squash--pooled/.lock",
    "pages/steady-00000-0000000.json.gz",
    "matches/beit--squash--pooled/manifest.json",
)
KILLER = """
import os, signal, sys
from pathlib import Path
from utils import transfer

what, source, folder, stride = sys.argv[1:]
transfer._CHUNK = 50_000

def strike_at(moment):
    left = [moment]
    def event(*_):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return event

for moment in range(1, 1_000, int(stride)):
    child = os.fork()
    if not child:
        event, read = strike_at(moment), transfer._Watched.read
        transfer._Watched.read = lambda self, size: (event(), read(self, size))[1]
        writes = ("os.rename", "os.remove", "os.mkdir", "os.utime")
        sys.addaudithook(lambda name, args: event() if name in writes or name == "open" and "w" in str(args[1]) else 0)
        getattr(transfer, what)(source, Path(folder, str(moment)))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(moment)
"""


@pytest.fixture(autouse=True)
def _short_waits_and_small_bites(monkeypatch):
    monkeypatch.setattr(transfer, "_WAIT", 0.01)
    monkeypatch.setattr(transfer, "_CHUNK", 50_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with a verified snapshot, features and all the debris of work in progress; and its catalogue."""
    home = tmp_path_factory.mktemp("made") / "sample"
    with sample.Store(sample.many(60)) as store:
        games = catalogue.fetch_catalogue(api_url=store.api_url, assets_url=store.assets_url)
        catalogue.save(games, home / "catalogue.parquet")
        snapshot.update(games, home / "snapshots", shard_size=60 // SHARDS, assets_url=store.assets_url)
    put_features(home, "first")
    for name in DEBRIS:
        place = home / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return home, games


@pytest.fixture
def home(made):
    return made[0]


@pytest.fixture(scope="module")
def archive(made, tmp_path_factory):
    return transfer.pack(made[0], tmp_path_factory.mktemp("archive") / "snapshot.tar")


def put_features(home, version):
    """Write files as features.extract lays them out; what is in them is nothing to a transfer."""
    folder = home / "features" / "beit--squash--pooled"
    for place, name in (("img_emb", "img_emb_{}.npy"), ("metadata", "metadata_{}.parquet")):
        (folder / place).mkdir(parents=True, exist_ok=True)
        for number in range(SHARDS):
            (folder / place / name.format(f"{number:05}")).write_text(f"{version} {number}")
    (folder / "manifest.json").write_text(version)


def tree(home):
    """Return all files under a folder but locks: path -> content."""
    files = (file for file in home.rglob("*") if file.is_file() and file.name != ".lock")
    return {file.relative_to(home).as_posix(): file.read_bytes() for file in files}


def finished(home):
    return {path: content for path, content in tree(home).items() if path not in DEBRIS}


def pictures(home):
    return {banner.appid: banner.jpeg for banner in banners.read(home / "snapshots")}


def times(home):
    """Return when the shards changed, which spares an update hashing them."""
    return [shard.path.stat().st_mtime_ns for shard in snapshot.verified(home / "snapshots")]


def features_agree(home):
    """Whether the features that count are of one version: rows, the vectors beside them, and the manifest."""
    folder = home / "features" / "beit--squash--pooled"
    numbers = [file.stem[-5:] for file in folder.glob("metadata/*.parquet")]
    rows = [(folder / f"metadata/metadata_{number}.parquet").read_text() for number in numbers]
    vectors = [(folder / f"img_emb/img_emb_{number}.npy").read_text() for number in numbers]
    return rows == vectors and all(row.startswith((folder / "manifest.json").read_text()) for row in rows)


# ------------------------------------------------------------------------------------------------ packing


def test_an_archive_holds_what_is_finished_and_lists_it_first(home, archive):
    with tarfile.open(archive, "r:") as tar:
        members = tar.getmembers()
        manifest = json.loads(tar.extractfile(members[0]).read())
        content = {member.name: tar.extractfile(member).read() for member in members[1:]}
    assert members[0].name == "manifest.json"
    assert manifest["format"] == 1
    assert content == finished(home)
    assert len(content) == 1 + 2 + 4 * SHARDS + 1 + 2 * SHARDS
    listed = {each["path"]: (each["bytes"], each["sha256"]) for each in manifest["files"]}
    assert listed == {path: (len(each), hashlib.sha256(each).hexdigest()) for path, each in content.items()}
    assert [file.name for file in archive.parent.iterdir()] == [archive.name]


def test_packing_without_features(home, tmp_path):
    with tarfile.open(transfer.pack(home, tmp_path / "a.tar", features=False)) as tar:
        names = tar.getnames()
    assert len(names) == 1 + 1 + 2 + 4 * SHARDS
    assert not [name for name in names if name.startswith("features")]


def test_a_shard_that_is_to_be_fetched_again_stays(home, tmp_path):
    shutil.copytree(home, tmp_path / "home")
    (tmp_path / "home/snapshots/0001/shards/00001.tar").unlink()
    with tarfile.open(transfer.pack(tmp_path / "home", tmp_path / "a.tar")) as tar:
        assert not [name for name in tar.getnames() if "snapshots" in name and "00001" in name]


def test_a_shard_that_changed_is_named_and_nothing_is_packed(home, tmp_path):
    shutil.copytree(home, tmp_path / "home")
    flip(tmp_path / "home/snapshots/0001/shards/00001.tar", 5_000)
    with pytest.raises(transfer.TransferError, match=r"00001\.tar changed after it was finished.*check=True"):
        transfer.pack(tmp_path / "home", tmp_path / "archive" / "a.tar")
    assert not any((tmp_path / "archive").iterdir())


def test_nothing_to_pack(tmp_path):
    with pytest.raises(transfer.TransferError, match="nothing finished"):
        transfer.pack(tmp_path, tmp_path / "a.tar")


def flip(file, position):
    with file.open("r+b") as content:
        content.seek(position)
        byte = content.read(1)[0]
        content.seek(position)
        content.write(bytes([byte ^ 0x10]))


# ------------------------------------------------------------------------------------------------ fetching


def test_what_was_fetched_is_as_good_as_downloaded(made, archive, tmp_path):
    home, games = made
    target = tmp_path / "there" / "steam"
    transfer.fetch(archive, target)
    assert tree(target) == finished(home)
    assert pictures(target) == pictures(home)
    assert times(target) == times(home)
    report = snapshot.update(games, target / "snapshots")  # the store is closed: it could fetch nothing
    assert report.downloaded == report.asked == 60
    assert [place.name for place in (target / "snapshots").glob("0*")] == ["0001"]


def test_files_that_are_equal_are_kept_and_others_replaced(home, archive, tmp_path):
    transfer.fetch(archive, tmp_path)
    before = {path: (tmp_path / path).stat().st_ino for path in tree(tmp_path)}
    changed = {"catalogue.parquet", "snapshots/0001/shards/00002.parquet", "snapshots/0001/plan.parquet"}
    for path in changed:
        flip(tmp_path / path, 100)
    (tmp_path / "mine.txt").write_text("kept")
    transfer.fetch(str(archive), tmp_path)
    assert tree(tmp_path) == finished(home) | {"mine.txt": b"kept"}
    after = {path: (tmp_path / path).stat().st_ino for path in before}
    assert {path for path in before if before[path] != after[path]} - {
        "snapshots/0001/verified/00002.parquet"
    } == changed


def test_no_fetch_into_a_folder_that_is_being_updated(archive, tmp_path):
    (tmp_path / "snapshots").mkdir()
    with filelock.FileLock(tmp_path / "snapshots" / ".lock"), pytest.raises(files.Busy, match="is running"):
        transfer.fetch(archive, tmp_path)
    assert not tree(tmp_path)


def test_another_snapshot_of_the_same_number_is_not_overwritten(home, archive, tmp_path):
    other = tmp_path / "snapshots/0001"
    other.mkdir(parents=True)
    (other / "plan.json").write_text('{"games": 1, "shard_size": 1, "sha256": ""}')
    before = tree(tmp_path)
    for move in (lambda: transfer.fetch(archive, tmp_path), lambda: transfer.copy_finished(home, tmp_path)):
        with pytest.raises(transfer.TransferError, match="0001 is another snapshot"):
            move()
        assert tree(tmp_path) == before


# ------------------------------------------------------------------------------------------------ over HTTP


class Host(ThreadingHTTPServer):
    """A server of one file on loopback."""

    daemon_threads = True

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.headers, self.status, self.ranges = content, {"ETag": '"one"'}, 200, True
        self.most = None  # bytes of an answer to a range
        self.breaks = []  # after how many bytes each of the next answers that are read to the end breaks off
        self.hangs = False  # instead of breaking off
        self.seen = []  # Range and If-Range of each request
        self.url = f"http://127.0.0.1:{self.server_address[1]}/released/snapshot.tar?token=secret"

    def handle_error(self, *_):
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        host, asked, condition = self.server, self.headers["Range"], self.headers["If-Range"]
        host.seen.append((asked, condition))
        body, status, headers = host.content, host.status, dict(host.headers)
        if asked and host.ranges and condition in (None, *headers.values()):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(body) - 1}/{len(body)}"
            body = body[start:][: host.most]
        if "gzip" in self.headers["Accept-Encoding"]:
            headers["Content-Encoding"], body = "gzip", gzip.compress(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # Every other request is the one for the manifest alone.
        whole = len(host.seen) % 2 or not host.breaks
        self.wfile.write(body if whole else body[: host.breaks.pop(0)])
        if not whole and host.hangs:
            self.wfile.flush()
            time.sleep(30)

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def host(archive):
    server = Host(archive.read_bytes())
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_download_that_breaks_off_goes_on_by_itself(home, host, tmp_path):
    host.breaks = [100_000, 200_000, 300_000]
    transfer.fetch(host.url, tmp_path)
    assert tree(tmp_path) == finished(home)
    asked = [int(each.removeprefix("bytes=").removesuffix("-")) for each, _ in host.seen if each]
    assert len(asked) == 3
    assert asked == sorted(asked)
    assert asked[-1] > 0
    assert {condition for each, condition in host.seen if each} == {'"one"'}


def test_a_download_that_ended_goes_on_at_the_next_call(home, host, tmp_path):
    host.breaks = [300_000] + [0] * (transfer._TRIES - 1)
    with pytest.raises(transfer.TransferError, match=r"127\.0\.0\.1 .*broke off.*what came is kept") as error:
        transfer.fetch(host.url, tmp_path)
    assert "secret" not in str(error.value)
    (part,) = tmp_path.glob("fetched-*.part")
    kept = part.stat().st_size
    assert 200_000 < kept <= 300_000
    host.seen.clear()
    transfer.fetch(host.url, tmp_path)
    assert host.seen == [(None, None), (f"bytes={kept}-", '"one"')]
    assert tree(tmp_path) == finished(home)


def test_a_server_without_ranges_starts_over(home, host, tmp_path):
    host.ranges, host.breaks = False, [600_000]
    transfer.fetch(host.url, tmp_path)
    assert tree(tmp_path) == finished(home)


def test_a_server_that_sends_small_ranges(home, host, tmp_path):
    host.breaks, host.most = [600_000], 200_000
    transfer.fetch(host.url, tmp_path)
    assert tree(tmp_path) == finished(home)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}, {"Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"}])
def test_servers_that_know_less_of_versions(home, host, tmp_path, headers):
    host.headers, host.breaks = headers, [610_000]
    transfer.fetch(host.url, tmp_path)
    assert tree(tmp_path) == finished(home)
    assert host.seen[-1] == ("bytes=600000-", headers.get("Last-Modified"))


def test_an_archive_that_changed_meanwhile_is_fetched_anew(home, host, tmp_path):
    host.breaks = [600_000] + [0] * (transfer._TRIES - 1)
    with pytest.raises(transfer.TransferError):
        transfer.fetch(host.url, tmp_path)
    host.content = transfer.pack(home, tmp_path / "other.tar", features=False).read_bytes()
    host.headers = {"ETag": '"two"'}
    (tmp_path / "other.tar").unlink()
    transfer.fetch(host.url, tmp_path)
    assert tree(tmp_path) == {path: each for path, each in finished(home).items() if "features" not in path}


def test_of_what_is_there_only_the_manifest_is_read_again(home, archive, host, tmp_path):
    transfer.fetch(archive, tmp_path)
    transfer.fetch(host.url, tmp_path)
    assert host.seen == [(None, None)]
    assert tree(tmp_path) == finished(home)


def test_a_cache_keeps_the_archive(home, archive, host, tmp_path):
    for target in ("a", "b"):
        transfer.fetch(host.url, tmp_path / target, cache=tmp_path / "cache")
        assert tree(tmp_path / target) == finished(home)
    assert len(host.seen) == 3
    assert [file.read_bytes() for file in (tmp_path / "cache").iterdir()] == [archive.read_bytes()]


@pytest.mark.parametrize(
    ("status", "words"), [(404, "answered 404 to /released"), (403, "answered 403"), (503, "answered 503.*later")]
)
def test_a_server_that_says_no(host, tmp_path, status, words):
    host.status = status
    with pytest.raises(transfer.TransferError, match=rf"127\.0\.0\.1 {words}") as error:
        transfer.fetch(host.url, tmp_path)
    assert "secret" not in str(error.value)
    assert len(host.seen) == (transfer._TRIES if status == 503 else 1)
    assert not tree(tmp_path)


def test_nobody_answers(host, tmp_path):
    host.shutdown()
    host.server_close()
    with pytest.raises(transfer.TransferError, match=r"127\.0\.0\.1 cannot be reached"):
        transfer.fetch(host.url, tmp_path)


def test_a_page_instead_of_an_archive(host, tmp_path):
    host.content = b"<html>sign in</html>" * 1_000
    with pytest.raises(transfer.BadArchive, match=r"what 127\.0\.0\.1 sent is no archive"):
        transfer.fetch(host.url, tmp_path)
    assert len(host.seen) == 1
    assert not tree(tmp_path)


@pytest.mark.parametrize("cache", [None, "cache"])
def test_a_downloaded_archive_that_is_damaged_is_thrown_away(home, host, tmp_path, cache):
    good, cache = host.content, cache and tmp_path / cache
    host.content = good[:500_000] + bytes([good[500_000] ^ 1]) + good[500_001:]
    with pytest.raises(transfer.BadArchive, match="damaged"):
        transfer.fetch(host.url, tmp_path / "home", cache=cache)
    assert not tree(tmp_path)
    host.content = good
    transfer.fetch(host.url, tmp_path / "home", cache=cache)
    assert tree(tmp_path / "home") == finished(home)


def test_a_killed_download_goes_on(home, host, tmp_path):
    host.breaks, host.hangs = [600_000], True
    words = (
        f"from utils import transfer; from pathlib import Path; transfer.fetch({host.url!r}, Path({str(tmp_path)!r}))"
    )
    child = subprocess.Popen([sys.executable, "-c", words], stderr=subprocess.DEVNULL)
    while not any(part.stat().st_size for part in tmp_path.glob("*.part")):
        assert child.poll() is None
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    (part,) = tmp_path.glob("*.part")
    kept = part.stat().st_size
    transfer.fetch(host.url, tmp_path)
    assert host.seen[-1] == (f"bytes={kept}-", '"one"')
    assert tree(tmp_path) == finished(home)


# ------------------------------------------------------------------------------------------------ bad archives


def read_members(archive):
    with tarfile.open(archive, "r:") as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]


def forge(place, members, listed=(), size=0):
    """Write members as an archive, `listed` paths added to its manifest as so many bytes of zeros."""
    manifest = json.loads(members[0][1])
    zeros = {"bytes": size, "sha256": hashlib.sha256(bytes(size)).hexdigest(), "mtime_ns": 0}
    manifest["files"] += [{"path": path} | zeros for path in listed]
    content = json.dumps(manifest).encode()
    with tarfile.open(place, "w") as tar:
        for member, body in [(tarfile.TarInfo("manifest.json"), content), *members[1:]]:
            written = copy.copy(member)
            written.size = len(body)
            tar.addfile(written, io.BytesIO(body))
    return place


@contextmanager
def refused(words, target):
    """The block must raise BadArchive with these words, and leave nothing but what was in the target before."""
    before = tree(target)
    with pytest.raises(transfer.BadArchive) as error:
        yield
    assert all(word in str(error.value) for word in words), str(error.value)
    assert tree(target) == before
    assert not list(target.rglob(".unpacking*"))


CLIMBING = [
    "../outside.txt",
    "/outside.txt",
    "C:\\outside.txt",
    "C:outside.txt",
    "snapshots\\0001\\plan.json",
    "snapshots/0001/../../../outside.txt",
    "snapshots/0001/shards/../../../../outside.tar",
    "features/../../outside.txt",
    "features/a/..\\..\\outside.txt",
    "features/a/.hidden",
    "features/a/b\n",
    "features//b",
    "snapshots/٠٠٠١/plan.json",
    "./catalogue.parquet",
    "notes.txt",
    "manifest.json",
]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("name", CLIMBING)
def test_names_that_climb_or_are_none_of_ours(archive, tmp_path, name, listed):
    extra = (tarfile.TarInfo(name), b"")
    forged = forge(tmp_path / "a.tar", [*read_members(archive), extra], [name] if listed else [])
    with refused([repr(name)], tmp_path):
        transfer.fetch(forged, tmp_path / "home")
    assert not (tmp_path.parent / "outside.txt").exists()
    assert not Path("/outside.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
@pytest.mark.parametrize("listed", [True, False])
def test_links_and_devices(archive, tmp_path, kind, listed):
    link = tarfile.TarInfo("features/beit/vectors.npy")
    link.type, link.linkname = kind, "catalogue.parquet"
    forged = forge(tmp_path / "a.tar", [*read_members(archive), (link, b"")], [link.name] if listed else [])
    with refused([link.name], tmp_path):
        transfer.fetch(forged, tmp_path / "home")


def test_a_member_that_grows_out_of_holes(archive, tmp_path):
    extra = tarfile.TarInfo("features/beit/vectors.npy")
    extra.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": "1000000"}
    forged = forge(tmp_path / "a.tar", [*read_members(archive), (extra, b"")], [extra.name], size=1_000_000)
    with refused([extra.name, "not a plain file"], tmp_path):
        transfer.fetch(forged, tmp_path / "home")


def test_members_and_manifest_must_be_the_same(archive, tmp_path):
    members = read_members(archive)
    name, body = members[5][0].name, members[5][1]
    cases = {
        "twice": ([*members, members[5]], ()),
        "comes twice": ([*members[:6], members[5], *members[6:]], ()),
        "missing": ([*members[:5], *members[6:]], ()),
        f"{len(body):,} bytes": ([*members[:5], (members[5][0], body + b"x"), *members[6:]], ()),
        "damaged": ([*members[:5], (members[5][0], body[:-1] + b"x"), *members[6:]], ()),
        "or twice": (members, [name]),
    }
    for words, (changed, listed) in cases.items():
        forged = forge(tmp_path / "a.tar", changed, listed)
        with refused([words, name], tmp_path):
            transfer.fetch(forged, tmp_path / "home")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, ["format is 2", "update the program"]),
        ({"format": "new"}, ["not understood"]),
        ({"files": None}, ["not understood"]),
        ({"files": [{"path": "catalogue.parquet"}]}, ["not understood"]),
        ({"files": ["catalogue.parquet"]}, ["not understood"]),
        ({"files": [{"path": "catalogue.parquet", "bytes": 1, "sha256": "", "mtime_ns": 1 << 80}]}, ["real time"]),
        ({"files": [{"path": "catalogue.parquet", "bytes": -1, "sha256": "", "mtime_ns": 0}]}, ["catalogue.parquet"]),
    ],
)
def test_a_manifest_of_another_kind(archive, tmp_path, change, words):
    members = read_members(archive)
    members[0] = (members[0][0], json.dumps(json.loads(members[0][1]) | change).encode())
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for member, body in members:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    with refused(words, tmp_path):
        transfer.fetch(tmp_path / "a.tar", tmp_path / "home")


def test_other_files_are_no_archives(home, archive, tmp_path):
    deep = tarfile.TarInfo("manifest.json")
    deep.size = 200_000
    with tarfile.open(tmp_path / "deep.tar", "w") as tar:
        tar.addfile(deep, io.BytesIO(b"[" * deep.size))
    with tarfile.open(tmp_path / "packed.tar", "w:gz") as tar:
        tar.add(home / "catalogue.parquet", "manifest.json")
    (tmp_path / "text.tar").write_text("<html>" * 1_000)
    (tmp_path / "empty.tar").touch()
    shutil.copy(home / "snapshots/0001/shards/00000.tar", tmp_path / "shard.tar")
    members = read_members(archive)
    members[0][0].name = "list.json"
    with tarfile.open(tmp_path / "renamed.tar", "w") as tar:
        for member, body in members:
            tar.addfile(member, io.BytesIO(body))
    members[0][0].name, members[0][0].type = "manifest.json", tarfile.DIRTYPE
    with tarfile.open(tmp_path / "folder.tar", "w") as tar:
        tar.addfile(members[0][0])
    others = sorted(tmp_path.glob("*.tar"))
    assert len(others) == 7
    for other in others:
        with refused([other.name, "is no archive"], tmp_path):
            transfer.fetch(other, tmp_path / "home")
    with pytest.raises(transfer.TransferError, match=r"no archive at .*nowhere\.tar"):
        transfer.fetch(tmp_path / "nowhere.tar", tmp_path / "home")


def test_a_manifest_too_large_to_be_one(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "_MANIFEST_LIMIT", 100)
    with refused(["does not begin with manifest.json"], tmp_path):
        transfer.fetch(archive, tmp_path / "home")


def test_an_archive_cut_anywhere(archive, tmp_path):
    whole = archive.read_bytes()
    with tarfile.open(archive, "r:") as tar:
        starts = [member.offset for member in tar]
        end = tar.offset
    for size in [*starts[1:], *range(7, end, end // 20)]:
        (tmp_path / "a.tar").write_bytes(whole[:size])
        with refused(["a.tar"], tmp_path):
            transfer.fetch(tmp_path / "a.tar", tmp_path / "home")


def test_a_byte_flipped_anywhere(home, archive, tmp_path):
    """Either the archive is refused, or the byte was none that matters, such as padding."""
    members = [member for member, _ in read_members(archive)]
    chance = np.random.default_rng(0)
    places = [member.offset + int(chance.integers(512)) for member in members]
    places += [member.offset_data + int(chance.integers(member.size)) for member in members]
    shutil.copy(archive, tmp_path / "a.tar")
    bad = 0
    for place in places:
        flip(tmp_path / "a.tar", place)
        try:
            transfer.fetch(tmp_path / "a.tar", tmp_path / "home")
            assert tree(tmp_path / "home") == finished(home)
        except transfer.BadArchive:
            assert not tree(tmp_path / "home")
            bad += 1
        shutil.rmtree(tmp_path / "home")
        flip(tmp_path / "a.tar", place)
    assert bad >= len(members)


# ------------------------------------------------------------------------------------------------ copying


def test_there_and_back(made, tmp_path):
    home, games = made
    drive, back = tmp_path / "drive" / "steam", tmp_path / "new" / "steam"
    assert transfer.copy_finished(home, drive) == len(finished(home))
    assert tree(drive) == finished(home)
    assert times(drive) == times(home)
    assert transfer.copy_finished(home, drive) == 0
    assert transfer.copy_finished(drive, back) == len(finished(home))
    assert tree(back) == finished(home)
    assert snapshot.update(games, back / "snapshots").downloaded == 60
    assert transfer.copy_finished(back, home) == 0


def test_the_first_time_there_is_neither_data_nor_a_folder_on_drive(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drive = tmp_path / "banners" / "steam"
    assert transfer.copy_finished(drive, Path("data/steam")) == 0
    transfer.copy_finished(home, drive)
    transfer.copy_finished(drive, Path("data/steam"))
    assert tree(tmp_path / "data/steam") == finished(home)


def test_only_what_is_absent_or_differs_is_copied(home, tmp_path):
    source, drive = tmp_path / "source", tmp_path / "drive"
    shutil.copytree(home, source)
    record = source / "snapshots/0001/verified/00002.parquet"
    record.rename(tmp_path / "later")
    everything = len(finished(home))
    assert transfer.copy_finished(source, drive) == everything - 4
    (tmp_path / "later").rename(record)
    assert transfer.copy_finished(source, drive) == 4
    flip(drive / "catalogue.parquet", 50)
    (drive / "snapshots/0001/shards/00001.tar").write_bytes(b"cut")
    assert transfer.copy_finished(source, drive) == 1 + 2  # a tar comes with its record
    assert tree(drive) == finished(home)


def test_a_damaged_shard_is_not_copied(home, tmp_path):
    shutil.copytree(home, tmp_path / "source")
    flip(tmp_path / "source/snapshots/0001/shards/00001.tar", 5_000)
    with pytest.raises(transfer.TransferError, match=r"00001\.tar changed after it was finished.*check=True"):
        transfer.copy_finished(tmp_path / "source", tmp_path / "drive")
    assert len(snapshot.verified(tmp_path / "drive/snapshots")) == 1
    assert not [path for path in tree(tmp_path / "drive") if path.endswith((".part", "00001.tar"))]


def test_drive_is_not_mounted(home, tmp_path):
    nowhere = tmp_path / "drive" / "MyDrive" / "banners" / "steam"
    for move in (lambda: transfer.copy_finished(home, nowhere), lambda: transfer.copy_finished(nowhere, tmp_path)):
        with pytest.raises(transfer.TransferError, match=r"MyDrive does not exist.*mount Drive first"):
            move()
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full, the disk that is always full")
def test_a_full_disk(home, tmp_path):
    drive, words = tmp_path / "drive", rf"the disk of .*{tmp_path.name}.* is full; make room"
    drive.mkdir()
    (drive / "catalogue.parquet.part").symlink_to("/dev/full")
    with pytest.raises(transfer.TransferError, match=words):
        transfer.copy_finished(home, drive)
    (tmp_path / "a.tar.part").symlink_to("/dev/full")
    with pytest.raises(transfer.TransferError, match=words):
        transfer.pack(home, tmp_path / "a.tar")
    assert not tree(tmp_path)


def test_a_disk_that_forgets(home, tmp_path):
    (tmp_path / "catalogue.parquet.part").symlink_to("/dev/null")
    with pytest.raises(transfer.TransferError, match=r"catalogue\.parquet reads otherwise than it was written"):
        transfer.copy_finished(home, tmp_path)
    assert not tree(tmp_path)


# ------------------------------------------------------------------------------------------------ kills


def other_version(made, place):
    """Write a home of the same plan whose shards and features are others: the same banners in another order."""
    home, games = made
    shutil.copytree(home, place)
    for shard in snapshot.verified(place / "snapshots"):
        with tarfile.open(shard.path) as tar:
            members = [(member, tar.extractfile(member).read()) for member in reversed(tar.getmembers())]
        with tarfile.open(shard.path, "w") as tar:
            for member, body in members:
                tar.addfile(member, io.BytesIO(body))
        (place / "snapshots/0001/verified" / f"{shard.path.stem}.parquet").unlink()
    snapshot.update(games, place / "snapshots")  # it verifies what it finds
    put_features(place, "other")
    return place


@pytest.mark.parametrize("over", ["nothing", "another version"])
@pytest.mark.parametrize("what", ["fetch", "copy_finished"])
def test_killed_at_any_moment(made, archive, tmp_path, what, over):
    """SIGKILL before each file is opened, written on, renamed or removed: what counts is whole, and the rest comes."""
    home = made[0]
    source, targets = archive if what == "fetch" else home, tmp_path / "targets"
    targets.mkdir()
    if over == "another version":
        other = other_version(made, tmp_path / "other")
        transfer.copy_finished(other, tmp_path / "prepared")
        assert pictures(other) == pictures(home)
        assert [each.sha256 for each in snapshot.verified(other / "snapshots")] != [
            each.sha256 for each in snapshot.verified(home / "snapshots")
        ]
        for moment in range(1, 200, STRIDE):
            shutil.copytree(tmp_path / "prepared", targets / str(moment))
    killer = [sys.executable, "-c", KILLER, what, str(source), str(targets), str(STRIDE)]
    moments = int(subprocess.run(killer, check=True, capture_output=True, text=True).stdout)
    assert 60 < moments < 200
    whole = pictures(home)
    for moment in range(1, moments, STRIDE):
        target = targets / str(moment)
        seen = pictures(target)
        assert seen.items() <= whole.items()
        assert what == "copy_finished" or over != "nothing" or len(seen) in (0, len(whole))
        assert features_agree(target)
        getattr(transfer, what)(source, target)
        assert tree(target) == finished(home)
        shutil.rmtree(target)
