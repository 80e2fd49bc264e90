"""A release: what is in it, and that a stranger who starts from it computes nothing that it holds."""

import hashlib
import shutil
import subprocess
import sys

import downloads
import homes
import numpy as np
import pytest
import yaml
from homes import EYE, GAMES, tree

import sample
from utils import catalogue, encoder, features, matching, settings, transfer


@pytest.fixture
def chosen(finished_home, tmp_path):
    chosen = settings.Settings(source="sample", data=tmp_path / "data")
    shutil.copytree(finished_home, chosen.data_dir)
    shutil.rmtree(chosen.data_dir / "matches")
    prepared = matching.prepare(features.load(chosen.data_dir / "features" / EYE))
    matching.all_matches(prepared, 5, chosen.data_dir / "matches" / EYE)
    return chosen


@pytest.fixture
def released(chosen, tmp_path):
    return transfer.release(chosen, tmp_path / "release")


def test_a_release_has_all_but_the_banners(released, chosen):
    folder = released.parent
    tables = {"catalogue.parquet", f"matches/{EYE}.parquet"}
    assert set(tree(folder)) == {"README.md", "SHA256SUMS", released.name, *tables}
    sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
    others = {path: content for path, content in tree(folder).items() if path != "SHA256SUMS"}
    assert sums == {path: hashlib.sha256(content).hexdigest() for path, content in others.items()}
    assert not [name for name, _ in homes.read_members(released) if name.name.startswith("snapshots")]
    assert (folder / "catalogue.parquet").read_bytes() == chosen.catalogue_file.read_bytes()


def test_the_card_is_in_the_hubs_form(released, tmp_path):
    text = (released.parent / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["size_categories"] == ["n<1K"]
    files = [config["data_files"] for config in card["configs"]]
    assert files == ["catalogue.parquet", f"matches/{EYE}.parquet"]
    assert all((released.parent / file).is_file() for file in files)
    assert f"{GAMES} games" in body
    assert f"`features/{EYE}`: {GAMES} banners, 64 numbers each" in body
    assert str(tmp_path) not in text


@pytest.mark.slow
def test_a_stranger_who_starts_from_it_embeds_nothing_again(finished_home, released, tmp_path, monkeypatch):
    """The banners come from the store; where their bytes are those that were embedded, the vectors are taken."""
    home = tmp_path / "stranger" / "sample"
    transfer.fetch(released, home)
    games = catalogue.load(home / "catalogue.parquet")
    with sample.Store(sample.many(GAMES)) as store:
        paths = games["banner_url"].str.partition("/store_item_assets/")[2]
        downloads.update(store, home / "snapshots", games.assign(banner_url=store.assets_url + paths), shard_size=7)
    original = features.load(finished_home / "features" / EYE)
    checkpoint = sample.checkpoint(tmp_path / original.manifest["checkpoint"])
    beit = encoder.load(str(checkpoint), image="squash", dtype="float32")
    monkeypatch.setattr(type(beit), "embed", lambda *_: pytest.fail("a banner was embedded again"))
    found = features.extract(home / "snapshots", beit, home / "features" / EYE, workers=0)
    order = np.argsort(found.appids)
    first = np.argsort(original.appids)
    assert (found.appids[order] == original.appids[first]).all()
    assert (found.vectors[order] == original.vectors[first]).all()


def test_nothing_to_release(chosen, tmp_path):
    shutil.rmtree(chosen.data_dir / "matches")
    with pytest.raises(transfer.TransferError, match="sample holds no features and matches to release"):
        transfer.release(chosen, tmp_path / "release")
    assert not (tmp_path / "release").exists()


@pytest.mark.slow
def test_the_command_says_what_to_do_next(chosen, tmp_path):
    environment = {"STEAM_BANNERS_SOURCE": "sample", "STEAM_BANNERS_DATA": str(chosen.data), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "tools.release", str(tmp_path / "there")]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "as SNAPSHOT" in ran.stdout
    again = subprocess.run(command, env=environment | {"STEAM_BANNERS_DATA": str(tmp_path / "no")}, capture_output=True)
    assert again.returncode == 1
    assert len(again.stderr.splitlines()) == 1
