"""The notebooks' door: the store of the sources `sample` and `folder`, and the checkpoint that they get."""

from __future__ import annotations

import dataclasses
import functools

from sample.catalogue import fictional
from sample.eye import default_eye, other_eyes
from sample.games import Stock
from sample.own import folder
from sample.store import Store
from utils.settings import Settings


def open_store(chosen: Settings) -> Settings:
    """Open the store of the sources `sample` and `folder`, and return the settings with its addresses.

    Unless a checkpoint is chosen, they get the source's own as well, see `sample.eye`. The store lives as long as the
    process; called again, it is found at the same address, newly stocked. For `steam`, the settings are returned as
    they are. Raises SettingsError where the folder is none or holds no picture.
    """
    if chosen.source == "steam":
        return chosen
    store = _store_of(chosen.source)
    store.restock(fictional() if chosen.folder is None or chosen.source == "sample" else folder(chosen.folder))
    return dataclasses.replace(with_eye(chosen), api_url=store.api_url, assets_url=store.assets_url)


def with_eye(chosen: Settings) -> Settings:
    """Return settings with the checkpoint that their source gets where none is chosen."""
    if chosen.source == "steam" or chosen.checkpoint:
        return chosen
    return dataclasses.replace(chosen, checkpoint=default_eye(chosen.source, chosen.data).checkpoint)


def eye_line(chosen: Settings) -> str:
    """Return one line that says which checkpoint the source got, and why; empty where the settings chose it."""
    if chosen.source == "steam":
        return ""
    eye = default_eye(chosen.source, chosen.data)
    return eye.reason if chosen.checkpoint in ("", eye.checkpoint) else ""


def eyes(chosen: Settings) -> list[str]:
    """Return other networks for the study of the source `sample` to compare; empty for the other sources."""
    return other_eyes(chosen.data) if chosen.source == "sample" else []


def notes(chosen: Settings) -> list[str]:
    """Return a line for each picture and each row of the CSV that the source `folder` cannot use."""
    return [] if chosen.source == "steam" else list(_store_of(chosen.source).notes)


@functools.cache
def _store_of(source: str) -> Store:  # noqa: ARG001 - one a source
    return Store(Stock([], lambda _: None))
