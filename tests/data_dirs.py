"""A data_dir (`data/<source>`) with finished work and debris in it, and what tests ask about one."""

import re

import downloads
from downloads import pictures as stored

import sample
from utils import catalogue, encoder, features, snapshot

GAMES = 60
SHARDS = 3
FEATURES = "beit--squash--pooled"
DEBRIS = (
    "snapshots/0001/download.log",
    "snapshots/0001/shards/00000.tar.part",
    "snapshots/0001/shards/00009.tar",
    "snapshots/0001/shards/_tmp/0.feather",
    "snapshots/0001/verified/00009.parquet.part",
    "snapshots/0002/plan.parquet",
    f"features/{FEATURES}/img_emb/img_emb_00003.npy.part",
    "matches/beit--squash--pooled/manifest.json",
    "gallery/index.html",
)


def make(data_dir, checkpoint):
    """Fill a data_dir from the sample's store."""
    with sample.Store(sample.many(GAMES)) as store:
        games = downloads.fetch(store)
        catalogue.save(games, data_dir / "catalogue.parquet")
        downloads.update(store, data_dir / "snapshots", games, shard_size=GAMES // SHARDS)
    extract(data_dir, checkpoint)
    for name in DEBRIS:
        place = data_dir / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def extract(data_dir, checkpoint, image="squash"):
    """Compute the features of a data_dir, always into one folder."""
    beit = encoder.load(str(checkpoint), image=image, dtype="float32")
    return features.extract(data_dir / "snapshots", beit, data_dir / "features" / FEATURES, workers=0)


def tree(folder):
    """Return all files under a folder but locks and notes of what was fetched: path -> content."""
    kept = re.compile(r"\.lock|\.fetched.*\.txt")
    files = [file for file in folder.rglob("*") if file.is_file() and not kept.fullmatch(file.name)]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def finished(data_dir):
    """Return the files of a data_dir of `make` that are to travel: path -> content."""
    return {path: content for path, content in tree(data_dir).items() if path not in DEBRIS}


def pictures(data_dir):
    """Return the banners that count: appid -> JPEG."""
    return stored(data_dir / "snapshots")


def times(data_dir):
    """Return when the shards changed, which spares an update hashing them."""
    return [shard.path.stat().st_mtime_ns for shard in snapshot.verified(data_dir / "snapshots")]
