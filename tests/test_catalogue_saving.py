"""A catalogue on the disk: whole or not at all, made by the request that is asked for."""

import pandas as pd
import pytest
from hosts import one_line

from utils import catalogue

ASKED = {"limit": 30, "order": "top sellers", "adult": False}


@pytest.fixture
def file(tmp_path):
    return tmp_path / "home" / "catalogue.parquet"


@pytest.fixture
def asked(store):
    return ASKED | {"api_url": store.api_url, "assets_url": store.assets_url}


def test_a_saved_catalogue_comes_back_as_it_was(asked, file):
    games = catalogue.fetch_catalogue(**asked)
    catalogue.save(games, file)
    again = catalogue.load(file)
    pd.testing.assert_frame_equal(again, games)
    assert again.attrs == games.attrs
    assert catalogue.summary(again) == catalogue.summary(games)
    assert [each.name for each in file.parent.iterdir()] == ["catalogue.parquet"]


def test_no_catalogue_says_what_to_do(tmp_path):
    with pytest.raises(catalogue.CatalogueError, match="run the download notebook") as caught:
        catalogue.load(tmp_path / "none.parquet")
    assert one_line(caught.value)
    assert catalogue.finished_files(tmp_path / "none.parquet") == []


def test_the_same_request_asks_nothing(asked, file, store):
    first = catalogue.load_or_fetch(file, **asked)
    store.requests.clear()
    again = catalogue.load_or_fetch(file, **asked)
    assert store.requests == []
    pd.testing.assert_frame_equal(first, again)


@pytest.mark.parametrize("changed", [{"limit": 40}, {"order": "newest"}, {"adult": True}, {"limit": 0}])
def test_another_request_is_fetched(asked, file, store, changed):
    catalogue.load_or_fetch(file, **asked)
    store.requests.clear()
    games = catalogue.load_or_fetch(file, **asked | changed)
    assert store.count("Query") >= 1
    assert len(games) == {40: 40, 0: 1_300}.get(changed.get("limit"), 30)
    assert games.attrs["request"] != catalogue.load_or_fetch(file, **asked).attrs["request"]


def test_another_request_that_cannot_be_fetched_leaves_the_old_one_and_says_so(asked, file, store):
    catalogue.load_or_fetch(file, **asked)
    store.close()
    with pytest.raises(catalogue.StoreError, match=r"made by another request .LIMIT = 30, ORDER = 'top sellers'"):
        catalogue.load_or_fetch(file, **asked | {"limit": 40})
    assert len(catalogue.load_or_fetch(file, **asked)) == 30


def test_a_catalogue_that_does_not_say_what_made_it_is_taken(asked, file, store):
    games = catalogue.fetch_catalogue(**asked)
    games.attrs = {}
    file.parent.mkdir()
    games.to_parquet(file, index=False)
    store.requests.clear()
    assert len(catalogue.load_or_fetch(file, **asked | {"limit": 40})) == 30
    assert store.requests == []


@pytest.mark.parametrize(
    "damage", ["empty", "cut", "text", "middle", "no columns", "doubled", "nameless", "another type", "long text"]
)
def test_a_damaged_catalogue_is_one_sentence_and_fetched_again(asked, file, damage):
    games = catalogue.load_or_fetch(file, **asked)
    content = file.read_bytes()
    spoil(file, damage, content, games)
    with pytest.raises(catalogue.CatalogueError, match=r"is damaged .* run the download notebook again") as caught:
        catalogue.load(file)
    assert one_line(caught.value)
    assert catalogue.finished_files(file) == [(file,)]
    assert catalogue.finished_files(file, check=True) == []
    pd.testing.assert_frame_equal(catalogue.load_or_fetch(file, **asked), games)
    assert catalogue.finished_files(file, check=True) == [(file,)]


def spoil(file, damage, content, games):
    middle = len(content) // 3
    tables = {
        "no columns": games[["appid", "name"]],
        "doubled": pd.concat([games, games]),
        "nameless": games.assign(name=None),
        "another type": games.assign(developers=5),
        "long text": games.assign(tags=[["x" * 100_000]] * len(games)),
    }
    pieces = {
        "empty": b"",
        "cut": content[:-100],
        "text": b"PAR1 is how it begins",
        "middle": content[:middle] + bytes(50) + content[middle + 50 :],
    }
    if damage in tables:
        tables[damage].to_parquet(file, index=False)
    else:
        file.write_bytes(pieces[damage])


def test_a_flipped_byte_anywhere_is_noticed_or_harmless(asked, file):
    games = catalogue.load_or_fetch(file, **asked)
    content = file.read_bytes()
    for place in range(0, len(content), max(1, len(content) // 40)):
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :])
        try:
            pd.testing.assert_frame_equal(catalogue.load(file), games)
        except catalogue.CatalogueError as error:
            assert one_line(error)  # noqa: PT017


def test_a_full_disk_leaves_the_old_catalogue(asked, file, part_name):
    games = catalogue.load_or_fetch(file, **asked)
    file.with_name(part_name).symlink_to("/dev/full")
    with pytest.raises(OSError, match="full"):
        catalogue.save(games.head(5), file)
    assert len(catalogue.load(file)) == 30
