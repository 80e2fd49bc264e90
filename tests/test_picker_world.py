"""The interactive map beside the control: what is drawn, and what a click does."""

import sys

import numpy as np
import pytest
from small_games import NAMES, album_of, catalogue_of, features_of

from utils import picker

APPIDS = np.array(tuple(NAMES))
PLANE = np.random.default_rng(0).normal(size=(len(APPIDS), 2))


@pytest.fixture
def control():
    return picker.pick(features_of(), album_of(), catalogue_of(), k=3)


@pytest.fixture
def catalogue():
    return catalogue_of().assign(name=list(NAMES.values()), banner_url="https://a.test/x.jpg")


def drawing_in(widget):
    """The part of a widget that has a selection."""
    if widget.has_trait("selection"):
        return widget
    found = [drawing_in(child) for child in getattr(widget, "children", ())]
    return next(filter(None, found), None)


def test_a_click_on_the_map_makes_a_game_the_query(control, catalogue):
    pytest.importorskip("jscatter")
    drawing = drawing_in(picker.world(control, APPIDS, PLANE, catalogue))
    drawing.selection = np.array([4])
    assert control.appid == APPIDS[4]
    drawing.selection = np.array([], dtype=int)
    assert control.appid == APPIDS[4]


def test_without_the_library_a_line_says_how_to_get_it(control, catalogue, monkeypatch):
    monkeypatch.setitem(sys.modules, "jscatter", None)
    with pytest.raises(picker.NoMap, match="pip install jupyter-scatter"):
        picker.world(control, APPIDS, PLANE, catalogue)
