"""Archives that are not whole, not ours, or made to do harm: refused in one line, with nothing of them used."""

import copy
import hashlib
import io
import resource
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from homes import EYE, changed_manifest, read_members, refused, with_sums, write_members

from utils import transfer

ZEROS = {"bytes": 0, "sha256": hashlib.sha256().hexdigest(), "mtime_ns": 0}


def forge(place, archive, extra, *, listed):
    """Write an archive with one more member, which its manifest lists or does not."""
    entry = ZEROS | {"path": extra.name, "bytes": extra.size}
    members = read_members(archive)
    if listed:
        members = changed_manifest(members, lambda old: old | {"files": [*old["files"], entry]})
    with tarfile.open(place, "w") as tar:
        for member, body in members:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
        tar.addfile(extra, io.BytesIO(bytes(extra.size)))
    return place


CLIMBING = [
    "../outside.txt",
    "/outside.txt",
    "C:\\outside.txt",
    "C:outside.txt",
    "snapshots\\0001\\plan.json",
    "snapshots/0001/../../../outside.txt",
    "features/../../outside.txt",
    "features/a/..\\..\\outside.txt",
    "features/a/.hidden",
    "features/a/b\n",
    "features//b",
    "./catalogue.parquet",
    "manifest.json",
    "a/" * 200 + "b",
]
STRANGERS = ["notes.txt", "snapshots/٠٠٠١/plan.json", "snapshots/0001/shards/evil.tar", "gallery/index.html"]


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("name", [*CLIMBING, *STRANGERS])
def test_names_that_climb_or_are_none_of_ours(archive, tmp_path, name, listed):
    forged = forge(tmp_path / "a.tar", archive, tarfile.TarInfo(name), listed=listed)
    with refused([repr(name)[1:40]], tmp_path / "home"):
        transfer.fetch(forged, tmp_path / "home")
    assert not (tmp_path.parent / "outside.txt").exists()
    assert not Path("/outside.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
@pytest.mark.parametrize("listed", [True, False])
def test_links_and_devices(archive, tmp_path, kind, listed):
    link = tarfile.TarInfo("features/beit/vectors.npy")
    link.type, link.linkname = kind, "catalogue.parquet"
    with refused([link.name], tmp_path / "home"):
        transfer.fetch(forge(tmp_path / "a.tar", archive, link, listed=listed), tmp_path / "home")


def test_a_member_that_grows_out_of_holes(archive, tmp_path):
    extra = tarfile.TarInfo("features/beit/vectors.npy")
    extra.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": "1000000"}
    with refused([extra.name, "not a plain file"], tmp_path / "home"):
        transfer.fetch(forge(tmp_path / "a.tar", archive, extra, listed=True), tmp_path / "home")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_header_of_five_gigabytes(archive, tmp_path, kind):
    """The file is sparse, so the five gigabytes are there to be read; memory must not grow by them."""
    long = tarfile.TarInfo("././@LongLink")
    long.type, long.size = kind, 5 << 30
    whole = archive.read_bytes()
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(whole[:10_240].ljust(10_240, b"\0") if kind == b"never" else long.tobuf())
        file.truncate(5 << 30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with refused(["header"], tmp_path / "home"):
        transfer.fetch(tmp_path / "a.tar", tmp_path / "home")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


RUN = 20_000_000  # entries of a list, all the same, that take some bytes in parquet
FETCH = """
import resource, sys
from pathlib import Path
from utils import features, transfer
from utils.transfer import memory

memory.MOST = 60 << 20
for place in map(Path, sys.argv[1:]):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    limit = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        transfer.fetch(place, place.with_suffix(""))
    except transfer.BadArchive:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    assert resource.getrlimit(resource.RLIMIT_DATA) == limit
"""


def unfolding(lists, rows):
    """Return a parquet file of some kilobytes whose lists, runs of one value, take hundreds of megabytes."""
    offsets = np.minimum(np.arange(rows + 1) * RUN, RUN)
    table = lists(pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(np.zeros(RUN, np.int8))))
    content = io.BytesIO()
    with pq.ParquetWriter(content, table.schema, compression="zstd") as writer:
        for _ in range(8):
            writer.write_table(table)
    assert content.tell() < 100_000
    return content.getvalue()


@pytest.mark.slow
def test_a_small_parquet_that_unfolds_to_gigabytes(archive, tmp_path):
    members = read_members(archive)
    games = pq.read_table(io.BytesIO(next(body for member, body in members if member.name == "catalogue.parquet")))
    tags = games.schema.get_field_index("tags")
    plain = unfolding(lambda runs: pa.table({"x": runs}), 1)
    cases = {
        "catalogue.parquet": unfolding(lambda runs: games.set_column(tags, "tags", runs), len(games)),
        "snapshots/0001/plan.parquet": plain,
        "snapshots/0001/verified/00000.parquet": plain,
        f"features/{EYE}/metadata/metadata_00000.parquet": plain,
    }
    places = []
    for number, (path, bomb) in enumerate(cases.items()):
        changed = [(copy.copy(member), bomb if member.name == path else body) for member, body in members]
        places.append(write_members(tmp_path / f"{number}.tar", with_sums(changed)))
    ran = subprocess.run([sys.executable, "-c", FETCH, *places], capture_output=True, text=True, check=True)
    grown = [int(line) for line in ran.stdout.split()]
    assert len(grown) == len(cases), ran.stderr
    assert max(grown) < 130_000  # KiB


def test_members_and_manifest_must_be_the_same(archive, tmp_path):
    members = read_members(archive)
    name, body = members[5][0].name, members[5][1]
    twice = changed_manifest(members, lambda old: old | {"files": [*old["files"], ZEROS | {"path": name}]})
    cases = {
        "comes twice": [*members, members[5]],
        "comes twice, or has no size": twice,
        "missing": [*members[:5], *members[6:]],
        f"{len(body):,} bytes": [*members[:5], (members[5][0], body + b"x"), *members[6:]],
        "damaged": [*members[:5], (members[5][0], body[:-1] + b"x"), *members[6:]],
    }
    for words, changed in cases.items():
        copied = [(copy.copy(member), content) for member, content in changed]
        with refused([words, name], tmp_path / "home"):
            transfer.fetch(write_members(tmp_path / "a.tar", copied), tmp_path / "home")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, ["format is 2", "update the program"]),
        ({"format": "new"}, ["not understood"]),
        ({"files": None}, ["not understood"]),
        ({"files": [{"path": "catalogue.parquet"}]}, ["not understood"]),
        ({"files": ["catalogue.parquet"]}, ["not understood"]),
        ({"files": [ZEROS | {"path": "catalogue.parquet", "mtime_ns": 1 << 80}]}, ["catalogue.parquet"]),
        ({"files": [ZEROS | {"path": "catalogue.parquet", "bytes": -1}]}, ["catalogue.parquet"]),
        ({"files": [ZEROS | {"path": "catalogue.parquet", "bytes": float("inf")}]}, ["catalogue.parquet"]),
        ({"files": [ZEROS | {"path": "catalogue.parquet", "bytes": True}]}, ["catalogue.parquet"]),
        ({"files": [ZEROS | {"path": ["catalogue.parquet"]}]}, ["catalogue.parquet"]),
        ({"files": [ZEROS | {"path": "x\ud800"}]}, ["not a file of ours"]),
        ({"files": [ZEROS | {"path": "catalogue.parquet", "sha256": None}]}, ["catalogue.parquet"]),
    ],
)
def test_a_manifest_of_another_kind(archive, tmp_path, change, words):
    members = changed_manifest(read_members(archive), lambda old: old | change)
    with refused(words, tmp_path / "home"):
        transfer.fetch(write_members(tmp_path / "a.tar", members), tmp_path / "home")


