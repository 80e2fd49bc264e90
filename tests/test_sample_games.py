"""The sample: its table of games and its banners."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image
from store_client import (
    query,
)

import sample
from sample.catalogue import BANNERS


@pytest.fixture(scope="module")
def fictional():
    return sample.fictional()


@pytest.fixture(scope="module")
def shop(fictional):
    """The sample's store; tests that change a store open one of their own."""
    with sample.Store(fictional) as store:
        yield store


def test_the_sample_has_what_it_promises(fictional):
    games = [game for game in fictional.games if game.type == 0 and game.release_date]
    names = "".join(game.name for game in games)
    series = {}
    for game in games:
        series.setdefault(game.franchises[:1], []).append(game)
    assert len(games) == 151
    assert len({game.appid for game in fictional.games}) == 154
    assert sorted(map(len, series.values())) == [1] + [6] * 25
    for letter in "éüñßёΑ墨🍬":
        assert letter in names
    assert sum(bool({3, 4} & set(game.descriptors)) for game in games) == 2
    assert sum(not game.reviews for game in games) > 3
    assert sum(game.banner is None for game in games) == 1
    banners = {game.banner for game in games}
    assert {"library_600x900.jpg", "library_capsule.jpg"} <= banners
    assert {banner.partition("/")[2] for banner in banners if banner and "/" in banner} == {
        "library_600x900.jpg",
        "library_capsule.jpg",
    }
    for developer in ("Gipfelwerk", "Estudio Marea"):
        assert len({game.franchises[0] for game in games if game.developers == (developer,)}) == 2


def test_names_are_as_hostile_as_names_can_be(shop):
    hostile = next(item for item in query(shop)["store_items"] if "<script>" in item["name"])
    assert '"' in hostile["name"]
    assert "|" in hostile["name"]
    assert "'" in hostile["name"]


@pytest.fixture(scope="module")
def files(fictional):
    """The bytes of every banner, drawn once for all tests."""
    return {
        game.name: fictional.picture(game.appid) for game in fictional.games if game.type == 0 and game.release_date
    }


def test_odd_pictures(files):
    def opened(name):
        return Image.open(io.BytesIO(files[name]))

    assert files["Зимовье: Оттепель"] is None
    assert opened("Baxter Street: Third Floor, No Light").mode == "L"
    assert opened("Würfel & Kreis: Schräge Töne").mode == "CMYK"
    palette = opened("Gloomwick: Loot & Rue")
    assert (palette.mode, palette.format) == ("P", "PNG")
    assert files["Вечный гамбит: Юбилейное издание"] == files["Вечный гамбит: Дебют"]
    assert np.asarray(opened("Untitled (Working Title)"), float).std() < 1
    assert {opened(name).size for name, file in files.items() if file} == {(300, 450)}


def test_banners_differ_and_are_not_flat(files):
    small = {
        name: np.asarray(Image.open(io.BytesIO(file)).convert("RGB").resize((30, 45), Image.Resampling.BOX), float)
        for name, file in files.items()
        if file and "Untitled" not in name
    }
    assert min(pixels.std() for pixels in small.values()) > 15
    apart = [np.abs(one - two).max() for one, two in itertools.combinations(small.values(), 2)]
    assert sorted(apart)[0] == 0  # the twins
    assert sorted(apart)[1] > 20


def test_the_tar_is_a_webdataset_with_a_picture_for_each_banner(fictional):
    webdataset = pytest.importorskip("webdataset")
    dataset = webdataset.WebDataset(str(BANNERS), shardshuffle=False).decode("rgb8")
    pictures = {int(each["__key__"]): each for each in dataset}
    with_banner = {game.appid for game in fictional.games if fictional.picture(game.appid)}
    assert pictures.keys() == with_banner
    assert {(each.get("jpg", each.get("png"))).shape[2] for each in pictures.values()} == {3}


def test_retouched_games_have_the_same_banners_at_new_addresses(fictional):
    touched = sample.retouched(fictional.games)
    moved = [before.updated != after.updated for before, after in zip(fictional.games, touched, strict=True)]
    assert sum(moved) == len(moved) // 2
    assert [game.banner for game in touched] == [game.banner for game in fictional.games]


def test_an_unknown_tag():
    with pytest.raises(ValueError, match=r"game 5 has the tags \['Golf'\]; known are Action"):
        sample.Game(5, "Birdie", tags=("Golf", "Racing"))
