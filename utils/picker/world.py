"""An interactive map of all games beside the control: zoom, pan, hover for a banner, click to make it the query."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from utils.errors import PlainError
from utils.picker.control import Picker

if TYPE_CHECKING:
    import ipywidgets as widgets

HEIGHT = 640  # pixels


class NoMap(PlainError, ImportError):
    """The library that draws the map is not installed."""


def world(control: Picker, appids: np.ndarray, plane: np.ndarray, catalogue: pd.DataFrame) -> "widgets.Widget":
    """Return a map of games, appids (n,), by their coordinates, float (n, 2); a click shows a game in the control.

    Hovering shows a game's name and, from the store, its banner. Drawn by jupyter-scatter, an extra: raises NoMap with
    the command that installs it where it is missing.
    """
    try:
        import jscatter
    except ModuleNotFoundError:
        raise NoMap("the interactive map needs jupyter-scatter: pip install jupyter-scatter") from None
    table = _table(appids, plane, catalogue)
    drawing = jscatter.Scatter(data=table, x="x", y="y", height=HEIGHT)
    drawing.size(4)
    shown = ["name"]  # a column: its types know the visual properties only
    drawing.tooltip(True, shown, preview="banner_url", preview_type="image")  # ty: ignore[invalid-argument-type]
    drawing.widget.observe(_chooser(control, appids), names="selection")
    return drawing.show()


def _table(appids: np.ndarray, plane: np.ndarray, catalogue: pd.DataFrame) -> pd.DataFrame:
    known = catalogue.drop_duplicates("appid").set_index("appid").reindex(appids)
    return pd.DataFrame(
        {
            "x": plane[:, 0],
            "y": plane[:, 1],
            "name": known["name"].fillna("").to_numpy(),
            "banner_url": known["banner_url"].fillna("").to_numpy(),
        }
    )


def _chooser(control: Picker, appids: np.ndarray) -> Any:  # noqa: ANN401 - traitlets takes any callable
    """Return what a click on the map does: the first game of the selection becomes the query."""

    def choose(change: dict) -> None:
        if len(change["new"]):
            control.show(int(appids[int(change["new"][0])]))

    return choose
