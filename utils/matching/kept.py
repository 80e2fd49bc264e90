"""The matches of all games, and one parquet file that keeps them."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from utils import files
from utils.matching.preparation import MatchError

FILE = "matches.parquet"

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Matches:
    """The neighbours of all games, nearest first: what `all_matches` returns and keeps."""

    appids: np.ndarray  # int64 (n,), ascending
    names: np.ndarray  # str (n,)
    neighbours: np.ndarray  # int64 (n, k), appids
    cosines: np.ndarray  # float32 (n, k)
    manifest: dict  # that of the prepared features

    def of(self, appid: int, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return one game's first k (default: all) neighbours and cosines, both (k,).

        Raises MatchError for a game that is not here.
        """
        row = rows_of(self.appids, [appid])[0]
        return self.neighbours[row, :k], self.cosines[row, :k]


def rows_of(appids: np.ndarray, wanted: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return where in ascending appids the wanted ones stand; raises MatchError for one that is not there."""
    wanted = np.asarray(wanted)
    rows = np.searchsorted(appids, wanted).clip(max=len(appids) - 1)
    missing = appids[rows] != wanted
    if missing.any():
        raise MatchError(f"game {wanted[missing][0]} is not among the {len(appids):,} games with a vector to match")
    return rows


def save(matches: Matches, folder: Path) -> None:
    """Write matches to FILE in a folder, whole or not at all: a row a game, lists of k. Raises StorageError."""
    k = matches.neighbours.shape[1]
    columns = {
        "appid": matches.appids,
        "name": pa.array(matches.names, pa.string()),
        "neighbours": pa.FixedSizeListArray.from_arrays(matches.neighbours.ravel(), k),
        "cosines": pa.FixedSizeListArray.from_arrays(matches.cosines.ravel(), k),
    }
    table = pa.table(columns).replace_schema_metadata({"manifest": json.dumps(matches.manifest)})
    with files.writing(folder / FILE) as part:
        pq.write_table(table, part, write_page_checksum=True)


def load(folder: Path) -> Matches | None:
    """Return the matches kept in a folder, or None where there are none or the file is damaged."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        return _read(file)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        _LOG.warning("%s is damaged (%s); the matches are computed again", file, str(error).splitlines()[0])
        return None


def _read(file: Path) -> Matches:
    table = pq.read_table(file, page_checksum_verification=True)
    manifest = json.loads(table.schema.metadata[b"manifest"])
    neighbours = _matrix(table, "neighbours")
    cosines = _matrix(table, "cosines")
    if neighbours.shape != cosines.shape or "fingerprint" not in manifest:
        raise ValueError(f"neighbours {neighbours.shape}, cosines {cosines.shape}")
    return Matches(table["appid"].to_numpy(), table["name"].to_numpy(), neighbours, cosines, manifest)


def _matrix(table: pa.Table, column: str) -> np.ndarray:
    return table[column].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