def test_more_than_the_disk_has_room_for_is_refused_before_it_is_written(archive, tmp_path):
    huge = ZEROS | {"path": "catalogue.parquet", "bytes": 1 << 60}
    members = changed_manifest(read_members(archive), lambda old: old | {"files": [huge]})
    with pytest.raises(transfer.TransferError, match=r"needs 1,152,921,504,606,846,976 bytes, but the disk"):
        transfer.fetch(write_members(tmp_path / "a.tar", members), tmp_path / "home")


def test_other_files_are_no_archives(finished_home, archive, tmp_path):
    deep = tarfile.TarInfo("manifest.json")
    deep.size = 200_000
    with tarfile.open(tmp_path / "deep.tar", "w") as tar:
        tar.addfile(deep, io.BytesIO(b"[" * deep.size))
    with tarfile.open(tmp_path / "packed.tar", "w:gz") as tar:
        tar.add(finished_home / "catalogue.parquet", "manifest.json")
    (tmp_path / "text.tar").write_text("<html>" * 1_000)
    (tmp_path / "empty.tar").touch()
    shutil.copy(finished_home / "snapshots/0001/shards/00000.tar", tmp_path / "shard.tar")
    members = read_members(archive)
    members[0][0].name = "list.json"
    write_members(tmp_path / "renamed.tar", members)
    folder = tarfile.TarInfo("manifest.json")
    folder.type = tarfile.DIRTYPE
    write_members(tmp_path / "folder.tar", [(folder, b"")])
    large = tarfile.TarInfo("manifest.json")
    write_members(tmp_path / "large.tar", [(large, b" " * (9 << 20))])
    others = sorted(tmp_path.glob("*.tar"))
    assert len(others) == 8
    for other in others:
        with refused([other.name, "is not an archive"], tmp_path / "home"):
            transfer.fetch(other, tmp_path / "home")
