"""The artist's desk: does a draft stand out among the banners that are there?

How a draft stands is relative: it says how near its nearest twin is, compared with the twins of the games loaded, and
nothing about games that were not loaded, nor about beauty.
"""

from utils.desk.control import Desk, open_desk
from utils.desk.drafts import NoDraft, drafts
from utils.desk.verdict import RELATIVE, Verdict, compare

__all__ = ["RELATIVE", "Desk", "NoDraft", "Verdict", "compare", "drafts", "open_desk"]
