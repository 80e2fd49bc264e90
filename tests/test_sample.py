"""The sample: its games, its banners, its store over real HTTP, and the checkpoint that a source gets."""

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import requests
import torch
from data_dirs import tree
from PIL import Image

import sample
from sample import encoders
from utils import encoder, settings

GAMES = {"released_only": True, "type_filters": {"include_apps": True, "include_games": True}}


def ask(store, service, **asked):
    words = {"input_json": json.dumps(asked)}
    answer = requests.get(f"{store.api_url}/{service}/v1/", params=words, timeout=10)
    assert answer.headers["x-eresult"] == "1"
    return answer.json()["response"]


def query(store, count, **wanted):
    asked = {"start": 0, "count": count, "sort": 2, "filters": GAMES}
    return ask(store, "IStoreQueryService/Query", query=asked, data_request=wanted)


def test_the_sample_has_what_it_promises(fictional):
    games = [game for game in fictional.games if game.type == 0 and game.release_date]
    names = "".join(game.name for game in games)
    assert (len(games), len({game.appid for game in fictional.games})) == (159, 162)
    assert Counter(Counter(game.franchises[:1] for game in games).values()) == {1: 1, 5: 28, 6: 3}
    assert all(letter in names for letter in "éüñßЗΑ墨🍬<|\"'")
    assert sum(bool({3, 4} & set(game.descriptors)) for game in games) == 2
    assert sum(game.banner is None for game in games) == 1
    files = {(game.banner.count("/"), game.banner.rpartition("/")[2]) for game in games if game.banner}
    assert files == {(at, name) for at in (0, 1) for name in ("library_600x900.jpg", "library_capsule.jpg")}
    by_name = {game.name: fictional.picture(game.appid) for game in fictional.games}
    opened = {name: Image.open(io.BytesIO(file)) for name, file in by_name.items() if file}
    assert "Зимовье: Оттепель" not in opened
    assert opened["Baxter Street: Third Floor, No Light"].mode == "L"
    assert opened["Würfel & Kreis: Schräge Töne"].mode == "CMYK"
    assert opened["Gloomwick: Loot & Rue"].format == "PNG"
    assert by_name["Вечный гамбит: Юбилейное издание"] == by_name["Вечный гамбит: Дебют"]
    assert np.asarray(opened["Untitled (Working Title)"], float).std() < 1
    assert {each.size for each in opened.values()} == {(300, 450)}


def test_answers_have_steams_shape(sample_store, fictional):
    page = query(sample_store, 3, include_assets=True, include_tag_count=20)
    assert page["metadata"] == {"total_matching_records": 159, "start": 0, "count": 3}
    assert [entry["appid"] for entry in page["ids"]] == [90000010, 90000020, 90000030]
    item = page["store_items"][1]
    assert (item["item_type"], item["type"], item["success"], item["id"], item["appid"]) == (0, 0, 1, *[90000020] * 2)
    assert item["tags"][0] == {"tagid": 21, "weight": 900}
    assert item["assets"]["asset_url_format"] == "steam/apps/90000020/${FILENAME}?t=1307232000"
    assert item["assets"]["library_capsule_2x"].endswith("/library_600x900_2x.jpg")
    assert not {"content_descriptorids", "basic_info", "reviews", "release"} & item.keys()  # empty, or not asked for
    counts = (each.get("reviews") for each in query(sample_store, 500, include_reviews=True)["store_items"])
    assert {type(each["summary_filtered"]["review_count"]) for each in counts if each} == {int, str}
    items = ask(sample_store, "IStoreBrowseService/GetItems", ids=[{"appid": appid} for appid in (90000040, 8)])
    assert [(item["appid"], item["success"]) for item in items["store_items"]] == [(90000040, 1), (8, 15)]
    ranks = ask(sample_store, "ISteamChartsService/GetMostPlayedGames")["ranks"]
    peaks = [row["peak_in_game"] for row in ranks]
    assert (len(peaks), peaks) == (26, sorted(peaks, reverse=True))
    names = {tag["name"] for tag in ask(sample_store, "IStoreService/GetTagList")["tags"]}
    assert {tag for game in fictional.games for tag in game.tags} <= names
    wanted = {"item_id": {"appid": 90000010}, "count": 7, "filters": GAMES}
    alike = ask(sample_store, "IStoreQueryService/MoreLikeThis", **wanted)["store_items"]
    assert {item["name"].split(":")[0] for item in alike[:4]} == {"Alpenrune", "Highcairn"}


