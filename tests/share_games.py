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


GAMES = pd.read_csv(Path(__file__).parents[1] / "sample" / "games.csv", keep_default_na=False)
GAMES = GAMES[GAMES["score"] != ""].reset_index(drop=True)
GAMES.loc[: len(HOSTILE) - 1, "name"] = HOSTILE
for column in ("franchises", "developers", "tags"):
    GAMES[column] = [cell.split(" | ") if cell else [] for cell in GAMES[column]]
GAMES["banner_url"] = [f"https://store.test/{appid}/x.jpg" for appid in GAMES["appid"]]
GAMES["review_count"] = GAMES["reviews"].astype(int)
GAMES["review_score"] = GAMES["score"].astype(float)
GAMES["release_date"] = pd.to_numeric(GAMES["release_date"]).fillna(0).astype(int)

series = map("".join, GAMES["franchises"].where(GAMES["franchises"].map(bool), GAMES["name"]))
seeds = [zlib.crc32(each.encode()) for each in series]  # games of a series are alike
rng = np.random.default_rng(0)
vectors = np.array([np.random.default_rng(seed).normal(size=16) + 0.6 * rng.normal(size=16) for seed in seeds])
features = Features(GAMES["appid"].to_numpy(), GAMES["name"].to_numpy(), vectors.astype(np.float16), MANIFEST)
MATCHES = matching.all_matches(matching.prepare(features, "centred"), 8)
ALBUM = album_of(MATCHES.appids.tolist())
EXTRAS = share.Extras(  # one group of near-duplicates; a map of one cloud
    [DuplicateGroup(MATCHES.appids[:3], MATCHES.cosines[:3, 0])],
    np.random.default_rng(3).normal(size=(len(MATCHES.appids), 2)),
)
