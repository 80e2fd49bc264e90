"""A dozen games with names in many scripts, their banners, features and catalogue: real ones, only small."""

import downloads
import numpy as np
import pandas as pd
from PIL import Image

from utils.banners import Banner
from utils.features import Features

HOSTILE = "<img src=x onerror=\"document.title='hacked'\"> &amp; \u202eright to left"
NAMES = {
    10: "Portal",
    620: "Portal 2",
    30: "Counter-Strike",
    40: "ファイナルファンタジー",
    50: "Ведьмак 3: Дикая Охота",
    60: "Pokémon™ Café",
    70: "🎮 Party!",
    80: "S.T.A.L.K.E.R. 2",
    90: "Baldur's Gate",
    100: HOSTILE,
    110: "2048",
    120: "The Portal of Dreams",
}


def jpeg(colour):
    return downloads.file(Image.new("RGB", (256, 384), colour), "JPEG")


def features_of(appids=tuple(NAMES), seed=0, trained=True):
    """Features of 8 random numbers a game; the second game is a near-duplicate of the first."""
    names = np.array([NAMES.get(int(appid), f"Game {appid}") for appid in appids], dtype=object)
    vectors = np.random.default_rng(seed).normal(size=(len(appids), 8)).astype(np.float16)
    vectors[1] = vectors[0] + np.float16(0.01)
    manifest = {"checkpoint": "small-beit", "pooling": "pooled", "image": "squash", "trained": trained}
    return Features(np.array(appids), names, vectors, manifest)


def album_of(appids=tuple(NAMES)):
    return {appid: Banner(appid, NAMES.get(appid, ""), jpeg((appid * 2 % 256, 80, 120))) for appid in appids}


def catalogue_of(appids=tuple(NAMES)):
    """620 is the most reviewed; 10, 620 and 30 have a developer in common."""
    games = pd.DataFrame({"appid": appids, "review_count": 0, "review_score": 70.0, "release_date": 0})
    games["developers"] = [["Valve"] if appid in (10, 620, 30) else [f"Studio {appid}"] for appid in appids]
    games["franchises"] = [[]] * len(games)
    games["tags"] = [["Indie", "Puzzle"] if appid in (10, 620, 110) else ["Indie"] for appid in appids]
    if len(games) == len(NAMES):
        games["review_count"] = [5, 90, 80, 0, 70, 1, 2, 3, 4, 6, 7, 8]
        games.loc[games["appid"].isin([10, 120]), "review_score"] = 95.0
        years = [2007, 2011, 2000, 2000, 2024, 2024, 2024, 2024, 2024, 2024, 2014, 2012]
        games["release_date"] = [int(pd.Timestamp(year, 6, 1).timestamp()) for year in years]
    return games
