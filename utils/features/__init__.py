"""Verified shards x Encoder -> features on disk, resumable shard by shard, and back.

A folder of features is laid out as clip-retrieval, autofaiss and embedding-reader read it; parts.py says how.
"""

import itertools
import json
import warnings
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from tqdm.auto import tqdm

from utils import files, snapshot
from utils.encoder import Encoder
from utils.errors import DamagedError, PlainError, SettingsError, StorageError
from utils.features import parts
from utils.features.compute import ENGINES, Stream, Task
from utils.features.parts import Manifest, Part
from utils.snapshot import Shard


@dataclass(frozen=True)
class Features:
    """The features of games, those of the newest banner of each."""

    appids: np.ndarray  # int64 (n,), unique
    names: np.ndarray  # str objects (n,)
    vectors: np.ndarray  # float16 (n, dims), as the encoder gave them, of any length
    manifest: dict  # Encoder.identity, `preparation` of the vectors, the pictures `refused`: appid -> reason

    def __len__(self) -> int:
        return len(self.appids)


def extract(
    folder: Path,
    encoder: Encoder,
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
    with files.storage_errors(out):
        plan = _plan(shards, encoder, out)
        if plan.todo or plan.is_changed:
            with files.locked(out):
                plan = _plan(shards, encoder, out)  # another process may have gone on meanwhile
                files.write(out / "manifest.json", plan.manifest.content())
                known: dict[str, np.ndarray] = {}  # the vectors on disk by the SHA-256 of the JPEG
                for part in plan.stored.values():
                    known.update(zip(part.rows["jpeg_sha256"].to_pylist(), part.vectors, strict=True))
                task = Task(plan.todo, frozenset(known), batch_size or encoder.batch_size, workers)
                with closing(ENGINES[engine](task, encoder, actors)) as stream, _bar(shards, plan, encoder) as bar:
                    _store(stream, plan, known, out, bar)
        return _joined(plan.manifest, plan.stored)


def load(out: Path) -> Features:
    """Return the features that `extract` wrote, for each game those of its newest snapshot.

    Raises StorageError if `out` holds none, DamagedError where files are missing or not as they were written.
    """
    out = Path(out)
    with files.storage_errors(out):
        manifest = parts.read_manifest(out)
        stored = parts.own_parts(out, manifest)
    lacking = sorted(manifest.here - stored.keys())
    if lacking or not manifest.here:
        raise DamagedError(
            f"{out} lacks {len(lacking)} of {len(manifest.here)} shards, or has them not as they were written (number "
            f"{', '.join(map(str, lacking[:9]))}); features.extract computes them again"
        )
    return _joined(manifest, stored)


def finished_files(folder: Path, *, check: bool = False) -> list[tuple[Path, ...]]:
    """Return the finished files of all features in a folder, `data/<source>/features`: those that count together.

    The last of each tuple makes them count: it is written last. With `check` each is read, and what is not as it was
    written is left out.
    """
    found: list[tuple[Path, ...]] = []
    for file in sorted(Path(folder).glob("*/manifest.json")):
        out = file.parent
        try:
            numbers = parts.own_parts(out, parts.read_manifest(out)) if check else parts.numbers_in(out)
        except PlainError:
            continue
        found += [(file,), *(parts.pair(out, number) for number in numbers)]
    return found


class _Plan(NamedTuple):
    """What there is, and what is to be done."""

    manifest: Manifest
    is_changed: bool  # whether the manifest on disk says otherwise
    stored: dict[int, Part]  # those of the encoder, by the number of their files
    todo: dict[int, Shard]  # those that have no features yet


def _plan(shards: list[Shard], encoder: Encoder, out: Path) -> _Plan:
    """Return what is to be done; raises SettingsError where `out` holds features of another encoder.

    Those of another precision may be read, but not go on.
    """
    identity = json.loads(json.dumps(dict(encoder.identity)))  # as the manifest gives it back
    by_key = {parts.key_of(shard): shard for shard in shards}
    found = parts.manifest_of(out, identity)
    manifest = found.of(by_key)
    stored = dict(parts.read_parts(out, manifest.identity))
    todo = {}
    for number in sorted(manifest.here):
        shard, part = by_key[manifest.keys[number]], stored.get(number)
        if part is None or (part.key, part.shard_sha256) != (manifest.keys[number], shard.sha256):
            todo[number] = shard
    theirs = manifest.identity
    names = [name for name in theirs | identity if identity.get(name) != theirs.get(name)]
    if names and (todo or names != ["dtype"]):
        said = [", ".join(f"{name} {about.get(name)}" for name in names) for about in (theirs, identity)]
        raise SettingsError(
            f"{out} holds features of {said[0]}, but the encoder is of {said[1]}; "
            f"load it as the features were made, give another `out`, or delete {out} to compute them again"
        )
    return _Plan(manifest, manifest != found, stored, todo)


def _bar(shards: list[Shard], plan: _Plan, encoder: Encoder) -> tqdm:
    total, todo = (sum(len(shard.appids) for shard in some) for some in (shards, plan.todo.values()))
    device = encoder.device.type.upper()
    return tqdm(desc=f"Features on {device}", unit=" banners", total=total, initial=total - todo)


def _store(stream: Stream, plan: _Plan, known: dict[str, np.ndarray], out: Path, bar: tqdm) -> None:
    """Write each shard's features when they are whole, and add them to those stored; warn of banners left out."""
    for done, finished in stream:
        bar.update(done)
        for number, computed in finished:
            shard, digests, refused = plan.todo[number], computed.digests, computed.refused
            if refused:
                warnings.warn(f"{len(refused)} banners of {shard.path} were left out: {refused[:3]}", stacklevel=3)
            fresh = itertools.chain.from_iterable(computed.vectors)
            vectors = [known[digest] if digest in known else next(fresh) for digest in digests]
            plan.stored[number] = parts.part_of(shard, plan.manifest.identity, digests, vectors, refused)
            parts.write_part(out, number, plan.stored[number])


def _joined(manifest: Manifest, stored: dict[int, Part]) -> Features:
    """Return the features of all shards that are there, oldest first, of each game the newest."""
    some = [stored[number] for number in sorted(manifest.here, key=manifest.keys.__getitem__)]
    rows = pa.concat_tables([part.rows for part in some]).to_pandas()
    newest = ~rows["appid"].duplicated(keep="last").to_numpy()
    vectors = np.concatenate([part.vectors for part in some])[newest]
    refused = dict(pair for part in some for pair in part.refused)
    about = manifest.identity | {"preparation": "as they are", "refused": refused}
    return Features(rows["appid"].to_numpy()[newest], rows["name"].to_numpy()[newest], vectors, about)
