"""Folders that hold what nobody would expect there: one line that names it, and nothing outside is touched."""

import os
import shutil

import pandas as pd
import pytest

from utils import snapshot
from utils.errors import StorageError
from utils.snapshot import shards

GAMES = pd.DataFrame({"appid": [10], "name": ["A game"], "banner_url": ["http://127.0.0.1:9/a/1.jpg?t=1"]})


SNAPSHOTS = {
    "a file": lambda place: place.write_text("mine"),
    "a loop of links": lambda place: place.symlink_to(place),
    "its lock is a folder": lambda place: (place / ".lock").mkdir(parents=True),
    "the next snapshot is a file": lambda place: (place.mkdir(), (place / "0001.part").write_text("mine")),
}


@pytest.mark.parametrize("kind", SNAPSHOTS)
def test_banners_in_a_strange_folder(tmp_path, kind):
    SNAPSHOTS[kind](tmp_path / "snapshots")
    with pytest.raises(StorageError, match="snapshots") as caught:
        snapshot.update(GAMES, tmp_path / "snapshots", assets_url="http://127.0.0.1:9/a/")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["plan.parquet", "shards/00000_stats.json"])
def test_a_pipe_among_the_banners_is_not_waited_for(downloaded, tmp_path, name):
    folder = shutil.copytree(downloaded[1], tmp_path / "snapshots")
    (folder / "0001" / "verified" / "00000.parquet").unlink()
    (folder / "0001" / name).unlink()
    os.mkfifo(folder / "0001" / name)
    assert snapshot.report(GAMES, folder).asked == 1
    assert [shards.verify(each, 0) for each in shards.read(folder)] == [None]
