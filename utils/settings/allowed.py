"""What each setting may be, declared once, and how the text of a cell or of the environment becomes a value."""

import os
import re
from pathlib import Path
from typing import Any

from utils.errors import PlainError
from utils.names import shortened

SOURCES = ("steam", "sample", "folder")
ORDERS = ("top sellers", "most played", "newest", "title")
POOLINGS = ("pooled", "cls", "mean", "complex")
IMAGES = ("squash", "crop", "whole")
DTYPES = ("bfloat16", "float16", "float32")
PREPARATIONS = ("as they are", "centred", "whitened")
GAMES_LIMIT = 10_000_000  # more than Steam will have for a long time
MATCHES_LIMIT = 100

_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off", "")


class SettingsError(PlainError, ValueError):
    """A setting that is unknown, or whose value is not allowed."""


def require(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise SettingsError for a value that is not among those allowed."""
    if value not in allowed:
        raise SettingsError(f"{name} is {shown(value)}; allowed are {', '.join(map(repr, allowed))}")


def split_pooling(pooling: str) -> tuple[str, int | None]:
    """Return one of POOLINGS and the number of a block: "mean@8" is ("mean", 8), "cls" is ("cls", None)."""
    style, at, block = pooling.partition("@")
    if style in POOLINGS and not at:
        return style, None
    if style not in POOLINGS or style == "pooled" or not re.fullmatch("[0-9]{1,3}", block):
        allowed = f"{', '.join(map(repr, POOLINGS))}, and such as 'mean@8' for a block"
        raise SettingsError(f"POOLING is {shown(pooling)}; allowed are {allowed}")
    return style, int(block)


def features_name(checkpoint: str, pooling: str, image: str) -> str:
    """Return the name of the folder that has the features of a checkpoint, pooling and input."""
    return f"{Path(checkpoint).name or 'default'}--{image}--{pooling}"


def typed(name: str, value: object) -> Any:  # noqa: ANN401 - each setting has a type of its own
    """Return the value of a setting, given in lower case, in its type; raises SettingsError where it has none."""
    readers = {
        "games": _count,
        "matches": _count,
        "adult": _switch,
        "study": _switch,
        "dtype": _optional,
        "folder": _folder,
        "drive": _folder,
        "data": _data,
    }
    return readers.get(name, _text)(name.upper(), value)


def shown(value: object) -> str:
    """Return a value as an error shows it: on one line, and not endless."""
    return shortened(repr(value), 100)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str | Path | int):
        raise SettingsError(f"{name} is {shown(value)}; allowed is a text")
    return str(value).strip()


def _optional(name: str, value: object) -> str | None:
    return _text(name, "" if value is None else value) or None


def _count(name: str, value: object) -> int:
    try:
        return int(str(value).strip())
    except ValueError:
        raise SettingsError(f"{name} is {shown(value)}; allowed is a whole number") from None


def _switch(name: str, value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _YES + _NO:
        raise SettingsError(f"{name} is {shown(value)}; allowed are 'true' and 'false'")
    return text in _YES


def _folder(name: str, value: object) -> Path | None:
    """Return a path that the system can look up; whether it is there, its user asks."""
    text = _optional(name, value)
    if text is None:
        return None
    try:
        path = Path(text).expanduser()
        path.resolve()
        path.exists()
    except (OSError, RuntimeError, ValueError):  # a loop of links, an unknown user, a NUL, a name too long
        raise SettingsError(f"{name} is {shown(text)}, which the system cannot look up; give another folder") from None
    return path


def _data(name: str, value: object) -> Path:
    """Return a folder that can be made or written to."""
    path = _folder(name, value) or Path("data")
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise SettingsError(f"{name} is {shown(str(value))}, but {place} cannot be written to; give another folder")
    return path
