"""The notebooks' door: the store of the sources `sample` and `folder`, and the checkpoint that they get."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util

from sample.catalogue import fictional
from sample.games import Stock
from sample.own import folder
from sample.store import Store
from sample.untrained import checkpoint
from utils.settings import Settings


def open_store(chosen: Settings) -> Settings:
    """Open the store of the sources `sample` and `folder`, and return the settings with its addresses.

    Unless a checkpoint is chosen, they get the tiny one as well, written where torch is installed. The store lives as
    long as the process; called again, it is found at the same address, newly stocked. For `steam`, the settings are
    returned as they are. Raises SettingsError where the folder is none or holds no picture.
    """
    if chosen.source == "steam":
        return chosen
    store = _store_of(chosen.source)
    store.restock(fictional() if chosen.folder is None or chosen.source == "sample" else folder(chosen.folder))
    tiny = chosen.data / "tiny-beit-untrained"
    if not chosen.checkpoint and importlib.util.find_spec("torch"):
        checkpoint(tiny)
    return dataclasses.replace(
        chosen,
        checkpoint=chosen.checkpoint or str(tiny),
        api_url=store.api_url,
        assets_url=store.assets_url,
    )


def notes(chosen: Settings) -> list[str]:
    """Return a line for each picture and each row of the CSV that the source `folder` cannot use."""
    return [] if chosen.source == "steam" else list(_store_of(chosen.source).notes)


@functools.cache
def _store_of(source: str) -> Store:  # noqa: ARG001 - one a source
    return Store(Stock([], lambda _: None))
