"""SIGKILL at every so many moments of a fetch and a copy: what counts is whole, and the next call brings the rest."""

import os
import shutil
import subprocess
import sys

import downloads
import homes
import pytest
from homes import finished, pictures, tree

import sample
from utils import snapshot, transfer
from utils.transfer import rooms

STRIDE = int(os.environ.get("STRIDE", "11"))  # with 1, every moment
KILLER = """
import os, signal, sys
from pathlib import Path
from utils import features, transfer

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
        getattr(transfer, what)(Path(source), Path(folder, str(moment)))
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(moment)
"""

pytestmark = [pytest.mark.kill, pytest.mark.slow]


def other_version(finished_home, place, checkpoint):
    """Write a home of the same plan whose shards and features are others: downloaded again, and cropped."""
    shutil.copytree(finished_home, place)
    for shard in snapshot.verified(place / "snapshots"):
        shard.path.unlink()
    with sample.Store(sample.many(homes.GAMES)) as store:
        downloads.update(store, place / "snapshots")
    shutil.rmtree(place / "features")
    homes.extract(place, checkpoint, image="crop")
    return place


@pytest.mark.parametrize("over", ["nothing", "another version"])
@pytest.mark.parametrize("what", ["fetch", "copy_finished"])
def test_killed_at_any_moment(finished_home, archive, tmp_path, what, over):
    source = archive if what == "fetch" else finished_home
    targets = tmp_path / "targets"
    targets.mkdir()
    if over == "another version":
        other = other_version(finished_home, tmp_path / "other", sample.checkpoint(tmp_path / "checkpoint"))
        assert finished(other) != finished(finished_home)
        for moment in range(1, 300, STRIDE):
            transfer.copy_finished(other, targets / str(moment))
    killer = [sys.executable, "-c", KILLER, what, str(source), str(targets), str(STRIDE)]
    moments = int(subprocess.run(killer, check=True, capture_output=True, text=True).stdout)
    assert 60 < moments < 300
    for moment in range(1, moments, STRIDE):
        target = targets / str(moment)
        assert pictures(target).items() <= pictures(finished_home).items()
        assert not rooms.whole(target)[1]
        getattr(transfer, what)(source, target)
        assert finished(finished_home).items() <= tree(target).items()
        shutil.rmtree(target)
