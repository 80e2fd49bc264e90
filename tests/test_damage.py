"""Every file that is read back, damaged in every way: the right answer, less of it, or one line; never a traceback."""

import shutil

import numpy as np
import pytest
from data_dirs import FEATURES, finished, pictures
from downloads import flip

from share import archive
from utils import catalogue, drive, features, matching
from utils.errors import PlainError


@pytest.fixture(scope="module")
def place(finished_dir, tmp_path_factory):
    """A data_dir to damage, with matches, and with an archive beside it."""
    place = tmp_path_factory.mktemp("damage") / "sample"
    shutil.copytree(finished_dir, place)
    shutil.rmtree(place / "matches")
    all_matches(place)
    archive.pack(finished_dir, place / "a.tar")
    return place


def all_matches(place):
    prepared = matching.prepare(features.load(place / "features" / FEATURES))
    return matching.all_matches(prepared, 5, place / "matches" / FEATURES)


def found_or_line(read):
    """Return what was read, or the line that says why not."""
    try:
        return read(), ""
    except PlainError as error:
        return None, str(error)


def fetched(place):
    """Return what an archive brought: the banners by appid, and the vectors by name."""
    there = place / "there"
    try:
        archive.fetch(place / "a.tar", there)
        found, _ = found_or_line(lambda: features.load(there / "features" / FEATURES))
        vectors = {} if found is None else dict(zip(found.names, map(bytes, found.vectors), strict=True))
        return pictures(there) | vectors
    finally:
        shutil.rmtree(there)


def same(*names):
    """Return what says whether two results are the same in these arrays."""
    return lambda found, original: all(np.array_equal(getattr(found, each), getattr(original, each)) for each in names)


CATALOGUE = (lambda place: catalogue.load(place / "catalogue.parquet"), lambda found, original: found.equals(original))
BANNERS = (pictures, lambda found, original: found.items() <= original.items())
VECTORS = (lambda place: features.load(place / "features" / FEATURES), same("appids", "vectors"))
ARTEFACTS = {  # path -> how it is read, and what may be read of it when it is damaged
    "catalogue.parquet": CATALOGUE,
    "snapshots/0001/plan.parquet": BANNERS,
    "snapshots/0001/shards/00001.tar": BANNERS,
    "snapshots/0001/verified/00001.parquet": BANNERS,
    f"features/{FEATURES}/manifest.json": VECTORS,
    f"features/{FEATURES}/img_emb/img_emb_00001.npy": VECTORS,
    f"features/{FEATURES}/metadata/metadata_00001.parquet": VECTORS,
    f"matches/{FEATURES}/matches.parquet": (all_matches, same("neighbours", "cosines")),
    "a.tar": (fetched, BANNERS[1]),
}


def damaged(content, how, other):
    """Yield some content as it is after a disk, a browser or a hand had its way with it."""
    if how == "replaced":
        yield from (other, b"<html>sign in</html>", content * 2)
        return
    chance = np.random.default_rng(len(content))
    for place in (0, len(content) - 1, *chance.integers(0, len(content), 3).tolist()):
        match how:
            case "cut":
                yield content[:place]
            case "overwritten":
                yield content[:place] + bytes(100) + content[place + 100 :]
            case "flipped":
                yield content[:place] + bytes([content[place] ^ 1 << int(chance.integers(8))]) + content[place + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["flipped", "cut", "overwritten", "replaced"])
@pytest.mark.parametrize("path", ARTEFACTS)
def test_a_damaged_file_is_never_believed(place, finished_dir, path, how):
    read, is_right = ARTEFACTS[path]
    original = read(place)
    content = (place / path).read_bytes()
    alike = sorted(file for file in (place / path).parent.glob(f"*{(place / path).suffix}") if file != place / path)
    other = (alike[0] if alike else finished_dir / "catalogue.parquet").read_bytes()
    try:
        for changed in damaged(content, how, other):
            (place / path).write_bytes(changed)
            assert set(drive.finished(place, check=True)) <= set(drive.finished(place))
            found, line = found_or_line(lambda: read(place))
            assert line or is_right(found, original)
            assert "\n" not in line
            assert len(line) < 1_000
    finally:
        (place / path).write_bytes(content)
    assert is_right(read(place), original)


def test_what_is_whole_is_finished_and_what_rotted_is_not(place, finished_dir):
    """The check is what Drive, archives and releases rely on."""
    assert {path for each in drive.finished(place, check=True) for path in each} == set(finished(finished_dir))
    for path in ("snapshots/0001/shards/00001.tar", f"features/{FEATURES}/img_emb/img_emb_00001.npy"):
        flip(place / path)
        assert path not in {path for each in drive.finished(place, check=True) for path in each}
        flip(place / path)
