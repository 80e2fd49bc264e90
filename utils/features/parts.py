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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from utils import files
from utils.errors import CheckpointError, DamagedError, PlainError, SettingsError, StorageError
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

_REMEDY = "features.extract makes it again"
_UNIT = 1e-3  # how far from 1 a unit vector's length may be


class Key(NamedTuple):
    """What tells a shard from all others, and stays when the shard is fetched again."""

    snapshot: str
    shard: str
    plan: str  # checksum of the snapshot's plan


def key_of(shard: Shard) -> Key:
    return Key(shard.snapshot, shard.path.stem, shard.plan)


@dataclass(frozen=True)
class Manifest:
    """What made the features, and of which shards they are."""

    identity: dict  # Encoder.identity of the encoder that they were begun with
    keys: list[Key]  # by the number of a shard's files, whether the shard is still there or not
    here: frozenset[int]  # numbers of the shards that are in the folder of snapshots

    @property
    def order(self) -> list[int]:
        """The numbers of the shards that are there, oldest first, whenever they were computed."""
        return sorted(self.here, key=self.keys.__getitem__)

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
        return json.dumps(content | {"checksum": _manifest_checksum(content)}, indent=1).encode()


def read_manifest(out: Path) -> Manifest:
    """Return the manifest of a folder; raises StorageError where there is none, DamagedError where it is damaged."""
    file = out / "manifest.json"
    if not file.is_file():
        raise StorageError(f"{out} holds no features; features.extract computes them")
    try:
        content = json.loads(file.read_bytes())
        sound = content.pop("checksum") == _manifest_checksum(content)
        shards = content.pop("shards")
        keys = [Key(str(each["snapshot"]), str(each["shard"]), str(each["plan"])) for each in shards]
        here = frozenset(number for number, each in enumerate(shards) if not each.get("gone"))
        content.pop("preparation")
        sound = sound and isinstance(content["dims"], int) and isinstance(content["dtype"], str)
    except Exception:  # noqa: BLE001 - whatever a damaged file meets
        sound = False
    if not sound:
        raise DamagedError(f"{file} is not what was written; features.extract makes it again from the files beside it")
    return Manifest(content, keys, here)


def check_identity(identity: dict, stored: dict, out: Path, *, besides: str = "") -> None:
    """Raise SettingsError where the features on disk are not those of an encoder, in whatever key but `besides`."""
    names = [name for name in stored | identity if name != besides and identity.get(name) != stored.get(name)]
    if names:
        theirs, ours = (", ".join(f"{name} {about.get(name)}" for name in names) for about in (stored, identity))
        raise SettingsError(
            f"{out} holds features of {theirs}, but the encoder is of {ours}; "
            f"load it as the features were made, give another `out`, or delete {out} to compute them again"
        )


@dataclass(frozen=True)
class Part:
    """The features of a shard's banners."""

    key: Key
    shard_sha256: str  # of the tar that they were made of
    identity: dict  # of the encoder
    appids: np.ndarray  # int64 (n,)
    names: np.ndarray  # str objects (n,)
    urls: list[str]
    digests: list[str]  # SHA-256 of each JPEG
    vectors: np.ndarray  # float16 (n, dims), as the encoder gave them
    refused: list[tuple[int, str]]  # appid and reason of the pictures that were left out


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
        raise CheckpointError(
            f"the features of game {part.appids[int(np.argmin(finite))]} are not finite in float16; "
            "load the encoder with dtype='float32'"
        )
    vectors_file, rows_file = pair(out, number)
    exact = part.vectors.astype(np.float64)
    norms = np.linalg.norm(exact, axis=1).astype(np.float32)
    content = io.BytesIO()
    np.save(content, (exact / np.where(norms, norms, 1)[:, None]).astype("<f4"))
    rows_file.unlink(missing_ok=True)
    files.write(vectors_file, content.getvalue())
    columns = [part.appids, part.names, part.names, part.urls, part.digests, norms]
    about = part.key._asdict() | {
        "sha256": part.shard_sha256,
        "vectors_sha256": hashlib.sha256(content.getvalue()).hexdigest(),
        "identity": json.dumps(part.identity, sort_keys=True),
        "refused": json.dumps(part.refused),
    }
    files.write_table(rows_file, pa.table(columns, schema=SCHEMA), about)


def read_part(out: Path, number: int, manifest: Manifest) -> Part:
    """Return the features of the manifest's shard of a number.

    Raises DamagedError, naming the file, for what is not as it was written, or of another shard or encoder.
    """
    part = _read_pair(out, number, manifest.identity["dims"])
    if part.identity != manifest.identity or [part.key] != manifest.keys[number : number + 1]:
        file = pair(out, number)[1]
        raise DamagedError(f"{file} is of another shard, {part.key.snapshot}/{part.key.shard}, or encoder; {_REMEDY}")
    return part


def read_parts(out: Path, identity: dict) -> dict[int, Part]:
    """Return all parts of an encoder that are as they were written, by number, whatever shard they are of."""
    parts = {}
    for number in numbers_in(out):
        try:
            part = _read_pair(out, number, identity["dims"])
        except DamagedError:
            continue
        if part.identity == identity:
            parts[number] = part
    return parts


def is_sound(out: Path, number: int | None = None) -> bool:
    """Return whether the manifest, or with a number that shard's features, can be read."""
    try:
        manifest = read_manifest(out)
        return number is None or bool(read_part(out, number, manifest))
    except PlainError:
        return False


def _read_pair(out: Path, number: int, dims: int) -> Part:
    try:
        return _parsed(*pair(out, number), dims)
    except Exception:  # noqa: BLE001 - whatever a file meets that is not what we wrote
        file = pair(out, number)[1]
        raise DamagedError(f"{file}, or its vectors, are not what was written; {_REMEDY}") from None


def _parsed(vectors_file: Path, rows_file: Path, dims: int) -> Part:
    """Return what two files say; the vectors' header is compared before anything is made of them."""
    table, about = files.read_table(rows_file, SCHEMA)
    content = vectors_file.read_bytes()
    stream = io.BytesIO(content)
    np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0(stream)
    is_same = hashlib.sha256(content).hexdigest() == about["vectors_sha256"]
    if not is_same or header != ((len(table), dims), False, np.dtype("<f4")):
        raise ValueError(f"{vectors_file} has another checksum or holds {header}")
    units = np.frombuffer(content, "<f4", offset=stream.tell()).reshape(len(table), dims)
    norms = table["norm"].to_numpy()
    vectors = (units * norms[:, None]).astype(np.float16)
    appids = table["appid"].to_numpy()
    lengths = np.linalg.norm(units, axis=1)
    are_units = np.allclose(lengths, norms > 0, rtol=0, atol=_UNIT)
    if not (np.isfinite(vectors).all() and are_units and len(np.unique(appids)) == len(appids)):
        raise ValueError("vectors that are not finite or not of unit length, or a game that stands there twice")
    return Part(
        key=Key(about["snapshot"], about["shard"], about["plan"]),
        shard_sha256=about["sha256"],
        identity=json.loads(about["identity"]),
        appids=appids,
        names=table["name"].to_numpy(),
        urls=table["url"].to_pylist(),
        digests=table["jpeg_sha256"].to_pylist(),
        vectors=vectors,
        refused=[(int(appid), str(why)) for appid, why in json.loads(about["refused"])],
    )


def _manifest_checksum(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
