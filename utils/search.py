"""Find games by name the way people type: parts, initials, any order, Roman or Arabic numerals, a typing error or two.

A name is folded (names.search_key) and cut into words, as it is written and with its numbers short: "vi" and "six" are
"6", "40 000" is "40k". A typed word fits a name, the best way counting:

    0  it is one of the name's words, or all of them without spaces; "ww2" is "wwii"
    1  one of the words begins with it
    2  it is a run of two or more of the name's initials, a number counting whole ("gta", "rdr2", "ffxiv")
    3  it is part of the name written without spaces, if it has four letters or is not Latin ("dota2", "quakeiii")
    4, 5  it is one or two typing errors away from one of the words, if that has four or eight letters; tried only
          where nothing fits otherwise

All typed words must fit, ten at most, but for "a", "and", "of" and "the"; or all that was typed, without spaces, is
part of a name without spaces ("star dew"). The name as typed comes first, then names that begin so, then those with the
lowest sum, then the most reviewed. Nothing found, all is tried with letters parted from digits ("civ6") and with
numbers short. `share/web/search.js` is the same in JavaScript.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from utils.names import search_key

_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "x": "10"}
_ROMAN |= {"xi": "11", "xii": "12", "xiii": "13", "xiv": "14", "xv": "15", "xvi": "16"}
_SPELLED = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9"}
_NUMBERS = _ROMAN | _SPELLED
_WITHIN = _ROMAN | {"i": "1"}  # numerals at the end of a longer word: "i" alone is a word
_ARABIC = {number: numeral for numeral, number in _WITHIN.items()}
_WITH_NUMBER = re.compile(r"^([^\W\d_]{2,})([0-9]{1,2})$")
_WITH_NUMERAL = re.compile(r"^([^\W\d_]{2,}?)([ivx]+)$")
_THOUSANDS = re.compile(r"\b([0-9]{1,3}) ?000\b")
_OPTIONAL = {"a", "and", "of", "the"}
_DIGITS = re.compile(r"\d+")
_LONGEST = 100  # characters of what was typed that are looked at
_MOST_WORDS = 10  # of them that count: a search takes a bounded time

_SHORTEST_PART = 4  # letters of a part of a name; of three, nonsense would fit
_ONE_ERROR = 4  # letters from which one error is forgiven
_TWO_ERRORS = 8
_NONE = 1_000  # how badly a name fits that does not


class Index:
    """The games by name: what a search box over 100,000 of them asks."""

    def __init__(self, appids: Sequence[int], names: Sequence[str], reviews: Sequence[float] | None = None) -> None:
        """Take n appids and names; without reviews (n,) the order given is the order of equally good answers."""
        order = range(len(names)) if reviews is None else np.argsort(-np.asarray(reviews), kind="stable")
        self.names = {int(appids[at]): str(names[at]) for at in order}
        self._appids = list(self.names)
        self._written = list(map(search_key, self.names.values()))
        self._short = list(map(_numbered, self._written))
        both = list(zip(self._written, self._short, strict=True))
        self._compact = [_forms(key.replace(" ", "") for key in keys) for keys in both]
        self._initials = [_forms(map(_initials, keys)) for keys in both]
        self._rows = _rows_by_word(both)
        self._words = sorted(self._rows)

    def find(self, text: str, limit: int = 12) -> list[int]:
        """Return the appids of at most `limit` games for what somebody typed, the best first; all where it is empty."""
        key = search_key(text[:_LONGEST])
        parted = " ".join(_DIGITS.sub(r" \g<0> ", key).split())
        tries = map(self._ranked, dict.fromkeys([key, parted, _numbered(key)]))
        found = next(filter(len, tries), np.array([], int))
        appids = [self._appids[row] for row in found[:limit]]
        itself = int(text) if text.strip().isdecimal() and len(text) < _LONGEST else -1
        if itself in self.names:
            appids = list(dict.fromkeys([itself, *appids]))
        return appids[:limit]

    def _ranked(self, typed: str) -> np.ndarray:
        """Return the rows that fit, int64, the best first."""
        words = list(dict.fromkeys(typed.split()))
        if not words:
            return np.arange(len(self._appids))
        needed = [word for word in words if word not in _OPTIONAL][:_MOST_WORDS] or words[:1]
        sums = self._fitting(needed, with_errors=False)
        held = self._holding(typed.replace(" ", ""))
        sums[held] = np.minimum(sums[held], 3)
        if (sums >= _NONE).all():
            sums = self._fitting(needed, with_errors=True)
        rows = np.flatnonzero(sums < _NONE)
        begins = np.fromiter((self._begins(row, typed) for row in rows), int, len(rows))
        return rows[np.lexsort((rows, sums[rows], begins))]

    def _begins(self, row: int, typed: str) -> int:
        """Return 0 for the name as typed, 1 for one that begins so, else 2."""
        short, key = self._short[row], _numbered(typed)
        return 0 if short == key else 1 if short.startswith(key) or self._written[row].startswith(typed) else 2

    def _fitting(self, words: Sequence[str], *, with_errors: bool) -> np.ndarray:
        """Return the sum of how well each word fits, int64 (n,); _NONE or more where one does not."""
        sums = np.zeros(len(self._appids), int)
        for word in words:
            fits = self._fits(word, with_errors=with_errors)
            for other in _other_spellings(word):
                fits = np.minimum(fits, self._fits(other, with_errors=False))
            sums += fits
            if (sums >= _NONE).all():
                break
        return sums

    def _fits(self, word: str, *, with_errors: bool) -> np.ndarray:
        """Return how well a word fits each name, int64 (n,); the better of several ways is written last."""
        fits = np.full(len(self._appids), _NONE)
        if with_errors:
            self._forgive(word, fits)
        held = self._holding(word)
        fits[held] = 3
        if len(word) > 1:
            fits[_rows_with(word, self._initials)] = 2
        for other in self._beginning(word):
            fits[self._rows[other]] = 1
        whole = [row for row in held if f" {word} " in self._compact[row]]
        fits[whole + self._rows.get(word, [])] = 0
        return fits

    def _holding(self, part: str) -> list[int]:
        """Return the rows of the names that hold a part, spaces aside."""
        if len(part) < _SHORTEST_PART and part.isascii():
            return []
        return _rows_with(part, self._compact)

    def _beginning(self, word: str) -> list[str]:
        """Return the words that begin with a word."""
        first = bisect_left(self._words, word)
        after = bisect_left(self._words, word + "\U0010ffff")
        return self._words[first:after]

    def _forgive(self, word: str, fits: np.ndarray) -> None:
        """Write 3 and the typing errors between a word and one of the name's."""
        near = process.extract(word, self._words, scorer=OSA.distance, score_cutoff=2, limit=None)
        for other, errors, _ in sorted(near, key=lambda each: -each[1]):
            if max(len(word), len(other)) >= (_ONE_ERROR if errors == 1 else _TWO_ERRORS):
                fits[self._rows[other]] = 3 + int(errors)


