"""Find games by name the way people type: parts, initials, any order, Roman or Arabic numerals, a typing error or two.

A name is folded (names.search_key) and cut into words. A typed word fits a name, the best way counting:

    0  it is one of the name's words, or all of them without spaces; "vi" and "six" are "6"
    1  one of the words begins with it
    2  it is a run of two or more of the name's initials, a number counting whole ("gta", "rdr2", "ffxiv")
    3  it is part of the name written without spaces, if it has four letters or is not Latin ("dota2", "craft")
    4, 5  it is one or two typing errors away from one of the words, if that has four or eight letters; tried only
          where nothing fits otherwise

All typed words must fit, but for "a", "and", "of" and "the"; or all that was typed, without spaces, is part of a name
without spaces ("star dew"). The name as typed comes first, then names that begin so, then those with the lowest sum,
then the most reviewed. Nothing found, letters are parted from digits ("civ6") and all is tried once more.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from utils.names import search_key

_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "x": "10"}
_ROMAN |= {"xi": "11", "xii": "12", "xiii": "13", "xiv": "14", "xv": "15", "xvi": "16"}
_SPELLED = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9"}
_NUMBERS = _ROMAN | _SPELLED
_OPTIONAL = {"a", "and", "of", "the"}
_DIGITS = re.compile(r"\d+")
_LONGEST = 100  # characters of what was typed that are looked at

_SHORTEST_PART = 4  # letters of a part of a name; of three, nonsense would fit
_ONE_ERROR = 4  # letters from which one error is forgiven
_TWO_ERRORS = 8


class Index:
    """The games by name: what a search box over 100,000 of them asks."""

    def __init__(self, appids: Sequence[int], names: Sequence[str], reviews: Sequence[float] | None = None) -> None:
        """Take n appids and names; without reviews (n,) the order given is the order of equally good answers."""
        order = range(len(names)) if reviews is None else np.argsort(-np.asarray(reviews), kind="stable")
        self.names = {int(appids[at]): str(names[at]) for at in order}
        self._appids = list(self.names)
        self._keys: list[str] = []
        self._compact: list[str] = []
        self._initials: list[str] = []
        for name in self.names.values():
            folded = search_key(name)
            key = _numbered(folded)
            self._keys.append(key)
            self._compact.append(key.replace(" ", ""))
            self._initials.append(f"{_initials(key)} {_initials(folded)}")
        self._rows = _rows_by_word(self._keys)
        self._words = sorted(self._rows)

    def find(self, text: str, limit: int = 12) -> list[int]:
        """Return the appids of at most `limit` games for what somebody typed, the best first; all where it is empty."""
        key = search_key(text[:_LONGEST])
        parted = " ".join(_DIGITS.sub(r" \g<0> ", key).split())
        found = self._ranked(key) or (self._ranked(parted) if parted != key else [])
        appids = [self._appids[row] for row in found[:limit]]
        itself = int(text) if text.strip().isdecimal() and len(text) < _LONGEST else -1
        if itself in self.names:
            appids = list(dict.fromkeys([itself, *appids]))
        return appids[:limit]

    def _ranked(self, folded: str) -> list[int]:
        """Return the rows that fit, the best first."""
        words = folded.split()
        if not words:
            return list(range(len(self._keys)))
        needed = [word for word in words if word not in _OPTIONAL] or words
        sums = self._holding("".join(words)) | self._fitting(needed, with_errors=False)
        sums = sums or self._fitting(needed, with_errors=True)
        key = _numbered(folded)
        return sorted(sums, key=lambda row: (self._begins(row, key), sums[row], row))

    def _begins(self, row: int, key: str) -> int:
        """Return 0 for the name as typed, 1 for one that begins so, else 2."""
        name = self._keys[row]
        return 0 if name == key else 1 if name.startswith(key) else 2

    def _fitting(self, words: Sequence[str], *, with_errors: bool) -> dict[int, int]:
        """Return row -> the sum of how well each word fits, for the rows that all words fit."""
        sums: dict[int, int] = {}
        for place, word in enumerate(words):
            fits = self._fits(word, with_errors=with_errors)
            number = _NUMBERS.get(word)
            if number:
                fits |= self._fits(number, with_errors=False)
            sums = fits if place == 0 else {row: total + fits[row] for row, total in sums.items() if row in fits}
        return sums

    def _holding(self, part: str) -> dict[int, int]:
        """Return row -> 3 for the names that hold a part, spaces aside."""
        if len(part) < _SHORTEST_PART and part.isascii():
            return {}
        return dict.fromkeys(_rows_with(part, self._compact), 3)

    def _fits(self, word: str, *, with_errors: bool) -> dict[int, int]:
        """Return row -> how well a word fits it; the better of several ways is written last."""
        fits = self._nearly(word) if with_errors else {}
        held = self._holding(word)
        fits |= held
        if len(word) > 1:
            fits |= dict.fromkeys(_rows_with(word, self._initials), 2)
        for other in self._beginning(word):
            fits |= dict.fromkeys(self._rows[other], 1)
        whole = [row for row in held if self._compact[row] == word]
        return fits | dict.fromkeys([*whole, *self._rows.get(word, ())], 0)

    def _beginning(self, word: str) -> list[str]:
        """Return the words that begin with a word."""
        first = bisect_left(self._words, word)
        after = bisect_left(self._words, word + "\U0010ffff")
        return self._words[first:after]

    def _nearly(self, word: str) -> dict[int, int]:
        """Return row -> 3 and the typing errors between a word and one of the name's."""
        near = process.extract(word, self._words, scorer=OSA.distance, score_cutoff=2, limit=None)
        fits: dict[int, int] = {}
        for other, errors, _ in sorted(near, key=lambda each: -each[1]):
            if max(len(word), len(other)) >= (_ONE_ERROR if errors == 1 else _TWO_ERRORS):
                fits |= dict.fromkeys(self._rows[other], 3 + int(errors))
        return fits


def _numbered(key: str) -> str:
    """Return a key with Roman numerals and spelled numbers as numbers."""
    return " ".join(_NUMBERS.get(word, word) for word in key.split())


def _initials(key: str) -> str:
    """Return the first letter of each word, and numbers whole."""
    return "".join(word if word.isdecimal() or word in _ROMAN else word[0] for word in key.split())


def _rows_with(part: str, texts: Sequence[str]) -> list[int]:
    return [row for row, text in enumerate(texts) if part in text]


def _rows_by_word(keys: Sequence[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        for word in dict.fromkeys(key.split()):
            rows[word].append(row)
    return dict(rows)
