"""Names are folded, compared and cleaned in one way."""

import pytest

from utils import names


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Baldur's Gate 3", "baldurs gate 3"),
        ("POKÉMON™ Étoile", "pokemon etoile"),
        ("S.T.A.L.K.E.R.: Shadow", "stalker shadow"),
        ("ひらがな", "ヒラカナ"),
        ("  NieR:Automata ", "nier automata"),
        ("???", "???"),
    ],
)
def test_search_key(name, key):
    assert names.search_key(name) == key


def test_compare_key_joins_spellings_and_keeps_names_apart():
    assert names.compare_key("Q-Games, Ltd.") == names.compare_key("Q Games LTD") == "qgamesltd"
    assert names.compare_key("Q-Games") != names.compare_key("Q-Game")


def test_visible_drops_what_breaks_files_and_pages():
    assert names.visible("a\ud800b\0c\u202ed\n e") == "abcd e"


def test_shortened_marks_the_cut():
    assert names.shortened("abcdef", 6) == "abcdef"
    assert names.shortened("abcdefg", 6) == "abcde…"
