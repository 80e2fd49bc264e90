"""A dozen games with names in many scripts, their banners, features and catalogue: real ones, only small."""

import downloads
import numpy as np
import pandas as pd
from PIL import Image

from utils.banners import Banner
from utils.features import Features

HOSTILE = "<img src=x onerror=\"document.title='hacked'\"> &amp; \u202eright to left"
GAMES = {  # appid -> name, number of reviews, year of release
    10: ("Portal", 5, 2007),
    620: ("Portal 2", 90, 2011),
    30: ("Counter-Strike", 80, 2000),
    40: ("ファイナルファンタジー", 0, 2000),
    50: ("Ведьмак 3: Дикая Охота", 70, 2024),
    60: ("Pokémon™ Café", 1, 2024),
    70: ("🎮 Party!", 2, 2024),
    80: ("S.T.A.L.K.E.R. 2", 3, 2024),
    90: ("Baldur's Gate", 4, 2024),
    100: (HOSTILE, 6, 2024),
    110: ("2048", 7, 2014),
    120: ("The Portal of Dreams", 8, 2012),
}
NAMES = {appid: name for appid, (name, _, _) in GAMES.items()}


def features_of(appids=tuple(NAMES), trained=True):
    """Features of 8 random numbers a game; the second game is a near-duplicate of the first."""
    names = np.array([NAMES.get(int(appid), f"Game {appid}") for appid in appids], dtype=object)
    vectors = np.random.default_rng(0).normal(size=(len(appids), 8)).astype(np.float16)
    vectors[1] = vectors[0] + np.float16(0.01)
    manifest = {"checkpoint": "small-beit", "pooling": "pooled", "image": "squash", "trained": trained}
    return Features(np.array(appids), names, vectors, manifest)


def jpeg(colour):
    return downloads.file(Image.new("RGB", (256, 384), colour), "JPEG")


def album_of(appids=tuple(NAMES)):
    return {appid: Banner(appid, NAMES.get(appid, ""), jpeg((appid * 2 % 256, 80, 120))) for appid in appids}


def catalogue_of(appids=tuple(NAMES)):
    """620 is the most reviewed; 10, 620 and 30 have a developer in common; of other games nothing is known."""
    games = pd.DataFrame({"appid": appids, "review_score": 70.0})
    known = [GAMES.get(appid, ("", 0, 1970)) for appid in appids]
    games["review_count"] = [reviews for _, reviews, _ in known]
    games["release_date"] = [int(pd.Timestamp(year, 1, 1).timestamp()) for _, _, year in known]
    games["developers"] = [["Valve"] if appid in (10, 620, 30) else [f"Studio {appid}"] for appid in appids]
    games["franchises"] = [[]] * len(games)
    games["tags"] = [["Indie", "Puzzle"] if appid in (10, 620, 110) else ["Indie"] for appid in appids]
    games.loc[games["appid"].isin([10, 120]), "review_score"] = 95.0
    return games
