"""Features on disk: a manifest, and a pair of files a shard, believed only as they were written.

manifest.json                        what made the features, which shard has which number, and a checksum
img_emb/img_emb_00000.npy            unit vectors, float32 (rows, dims)
metadata/metadata_00000.parquet      a row a banner, SCHEMA; in its metadata whose features they are, of which shard,
                                     and the checksums of the vectors and of the rows; written last

Unit vectors are what clip-retrieval and autofaiss take an inner product of, and caption and url what they show. They
are float32 so that dividing by the length loses nothing: times their norm, they are the encoder's float16 again.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from utils import files
from utils.errors import CheckpointError, DamagedError, PlainError, StorageError
from utils.snapshot import Shard

SCHEMA = pa.schema(
    [
        ("appid", pa.int64()),
        ("name", pa.string()),
        ("caption", pa.string()),  # the name again
        ("url", pa.string()),  # where the banner was fetched from
        ("jpeg_sha256", pa.string()),
        ("norm", pa.float32()),  # length of the vector as the encoder gave it
    ]
)


class Key(NamedTuple):
    """What tells a shard from all others, and stays when the shard is fetched again."""

    snapshot: str
    shard: str
    plan: str  # checksum of the snapshot's plan


@dataclass(frozen=True)
class Manifest:
    """What made the features, and of which shards they are."""

    identity: dict  # Encoder.identity of the encoder that they were begun with
    keys: list[Key]  # by the number of a shard's files, whether the shard is still there or not
    here: frozenset[int]  # numbers of the shards that are in the folder of snapshots

    def of(self, wanted: Iterable[Key]) -> "Manifest":
        """Return the manifest for the shards that are there now; a shard keeps the number that it once had."""
        every = {key: number for number, key in enumerate(dict.fromkeys([*self.keys, *wanted]))}
        return Manifest(self.identity, list(every), frozenset(every[key] for key in wanted))

    def content(self) -> bytes:
        """Return the text of manifest.json."""
        shards = []
        for number, key in enumerate(self.keys):
            shards.append(key._asdict() | ({} if number in self.here else {"gone": True}))
        content = self.identity | {"preparation": "as they are", "shards": shards}
        return json.dumps(content | {"checksum": _checksum(content)}, indent=1).encode()


@dataclass(frozen=True)
class Part:
    """The features of a shard's banners."""

    key: Key
    shard_sha256: str  # of the tar that they were made of
    identity: dict  # of the encoder
    refused: list[tuple[int, str]]  # appid and reason of the pictures that were left out
    rows: pa.Table  # SCHEMA, a row a banner
    vectors: np.ndarray  # float16 (n, dims), as the encoder gave them


def key_of(shard: Shard) -> Key:
    return Key(shard.snapshot, shard.path.stem, shard.plan)


def part_of(
    shard: Shard, identity: dict, digests: list[str], vectors: Sequence[np.ndarray], refused: list[tuple[int, str]]
) -> Part:
    """Return the features of a shard: the JPEGs' SHA-256 and the vectors of all its banners but those refused."""
    rows = shard.rows[~shard.rows["appid"].isin(dict(refused))]
    stacked = np.array(vectors, np.float16).reshape(-1, identity["dims"])
    norms = np.linalg.norm(stacked.astype(np.float64), axis=1).astype(np.float32)
    columns = [rows["appid"], rows["name"], rows["name"], rows["banner_url"], digests, norms]
    return Part(key_of(shard), shard.sha256, identity, refused, pa.table(columns, schema=SCHEMA), stacked)


def read_manifest(out: Path) -> Manifest:
    """Return the manifest of a folder; raises StorageError where there is none, DamagedError where it is damaged."""
    file = out / "manifest.json"
    if not file.is_file():
        raise StorageError(f"{out} holds no features; features.extract computes them")
    try:
        content = json.loads(file.read_bytes())
        sound = content.pop("checksum") == _checksum(content)
        shards = content.pop("shards")
        keys = [Key(str(each["snapshot"]), str(each["shard"]), str(each["plan"])) for each in shards]
        here = frozenset(number for number, each in enumerate(shards) if not each.get("gone"))
        content.pop("preparation")
    except Exception:  # noqa: BLE001 - whatever a damaged file meets
        sound = False
    if not sound:
        raise DamagedError(f"{file} is not what was written; features.extract makes it again from the files beside it")
    return Manifest(content, keys, here)