@pytest.fixture
def small(tmp_path, monkeypatch):
    folder = tmp_path / "beit-small"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(encoders, "SMALL", folder)


@pytest.mark.usefixtures("small")
def test_the_store_of_a_notebook_is_opened_once_and_for_the_sample_alone(tmp_path, monkeypatch):
    chosen = settings.Settings(data=tmp_path)
    assert sample.open_store(chosen) is chosen
    opened = sample.open_store(settings.Settings(source="sample", data=tmp_path))
    assert opened == sample.open_store(settings.Settings(source="sample", data=tmp_path))
    assert query(opened, 1)["metadata"]["count"] == 1
    assert opened.checkpoint == "beit-small"
    assert "beit-small" in sample.encoder_line(opened)
    mine = sample.open_store(settings.Settings(source="sample", data=tmp_path, checkpoint="mine"))
    assert (mine.checkpoint, sample.encoder_line(mine)) == ("mine", "")
    own = settings.Settings(source="folder", folder=tmp_path, data=tmp_path, checkpoint="mine")
    assert sample.open_store(own) == own
    monkeypatch.setattr(encoders, "SMALL", tmp_path / "nothing")
    untrained = sample.open_store(settings.Settings(source="sample", data=tmp_path / "data"))
    assert Path(untrained.checkpoint, "model.safetensors").is_file()
    assert "never trained" in sample.encoder_line(untrained)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("gpu", "status"), [(True, 200), (True, 404), (False, 200)])
def test_own_pictures_get_microsofts_where_it_can_run(tmp_path, monkeypatch, httpserver, gpu, status):
    path = f"/{settings.DEFAULT_CHECKPOINT}/resolve/main/config.json"
    httpserver.expect_request(path).respond_with_data("{}", status=status)
    monkeypatch.setattr(encoders, "gpu_is_here", lambda: gpu)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", httpserver.url_for("").rstrip("/"))
    opened = sample.open_store(settings.Settings(source="folder", folder=tmp_path, data=tmp_path))
    assert opened.checkpoint == (settings.DEFAULT_CHECKPOINT if gpu and status == 200 else "beit-small")


def test_the_untrained_checkpoint_is_the_same_everywhere_and_replaced_where_it_is_torn(tmp_path):
    before = torch.get_rng_state()
    tiny, again = sample.checkpoint(tmp_path / "tiny"), sample.checkpoint(tmp_path / "again")
    assert torch.equal(torch.get_rng_state(), before)
    (again / "config.json").unlink()
    (again / "model.safetensors").write_bytes(b"torn")
    assert sample.checkpoint(again) == again
    assert tree(again) == tree(tiny)


def test_the_study_of_the_sample_has_untrained_encoders_of_other_families(tmp_path):
    places = sample.other_encoders(settings.Settings(source="sample", data=tmp_path))
    loaded = [encoder.load(folder, device="cpu") for folder in places]
    assert [each.family for each in loaded] == ["CLIP", "DINOv2", "ConvNeXtV2"]
    flat = [np.full((384, 256, 3), level, np.uint8) for level in (0, 200)]
    for each in [*loaded, encoder.load(sample.checkpoint(tmp_path / "beit"), device="cpu")]:
        dark, light = each(flat)
        assert (dark - light).abs().max() > 0.1  # weights that let a picture through
    assert sample.other_encoders(settings.Settings(data=tmp_path)) == []
