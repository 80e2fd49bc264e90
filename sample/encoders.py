"""Which checkpoint the sources `sample` and `folder` get where none is chosen, and the reason in one line."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import NamedTuple

from sample.untrained import SIDES
from sample.untrained import checkpoint as write_untrained
from utils import http
from utils.settings import DEFAULT_CHECKPOINT

SMALL = Path(__file__).with_name("beit-small")  # trained by `training/`; its README is the model card

_PATIENCE = 5  # seconds for the hub's answer


class Default(NamedTuple):
    """A checkpoint, and why it was taken."""

    checkpoint: str  # a folder, or a name on the hub
    reason: str


@functools.cache
def default_encoder(source: str, data: Path) -> Default:
    """Return the checkpoint of a source, decided once a process.

    `folder` gets Microsoft's where a GPU is here and the hub answers. Everything else gets the small trained BEiT that
    comes with the project, which finds as much as its teacher (docs/results.md); a checkout without it, an untrained
    one, written into `data`.
    """
    if source == "sample":
        return _own_encoder(data, "which comes with the project")
    missing = missing_for_microsofts()
    if not missing:
        return Default(DEFAULT_CHECKPOINT, f"Checkpoint: {DEFAULT_CHECKPOINT}, because a GPU is here to run it.")
    return _own_encoder(data, f"because {missing}; CHECKPOINT chooses another")


def untrained_encoders(data: Path) -> list[str]:
    """Write into `data`, where they are not there, networks that were never trained; return their folders.

    They are of other families than BEiT: what the sample's study has to compare, where no other network can be had.
    """
    return [str(write_untrained(data / f"tiny-{family}", family)) for family in SIDES if family != "beit"]


def _own_encoder(data: Path, why: str) -> Default:
    if (SMALL / "config.json").is_file():
        return Default(_from_here(SMALL), f"Checkpoint: the small BEiT in {_from_here(SMALL)}, {why}.")
    folder = data / "tiny-beit-untrained"
    if importlib.util.find_spec("torch"):
        write_untrained(folder)
    return Default(str(folder), f"Checkpoint: a tiny BEiT that was never trained, {why}: its matches mean little.")


def missing_for_microsofts() -> str:
    """Return what keeps Microsoft's checkpoint from being used here; empty if nothing does."""
    if not gpu_is_here():
        return "there is no GPU"
    return "" if hub_answers() else "the hub cannot be reached"


def gpu_is_here() -> bool:
    """Return whether torch is installed and finds a CUDA device."""
    if not importlib.util.find_spec("torch"):
        return False
    import torch

    return torch.cuda.is_available()


def hub_answers() -> bool:
    """Return whether the hub gives out the checkpoint's config within a few seconds."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    address = f"{constants.ENDPOINT}/{DEFAULT_CHECKPOINT}/resolve/main/config.json"
    try:
        return http.get(address, limit=1_000_000, deadline=_PATIENCE, tries=1).status == 200
    except http.HttpError:
        return False


def _from_here(folder: Path) -> str:
    """The folder as seen from the working directory, where it lies within."""
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
