"""Banners on disk: one immutable plan an update, run by img2dataset, into shards that are verified before they count.

A folder of snapshots holds `0001/`, `0002/`, ... An update adds one and never edits another:

    0001/plan.parquet, plan.json   which games, in which order and shard size, and the hash of it; written once
    0001/shards/00000.tar          img2dataset's webdataset, KEY.jpg and KEY.json a banner, beside its parquet and stats
    0001/verified/00000.parquet    what we found in that shard: a row a game with its status and place; written last
"""

from utils.snapshot.errors import SnapshotError, Stopped
from utils.snapshot.finished import finished_files
from utils.snapshot.found import STATUSES
from utils.snapshot.leash import HEIGHT, WIDTH
from utils.snapshot.report import Report, report
from utils.snapshot.shards import Shard, records, rows, verified
from utils.snapshot.update import update

__all__ = [
    "HEIGHT",
    "STATUSES",
    "WIDTH",
    "Report",
    "Shard",
    "SnapshotError",
    "Stopped",
    "finished_files",
    "records",
    "report",
    "rows",
    "update",
    "verified",
]
