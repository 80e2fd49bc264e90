"""Names as text in Markdown, CSV and scripts."""

import json
import string

from utils.names import visible

_IN_SCRIPT = str.maketrans({"<": "\\u003c", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_IN_MARKDOWN = str.maketrans({mark: f"&#{ord(mark)};" for mark in string.punctuation if mark not in ",-'"})
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def in_markdown(name: str) -> str:
    """Return a name as one line of Markdown, also within HTML: what could be markup becomes an entity."""
    return visible(name).translate(_IN_MARKDOWN)


def in_csv(name: str) -> str:
    """Return a name as a spreadsheet shows it: what it would run as a formula gets an apostrophe."""
    shown = visible(name)
    return f"'{shown}" if shown.startswith(_FORMULAS) else shown


def in_script(value: object) -> str:
    """Return a value as JSON without spaces that may stand in a script."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT)
