"""From the values of a notebook's cell, and the environment that has the last word, to the settings of a run."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from utils.settings import environment
from utils.settings.allowed import SettingsError, shown, typed
from utils.settings.record import Settings

DEFAULT_CHECKPOINT = "microsoft/beit-base-patch16-224-pt22k-ft22k"

_NOT_IN_CELLS = ("api_url", "assets_url", "overridden")


def read(**cell_values: object) -> Settings:
    """Return the settings of a notebook's cell, each yielding to `STEAM_BANNERS_<NAME>` in the environment.

    Names may be written in capitals, as the cells do. `STEAM_API_URL` and `STEAM_ASSETS_URL` replace the store's own
    addresses. Raises SettingsError for an unknown name and for a value that is not allowed, naming those that are.
    """
    cell = _read(cell_values)
    outside = _read(environment.given())
    values = cell | outside
    if values.get("source", "steam") == "steam":
        values["checkpoint"] = values.get("checkpoint") or DEFAULT_CHECKPOINT
    api_url, assets_url = environment.store_urls()
    return Settings(**values, api_url=api_url, assets_url=assets_url, overridden=_overridden(cell, outside))


def known() -> list[str]:
    """Return the names of all settings, in capitals."""
    return [each.name.upper() for each in fields(Settings) if each.name not in _NOT_IN_CELLS]


def _read(values: Mapping[str, object]) -> dict[str, Any]:
    """Bring each value to its type; raises SettingsError for an unknown name."""
    if unknown := sorted({name.upper() for name in values} - set(known())):
        raise SettingsError(f"unknown setting {shown(', '.join(unknown))[1:-1]}; known are {', '.join(known())}")
    return {name.lower(): typed(name.lower(), value) for name, value in values.items()}


def _overridden(cell: dict[str, Any], outside: dict[str, Any]) -> tuple[str, ...]:
    """Say which of the cell's values differ from the environment's, which count."""
    differ = [name for name in cell if name in outside and cell[name] != outside[name]]
    return tuple(f"{name.upper()} {_worded(outside[name])} (the cell: {_worded(cell[name])})" for name in differ)


def _worded(value: object) -> str:
    return shown("" if value is None else str(value))
