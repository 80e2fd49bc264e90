"""Games by name, the way people type them: what a search box over 100,000 names asks. No widgets, no web.

A name is folded (`names.search_key`), its numerals also written in digits ("civilization vi" -> "civilization 6").
A name is found, best first, if

1. it begins with what was typed;
2. each typed word begins one of its words, in any order, or its initials ("gta", "cs2", "ffxiv", "csgo"); a number must
   be one of its numbers ("gta 5", "gta v"), and letters and digits may be typed in one ("portal2");
3. the same, with initials from the middle of the name ("kotor" in "STAR WARS Knights of the Old Republic");
4. it holds what was typed, spaces aside, if that is four characters or more ("rtal", "counterstrike", "star dew");
5. nothing was found so far, and each word is at most one or two typing errors away from one of its words.

Within each of these, the most reviewed game comes first.

To port it: each name becomes one text, its forms between line ends and every word between spaces, with the initials as
one more form, so that the first two questions are "does the text hold this?". The third and the fourth are asked of the
initials and of the name without spaces. The fifth needs the words of all names and the distance of two words (optimal
string alignment, in which two swapped neighbours are one error). tests/search_queries.csv holds what each port must
find.
"""

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import OSA

from utils import names as spelling

SHORT = 12  # games in a list of suggestions

