"""A small Steam store on loopback, for trying and testing: invented games, their banners and a trained checkpoint.

It answers over real HTTP as Steam's public services do, so that the sample, the tests and the real store run the same
code. Only the notebooks' settings cell and the tests import it. README.md says what the sample is made of.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import TYPE_CHECKING

from sample.catalogue import fictional, many, retouched
from sample.encoders import default_encoder, untrained_encoders
from sample.games import TAGS, Game, Stock
from sample.store import Request, Store
from sample.untrained import checkpoint

if TYPE_CHECKING:
    from utils.settings import Settings

__all__ = ["TAGS", "Game", "Request", "Stock", "Store", "checkpoint", "fictional", "many", "retouched"]

DRAFT = Path(__file__).with_name("draft.jpg")  # a banner of a game that is not in the store, to compare with it


def open_store(chosen: Settings) -> Settings:
    """Return the settings as the rest of a notebook uses them: for `sample`, with the addresses of its store, opened.

    Unless a checkpoint is chosen, the sources `sample` and `folder` get their own as well, see `with_encoder`. The
    store lives as long as the process; called again, it is found at the same address.
    """
    chosen = with_encoder(chosen)
    if chosen.source != "sample":
        return chosen
    store = _open_once()
    return dataclasses.replace(chosen, api_url=store.api_url, assets_url=store.assets_url)


def with_encoder(chosen: Settings) -> Settings:
    """Return settings with the checkpoint that their source gets where none is chosen."""
    if chosen.source == "steam" or chosen.checkpoint:
        return chosen
    return dataclasses.replace(chosen, checkpoint=default_encoder(chosen.source, chosen.data).checkpoint)


def encoder_line(chosen: Settings) -> str:
    """Return one line that says which checkpoint the source got, and why; empty where the settings chose it."""
    if chosen.source == "steam":
        return ""
    default = default_encoder(chosen.source, chosen.data)
    return default.reason if chosen.checkpoint in ("", default.checkpoint) else ""


def other_encoders(chosen: Settings) -> list[str]:
    """Return other networks for the study of the source `sample` to compare; empty for the other sources."""
    return untrained_encoders(chosen.data) if chosen.source == "sample" else []


@functools.cache
def _open_once() -> Store:
    return Store()
