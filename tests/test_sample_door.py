"""The notebooks' door to the sample, and the untrained checkpoint."""

from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from store_client import (
    PLAYED,
    QUERY,
)

import sample
from utils import settings


@pytest.fixture
def own(tmp_path):
    """A folder with one picture."""
    folder = tmp_path / "own"
    folder.mkdir()
    Image.new("RGB", (30, 45), "red").save(folder / "red.png")
    return folder


@pytest.fixture(scope="module")
def fictional():
    return sample.fictional()


def test_steam_needs_no_store(tmp_path):
    chosen = settings.Settings(data=tmp_path)
    assert sample.open_store(chosen) is chosen
    assert sample.notes(chosen) == []


def test_opened_again_the_store_is_at_the_same_address(tmp_path, own):
    chosen = settings.Settings(source="sample", data=tmp_path, checkpoint="mine")
    opened = sample.open_store(chosen)
    assert opened == sample.open_store(chosen)
    assert opened.checkpoint == "mine"
    assert len(requests.get(opened.api_url + PLAYED, timeout=10).json()["response"]["ranks"]) == 20
    mine = settings.Settings(source="folder", folder=own, data=tmp_path, checkpoint="mine")
    first = sample.open_store(mine)
    Image.new("RGB", (30, 45), "blue").save(own / "new.png")
    (own / "list.csv").write_text("id,name\n77,Nowhere\n")
    assert sample.open_store(mine).api_url == first.api_url != opened.api_url
    assert sample.notes(mine)[0] == "appid 77 (Nowhere) in the CSV has no picture of its own"
    names = [item["name"] for item in requests.get(first.api_url + QUERY, timeout=10).json()["response"]["store_items"]]
    assert "new" in names


@pytest.fixture(scope="module")
def files(fictional):
    """The bytes of every banner by the game's name."""
    games = [game for game in fictional.games if game.type == 0 and game.release_date]
    return {game.name: fictional.picture(game.appid) for game in games}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    pytest.importorskip("torch", reason="torch is not installed")
    return sample.checkpoint(tmp_path_factory.mktemp("data") / "tiny")


def test_open_store_writes_the_checkpoint(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed")
    opened = sample.open_store(settings.Settings(source="sample", data=tmp_path))
    assert Path(opened.checkpoint, "model.safetensors").is_file()


def test_the_checkpoint_is_a_whole_beit_that_does_not_vanish(tiny):
    from transformers import BeitForImageClassification, BeitImageProcessorPil

    model, loading = BeitForImageClassification.from_pretrained(tiny, output_loading_info=True)
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert 200_000 < model.num_parameters() < 400_000
    assert model.config.steam_banners_untrained is True
    weights = dict(model.named_parameters())
    for part, least in (("relative_position_bias", 0.3), ("lambda_1", 0.4), ("lambda_2", 0.4), ("layernorm", 0.05)):
        assert min(weight.abs().mean() for name, weight in weights.items() if part in name) > least, part
    assert sum("relative_position_bias_table" in name for name in weights) == 4
    assert BeitImageProcessorPil.from_pretrained(tiny).size == {"height": 224, "width": 224}


def test_the_checkpoint_is_the_same_everywhere_and_leaves_chance_alone(tiny, tmp_path):
    import torch

    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = sample.checkpoint(tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), before)
    for file in ("model.safetensors", "preprocessor_config.json", "config.json"):
        assert (again / file).read_bytes() == (tiny / file).read_bytes()
    assert sorted(file.name for file in again.iterdir()) == sorted(file.name for file in tiny.iterdir())


def test_a_whole_checkpoint_is_kept_and_a_torn_one_is_replaced(tiny, tmp_path):
    place = sample.checkpoint(tmp_path / "tiny")
    written = (place / "model.safetensors").stat().st_mtime_ns
    assert sample.checkpoint(place) == place
    assert (place / "model.safetensors").stat().st_mtime_ns == written
    (place / "config.json").unlink()
    (place / "model.safetensors").write_bytes(b"torn")
    (place / "mine.txt").write_text("not ours")
    sample.checkpoint(place)
    assert (place / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()
    assert (place / "mine.txt").exists()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nearly_all_games_find_one_of_their_series_first(tiny, fictional, files, dtype):
    torch = pytest.importorskip("torch")
    from utils import banners, encoder

    games = [game for game in fictional.games if game.franchises and files.get(game.name) and game.banner]
    pixels = [banners.decode(files[game.name]) for game in games]
    beit = encoder.load(str(tiny), dtype=getattr(torch, dtype))
    vectors = torch.cat([beit(pixels[start : start + 37]) for start in range(0, len(pixels), 37)]).double()
    assert len(games) == 148
    for features in (vectors, vectors - vectors.mean(0)):
        cosines = torch.nn.functional.normalize(features) @ torch.nn.functional.normalize(features).T
        nearest = cosines.fill_diagonal_(-2).argmax(1).tolist()
        hits = [game.franchises[0] == games[other].franchises[0] for game, other in zip(games, nearest, strict=True)]
        assert np.mean(hits) >= 0.95
