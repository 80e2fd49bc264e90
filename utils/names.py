"""One way to fold, compare and clean the names of games, which are text that anybody may have written."""

import unicodedata
from functools import cache

_IGNORED = "'’.®©™"
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # override the direction of what follows
_HIRAGANA_TO_KATAKANA = 0x60


def search_key(name: str) -> str:
    """Return what the spellings of a name share: no case, accents, quotes or dots; one kana; a space for other marks.

    A name of marks alone is its own key.
    """
    plain = unicodedata.normalize("NFKD", name.replace("™", "")).casefold()
    return " ".join("".join(map(_folded, plain)).split()) or name.strip().casefold()


def compare_key(name: str) -> str:
    """Return the letters and digits of a name, whatever the case: equal for two spellings of one developer."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(filter(str.isalnum, plain))


def visible(text: str) -> str:
    """Return text on one line without control characters, text-turning marks and lone surrogates, which break pages."""
    return " ".join("".join(filter(_is_visible, text)).split())


def shortened(text: str, limit: int) -> str:
    """Return text in at most `limit` characters, the cut marked with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


@cache
def _folded(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Mn", "Cf"} or character in _IGNORED:
        return ""
    if "ぁ" <= character <= "ゖ":
        return chr(ord(character) + _HIRAGANA_TO_KATAKANA)
    return " " if category[0] in "PZC" else character


@cache
def _is_visible(character: str) -> bool:
    return character.isspace() or not (unicodedata.category(character) in {"Cc", "Cs"} or character in _TURNING)
