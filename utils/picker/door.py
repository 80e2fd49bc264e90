"""How the control is made from features, banners and a catalogue."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from utils import banners
from utils.picker.control import Picker
from utils.picker.finding import Eye
from utils.picker.screen import Shop

if TYPE_CHECKING:
    from utils.features import Features
    from utils.settings import Settings


def pick(
    eyes: "Eye | Features | Mapping[str, Eye]",
    album: Mapping[int, banners.Banner],
    catalogue: pd.DataFrame | None = None,
    *,
    default: int | str | None = None,
    k: int = 10,
    store: "Settings | None" = None,
) -> Picker:
    """Return the control, showing the matches of `default` (an appid or part of a name; else the most reviewed game).

    eyes: a network's view of the games or, by label, several to choose from; features alone do, without pictures of
    one's own and words. album: appid -> Banner. catalogue: for the order of the short list, filters, and other people's
    games. k: how many matches at first. store: the settings, to fetch games that have no features here, and to link
    Steam's pages.
    """
    if not isinstance(eyes, Mapping):
        eyes = {"": eyes if isinstance(eyes, Eye) else Eye(eyes)}
    return Picker(eyes, album, catalogue, Shop(store), default=default, k=k)