def _numbered(key: str) -> str:
    """Return a key with Roman numerals and spelled numbers as numbers, and thousands short."""
    return _THOUSANDS.sub(r"\1k", " ".join(_NUMBERS.get(word, word) for word in key.split()))


def _other_spellings(word: str) -> list[str]:
    """Return a word with its number, or the one at its end, written in the other way: "vi", "ww2", "wwii", "40000"."""
    arabic = _WITH_NUMBER.sub(lambda parts: parts[1] + _ARABIC.get(parts[2], parts[2]), word)
    roman = _WITH_NUMERAL.sub(lambda parts: parts[1] + _WITHIN.get(parts[2], parts[2]), word)
    return [other for other in (_numbered(word), arabic, roman) if other != word]


def _forms(forms: Iterable[str]) -> str:
    """Return the forms of a name in one text, each between spaces."""
    return f" {' '.join(dict.fromkeys(forms))} "


def _initials(key: str) -> str:
    """Return the first letter of each word, and numbers whole."""
    return "".join(word if word.isdecimal() or word in _ROMAN else word[0] for word in key.split())


def _rows_with(part: str, texts: Sequence[str]) -> list[int]:
    return [row for row, text in enumerate(texts) if part in text]


def _rows_by_word(names: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, keys in enumerate(names):
        for word in dict.fromkeys(" ".join(keys).split()):
            rows[word].append(row)
    return dict(rows)
