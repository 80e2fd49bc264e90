"""Every file that is read back, damaged in every way: never a wrong answer, never a traceback.

A few seeded cases here; HYPOTHESIS_PROFILE=long tries many.
"""

import shutil

import numpy as np
import pytest
from homes import EYE, finished, flip, pictures, tree
from hypothesis import given
from hypothesis import strategies as st

from utils import banners, catalogue, features, matching, snapshot, transfer
from utils.errors import PlainError
from utils.transfer import rooms

KINDS = ("flip", "cut", "empty", "swap", "zeros", "longer", "text")
DAMAGE = st.tuples(st.sampled_from(KINDS), st.integers(0, 1 << 30), st.integers(0, 1 << 30))


@pytest.fixture(scope="module")
def home(finished_home, tmp_path_factory):
    """A home to damage, with matches and with the pages of a crawl that was interrupted."""
    home = tmp_path_factory.mktemp("fuzz") / "sample"
    shutil.copytree(finished_home, home)
    shutil.rmtree(home / "matches")
    matching.all_matches(prepared(home), 5, home / "matches" / EYE)
    return home


@pytest.fixture(scope="module")
def whole(home):
    """What a whole home says."""
    return {name: read(home) for name, read in READERS.items()}


def prepared(home):
    return matching.prepare(features.load(home / "features" / EYE))


READERS = {
    "catalogue": lambda home: catalogue.load(home / "catalogue.parquet"),
    "banners": pictures,
    "album": lambda home: banners.Album(home / "snapshots"),
    "records": lambda home: snapshot.records(home / "snapshots"),
    "features": lambda home: features.load(home / "features" / EYE),
    "matches": lambda home: matching.all_matches(prepared(home), 5, home / "matches" / EYE),
}


def damage(file, others, kind, first, second):
    """Damage a file; return what it was."""
    content = file.read_bytes()
    place = first % max(len(content), 1)
    changed = {
        "cut": content[:place],
        "empty": b"",
        "zeros": content[:place] + bytes(min(100, len(content) - place)) + content[place + 100 :],
        "longer": content + bytes(1 + second % 1_000),
        "text": b"<html>sign in</html>",
        "swap": others[second % len(others)].read_bytes(),
    }
    if kind == "flip":
        flip(file, place)
    else:
        file.write_bytes(changed[kind])
    return content


def same_or_less(name, found, original):
    """Whether what was read of a damaged home is what it was; shards that do not count any more may be missing."""
    if name == "catalogue":
        return found.equals(original)
    if name == "banners":
        return found.items() <= original.items()
    if name == "features":
        return (found.appids == original.appids).all() and (found.vectors == original.vectors).all()
    if name == "matches":
        return (found.neighbours == original.neighbours).all() and np.array_equal(found.cosines, original.cosines)
    return True


def found_or_line(read):
    """Return what was read, or the line that says why not."""
    try:
        return read(), ""
    except PlainError as error:
        return None, str(error)


@pytest.mark.slow
@given(which=st.integers(0, 1 << 30), how=DAMAGE)
def test_a_damaged_file_is_never_believed_and_never_a_traceback(home, whole, which, how):
    files = sorted(home / path for path in finished(home))
    file = files[which % len(files)]
    alike = [other for other in files if other.suffix == file.suffix and other != file] or files
    before = damage(file, alike, *how)
    try:
        in_order, damaged = rooms.whole(home)
        assert not set(in_order) & set(damaged)
        for name, read in READERS.items():
            found, line = found_or_line(lambda read=read: read(home))
            assert "\n" not in line
            assert len(line) < 1_000
            assert line or same_or_less(name, found, whole[name]), f"{name}: {how[0]} of {file.relative_to(home)}"
    finally:
        file.write_bytes(before)


@given(how=DAMAGE)
def test_a_damaged_archive_is_used_whole_or_not_at_all(archive, finished_home, tmp_path_factory, how):
    folder = tmp_path_factory.mktemp("archive")
    copied = folder / "a.tar"
    shutil.copy(archive, copied)
    damage(copied, [finished_home / "catalogue.parquet"], *how)
    _, line = found_or_line(lambda: transfer.fetch(copied, folder / "home"))
    assert "\n" not in line
    assert tree(folder / "home") == ({} if line else finished(finished_home))
    shutil.rmtree(folder)
