"""A home (`data/<source>`) with finished work and debris in it, and what the tests of transfer ask about one."""

import hashlib
import io
import json
import tarfile
from contextlib import contextmanager

import downloads
import pytest

import sample
from utils import banners, catalogue, encoder, features, snapshot, transfer

GAMES = 60
SHARDS = 3
EYE = "beit--squash--pooled"
DEBRIS = (
    "snapshots/.lock",
    "snapshots/0001/addresses.parquet",
    "snapshots/0001/download.log",
    "snapshots/0001/shards/00000.tar.part",
    "snapshots/0001/shards/00009.tar",
    "snapshots/0001/shards/_tmp/0.feather",
    "snapshots/0001/verified/00009.parquet.part",
    "snapshots/0002/plan.parquet",
    f"features/{EYE}/img_emb/img_emb_00003.npy.part",
    f"features/{EYE}/_tmp/x",
    f"features/{EYE}/.lock",
    "pages/steady-00000-0000000.json.gz",
    "matches/beit--squash--pooled/manifest.json",
    "gallery/index.html",
)


def make_home(home, checkpoint):
    """Fill a home from the sample's store; return the catalogue."""
    with sample.Store(sample.many(GAMES)) as store:
        games = downloads.fetch(store)
        catalogue.save(games, home / "catalogue.parquet")
        downloads.update(store, home / "snapshots", games, shard_size=GAMES // SHARDS)
    extract(home, checkpoint)
    for name in DEBRIS:
        place = home / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return games


def extract(home, checkpoint, image="squash"):
    """Compute the features of a home, always into one folder."""
    beit = encoder.load(str(checkpoint), image=image, dtype="float32")
    return features.extract(home / "snapshots", beit, home / "features" / EYE, workers=0)


def tree(home):
    """Return all files under a folder but locks: path -> content."""
    files = (file for file in home.rglob("*") if file.is_file() and file.name != ".lock")
    return {file.relative_to(home).as_posix(): file.read_bytes() for file in files}


def finished(home):
    """Return the files of a home of `make_home` that are to travel: path -> content."""
    return {path: content for path, content in tree(home).items() if path not in DEBRIS}


def pictures(home):
    """Return the banners that count: appid -> JPEG."""
    return {banner.appid: banner.jpeg for banner in banners.read(home / "snapshots")}


def times(home):
    """Return when the shards changed, which spares an update hashing them."""
    return [shard.path.stat().st_mtime_ns for shard in snapshot.verified(home / "snapshots")]


def flip(file, position):
    """Change one bit of a file."""
    with file.open("r+b") as content:
        content.seek(position)
        byte = content.read(1)[0]
        content.seek(position)
        content.write(bytes([byte ^ 0x10]))


def read_members(archive):
    """Return the members of an archive with their content."""
    with tarfile.open(archive, "r:") as tar:
        return [(member, tar.extractfile(member).read()) for member in tar]


def write_members(place, members):
    """Write members as an archive, each as long as its content."""
    with tarfile.open(place, "w") as tar:
        for member, body in members:
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return place


def changed_manifest(members, change):
    """Return an archive's members with another manifest: `change` gets the old one and returns the new."""
    manifest = change(json.loads(members[0][1]))
    return [(tarfile.TarInfo("manifest.json"), json.dumps(manifest).encode()), *members[1:]]


def with_sums(members):
    """Return members whose manifest has their true sizes and sums, whatever is in them."""
    listed = [
        {"path": member.name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), "mtime_ns": 0}
        for member, body in members[1:]
    ]
    return changed_manifest(members, lambda old: old | {"files": listed})


@contextmanager
def refused(words, target):
    """The block must raise BadArchive with these words, and leave nothing but what was in the target before."""
    before = tree(target)
    with pytest.raises(transfer.BadArchive) as error:
        yield
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)
    assert tree(target) == before
    assert not list(target.rglob(".unpacking*"))
