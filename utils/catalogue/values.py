"""Values out of the store's JSON, of which nothing is certain: each is what it should be, or what stands for none.

The store leaves out what is false or empty, and sends some numbers as text.
"""

import re

from utils.names import shortened, visible

Fields = dict[str, object]  # a JSON object

TEXT = 200  # characters of a name; the longest on Steam are shorter
ENTRIES = 20  # of a list

_NUMBER = re.compile("[0-9]{1,19}")
_INT64 = 2**63 - 1


def number(value: object, most: int = _INT64) -> int:
    """Return a whole number from 0 to `most`, which may have come as text; 0 for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= most else 0


def text(value: object) -> str:
    """Return a text on one line, at most 200 characters, without what breaks files and pages; "" for anything else."""
    if not isinstance(value, str):
        return ""
    return shortened(visible(value[: 10 * TEXT]), TEXT)


def fields(parent: Fields, name: str) -> Fields:
    """Return a field that is an object; one that is absent or null is empty. Raises ValueError for another type."""
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"with {name!r} of another type")
    return value


def objects(value: object) -> list[Fields]:
    """Return the objects in a list; none where there is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def numbers(value: object) -> list[int]:
    """Return the numbers above 0 in a list, in order, each once; none where there is no list."""
    found = map(number, value) if isinstance(value, list) else ()
    return [each for each in dict.fromkeys(found) if each]


def names(parent: Fields, field: str) -> list[str]:
    """Return the names in a list of objects, at most 20, those that are no text left out."""
    found = [text(each.get("name")) for each in objects(parent.get(field))[:ENTRIES]]
    return list(filter(None, found))
