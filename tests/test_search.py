"""Names: how they are folded and found, what people type, what must not be found; and which games pass a filter."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utils import filters, names
from utils.filters import Filter
from utils.search import Index

HERE = Path(__file__).parent
NAMES = (HERE / "search_names.txt").read_text(encoding="utf-8").splitlines()
QUERIES = list(csv.reader((HERE / "search_queries.csv").read_text(encoding="utf-8").splitlines()))[1:]


@pytest.fixture(scope="module")
def index():
    return Index(range(1000, 1000 + len(NAMES)), NAMES)


def found(index, text, limit=12):
    return [index.names[appid] for appid in index.find(text, limit)]


@pytest.mark.parametrize(("query", "name"), QUERIES)
def test_what_people_type_is_among_the_first_three(index, query, name):
    assert name in found(index, query, limit=3)


def test_the_game_meant_is_mostly_the_first_and_three_letters_find_no_nonsense(index):
    firsts = [found(index, query, limit=1) == [name] for query, name in QUERIES]
    assert sum(firsts) >= 0.9 * len(firsts)
    assert found(index, "gta") == ["Grand Theft Auto V", "Grand Theft Auto V Enhanced"]
    assert found(index, "tlou") == ["The Last of Us™ Part I", "The Last of Us™ Part II Remastered"]
    for nothing in ("qzx", "xxq", "zzzz", "gta 77", "...", "%%%", "wwwwwwwwww"):
        assert found(index, nothing) == []
    for name in ("Stardew Valley", "Hollow Knight: Silksong", "Cyberpunk 2077", "Papers, Please"):
        typed = [name[:length] for length in range(4, len(name) + 1)]  # letter by letter
        assert [text for text in typed if name not in found(index, text)] == []


def test_the_best_fit_comes_first_then_the_most_reviewed():
    index = Index([7, 8, 620, 9], ["8-Bit", "Portal", "Portal 2", "The Portal of Dreams"], [9, 5, 90, 6])
    assert index.find("port") == [620, 8, 9]
    assert index.find("portal") == [8, 620, 9]  # what was typed, whole, before what only begins so
    assert (index.find(""), index.find("", limit=2)) == ([620, 7, 9, 8], [620, 7])
    assert index.find("8") == [8, 7]  # an appid before names
    assert (index.find(" 620 "), index.find("\u00b2")) == ([620], [620])  # a digit that int() refuses
    assert Index([1, 2], ["Hallowed Hollowed", "Hollowed"]).find("hollowde") == [1, 2]  # one error, though also two
    assert Index([1, 2], ["Grandest Theft", "Grand Theft"]).find("theft grand") == [2, 1]
    assert Index([], []).find("a") == Index([1], [""]).find("a b") == index.find("x " * 50_000) == []


def test_one_error_is_forgiven_in_four_letters_and_two_in_eight():
    names = Index([1, 2, 3, 4], ["Fez", "Doom", "Stardew", "Hollowed"])
    fits = {"fex": [], "dom": [2], "dxxm": [], "tar": [], "stradwe": [], "hlolwoed": [4], "hlolwode": []}
    assert {typed: names.find(typed) for typed in fits} == fits


ANY_SCRIPT = {
    "ファイナルファンタジー": ["ファイナル", "ふぁいなる", "ンタ"],
    "Ведьмак 3: Дикая Охота": ["охота", "ведмак"],
    "Pokémon™ Café": ["cafe"],
    "🎮 Party!": ["🎮"],
    "<script>alert('x')</script>": ["<script>"],
    "...": ["..."],
    "A game": ["\n a\x00game"],
    "b c d e f g h i j k": ["b c d e f g h i j k l m n"],  # ten words count
}


@pytest.mark.parametrize("name", ANY_SCRIPT)
def test_any_script_and_any_marks(name):
    names = Index([1, 2, 3, 4], [name, "Ab", "東方紅魔郷", "Würfel & Kreis"])
    assert [names.find(text)[0] for text in ANY_SCRIPT[name]] == [1] * len(ANY_SCRIPT[name])


def test_names_are_compared_cleaned_and_cut():
    keys = {"Baldur's Gate 3": "baldurs gate 3", "POKÉMON™ Étoile": "pokemon etoile", "ひらがな": "ヒラカナ"}
    keys |= {"S.T.A.L.K.E.R.: Shadow": "stalker shadow", "  NieR:Automata ": "nier automata", "???": "???"}
    assert {name: names.search_key(name) for name in keys} == keys
    assert names.compare_key("Q-Games, Ltd.") == names.compare_key("Q Games LTD") == "qgamesltd"
    assert names.visible("a\ud800b\0c\u202ed\n e") == "abcd e"
    assert (names.shortened("abcdef", 6), names.shortened("abcdefg", 6)) == ("abcdef", "abcde…")


PASSING = {
    Filter(): [10, 20, 30, 40],
    Filter(tag="Indie"): [10, 20, 40],
    Filter(tag="Nothing"): [],
    Filter(since=2005): [20, 40],
    Filter(until=2004): [10],
    Filter(since=2005, until=2022): [20],
    Filter(score=80): [10, 40],
    Filter(tag="Indie", since=2005, score=70): [40],
}


def test_games_that_pass():
    games = pd.DataFrame({"appid": [10, 20, 30, 40], "review_score": [95.0, 60.0, np.nan, 80.0]})
    games["tags"] = [["Horror", "Indie"], ["Indie"], [], ["Indie", "Puzzle"]]
    games["release_date"] = [1_104_537_599, 1_104_537_600, 0, 1_700_000_000]  # 2004's last second, 2005's first, 2023
    assert {wanted: filters.passing(games, wanted).tolist() for wanted in PASSING} == PASSING
    assert [bool(wanted) for wanted in PASSING] == [False, *[True] * 7]
    assert (filters.tags(games), filters.tags(games[:0])) == (["Indie", "Horror", "Puzzle"], [])


def test_one_of_each_near_identical_group():
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2, 3]]
    cosines = np.array([0.99, 0.9, 0.8, 0.7, 0.6, 0.5], np.float32)
    assert filters.distinct(vectors, cosines, 0.95, 10).tolist() == [1, 2, 4, 5]  # 0 is a copy of the query
    assert filters.distinct(vectors, cosines, 0.95, 2).tolist() == [1, 2]
    assert filters.distinct(vectors[:0], cosines[:0], 0.95, 2).tolist() == []
