"""Which banners look alike: exact neighbours by cosine, near-duplicates, the most unique, a picture of your own.

Every cosine is computed in float64 from the unit vectors of `Prepared` and rounded to float32, and ties go to the lower
appid, so that runs, tile sizes and machines agree.
"""

from utils.matching.duplicates import near_duplicates
from utils.matching.kept import Matches
from utils.matching.kept import load as load_matches
from utils.matching.outside import StandOut, nearest_of_any, nearest_to_words, query_vector, stand_out
from utils.matching.preparation import MatchError, Prepared, prepare, prepared
from utils.matching.questions import all_matches, by_others, mirrored_matches, most_unique, nearest
from utils.settings import PREPARATIONS

__all__ = [
    "PREPARATIONS",
    "MatchError",
    "Matches",
    "Prepared",
    "StandOut",
    "all_matches",
    "by_others",
    "load_matches",
    "mirrored_matches",
    "most_unique",
    "near_duplicates",
    "nearest",
    "nearest_of_any",
    "nearest_to_words",
    "prepare",
    "prepared",
    "query_vector",
    "stand_out",
]
