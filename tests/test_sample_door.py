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
from sample import eye
from utils import settings


@pytest.fixture
def own(tmp_path):
    """A folder with one picture."""
    folder = tmp_path / "own"
    folder.mkdir()
    Image.new("RGB", (30, 45), "red").save(folder / "red.png")
    return folder


def test_steam_needs_no_store(tmp_path):
    chosen = settings.Settings(data=tmp_path)
    assert sample.open_store(chosen) is chosen
    assert sample.notes(chosen) == []


def test_opened_again_the_store_is_at_the_same_address(tmp_path, own):
    chosen = settings.Settings(source="sample", data=tmp_path, checkpoint="mine")
    opened = sample.open_store(chosen)
    assert opened == sample.open_store(chosen)
    assert opened.checkpoint == "mine"
    assert len(requests.get(opened.api_url + PLAYED, timeout=10).json()["response"]["ranks"]) == 26
    mine = settings.Settings(source="folder", folder=own, data=tmp_path, checkpoint="mine")
    first = sample.open_store(mine)
    Image.new("RGB", (30, 45), "blue").save(own / "new.png")
    (own / "list.csv").write_text("id,name\n77,Nowhere\n")
    assert sample.open_store(mine).api_url == first.api_url != opened.api_url
    assert sample.notes(mine)[0] == "appid 77 (Nowhere) in the CSV has no picture of its own"
    names = [item["name"] for item in requests.get(first.api_url + QUERY, timeout=10).json()["response"]["store_items"]]
    assert "new" in names


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    pytest.importorskip("torch", reason="torch is not installed")
    return sample.checkpoint(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(autouse=True)
def undecided():
    """The choice of an eye is made once a process: forget it before and after."""
    eye.default_eye.cache_clear()
    yield
    eye.default_eye.cache_clear()


def small_beit(folder):
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def test_the_sample_gets_the_small_beit_if_it_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(eye, "SMALL", small_beit(tmp_path / "beit-small"))
    opened = sample.open_store(settings.Settings(source="sample", data=tmp_path))
    assert opened.checkpoint == "beit-small"
    assert sample.eye_line(opened) == "Checkpoint: the small BEiT in beit-small, which comes with the project."
    mine = sample.open_store(settings.Settings(source="sample", data=tmp_path, checkpoint="mine"))
    assert mine.checkpoint == "mine"
    assert sample.eye_line(mine) == ""


def test_without_the_small_beit_an_untrained_one_is_written(tmp_path, monkeypatch):
    pytest.importorskip("torch", reason="torch is not installed")
    monkeypatch.setattr(eye, "SMALL", tmp_path / "nothing")
    opened = sample.open_store(settings.Settings(source="sample", data=tmp_path))
    assert Path(opened.checkpoint, "model.safetensors").is_file()
    assert "never trained" in sample.eye_line(opened)


@pytest.mark.parametrize(
    ("gpu", "status", "behind", "taken", "said"),
    [
        (True, 200, 0.2, settings.DEFAULT_CHECKPOINT, "because a GPU is here"),
        (True, 404, 0.05, "beit-small", "because the hub cannot be reached"),
        (False, 200, 0.05, "beit-small", "because there is no GPU"),
        (False, 200, 0.2, "efficientnet-lite2", "because there is no GPU"),
    ],
)
def test_own_pictures_get_microsofts_where_it_can_run(
    tmp_path, monkeypatch, own, httpserver, gpu, status, behind, taken, said
):
    httpserver.expect_request(f"/{settings.DEFAULT_CHECKPOINT}/resolve/main/config.json").respond_with_data(
        "{}", status=status
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(eye, "SMALL", small_beit(tmp_path / "beit-small"))
    monkeypatch.setattr(eye, "gpu_is_here", lambda: gpu)
    monkeypatch.setattr(eye, "teacher_is_installed", lambda: True)
    monkeypatch.setattr(eye, "SMALL_HITS", eye.TEACHER_HITS - behind)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", httpserver.url_for("").rstrip("/"))
    opened = sample.open_store(settings.Settings(source="folder", folder=own, data=tmp_path))
    assert opened.checkpoint == taken
    assert said in sample.eye_line(opened)


def test_offline_the_hub_is_not_asked(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert not eye.hub_answers()


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


def test_the_study_of_the_sample_has_untrained_eyes_of_other_families(tmp_path):
    encoder = pytest.importorskip("utils.encoder", reason="torch is not installed")
    chosen = settings.Settings(source="sample", data=tmp_path)
    eyes = [encoder.load(folder, device="cpu") for folder in sample.eyes(chosen)]
    assert [each.family for each in eyes] == ["CLIP", "DINOv2", "ConvNeXtV2"]
    assert not any(each.identity["trained"] for each in eyes)
    flat = [np.full((384, 256, 3), level, np.uint8) for level in (0, 200)]
    for each in eyes:
        dark, light = each(flat)
        assert (dark - light).abs().max() > 0.1  # weights that let a picture through
    assert sample.eyes(settings.Settings(data=tmp_path)) == []
