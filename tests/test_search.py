"""Names are found the way people type them: picker, gallery and API search alike."""

import csv
from pathlib import Path

import pytest

from utils.search import Index

QUERIES = list(csv.DictReader(Path(__file__).with_name("search_queries.csv").open(encoding="utf-8")))
KNOWN = list(dict.fromkeys(row["found"] for row in QUERIES if row["found"]))
OTHERS = [
    "Gothic 1 Remake",
    "Gas Station Simulator",
    "Risk of Rain 2",
    "Ghost Trick",
    "Half-Life 2: Episode One",
    "墨鯉",
]


@pytest.fixture(scope="module")
def index() -> Index:
    """The well-known games, the first the most reviewed, and some that should not be mistaken for them."""
    names = KNOWN + OTHERS
    return Index(range(10, 10 * len(names) + 1, 10), names, range(len(names), 0, -1))


@pytest.mark.parametrize("row", QUERIES, ids=[row["typed"] for row in QUERIES])
def test_what_people_type_finds_what_they_mean(index, row):
    found = [index.names[appid] for appid in index.find(row["typed"])]
    assert found[:1] == ([row["found"]] if row["found"] else [])


def test_three_letters_find_no_nonsense(index):
    assert {index.names[appid] for appid in index.find("gta")} == {
        "Grand Theft Auto V",
        "Grand Theft Auto IV: The Complete Edition",
    }


def test_an_appid_finds_its_game_first(index):
    assert index.names[index.find("30")[0]] == KNOWN[2]


def test_words_without_latin_letters_are_found_by_any_part(index):
    assert [index.names[appid] for appid in index.find("鯉")] == ["墨鯉"]


def test_nothing_typed_gives_the_most_reviewed(index):
    assert [index.names[appid] for appid in index.find("  ", limit=3)] == KNOWN[:3]


def test_names_that_begin_as_typed_come_first():
    index = Index([1, 2, 3], ["A Night in the Woods", "Night", "Nights"], [9, 1, 5])
    assert index.find("night") == [2, 3, 1]
