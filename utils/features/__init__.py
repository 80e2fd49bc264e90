"""Verified shards x Encoder -> features on disk, resumable shard by shard, and back.

A folder of features is laid out as clip-retrieval, autofaiss and embedding-reader read it; parts.py says how.
"""

import json
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from utils import files, snapshot
from utils.errors import DamagedError, SettingsError, StorageError
from utils.features import parts
from utils.features.compute import ENGINES, Computed, Stream, Task, workers_for
from utils.features.parts import Manifest, Part
from utils.snapshot import Shard

if TYPE_CHECKING:
    from utils.encoder import Encoder


@dataclass(frozen=True, repr=False)
class Features:
    """The features of games, those of the newest banner of each."""

    appids: np.ndarray  # int64 (n,), unique
    names: np.ndarray  # str objects (n,)
    vectors: np.ndarray  # float16 (n, dims), as the encoder gave them, of any length
    manifest: dict  # Encoder.identity, `preparation` of the vectors, the pictures `refused`: appid -> reason

    def __len__(self) -> int:
        return len(self.appids)

    def __repr__(self) -> str:
        about = [str(self.manifest.get(name, "?")) for name in ("checkpoint", "image", "pooling", "preparation")]
        size = f"{len(self):,} games, {self.vectors.shape[1]:,} dimensions"
        return f"{type(self).__name__}({size}, {', '.join(about)})"


def extract(
    folder: Path,
    encoder: "Encoder",
    out: Path,
    *,
    batch_size: int | None = None,
    workers: int | None = None,
    engine: str = "local",
    actors: int | None = None,
) -> Features:
    """Compute the features of all verified banners in a folder of snapshots that `out` lacks, and return all.

    A shard is finished when its two files are there as they were written; what is damaged is computed again. Whatever
    ends a run, the next goes on with the same result. A banner whose JPEG's bytes were embedded before, in whatever
    snapshot, is not embedded again. `batch_size` (default: the encoder's) is halved where the device's memory is too
    small; `workers` processes decode pictures (default: by device and number of pictures; 0 decodes here). The engine
    "ray" spreads the shards over `actors` of Ray (default: one for each GPU, else for each core): of the cluster that
    `ray.init` connected to, where every machine sees the same `folder`, else of this machine alone.

    Raises SettingsError if `out` holds features of another encoder; StorageError where there are no banners, where
    another process computes into `out`, and for what the disk refuses; CheckpointError for features that are not
    finite; DamagedError for a shard that is not what was verified.
    """
    if engine not in ENGINES:
        raise SettingsError(f"engine is {engine!r}; allowed are {', '.join(ENGINES)}")
    out = Path(out)
    shards = [shard for shard in snapshot.verified(Path(folder)) if shard.appids]
    if not shards:
        raise StorageError(f"{folder} holds no verified banners; run the download notebook with the same SOURCE first")
    identity = json.loads(json.dumps(dict(encoder.identity)))  # as the manifest gives it back
    with files.storage_errors(out):
        plan = _plan(shards, identity, out)
        if not plan.is_finished:
            with files.locked(out):
                plan = _plan(shards, identity, out)  # another process may have gone on meanwhile
                _begin(plan, identity, out)
                known = _vectors_by_jpeg(plan)
                size = batch_size or encoder.batch_size
                workers = workers_for(encoder.device, _banners_in(plan.todo)) if workers is None else workers
                task = Task(plan.todo, frozenset(known), size, workers)
                with closing(ENGINES[engine](task, encoder, actors)) as stream:
                    for number, computed in _as_they_finish(stream, plan, encoder):
                        shard = plan.todo[number]
                        parts.write_part(out, number, _part(computed, shard, known, plan.manifest.identity))
            return load(out)
    return _joined(plan.manifest, plan.stored)


def load(out: Path) -> Features:
    """Return the features that `extract` wrote, for each game those of its newest snapshot.

    Raises StorageError if `out` holds none or not all, DamagedError for files that are not as they were written.
    """
    out = Path(out)
    with files.storage_errors(out):
        manifest = parts.read_manifest(out)
        lacking = len(manifest.here - set(parts.numbers_in(out)))
        if lacking or not manifest.here:
            raise StorageError(f"{out} lacks {lacking} of {len(manifest.here)} shards; features.extract computes them")
        return _joined(manifest, {number: parts.read_part(out, number, manifest) for number in manifest.here})


def finished_files(folder: Path, *, check: bool = False) -> list[tuple[Path, ...]]:
    """Return the finished files of all features in a folder, `data/<source>/features`: those that count together.

    The last of each tuple makes them count: it is written last. With `check` each is read, and what is not as it was
    written is left out.
    """
    found: list[tuple[Path, ...]] = []
    for manifest in sorted(Path(folder).glob("*/manifest.json")):
        out = manifest.parent
        if check and not parts.is_sound(out):
            continue
        found.append((manifest,))
        numbers = (number for number in parts.numbers_in(out) if not check or parts.is_sound(out, number))
        found.extend(parts.pair(out, number) for number in numbers)
    return found


