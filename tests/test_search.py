"""Search: what people type, the well-known names they mean, and what must not be found."""

import csv
from pathlib import Path

import pytest

from utils.search import Index

HERE = Path(__file__).parent
NAMES = (HERE / "search_names.txt").read_text(encoding="utf-8").splitlines()
with (HERE / "search_queries.csv").open(encoding="utf-8") as file:
    QUERIES = [(row["query"], row["name"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def index():
    return Index(range(1000, 1000 + len(NAMES)), NAMES)


def found(index, text, limit=12):
    return [index.names[appid] for appid in index.find(text, limit)]


@pytest.mark.parametrize(("query", "name"), QUERIES)
def test_what_people_type_is_among_the_first_three(index, query, name):
    assert name in found(index, query, limit=3)


def test_the_game_meant_is_mostly_the_first(index):
    firsts = [found(index, query, limit=1) == [name] for query, name in QUERIES]
    assert sum(firsts) >= 0.9 * len(firsts)


def test_three_letters_find_no_nonsense(index):
    assert found(index, "gta") == ["Grand Theft Auto V", "Grand Theft Auto V Enhanced"]
    assert found(index, "tlou") == ["The Last of Us™ Part I", "The Last of Us™ Part II Remastered"]
    for nothing in ("qzx", "xxq", "zzzz", "gta 77", "...", "%%%", "wwwwwwwwww"):
        assert found(index, nothing) == []


def test_a_name_typed_letter_by_letter_stays_in_the_list(index):
    for name in ("Stardew Valley", "Hollow Knight: Silksong", "Cyberpunk 2077", "Papers, Please"):
        for length in range(4, len(name) + 1):
            assert name in found(index, name[:length]), name[:length]


def test_the_most_reviewed_comes_first():
    index = Index([1, 2, 3], ["Portal", "Portal 2", "The Portal of Dreams"], [5, 90, 8])
    assert index.find("port") == [2, 1, 3]
    assert index.find("portal") == [1, 2, 3]  # what was typed, whole, before what only begins so
    assert index.find("") == [2, 3, 1]
    assert index.find("", limit=2) == [2, 3]


def test_an_appid_comes_before_names():
    index = Index([7, 8, 620], ["8-Bit", "Seven", "Portal 2"], [9, 1, 5])
    assert index.find("8") == [8, 7]
    assert index.find(" 620 ") == [620]
    assert index.find("²") == [620]  # a digit that int() refuses


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ファイナル", "ファイナルファンタジー"),
        ("ふぁいなる", "ファイナルファンタジー"),
        ("ンタ", "ファイナルファンタジー"),
        ("охота", "Ведьмак 3: Дикая Охота"),
        ("ведмак", "Ведьмак 3: Дикая Охота"),
        ("cafe", "Pokémon™ Café"),
        ("🎮", "🎮 Party!"),
        ("<script>", "<script>alert('x')</script>"),
        ("", "Anything"),
    ],
)
def test_any_script(text, name):
    others = ["Ab", "東方紅魔郷", "Würfel & Kreis"]
    assert Index([1, 2, 3, 4], [name, *others]).find(text)[0] == 1


def test_few_names_or_very_long_words_are_no_trouble():
    assert Index([], []).find("a") == []
    assert Index([1], [""]).find("a b") == []
    assert Index([1], ["..."]).find("...") == [1]
    assert Index([1], ["A game"]).find("x " * 50_000) == []
    assert Index([1], ["A game"]).find("\n a\x00game") == [1]
