"""A shard's features on disk: two files that are believed only together, as they were written.

img_emb/img_emb_00000.npy            float16 (rows, dims)
metadata/metadata_00000.parquet      appid, name and jpeg_sha256 of each row; in its metadata whose features they
                                     are, of which shard, and the checksum of the first file; written last
"""

import hashlib
import io
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from utils import files
from utils.features.manifest import Key, Manifest
from utils.features.record import FeaturesDamaged, FeaturesError, FeaturesMissing

_REMEDY = "features.extract computes it again"


class Part(NamedTuple):
    """A shard's features."""

    appids: np.ndarray  # int64 (n,)
    names: np.ndarray  # str objects (n,)
    digests: list[str]  # SHA-256 of each JPEG; empty in the first edition's files
    vectors: np.ndarray  # float16 (n, dims)
    refused: list[tuple[int, str]]  # appid and reason of the pictures that were left out
    shard_sha256: str = ""  # of the tar that they were made of
    key: Key | None = None  # which shard that is; None in the first edition's files
    identity: dict | None = None  # of the encoder; None in the first edition's files


def vectors_file(out: Path, number: int) -> Path:
    return out / "img_emb" / f"img_emb_{number:05}.npy"


def rows_file(out: Path, number: int) -> Path:
    return out / "metadata" / f"metadata_{number:05}.parquet"


def numbers_in(out: Path) -> list[int]:
    """Return the numbers of the shards whose two files are there."""
    numbers = set()
    for file in (out / "metadata").glob("metadata_[0-9][0-9][0-9][0-9][0-9].parquet"):
        number = int(file.stem.removeprefix("metadata_"))
        if vectors_file(out, number).is_file():
            numbers.add(number)
    return sorted(numbers)


def write_part(out: Path, number: int, part: Part) -> None:
    """Write a shard's features; its rows are there only while its vectors are.

    Raises FeaturesError for vectors that are not finite.
    """
    finite = np.isfinite(part.vectors).all(1)
    if not finite.all():
        raise FeaturesError(
            f"the features of game {part.appids[int(np.argmin(finite))]} are not finite in float16; "
            "load the encoder with dtype='float32'"
        )
    rows_file(out, number).unlink(missing_ok=True)
    content = io.BytesIO()
    np.save(content, part.vectors)
    files.write(vectors_file(out, number), content.getvalue())
    about = part.key._asdict() if part.key else {}
    about["sha256"] = part.shard_sha256
    about["vectors_sha256"] = hashlib.sha256(content.getvalue()).hexdigest()
    about["identity"] = json.dumps(part.identity, sort_keys=True)
    about["refused"] = json.dumps(part.refused)
    table = _table(part)
    about["checksum"] = _checksum(table, about)
    with files.writing(rows_file(out, number)) as file:
        pq.write_table(table.replace_schema_metadata(about), file)


def _table(part: Part) -> pa.Table:
    columns = {
        "appid": pa.array(part.appids, pa.int64()),
        "name": pa.array(part.names, pa.string()),
        "jpeg_sha256": pa.array(part.digests, pa.string()),
    }
    return pa.table(columns)


def read_part(out: Path, number: int, dims: int) -> Part:
    """Return a shard's features as they were written; raises FeaturesMissing and FeaturesDamaged, naming the file."""
    for file in (rows_file(out, number), vectors_file(out, number)):
        if not file.is_file():
            raise FeaturesMissing(f"{file} is not there; {_REMEDY}")
    table, about = _read_rows(rows_file(out, number))
    vectors = _read_vectors(vectors_file(out, number), about.get("vectors_sha256"), (len(table), dims))
    try:
        identity = json.loads(about.get("identity", "null"))
        refused = [(int(appid), str(why)) for appid, why in json.loads(about["refused"])]
        key = Key(about["snapshot"], about["shard"], about["plan"]) if "plan" in about else None
        digests = table["jpeg_sha256"].to_pylist() if key else []
        appids = table["appid"].to_numpy()
        return Part(appids, table["name"].to_numpy(), digests, vectors, refused, about["sha256"], key, identity)
    except (ValueError, KeyError, TypeError) as error:
        raise FeaturesDamaged(f"{rows_file(out, number)} is damaged ({error}); {_REMEDY}") from None


def _read_rows(file: Path) -> tuple[pa.Table, dict[str, str]]:
    try:
        table = pq.read_table(file)
        about = {name.decode(): value.decode() for name, value in (table.schema.metadata or {}).items()}
        written = about.pop("checksum", None)  # the first edition wrote none
        sound = written is None or written == _checksum(table, about)
    except (OSError, ValueError, pa.ArrowException):
        sound = False
    if not sound:
        raise FeaturesDamaged(f"{file} is not what was written; {_REMEDY}")
    return table, about


def _checksum(table: pa.Table, about: dict[str, str]) -> str:
    """Return a checksum of rows and of what is said of them."""
    content = json.dumps([table.to_pydict(), about], sort_keys=True)
    return hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()


def _read_vectors(file: Path, checksum: str | None, shape: tuple[int, int]) -> np.ndarray:
    content = file.read_bytes()
    if checksum and hashlib.sha256(content).hexdigest() != checksum:
        raise FeaturesDamaged(f"{file} is not what was written (its checksum is another); {_REMEDY}")
    try:
        vectors = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise FeaturesDamaged(f"{file} is damaged ({str(error).splitlines()[0]}); {_REMEDY}") from None
    if vectors.shape != shape or vectors.dtype != np.float16:
        raise FeaturesDamaged(f"{file} holds {vectors.dtype} {vectors.shape}, its rows are float16 {shape}; {_REMEDY}")
    if not np.isfinite(vectors).all():
        raise FeaturesDamaged(f"{file} holds numbers that are not finite; {_REMEDY}")
    return vectors


def owned_part(out: Path, number: int, manifest: Manifest) -> Part:
    """Return the features of the manifest's shard of a number; raises as `read_part` does, also for another shard's."""
    part = read_part(out, number, manifest.about["dims"])
    key = manifest.keys[number]
    if part.key is None or (part.key == key and part.identity == manifest.identity):
        return part
    raise FeaturesDamaged(
        f"{rows_file(out, number)} is of snapshot {part.key.snapshot}, shard {part.key.shard}, or of another encoder, "
        f"not of {key.snapshot}, {key.shard}; {_REMEDY}"
    )


def sound_parts(out: Path, identity: dict) -> dict[int, Part]:
    """Return all parts of an encoder that are as they were written, by number, whatever shard they are of."""
    found = {}
    for number in numbers_in(out):
        try:
            part = read_part(out, number, identity["dims"])
        except FeaturesError:
            continue
        if part.key is None or part.identity == identity:
            found[number] = part
    return found