_OPTIONAL = {"a", "and", "of", "the"}  # words that a name may lack
_ROMAN = re.compile(r"(?=[xvi])(x{0,3})(ix|iv|v?i{0,3})")
_UNITS = {"": 0, "i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6, "vii": 7, "viii": 8, "ix": 9}
_NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
_PART = re.compile(r"\d+|\D+")
_LONGEST = 200  # characters of what was typed that are looked at
_HELD = 4  # characters from which a part of a name is looked for anywhere in it
_SURE = 5  # characters from which a mistyped word may be the beginning of another


class Index:
    """The games by name, the most reviewed first; without reviews, in the order given."""

    def __init__(self, appids: Sequence[int], names: Sequence[str], reviews: Sequence[float] | None = None) -> None:
        order = range(len(names)) if reviews is None else np.argsort(-np.asarray(reviews), kind="stable")
        self.names = {int(appids[at]): str(names[at]) for at in order}
        self._appids = list(self.names)
        forms = [_forms(name) for name in self.names.values()]
        self._words = [f"{key} {counted}".split() for key, counted, *_ in forms]
        self._texts = _Texts(["\n " + " \n ".join(dict.fromkeys(each)) + " \n" for each in forms])
        self._initials = _Texts([f"{plain}\n{counted}\n" for _, _, plain, counted in forms])
        self._joined = _Texts([f"{key}\n{counted}\n".replace(" ", "") for key, counted, *_ in forms])

    def find(self, text: str, limit: int = SHORT) -> list[int]:
        """Return the appids, best first, for what somebody typed: an appid, or a name or part of one."""
        typed = text.strip()[:_LONGEST]
        if not typed:
            return self._appids[:limit]
        found = dict.fromkeys([int(typed)] if typed.isdecimal() and int(typed) in self.names else [])
        key, counted, *_ = _forms(typed)
        for way in (self._whole, self._beginning, self._with_words, self._with_initials, self._holding):
            found |= dict.fromkeys(self._appids[row] for row in sorted(way(key, counted)))
            if len(found) >= limit:
                break
        if not found:
            found = dict.fromkeys(self._appids[row] for row in self._mistyped(counted))
        return list(found)[:limit]

    def _whole(self, key: str, counted: str) -> set[int]:
        return self._texts.rows(f"\n {key} \n") | self._texts.rows(f"\n {counted} \n")

    def _beginning(self, key: str, counted: str) -> set[int]:
        return self._texts.rows(f"\n {key}") | self._texts.rows(f"\n {counted}")

    def _with_words(self, _: str, counted: str) -> set[int]:
        found = set.intersection(*map(self._with_word, _needed(counted)))
        initials = counted.replace(" ", "")  # "cs go"
        return found | self._texts.rows(f"\n {initials}") if len(initials) > 1 else found

    def _with_word(self, word: str) -> set[int]:
        """Return the rows with a word that begins with this one, or with the letters and the digits of "portal2"."""
        is_number = word.isdecimal() and len(word) <= 2
        found = self._texts.rows(f" {word} " if is_number else f" {word}")
        parts = _PART.findall(word)
        if len(parts) == 1 or len(parts[0]) == 1:
            return found
        return found | set.intersection(*map(self._with_word, parts))

    def _with_initials(self, _: str, counted: str) -> set[int]:
        return set.intersection(*map(self._with_word_or_initials, _needed(counted)))

    def _with_word_or_initials(self, word: str) -> set[int]:
        is_telling = len(word) > 2 or (len(word) == 2 and not word.isalpha())
        return self._with_word(word) | self._initials.rows(word) if is_telling else self._with_word(word)

    def _holding(self, key: str, counted: str) -> set[int]:
        parts = (key.replace(" ", ""), counted.replace(" ", ""))
        if len(parts[0]) < _HELD and parts[0].isascii():
            return set()
        return self._joined.rows(parts[0]) | self._joined.rows(parts[1])

    def _mistyped(self, counted: str) -> list[int]:
        """Rows of the names whose words are near those typed, the fewest errors first."""
        words = _needed(counted)
        last = words[-1]
        totals = self._errors(last, _allowed_errors(last, len(words)), unfinished=len(last) >= _SURE)
        for word in words[:-1]:
            errors = self._errors(word, _allowed_errors(word, len(words)), unfinished=False)
            totals = {row: totals[row] + errors[row] for row in totals.keys() & errors}
        ranked = sorted((errors, row) for row, errors in totals.items())
        return [row for _, row in ranked]

    def _errors(self, word: str, allowed: int, *, unfinished: bool) -> dict[int, int]:
        """Return the rows with a word that begins so, or is at most so many errors away, and the errors of each."""
        errors = dict.fromkeys(self._with_word(word), 0)
        if not allowed:
            return errors
        others = list(self._rows_of_word)
        distances = _distances(word, others, allowed)
        if unfinished:
            distances = np.minimum(distances, _distances(word, [each[: len(word)] for each in others], allowed))
        for at in np.flatnonzero(distances <= allowed):
            for row in self._rows_of_word[others[at]]:
                errors[row] = min(int(distances[at]), errors.get(row, allowed))
        return errors

    @cached_property
    def _rows_of_word(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, words in enumerate(self._words):
            for word in dict.fromkeys(words):
                rows.setdefault(word, []).append(row)
        return rows


class _Texts:
    """Many short texts as one long one, in which Python looks for a part within a millisecond or two."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._whole = "".join(texts)
        self._ends = np.cumsum([len(text) for text in texts])

    def rows(self, part: str) -> set[int]:
        """Return which of the texts hold a part."""
        places = []
        place = self._whole.find(part)  # ten times as fast as a regular expression
        while place >= 0:
            places.append(place)
            place = self._whole.find(part, place + 1)
        return set(np.searchsorted(self._ends, places, side="right").tolist())


def _forms(name: str) -> tuple[str, str, str, str]:
    """Return a name folded, with numerals in digits, and its initials with either ("gtav", "gta5")."""
    key = spelling.search_key(name)
    words = key.split()
    counted = words[:1] + [_in_digits(word) for word in words[1:]]  # "X-COM" is no tenth COM
    initials = [_initial(word, number) for word, number in zip(words, counted, strict=True)]
    in_digits = [_initial(number, number) for number in counted]
    return key, " ".join(counted), "".join(initials), "".join(in_digits)


def _initial(word: str, number: str) -> str:
    return word if number.isdecimal() else word[0]


def _in_digits(word: str) -> str:
    """Return a numeral in digits: "xiv" -> "14", "six" -> "6"; any other word as it is."""
    if word in _NUMBERS:
        return str(_NUMBERS.index(word) + 1)
    roman = _ROMAN.fullmatch(word)
    return str(10 * len(roman[1]) + _UNITS[roman[2]]) if roman else word


def _needed(counted: str) -> list[str]:
    """Return the words typed without those that a name may lack."""
    words = counted.split()
    return [word for word in words if word not in _OPTIONAL] or words


def _allowed_errors(word: str, words: int) -> int:
    """Return how many typing errors a word may have: none in short ones, which would be like anything."""
    if len(word) < 3 or word.isdecimal() or (len(word) == 3 and words == 1):
        return 0
    return 1 if len(word) < 6 else 2


def _distances(word: str, others: Sequence[str], most: int) -> np.ndarray:
    """Return the typing errors between a word and each of others, (n,); more than `most` are not told apart."""
    return process.cdist([word], others, scorer=OSA.distance, score_cutoff=most)[0]
