"""Tables for other programs: matches.csv for a spreadsheet, and one parquet for embedding-atlas."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from share.escape import in_csv
from share.site import Site, site
from utils import files
from utils.banners import Banner
from utils.matching import Matches


def csv(site: Site) -> str:
    """Return a row a match: appid, name, rank (from 1), match (its appid), match_name, cosine (four digits)."""
    count, k = site.matches.neighbours.shape
    names = np.array([in_csv(game.name) for game in site.games], dtype=object)
    neighbours = site.matches.neighbours.ravel()
    table = pd.DataFrame(
        {
            "appid": site.matches.appids.repeat(k),
            "name": names.repeat(k),
            "rank": np.tile(np.arange(1, k + 1), count),
            "match": neighbours,
            "match_name": names[site.rows(neighbours)],
            "cosine": site.matches.cosines.ravel().astype(np.float64).round(4),
        }
    )
    return table.to_csv(index=False, lineterminator="\n")


def atlas(
    matches: Matches, catalogue: pd.DataFrame, album: Mapping[int, Banner], coordinates: np.ndarray, file: Path
) -> Path:
    """Write one parquet for `embedding-atlas FILE --x x --y y --neighbors neighbors`, and return it.

    Columns: appid, name, x and y (of `coordinates`, float (n, 2)), neighbors ({"ids": row numbers, "distances":
    1 - cosine}), image ({"bytes": JPEG}, null where the album has none), tags (text), review_count, year (null where
    unknown).
    """
    shown = site(matches, catalogue, [None] * len(matches.appids))
    near = zip(shown.rows(matches.neighbours).tolist(), (1 - matches.cosines).tolist(), strict=True)
    banners = [album.get(appid) for appid in matches.appids.tolist()]
    table = pa.table(
        {
            "appid": matches.appids,
            "name": pa.array([game.name for game in shown.games], pa.string()),
            "x": coordinates[:, 0].astype(np.float32),
            "y": coordinates[:, 1].astype(np.float32),
            "neighbors": pa.array([{"ids": ids, "distances": distances} for ids, distances in near]),
            "image": pa.array([banner and {"bytes": banner.jpeg} for banner in banners], _IMAGE),
            "tags": pa.array([", ".join(game.tags) for game in shown.games], pa.string()),
            "review_count": shown.reviews,
            "year": pa.array([game.year or None for game in shown.games], pa.int64()),
        }
    )
    with files.writing(Path(file)) as part:
        pq.write_table(table, part)
    return Path(file)


_IMAGE = pa.struct([("bytes", pa.binary())])