def manifest_of(out: Path, identity: dict) -> Manifest:
    """Return a folder's manifest, an empty one where it has no sound one: what its files hold counts all the same."""
    try:
        return read_manifest(out)
    except PlainError:
        return Manifest(identity, [], frozenset())


def pair(out: Path, number: int) -> tuple[Path, Path]:
    """Return the two files of a shard's features: vectors, rows. The second is written last."""
    return out / "img_emb" / f"img_emb_{number:05}.npy", out / "metadata" / f"metadata_{number:05}.parquet"


def numbers_in(out: Path) -> list[int]:
    """Return the numbers of the shards whose two files are there."""
    found = out.glob("metadata/metadata_[0-9][0-9][0-9][0-9][0-9].parquet")
    numbers = sorted(int(file.stem.removeprefix("metadata_")) for file in found)
    return [number for number in numbers if pair(out, number)[0].is_file()]


def write_part(out: Path, number: int, part: Part) -> None:
    """Write a shard's features; its rows are there only while its vectors are.

    Raises CheckpointError for vectors that are not finite, and StorageError.
    """
    finite = np.isfinite(part.vectors).all(1)
    if not finite.all():
        whose, remedy = part.rows["appid"][int(np.argmin(finite))], "load the encoder with dtype='float32'"
        raise CheckpointError(f"the features of game {whose} are not finite in float16; {remedy}")
    vectors_file, rows_file = pair(out, number)
    norms = part.rows["norm"].to_numpy()
    content = io.BytesIO()
    np.save(content, (part.vectors.astype(np.float64) / np.where(norms, norms, 1)[:, None]).astype("<f4"))
    rows_file.unlink(missing_ok=True)
    files.write(vectors_file, content.getvalue())
    about = part.key._asdict() | {
        "sha256": part.shard_sha256,
        "vectors_sha256": hashlib.sha256(content.getvalue()).hexdigest(),
        "identity": json.dumps(part.identity, sort_keys=True),
        "refused": json.dumps(part.refused),
    }
    files.write_table(rows_file, part.rows, about)


def read_parts(out: Path, identity: dict) -> Iterator[tuple[int, Part]]:
    """Yield all parts of an encoder that are as they were written, by number, whatever shard they are of."""
    for number in numbers_in(out):
        try:
            part = _read_part(*pair(out, number), identity["dims"])
        except Exception:  # noqa: BLE001, S112 - whatever a file meets that is not what we wrote
            continue
        if part.identity == identity:
            yield number, part


def own_parts(out: Path, manifest: Manifest) -> dict[int, Part]:
    """Return the parts that are as they were written, each of the shard that the manifest has under its number."""
    found = read_parts(out, manifest.identity)
    return {number: part for number, part in found if manifest.keys[number : number + 1] == [part.key]}


def _read_part(vectors_file: Path, rows_file: Path, dims: int) -> Part:
    rows, about = files.read_table(rows_file, SCHEMA)
    content = vectors_file.read_bytes()
    if hashlib.sha256(content).hexdigest() != about["vectors_sha256"]:
        raise DamagedError(f"{vectors_file} has another checksum")
    units = np.load(io.BytesIO(content))
    vectors = (units * rows["norm"].to_numpy()[:, None]).astype(np.float16)
    is_right = (units.shape, units.dtype) == ((len(rows), dims), np.dtype("<f4")) and np.isfinite(vectors).all()
    if not is_right or len(rows["appid"].unique()) < len(rows):
        raise DamagedError(f"{vectors_file} has other vectors than {rows_file} has rows, or a game stands there twice")
    key = Key(about["snapshot"], about["shard"], about["plan"])
    refused = [(int(appid), str(why)) for appid, why in json.loads(about["refused"])]
    return Part(key, about["sha256"], json.loads(about["identity"]), refused, rows, vectors)


def _checksum(manifest: dict) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
