"""A small Steam store on loopback, for trying and testing: invented games, or somebody's own pictures.

It answers over real HTTP as Steam's public services do, so that the sample, the tests and the real store run the same
code. Only the notebooks' settings cell and the tests import it. README.md says what the sample is made of.
"""

from pathlib import Path

from sample.catalogue import fictional, many, retouched
from sample.faults import Edit
from sample.games import TAGS, Game, Stock
from sample.notebook import eye_line, eyes, notes, open_store, with_eye
from sample.own import folder
from sample.store import Request, Store
from sample.untrained import checkpoint

__all__ = [
    "DRAFT",
    "TAGS",
    "Edit",
    "Game",
    "Request",
    "Stock",
    "Store",
    "checkpoint",
    "eye_line",
    "eyes",
    "fictional",
    "folder",
    "many",
    "notes",
    "open_store",
    "retouched",
    "with_eye",
]

DRAFT = Path(__file__).with_name("draft.jpg")  # a banner of a game that is not in the store, to compare with it
