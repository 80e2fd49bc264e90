"""Which games pass: by tag, year and reviews, and one of each near-identical group."""

import numpy as np
import pandas as pd
import pytest

from utils import filters
from utils.filters import Filter


@pytest.fixture
def games():
    table = pd.DataFrame({"appid": [10, 20, 30, 40], "review_score": [95.0, 60.0, np.nan, 80.0]})
    table["tags"] = [["Horror", "Indie"], ["Indie"], [], ["Indie", "Puzzle"]]
    table["release_date"] = [1_104_537_599, 1_104_537_600, 0, 1_700_000_000]  # 2004's last second, 2005's first, 2023
    return table


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), [10, 20, 30, 40]),
        (Filter(tag="Indie"), [10, 20, 40]),
        (Filter(tag="Nothing"), []),
        (Filter(since=2005), [20, 40]),
        (Filter(until=2004), [10]),
        (Filter(since=2005, until=2022), [20]),
        (Filter(score=80), [10, 40]),
        (Filter(tag="Indie", since=2005, score=70), [40]),
    ],
)
def test_games_that_pass(games, wanted, expected):
    assert filters.passing(games, wanted).tolist() == expected
    assert bool(wanted) == (wanted != Filter())


def test_tags_the_commonest_first(games):
    assert filters.tags(games) == ["Indie", "Horror", "Puzzle"]
    assert filters.tags(games[:0]) == []


def test_one_of_each_near_identical_group():
    vectors = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2, 3]]
    cosines = np.array([0.99, 0.9, 0.8, 0.7, 0.6, 0.5], np.float32)
    assert filters.distinct(vectors, cosines, 0.95, 10).tolist() == [1, 2, 4, 5]  # 0 is a copy of the query
    assert filters.distinct(vectors, cosines, 0.95, 2).tolist() == [1, 2]
    assert filters.distinct(vectors[:0], cosines[:0], 0.95, 2).tolist() == []
