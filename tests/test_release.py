"""A release: what is in it, and that a stranger who starts from it computes nothing that it holds."""

import hashlib
import shutil
import subprocess
import sys

import downloads
import numpy as np
import pytest
import yaml
from data_dirs import FEATURES, GAMES, tree

import sample
from share import archive, release
from utils import catalogue, encoder, features, matching, settings
from utils.errors import CellError

EVIL = "x` <svg onload=alert(3)> [click](javascript:alert(2)) `"


@pytest.fixture
def chosen(finished_dir, tmp_path):
    chosen = settings.Settings(source="sample", data=tmp_path / "data")
    shutil.copytree(finished_dir, chosen.data_dir)
    shutil.rmtree(chosen.data_dir / "matches")
    prepared = matching.prepare(features.load(chosen.data_dir / "features" / FEATURES))
    matching.all_matches(prepared, 5, chosen.data_dir / "matches" / FEATURES)
    return chosen


def test_a_release_has_all_but_the_banners_and_the_names_in_its_card_are_text(chosen, tmp_path):
    shutil.copytree(chosen.data_dir / "features" / FEATURES, chosen.data_dir / "features" / EVIL)
    shutil.copytree(chosen.data_dir / "matches" / FEATURES, chosen.data_dir / "matches" / EVIL)
    folder = release.release(chosen, tmp_path / "release").parent
    tables = ["catalogue.parquet", f"matches/{FEATURES}.parquet", f"matches/{EVIL}.parquet"]
    sums = dict(reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines())
    assert sums.keys() == {"README.md", release.ARCHIVE, *tables}
    others = {path: content for path, content in tree(folder).items() if path != "SHA256SUMS"}
    assert sums == {path: hashlib.sha256(content).hexdigest() for path, content in others.items()}
    _, front, body = (folder / "README.md").read_text().split("---\n", 2)
    assert [config["data_files"] for config in yaml.safe_load(front)["configs"]] == tables
    assert f"{GAMES} games" in body
    assert f": {GAMES} banners, 64 dimensions (" in body
    assert "<svg" not in body
    assert "](javascript" not in body
    shutil.rmtree(chosen.data_dir / "matches")
    with pytest.raises(CellError):
        release.release(chosen, tmp_path / "another")
    assert not (tmp_path / "another").exists()


@pytest.mark.slow
def test_a_stranger_who_starts_from_what_the_command_made_embeds_nothing_again(
    finished_dir, chosen, tmp_path, monkeypatch
):
    """The banners come from the store; where their bytes are those that were embedded, the vectors are taken."""
    environment = {"STEAM_BANNERS_SOURCE": "sample", "STEAM_BANNERS_DATA": str(chosen.data), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "tools.release", str(tmp_path / "release")]
    assert "as SNAPSHOT" in subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    there = tmp_path / "stranger" / "sample"
    archive.fetch(tmp_path / "release" / release.ARCHIVE, there)
    games = catalogue.load(there / "catalogue.parquet")
    with sample.Store(sample.many(GAMES)) as store:
        paths = games["banner_url"].str.partition("/store_item_assets/")[2]
        downloads.update(store, there / "snapshots", games.assign(banner_url=store.assets_url + paths), shard_size=7)
    original = features.load(finished_dir / "features" / FEATURES)
    checkpoint = sample.checkpoint(tmp_path / original.manifest["checkpoint"])
    beit = encoder.load(str(checkpoint), image="squash", dtype="float32")
    monkeypatch.setattr(type(beit), "embed", lambda *_: pytest.fail("a banner was embedded again"))
    found = features.extract(there / "snapshots", beit, there / "features" / FEATURES, workers=0)
    order, first = np.argsort(found.appids), np.argsort(original.appids)
    assert (found.appids[order] == original.appids[first]).all()
    assert (found.vectors[order] == original.vectors[first]).all()
