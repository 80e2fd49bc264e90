"""`extract` computes what is not on disk yet, shard by shard, and `load` reads it back."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm.auto import tqdm

from utils import snapshot
from utils.features.manifest import Key, Manifest, check_identity, enrolled, key_of, read_manifest, write_manifest
from utils.features.parts import Part, numbers_in, owned_part, sound_parts, write_part
from utils.features.ray import compute_by_ray
from utils.features.reading import Task, workers_for
from utils.features.record import Features, FeaturesDamaged, FeaturesError, FeaturesMissing
from utils.features.stream import Computed, Stream, compute
from utils.snapshot import Shard

if TYPE_CHECKING:
    from utils.encoder import Encoder

_ENGINES = ("local", "ray")


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

    Raises FeaturesError if `out` holds features of another encoder, or if features are not finite; FeaturesMissing
    where there are no banners; banners.ShardDamaged.
    """
    if engine not in _ENGINES:
        raise FeaturesError(f"engine is {engine!r}; allowed are {', '.join(_ENGINES)}")
    out = Path(out)
    identity: dict = dict(encoder.identity)
    manifest, shards = _enrol(Path(folder), identity, out)
    stored = sound_parts(out, manifest.identity)
    todo = {n: shard for n, shard in shards.items() if not _finished(stored.get(n), manifest.keys[n], shard)}
    if todo:
        check_identity(identity, manifest.about, out)
        known = _known(stored.values())
        total = _count(todo)
        workers = workers_for(encoder.device, total) if workers is None else workers
        task = Task(todo, frozenset(known), batch_size or encoder.batch_size, workers)
        stream = compute(task, encoder) if engine == "local" else compute_by_ray(task, encoder, actors)
        with closing(stream), _bar(shards, total, encoder) as bar:
            for number, part in _parts(stream, bar, known, identity["dims"]):
                _warn_of_refused(part, todo[number])
                tar = todo[number].sha256
                owned = part._replace(shard_sha256=tar, key=manifest.keys[number], identity=identity)
                write_part(out, number, owned)
    return load(out)


def load(out: Path) -> Features:
    """Return the features that `extract` wrote, for each game those of its newest snapshot.

    Raises FeaturesMissing if `out` holds none or not all, FeaturesDamaged for files that are not as they were written.
    """
    out = Path(out)
    manifest = read_manifest(out)
    numbers = sorted(manifest.here, key=manifest.keys.__getitem__)  # oldest first, whenever they were computed
    lacking = len(set(numbers) - set(numbers_in(out)))
    if lacking or not numbers:
        raise FeaturesMissing(f"{out} lacks {lacking} of {len(numbers)} shards; features.extract computes them")
    parts = [owned_part(out, number, manifest) for number in numbers]
    columns = Part._make(zip(*parts, strict=True))  # of each field, those of all parts
    appids = np.concatenate(columns.appids)
    newest = np.zeros(len(appids), bool)
    newest[len(appids) - 1 - np.unique(appids[::-1], return_index=True)[1]] = True
    names = np.concatenate(columns.names)
    vectors = np.concatenate(columns.vectors)
    refused: dict[int, str] = {}
    for part in parts:
        refused.update(part.refused)
    return Features(appids[newest], names[newest], vectors[newest], manifest.about | {"refused": refused})


def _enrol(folder: Path, identity: dict, out: Path) -> tuple[Manifest, dict[int, Shard]]:
    """Return the manifest, and the shards that are there by the number of their files."""
    here = {key_of(shard): shard for shard in snapshot.verified(folder) if shard.appids}
    if not here:
        raise FeaturesMissing(
            f"{folder} holds no verified banners; run the download notebook with the same SOURCE first"
        )
    try:
        manifest = read_manifest(out)
    except FeaturesDamaged:
        manifest = _recovered(out, identity)
    except FeaturesMissing:
        manifest = Manifest(identity | {"preparation": "as they are"}, [], frozenset())
    check_identity(identity | {"dtype": manifest.about["dtype"]}, manifest.about, out)
    manifest = enrolled(manifest, here)
    write_manifest(out, manifest)
    return manifest, {number: here[manifest.keys[number]] for number in sorted(manifest.here)}


def _recovered(out: Path, identity: dict) -> Manifest:
    """Return what the manifest was, as the files beside it tell; what is not of this encoder is computed again."""
    ours = {number: part.key for number, part in sound_parts(out, identity).items() if part.key}
    keys = [ours.get(number) or Key("", "", str(number)) for number in range(max(ours, default=-1) + 1)]
    return Manifest(identity | {"preparation": "as they are"}, keys, frozenset(ours))


def _count(shards: dict[int, Shard]) -> int:
    return sum(len(shard.appids) for shard in shards.values())


def _finished(part: Part | None, key: Key, shard: Shard) -> bool:
    """Return whether a shard's features are there, made of the shard as it is now."""
    if part is None or part.shard_sha256 != shard.sha256:
        return False
    return part.key is None or part.key == key


def _known(parts: Iterable[Part]) -> dict[str, np.ndarray]:
    """Return the vectors on disk by the SHA-256 of the JPEG that they were made of."""
    known: dict[str, np.ndarray] = {}
    for part in parts:
        known.update(zip(part.digests, part.vectors, strict=False))  # the first edition's files have no digests
    return known


def _warn_of_refused(part: Part, shard: Shard) -> None:
    if part.refused:
        some = f"{len(part.refused)} banners of {shard.path}"
        warnings.warn(f"{some} were left out: {part.refused[:3]}", stacklevel=3)


def _parts(stream: Stream, bar: tqdm, known: dict[str, np.ndarray], dims: int) -> Iterator[tuple[int, Part]]:
    """Yield the features of shards, by number, when the last of each has come; whose they are is to be filled in."""
    for count, finished in stream:
        bar.update(count)
        for number, computed in finished:
            yield number, _assembled(computed, known, dims)
            bar.update(len(computed.rows) - sum(computed.fresh) + len(computed.refused))


def _assembled(computed: Computed, known: dict[str, np.ndarray], dims: int) -> Part:
    """Return a shard's features: the vectors computed now, and those known before."""
    vectors = np.empty((len(computed.rows), dims), np.float16)
    fresh = np.array(computed.fresh, bool)
    if fresh.any():
        vectors[fresh] = np.concatenate(computed.vectors)
    for place in np.flatnonzero(~fresh):
        vectors[place] = known[computed.rows[place].jpeg_sha256]
    appids, names, digests = zip(*computed.rows, strict=True) if computed.rows else ((), (), ())
    return Part(np.array(appids, np.int64), np.array(names, object), list(digests), vectors, computed.refused)


def _bar(shards: dict[int, Shard], total: int, encoder: "Encoder") -> tqdm:
    device = encoder.device.type.upper()
    if encoder.device.type == "cuda":
        device = torch.cuda.get_device_name(encoder.device)
    everything = _count(shards)
    return tqdm(desc=f"Features on {device}", unit=" banners", total=everything, initial=everything - total)