class _Plan(NamedTuple):
    """What there is, and what is to be done."""

    manifest: Manifest
    is_written: bool  # whether the manifest stands on disk as it is to be
    stored: dict[int, Part]  # those of the encoder, by the number of their files
    shards: dict[int, Shard]  # those of the folder of snapshots
    todo: dict[int, Shard]  # those of them that have no features yet

    @property
    def is_finished(self) -> bool:
        return self.is_written and not self.todo


def _plan(shards: list[Shard], identity: dict, out: Path) -> _Plan:
    """Return what is to be done; raises SettingsError where `out` holds features of another encoder."""
    manifest = _manifest_of(identity, out)
    parts.check_identity(identity, manifest.identity, out, besides="dtype")
    by_key = {parts.key_of(shard): shard for shard in shards}
    manifest = manifest.of(by_key)
    stored = parts.read_parts(out, manifest.identity)
    numbered = {number: by_key[manifest.keys[number]] for number in sorted(manifest.here)}
    todo = {}
    for number, shard in numbered.items():
        part = stored.get(number)
        if part is None or (part.key, part.shard_sha256) != (parts.key_of(shard), shard.sha256):
            todo[number] = shard
    file = out / "manifest.json"
    is_written = file.is_file() and file.read_bytes() == manifest.content()
    return _Plan(manifest, is_written, stored, numbered, todo)


def _manifest_of(identity: dict, out: Path) -> Manifest:
    """Return the manifest on disk, or what it was as the files beside it tell, or a new one."""
    try:
        return parts.read_manifest(out)
    except StorageError:
        return Manifest(identity, [], frozenset())
    except DamagedError:
        found = {number: part.key for number, part in parts.read_parts(out, identity).items()}
        unknown = [parts.Key("", "", str(number)) for number in range(max(found, default=-1) + 1)]
        keys = [found.get(number, key) for number, key in enumerate(unknown)]
        return Manifest(identity, keys, frozenset(found))


def _begin(plan: _Plan, identity: dict, out: Path) -> None:
    """Write the manifest, after a check that the encoder is the very same, and remove what a killed run left."""
    if plan.todo:
        parts.check_identity(identity, plan.manifest.identity, out)
    for left in out.rglob(".*.part"):
        left.unlink(missing_ok=True)
    if not plan.is_written:
        files.write(out / "manifest.json", plan.manifest.content())


def _vectors_by_jpeg(plan: _Plan) -> dict[str, np.ndarray]:
    """Return the vectors on disk by the SHA-256 of the JPEG that they were made of."""
    known: dict[str, np.ndarray] = {}
    for part in plan.stored.values():
        known.update(zip(part.digests, part.vectors, strict=True))
    return known


def _as_they_finish(stream: Stream, plan: _Plan, encoder: "Encoder") -> Iterator[tuple[int, Computed]]:
    """Yield each shard's number and features when they are whole, under a bar that counts banners."""
    device = encoder.device.type.upper()
    if encoder.device.type == "cuda":
        device = torch.cuda.get_device_name(encoder.device)
    total = _banners_in(plan.shards)
    done = total - _banners_in(plan.todo)
    with tqdm(desc=f"Features on {device}", unit=" banners", total=total, initial=done) as bar:
        for embedded, finished in stream:
            bar.update(embedded)
            for number, computed in finished:
                yield number, computed
                bar.update(len(computed.rows) - sum(computed.fresh) + len(computed.refused))


def _part(computed: Computed, shard: Shard, known: dict[str, np.ndarray], identity: dict) -> Part:
    """Return a shard's features: the vectors computed now, and those known before; warn of banners left out."""
    if computed.refused:
        some = f"{len(computed.refused)} banners of {shard.path}"
        warnings.warn(f"{some} were left out: {computed.refused[:3]}", stacklevel=3)
    vectors = np.empty((len(computed.rows), identity["dims"]), np.float16)
    fresh = np.array(computed.fresh, bool)
    if fresh.any():
        vectors[fresh] = np.concatenate(computed.vectors)
    for row in np.flatnonzero(~fresh):
        vectors[row] = known[computed.rows[row].jpeg_sha256]
    appids, names, digests = zip(*computed.rows, strict=True) if computed.rows else ((), (), ())
    urls = shard.rows.set_index("appid")["banner_url"].reindex(appids).tolist()
    return Part(
        key=parts.key_of(shard),
        shard_sha256=shard.sha256,
        identity=identity,
        appids=np.array(appids, np.int64),
        names=np.array(names, object),
        urls=urls,
        digests=list(digests),
        vectors=vectors,
        refused=computed.refused,
    )


def _joined(manifest: Manifest, stored: dict[int, Part]) -> Features:
    """Return the features of all shards that are there, of each game the newest."""
    some = [stored[number] for number in manifest.order]
    appids = np.concatenate([part.appids for part in some])
    newest = np.zeros(len(appids), bool)
    newest[len(appids) - 1 - np.unique(appids[::-1], return_index=True)[1]] = True
    names = np.concatenate([part.names for part in some])[newest]
    vectors = np.concatenate([part.vectors for part in some])[newest]
    refused = dict(pair for part in some for pair in part.refused)
    about = manifest.identity | {"preparation": "as they are", "refused": refused}
    return Features(appids[newest], names, vectors, about)


def _banners_in(shards: dict[int, Shard]) -> int:
    return sum(len(shard.appids) for shard in shards.values())
