"""The sample's games as a catalogue with hostile names, and matches by which games of a series are alike."""

import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from small_games import album_of

import share
from utils import matching
from utils.features import Features
from utils.matching import DuplicateGroup

HOSTILE = [
    "<script>document.title='hacked'</script>",
    "<img src=x onerror=\"document.title='hacked'\"> & 'quotes' &lt;",
    "a | b ]( javascript:alert(1) ) [c](http://evil.test) `code` **bold** # $x$ ~~no~~ \\| www.evil.test",
    '</script><b>bold</b> \u2028\u2029 "]);document.title="hacked";//',
    "\u202eevil \u2066\u200fשלום\n\n# new line",
    "__proto__",
]
MANIFEST = {"checkpoint": "tiny|beit", "revision": "0123456789abcdef", "pooling": "cls", "image": "crop"}


def games_of_sample():
    """The sample's table as a catalogue; the first games have hostile names."""
    table = pd.read_csv(Path(__file__).parents[1] / "sample" / "games.csv", keep_default_na=False)
    table = table[table["score"] != ""].reset_index(drop=True)
    table.loc[: len(HOSTILE) - 1, "name"] = HOSTILE
    for column in ("franchises", "developers", "tags"):
        table[column] = [cell.split(" | ") if cell else [] for cell in table[column]]
    return table.assign(
        banner_url=[f"https://store.test/{appid}/x.jpg" for appid in table["appid"]],
        review_count=table["reviews"].astype(int),
        review_score=table["score"].astype(float),
        release_date=pd.to_numeric(table["release_date"]).fillna(0).astype(int),
    )


def matches_of_series(games):
    """Eight matches a game."""
    rng, rows = np.random.default_rng(0), zip(games["franchises"], games["name"], strict=True)
    seeds = [zlib.crc32("".join(franchises or [name]).encode()) for franchises, name in rows]
    vectors = np.array([np.random.default_rng(seed).normal(size=16) + 0.6 * rng.normal(size=16) for seed in seeds])
    features = Features(games["appid"].to_numpy(), games["name"].to_numpy(), vectors.astype(np.float16), MANIFEST)
    return matching.all_matches(matching.prepare(features, "centred"), 8)


GAMES = games_of_sample()
MATCHES = matches_of_series(GAMES)
ALBUM = album_of(MATCHES.appids.tolist())
EXTRAS = share.Extras(  # one group of near-duplicates; a map of one cloud
    [DuplicateGroup(MATCHES.appids[:3], MATCHES.cosines[:3, 0])],
    np.random.default_rng(3).normal(size=(len(MATCHES.appids), 2)),
)
