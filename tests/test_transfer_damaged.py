"""Archives whose sums are right and whose files are not, and archives that were damaged on the way."""

import io
import shutil
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from homes import finished, flip, pictures, read_members, refused, tree, with_sums, write_members

from utils import transfer


@pytest.mark.parametrize("path", ["catalogue.parquet", "snapshots/0001/plan.parquet"])
@pytest.mark.parametrize("content", [b"", b"{}", b"PAR1" + bytes(100) + b"PAR1", b"[" * 10_000])
def test_a_member_that_its_room_cannot_read(archive, tmp_path, path, content):
    """The sums are right, since whoever forges an archive makes them so; the rooms' own readers refuse it."""
    members = [(member, content if member.name == path else body) for member, body in read_members(archive)]
    with refused(["not finished work of ours"], tmp_path / "home"):
        transfer.fetch(write_members(tmp_path / "a.tar", with_sums(members)), tmp_path / "home")


def test_a_plan_that_can_be_made_again_from_its_games_is(finished_home, archive, tmp_path):
    path = "snapshots/0001/plan.json"
    members = [(member, b"{}" if member.name == path else body) for member, body in read_members(archive)]
    transfer.fetch(write_members(tmp_path / "a.tar", with_sums(members)), tmp_path / "home")
    assert pictures(tmp_path / "home") == pictures(finished_home)
    transfer.copy_finished(tmp_path / "home", tmp_path / "drive")
    transfer.fetch(archive, tmp_path / "drive")  # two descriptions of one plan are no two snapshots
    assert tree(tmp_path / "drive") == finished(finished_home)


def test_features_and_rows_that_were_swapped(archive, tmp_path):
    members = read_members(archive)
    swapped = {"img_emb_00000.npy": "img_emb_00001.npy", "img_emb_00001.npy": "img_emb_00000.npy"}
    for member, _ in members:
        folder, _, name = member.name.rpartition("/")
        member.name = f"{folder}/{swapped[name]}" if name in swapped else member.name
    with refused(["not finished work of ours"], tmp_path / "home"):
        transfer.fetch(write_members(tmp_path / "a.tar", with_sums(members)), tmp_path / "home")


def test_a_record_of_another_shard(archive, tmp_path):
    members = read_members(archive)
    bodies = {member.name: body for member, body in members}
    first, second = (f"snapshots/0001/verified/0000{number}.parquet" for number in (0, 1))
    assert pq.read_schema(io.BytesIO(bodies[first])).metadata != pq.read_schema(io.BytesIO(bodies[second])).metadata
    members = [(member, bodies[second] if member.name == first else body) for member, body in members]
    with refused(["not finished work of ours"], tmp_path / "home"):
        transfer.fetch(write_members(tmp_path / "a.tar", with_sums(members)), tmp_path / "home")


def test_an_archive_cut_anywhere(archive, tmp_path):
    whole = archive.read_bytes()
    with tarfile.open(archive, "r:") as tar:
        starts = [member.offset for member in tar]
        end = tar.offset
    for size in [*starts[1:], *range(7, end, end // 20)]:
        (tmp_path / "a.tar").write_bytes(whole[:size])
        with refused(["a.tar"], tmp_path / "home"):
            transfer.fetch(tmp_path / "a.tar", tmp_path / "home")


def test_a_byte_flipped_anywhere(finished_home, archive, tmp_path):
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
            assert tree(tmp_path / "home") == finished(finished_home)
        except transfer.BadArchive:
            assert not tree(tmp_path / "home")
            bad += 1
        shutil.rmtree(tmp_path / "home")
        flip(tmp_path / "a.tar", place)
    assert bad >= len(members)
