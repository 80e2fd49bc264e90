"""The sample: its table of games and its banners."""

import io
import itertools
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from store_client import (
    query,
)

import sample
from sample.catalogue import BANNERS


def test_the_sample_has_what_it_promises(fictional):
    games = [game for game in fictional.games if game.type == 0 and game.release_date]
    names = "".join(game.name for game in games)
    series = Counter(game.franchises[:1] for game in games)
    assert len(games) == 159
    assert len({game.appid for game in fictional.games}) == 162
    assert Counter(series.values()) == {1: 1, 5: 28, 6: 3}
    for letter in "éüñßЗΑ墨🍬":
        assert letter in names
    assert sum(bool({3, 4} & set(game.descriptors)) for game in games) == 2
    assert sum(not game.reviews for game in games) > 3
    assert sum(game.banner is None for game in games) == 1
    plain = {game.banner for game in games if game.banner and "/" not in game.banner}
    hashed = {game.banner.partition("/")[2] for game in games if game.banner and "/" in game.banner}
    assert plain == hashed == {"library_600x900.jpg", "library_capsule.jpg"}
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


def small(file, width, height):
    picture = Image.open(io.BytesIO(file)).convert("RGB").resize((width, height), Image.Resampling.BOX)
    return np.asarray(picture, float)


def test_banners_differ_and_are_not_flat(files):
    pixels = [small(file, 30, 45) for name, file in files.items() if file and "Untitled" not in name]
    assert min(each.std() for each in pixels) > 15
    apart = sorted(np.abs(one - two).max() for one, two in itertools.combinations(pixels, 2))
    assert apart[0] == 0  # the twins
    assert apart[1] > 20


def recall(vectors, names):
    """The share of a game's series among its ten nearest, by cosine of what is left without the mean."""
    vectors = vectors - vectors.mean(0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2)
    same = names[:, None] == names
    np.fill_diagonal(same, False)
    found = np.take_along_axis(same, np.argsort(-cosines, axis=1)[:, :10], axis=1)
    return np.mean(found.sum(1) / same.sum(1))


def test_neither_colours_nor_a_thumbnail_find_the_series(fictional, files):
    games = [game for game in fictional.games if game.franchises and files.get(game.name) and game.banner]
    names = np.array([game.franchises[0] for game in games])
    thumbnails = np.array([small(files[game.name], 8, 12).ravel() for game in games])
    histograms = []
    for game in games:
        red, green, blue = (small(files[game.name], 100, 150) // 64).astype(int).reshape(-1, 3).T
        histograms.append(np.bincount(16 * red + 4 * green + blue, minlength=64) / red.size)
    assert 0.05 < recall(thumbnails, names) < 0.4
    assert 0.05 < recall(np.array(histograms), names) < 0.4


def test_an_edition_is_the_same_picture_with_a_badge(files):
    plain = small(files["Moonwyrm: Ember’s Oath"], 60, 90)
    edition = small(files["Moonwyrm: Ember’s Oath – Definitive Edition"], 60, 90)
    changed = np.abs(plain - edition).max(2) > 12
    assert 0.02 < changed.mean() < 0.25
    assert changed[45:].mean() < 0.01


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
