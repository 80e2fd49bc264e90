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

import functools
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from utils.names import search_key

_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "x": "10"}
_ROMAN |= {"xi": "11", "xii": "12", "xiii": "13", "xiv": "14", "xv": "15", "xvi": "16"}
_SPELLED = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9"}
_NUMBERS = _ROMAN | _SPELLED
_WITHIN = _ROMAN | {"i": "1"}  # numerals at the end of a longer word: "i" alone is a word
_ARABIC = dict(zip(_WITHIN.values(), _WITHIN, strict=True))
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
        keys = list(zip(self._written, self._short, strict=True))  # one list after another: each lies together
        self._compact = [_forms(key.replace(" ", "") for key in both) for both in keys]
        self._initials = [_forms(map(_initials, both)) for both in keys]
        self._rows: dict[str, list[int]] = {}  # by the words of the names
        for row, both in enumerate(keys):
            for word in dict.fromkeys(" ".join(both).split()):
                self._rows.setdefault(word, []).append(row)
        self._words = sorted(self._rows)

    def find(self, text: str, limit: int = 12) -> list[int]:
        """Return the appids of at most `limit` games for what somebody typed, the best first; all where it is empty."""
        key = search_key(text[:_LONGEST])
        parted = " ".join(_DIGITS.sub(r" \g<0> ", key).split())
        tries = map(self._ranked, dict.fromkeys([key, parted, _numbered(key)]))
        appids = [self._appids[row] for row in next(filter(None, tries), [])[:limit]]
        itself = int(text) if text.strip().isdecimal() and len(text) < _LONGEST else -1
        if itself in self.names:
            appids = list(dict.fromkeys([itself, *appids]))
        return appids[:limit]

    def _ranked(self, typed: str) -> list[int]:
        """Return the rows that fit, the best first."""
        words = list(dict.fromkeys(typed.split()))
        if not words:
            return list(range(len(self._appids)))
        needed = [word for word in words if word not in _OPTIONAL][:_MOST_WORDS] or words[:1]
        sums = self._sums(needed, self._fits)
        together = self._holding(typed.replace(" ", ""))
        sums[together] = np.minimum(sums[together], 3)
        if (sums >= _NONE).all():
            sums = self._sums(needed, self._forgiving)
        short = _numbered(typed)

        def place(row: int) -> tuple[bool, bool, int]:
            begins = self._short[row].startswith(short) or self._written[row].startswith(typed)
            return self._short[row] != short, not begins, sums[row]

        return sorted(np.flatnonzero(sums < _NONE).tolist(), key=place)

    def _sums(self, words: Sequence[str], fits: Callable[[str], np.ndarray]) -> np.ndarray:
        """Return the sum of how well each word fits, int64 (n,); _NONE or more where one does not."""
        sums = np.zeros(len(self._appids), int)
        for word in words:
            spelled = map(self._fits, _other_spellings(word))
            sums += functools.reduce(np.minimum, spelled, fits(word))
            if (sums >= _NONE).all():
                break
        return sums

    def _fits(self, word: str) -> np.ndarray:
        """Return how well a word fits each name, int64 (n,); the better of several ways is written last."""
        fits = np.full(len(self._appids), _NONE)
        held = self._holding(word)
        fits[held] = 3
        if len(word) > 1:
            fits[[row for row, initials in enumerate(self._initials) if word in initials]] = 2
        for at in range(bisect_left(self._words, word), bisect_left(self._words, word + "\U0010ffff")):
            fits[self._rows[self._words[at]]] = 1
        whole = [row for row in held if f" {word} " in self._compact[row]]
        fits[whole + self._rows.get(word, [])] = 0
        return fits

    def _holding(self, part: str) -> list[int]:
        """Return the rows of the names that hold a part, spaces aside."""
        if len(part) < _SHORTEST_PART and part.isascii():
            return []
        return [row for row, name in enumerate(self._compact) if part in name]

    def _forgiving(self, word: str) -> np.ndarray:
        """Return what `_fits` does, and 3 and the typing errors between the word and one of a name's."""
        fits = self._fits(word)
        for other, errors, _ in process.extract(word, self._words, scorer=OSA.distance, score_cutoff=2, limit=None):
            if max(len(word), len(other)) >= (_ONE_ERROR if errors == 1 else _TWO_ERRORS):
                rows = self._rows[other]
                fits[rows] = np.minimum(fits[rows], 3 + int(errors))
        return fits


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
