"""Tables for other programs: matches.csv for a spreadsheet, and one parquet for embedding-atlas."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from share.escape import in_csv, utf8
from share.site import Site
from utils import files
from utils.banners import Banner
from utils.matching import Matches


def csv(site: Site) -> bytes:
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
    return utf8(table.to_csv(index=False, lineterminator="\n"))


def atlas(
    matches: Matches, catalogue: pd.DataFrame, album: Mapping[int, Banner], plane: np.ndarray, file: Path
) -> Path:
    """Write one parquet for `embedding-atlas FILE --x x --y y --neighbors neighbors`, and return it.

    Columns: appid, name, x and y (of `plane`, float (n, 2)), neighbors ({"ids": row numbers, "distances": 1 - cosine}),
    image ({"bytes": JPEG}, null where the album has none), tags (text), review_count, year.
    """
    known = catalogue.drop_duplicates("appid").set_index("appid").reindex(matches.appids)
    table = pa.table(
        {
            "appid": matches.appids,
            "name": pa.array([str(name) for name in matches.names], pa.string()),
            "x": plane[:, 0].astype(np.float32),
            "y": plane[:, 1].astype(np.float32),
            "neighbors": pa.array(_neighbours(matches)),
            "image": pa.array([_image(album, appid) for appid in matches.appids.tolist()], _IMAGE),
            "tags": pa.array([_joined(each) for each in known["tags"]], pa.string()),
            "review_count": known["review_count"].fillna(0).astype("int64").to_numpy(),
            "year": pd.to_datetime(known["release_date"].fillna(0), unit="s").dt.year.to_numpy(),
        }
    )
    with files.writing(Path(file)) as part:
        pq.write_table(table, part)
    return Path(file)


_IMAGE = pa.struct([("bytes", pa.binary())])


def _neighbours(matches: Matches) -> list[dict[str, list]]:
    rows = np.searchsorted(matches.appids, matches.neighbours)
    distances = 1 - matches.cosines
    both = zip(rows.tolist(), distances.tolist(), strict=True)
    return [{"ids": ids, "distances": apart} for ids, apart in both]


def _image(album: Mapping[int, Banner], appid: int) -> dict[str, bytes] | None:
    banner = album.get(appid)
    return None if banner is None else {"bytes": banner.jpeg}


def _joined(tags: object) -> str:
    return ", ".join(tags) if isinstance(tags, (list, tuple, np.ndarray)) else ""
