"""Verified shards x Encoder -> features on disk, resumable shard by shard, and back.

A folder of features is laid out as clip-retrieval, autofaiss and embedding-reader read it, one pair of files a shard:

    manifest.json                        what made them (Encoder.identity), and which shard has which number
    img_emb/img_emb_00000.npy            float16 (rows, dims)
    metadata/metadata_00000.parquet      appid and name of each row, and the shard's hash; written last
"""

import io
import itertools
import json
import multiprocessing
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset
from tqdm.auto import tqdm

from utils import banners, catalogue, settings, snapshot
from utils.snapshot import Shard

if TYPE_CHECKING:
    from utils.encoder import Encoder, Preparation

_CHUNK = 32  # pictures that a worker hands over at a time
_FEW = 512  # pictures up to which starting workers costs more than they bring


class FeaturesError(settings.PlainError, ValueError):
    """Features that are not what is asked for, or cannot be made; the message says both sides and what to do."""


class FeaturesMissing(FeaturesError):
    """Features that are not on disk, or not all of them."""


@dataclass(frozen=True)
class Features:
    """The features of games, those of the newest banner of each."""

    appids: np.ndarray  # int64 (n,), unique
    names: np.ndarray  # str objects (n,)
    vectors: np.ndarray  # float16 (n, dims)
    manifest: dict  # Encoder.identity, `preparation` of the vectors, the pictures `refused`: appid -> reason

    def __len__(self) -> int:
        return len(self.appids)


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

    A shard is finished when its two files are there, whole. Whatever ends a run, the next goes on with the same
    result. `batch_size` (default: the encoder's) is halved where the device's memory is too small; `workers` processes
    decode pictures (default: by device and number of pictures; 0 decodes here). The engine "ray" spreads the shards
    over `actors` of Ray (default: one for each GPU, else for each core): of the cluster that `ray.init` connected to,
    where every machine sees the same `folder`, else of this machine alone.

    Raises FeaturesError if `out` holds features of another encoder or of other snapshots, or if features are not
    finite; FeaturesMissing where there are no banners; banners.ShardDamaged.
    """
    if engine not in _ENGINES:
        raise FeaturesError(f"engine is {engine!r}; allowed are {', '.join(_ENGINES)}")
    folder, out = Path(folder), Path(out)
    shards = _enrol(folder, encoder.identity, out)
    todo = {number: shard for number, shard in shards.items() if not _finished(out, number, shard)}
    if todo:
        _check(encoder.identity, _manifest(out), out)
        total = sum(len(shard.appids) for shard in todo.values())
        workers = _workers(encoder.device, total) if workers is None else workers
        stream = _ENGINES[engine](todo, encoder, batch_size or encoder.batch_size, workers, actors)
        with closing(stream), _bar(shards, total, encoder) as bar:
            for count, parts in stream:
                bar.update(count)
                for number, part in parts:
                    _write(out, number, part, shards[number])
    return load(out)


def load(out: Path) -> Features:
    """Return the features that `extract` wrote, for each game those of its newest snapshot.

    Raises FeaturesMissing if `out` holds none or not all, FeaturesError if two files do not fit together.
    """
    out = Path(out)
    manifest = _manifest(out)
    keys = [_Key(**each) for each in manifest.pop("shards")]
    numbers = sorted(range(len(keys)), key=keys.__getitem__)  # oldest first, whenever they were computed
    if lacking := [number for number in numbers if not _rows_file(out, number).is_file()]:
        raise FeaturesMissing(f"{out} lacks {len(lacking)} of {len(keys)} shards; features.extract computes them")
    tables = [pq.read_table(_rows_file(out, number)) for number in numbers]
    appids = np.concatenate([table["appid"].to_numpy() for table in tables])
    names = np.concatenate([table["name"].to_numpy() for table in tables])
    newest = np.zeros(len(appids), bool)
    newest[len(appids) - 1 - np.unique(appids[::-1], return_index=True)[1]] = True
    vectors = _vectors(out, dict(zip(numbers, map(len, tables), strict=True)), newest, manifest["dims"])
    refused = {appid: why for table in tables for appid, why in json.loads(table.schema.metadata[b"refused"])}
    return Features(appids[newest], names[newest], vectors, manifest | {"refused": refused})


def encode(encoder: "Encoder", picture: "str | Path | bytes | int | Image.Image | np.ndarray") -> np.ndarray:
    """Return the features of one picture, float32 (dims,), made as those of the stored banners are.

    A picture is a file's path or bytes, a PIL image, an RGB array uint8 (height, width, 3), an http(s) address, or
    the appid of a game, whose banner the store is asked for.

    Raises banners.Refused for what is no picture or cannot be had, and catalogue.StoreError.
    """
    if isinstance(picture, int | np.integer):
        picture = _address(int(picture))
    return encoder([banners.decode(banners.content(picture))])[0].numpy()


# ------------------------------------------------------------------------------------------------ what is on disk


class _Key(NamedTuple):
    """What tells a shard from all others, and stays when the shard is fetched again."""

    snapshot: str
    shard: str
    plan: str  # hash of the snapshot's plan

    def __str__(self) -> str:
        return f"snapshot {self.snapshot}, shard {self.shard} of the plan {self.plan[:12]}"


def _key(shard: Shard) -> _Key:
    plan = shard.path.parent.parent / "plan.json"
    return _Key(shard.snapshot, shard.path.stem, json.loads(plan.read_text())["sha256"])


def _manifest(out: Path) -> dict:
    file = out / "manifest.json"
    if not file.is_file():
        raise FeaturesMissing(f"{out} holds no features; features.extract computes them")
    return json.loads(file.read_text())


def _enrol(folder: Path, identity: dict, out: Path) -> dict[int, Shard]:
    """Return the shards with the number of their files, which the manifest fixes when a shard is first seen."""
    here = {_key(shard): shard for shard in snapshot.verified(folder) if shard.appids}
    if not here:
        raise FeaturesMissing(
            f"{folder} holds no verified banners; run the download notebook with the same SOURCE first"
        )
    try:
        manifest = _manifest(out)
    except FeaturesMissing:
        manifest = identity | {"preparation": "as they are", "shards": []}
    _check(identity | {"dtype": manifest["dtype"]}, manifest, out)
    known = [_Key(**each) for each in manifest["shards"]]
    for lost in (key for key in known if key not in here):
        other = next((str(key) for key in here if key[:2] == lost[:2]), "no such shard")
        raise FeaturesError(
            f"{out} holds features of {lost}, but {folder} has {other}; "
            f"finish snapshot.update, give another `out`, or delete {out} to compute anew"
        )
    if new := [key for key in here if key not in known]:
        known += new
        manifest["shards"] = [key._asdict() for key in known]
        _put(out / "manifest.json", json.dumps(manifest, indent=1).encode())
    return {number: here[key] for number, key in enumerate(known)}


def _check(identity: dict, manifest: dict, out: Path) -> None:
    """Raise where the features on disk are not those of an encoder."""
    differ = [name for name, value in identity.items() if manifest.get(name) != value]
    if differ:
        found, asked = (", ".join(f"{name} {each.get(name)}" for name in differ) for each in (manifest, identity))
        raise FeaturesError(
            f"{out} holds features of {found}, but the encoder is of {asked}; "
            f"load it as the features were made, give another `out`, or delete {out} to compute anew"
        )


def _vectors_file(out: Path, number: int) -> Path:
    return out / "img_emb" / f"img_emb_{number:05}.npy"


def _rows_file(out: Path, number: int) -> Path:
    return out / "metadata" / f"metadata_{number:05}.parquet"


def _finished(out: Path, number: int, shard: Shard) -> bool:
    """Return whether a shard's features are there, made of the shard as it is now."""
    file = _rows_file(out, number)
    return file.is_file() and pq.read_schema(file).metadata[b"sha256"] == shard.sha256.encode()


def _write(out: Path, number: int, part: "_Part", shard: Shard) -> None:
    """Write a shard's features; its rows are there only while its vectors are."""
    vectors = np.concatenate(part.vectors) if part.vectors else np.empty((0, 0), np.float16)
    if not np.isfinite(vectors).all():
        appid = part.rows[int(np.argmin(np.isfinite(vectors).all(1)))][0]
        raise FeaturesError(
            f"the features of game {appid} are not finite in float16; load the encoder with dtype='float32'"
        )
    if part.refused:
        warnings.warn(f"{len(part.refused)} banners of {shard.path} were left out: {part.refused[:3]}", stacklevel=3)
    _rows_file(out, number).unlink(missing_ok=True)
    content = io.BytesIO()
    np.save(content, vectors)
    _put(_vectors_file(out, number), content.getvalue())
    about = {"snapshot": shard.snapshot, "shard": shard.path.stem, "sha256": shard.sha256}
    appids, names = zip(*part.rows, strict=True) if part.rows else ((), ())
    table = pa.table({"appid": pa.array(appids, pa.int64()), "name": pa.array(names, pa.string())})
    content = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(about | {"refused": json.dumps(part.refused)}), content)
    _put(_rows_file(out, number), content.getvalue())


def _put(file: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.part")
    beside.write_bytes(content)
    beside.replace(file)


def _vectors(out: Path, counts: dict[int, int], wanted: np.ndarray, dims: int) -> np.ndarray:
    """Return the wanted rows of files of vectors, float16 (n, dims); `counts` has the rows that each must have."""
    vectors = np.empty((int(wanted.sum()), dims), np.float16)
    row = filled = 0
    for number, count in counts.items():
        some = np.load(_vectors_file(out, number))
        if some.shape != (count, dims):
            raise FeaturesError(
                f"{_vectors_file(out, number)} holds {some.shape}, its rows are {(count, dims)}; "
                f"delete {_rows_file(out, number)} and call features.extract again"
            )
        some = some[wanted[row : row + count]]
        vectors[filled : filled + len(some)] = some
        row, filled = row + count, filled + len(some)
    return vectors


# ---------------------------------------------------------------------------------------- from shards to features


class _Chunk(NamedTuple):
    """Some prepared pictures of a shard, on their way from a worker."""

    number: int  # of the shard
    pictures: Tensor  # uint8 (n, height, width, 3)
    rows: list[tuple[int, str]]  # appid and name of each
    refused: list[tuple[int, str]]  # appid and reason of those left out
    last: bool  # of its shard


class _Pictures(IterableDataset):
    """The prepared pictures of shards, in chunks. Workers share the list of shards and take the next when free."""

    def __init__(self, shards: dict[int, Shard], preparation: "Preparation") -> None:
        self._shards, self._preparation = list(shards.items()), preparation
        self._taken = multiprocessing.Value("q", 0)

    def __iter__(self) -> Iterator[_Chunk | Exception]:
        try:
            while (place := self._take()) < len(self._shards):
                yield from self._chunks(*self._shards[place])
        except settings.PlainError as error:  # handed over, as DataLoader would bury its message in a traceback
            yield error

    def _take(self) -> int:
        with self._taken:
            self._taken.value += 1
            return self._taken.value - 1

    def _chunks(self, number: int, shard: Shard) -> Iterator[_Chunk]:
        stream = banners.read_shard(shard)
        while some := list(itertools.islice(stream, _CHUNK)):
            yield self._chunk(number, some, last=False)
        yield self._chunk(number, [], last=True)

    def _chunk(self, number: int, some: list[banners.Banner], *, last: bool) -> _Chunk:
        pictures, rows, refused = [], [], []
        for banner in some:
            try:
                pictures.append(self._preparation(banner.rgb))
                rows.append((banner.appid, banner.name))
            except banners.Refused as error:
                refused.append((banner.appid, str(error)))
        stacked = np.array(pictures, np.uint8).reshape(-1, *self._preparation.shape, 3)
        return _Chunk(number, torch.from_numpy(stacked), rows, refused, last)


@dataclass
class _Part:
    """The features of a shard as they come in."""

    rows: list[tuple[int, str]] = field(default_factory=list)  # appid and name
    refused: list[tuple[int, str]] = field(default_factory=list)  # appid and reason
    vectors: list[np.ndarray] = field(default_factory=list)  # float16 (some, dims)
    read: bool = False

    @property
    def whole(self) -> bool:
        return self.read and sum(map(len, self.vectors)) == len(self.rows)


_Stream = Iterator[tuple[int, list[tuple[int, _Part]]]]  # how many pictures went by, which shards that finished


def _local(todo: dict[int, Shard], encoder: "Encoder", size: int, workers: int, _actors: int | None = None) -> _Stream:
    """Compute the features of shards on the encoder's device, in batches that are full across shard borders."""
    parts = {number: _Part() for number in todo}
    loader = DataLoader(
        _Pictures(todo, encoder.preparation),
        batch_size=None,
        num_workers=workers,
        pin_memory=encoder.device.type == "cuda",
        collate_fn=_as_it_is,
    )
    buffer = torch.zeros((size, *encoder.preparation.shape, 3), dtype=torch.uint8, device=encoder.device)
    for owners, vectors in _arrived(_batches(loader, parts, buffer), _Embedding(encoder, size)):
        start = 0
        for number, run in itertools.groupby(owners):
            stop = start + sum(1 for _ in run)
            parts[number].vectors.append(vectors[start:stop])
            start = stop
        yield len(owners), _whole(parts)
    yield 0, _whole(parts)


def _as_it_is(chunk: _Chunk) -> _Chunk:
    return chunk


def _whole(parts: dict[int, _Part]) -> list[tuple[int, _Part]]:
    """Take out and return the shards that are whole."""
    return [(number, parts.pop(number)) for number in list(parts) if parts[number].whole]


def _batches(
    chunks: Iterable[_Chunk | Exception], parts: dict[int, _Part], buffer: Tensor
) -> Iterator[tuple[list[int], Tensor]]:
    """Fill the buffer with pictures, again and again, and yield it with the shard of each.

    It is always handed over in its whole size, the last time with some of its old content behind the new: a batch of
    another size could be computed by another kernel and round otherwise, and a run that was resumed would differ.
    """
    owners = []
    for chunk in chunks:
        if isinstance(chunk, Exception):
            raise chunk
        part = parts[chunk.number]
        part.rows += chunk.rows
        part.refused += chunk.refused
        part.read = chunk.last
        start = 0
        while start < len(chunk.pictures):
            some = chunk.pictures[start : start + len(buffer) - len(owners)]
            buffer[len(owners) : len(owners) + len(some)].copy_(some, non_blocking=True)
            owners += [chunk.number] * len(some)
            start += len(some)
            if len(owners) == len(buffer):
                yield owners, buffer
                owners = []
    if owners:
        yield owners, buffer


def _arrived(
    batches: Iterable[tuple[list[int], Tensor]], embed: Callable[[Tensor], Tensor]
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield the features of batches, float16; a batch is waited for only when the next has been begun."""
    begun = None
    for owners, pictures in batches:
        vectors = embed(pictures).half().to("cpu", non_blocking=pictures.is_cuda)
        event = torch.cuda.current_stream(pictures.device).record_event() if pictures.is_cuda else None
        if begun:
            yield _wait(*begun)
        begun = owners, vectors, event
    if begun:
        yield _wait(*begun)


def _wait(owners: list[int], vectors: Tensor, event: torch.cuda.Event | None) -> tuple[list[int], np.ndarray]:
    if event:
        event.synchronize()
    return owners, vectors.numpy()


class _Embedding:
    """Embeds batches, in parts where the device's memory is too small for a whole one."""

    def __init__(self, encoder: "Encoder", size: int) -> None:
        self._encoder, self._size = encoder, size

    def __call__(self, batch: Tensor) -> Tensor:
        while True:
            try:
                return torch.cat([self._encoder.embed(some) for some in batch.split(self._size)])
            except torch.OutOfMemoryError:
                if self._size == 1:
                    raise
            self._size = (self._size + 1) // 2
            torch.cuda.empty_cache()


def _workers(device: torch.device, total: int) -> int:
    """Return how many processes decode: none for a few pictures, one beside a busy CPU, all cores for a GPU."""
    if total <= _FEW:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if device.type == "cpu" else min(cores, 16)


def _bar(shards: dict[int, Shard], total: int, encoder: "Encoder") -> tqdm:
    device = (
        torch.cuda.get_device_name(encoder.device) if encoder.device.type == "cuda" else encoder.device.type.upper()
    )
    everything = sum(len(shard.appids) for shard in shards.values())
    return tqdm(desc=f"Features on {device}", unit=" banners", total=everything, initial=everything - total)


# ------------------------------------------------------------------------------------------------ beyond one device


class _Actor:
    """A process of Ray with a device of its own."""

    def run(self, encoder: "Encoder", device: str, todo: dict[int, Shard], size: int, workers: int) -> _Stream:
        yield from _local(todo, encoder.to(device), size, workers)


def _ray(todo: dict[int, Shard], encoder: "Encoder", size: int, workers: int, actors: int | None) -> _Stream:
    """Compute the features of shards by actors of Ray, each with a share of them, as `_local` does."""
    ray = _import_ray()
    ours = not ray.is_initialized()
    if ours:
        ray.init("local", include_dashboard=False, log_to_driver=False)
    resources = ray.cluster_resources()
    device, most = ("cuda", resources["GPU"]) if "GPU" in resources else ("cpu", resources["CPU"])
    count = min(actors or int(most), len(todo))
    shares = [dict(list(todo.items())[start::count]) for start in range(count)]
    kind = ray.remote(num_cpus=1, num_gpus=int(device == "cuda"))(_Actor)
    hands = [kind.remote() for _ in shares]
    arguments = ray.put(encoder.to("cpu")), device
    streams = [
        hand.run.options(num_returns="streaming").remote(*arguments, share, size, workers)
        for hand, share in zip(hands, shares, strict=True)
    ]
    try:
        while streams:
            (ready, *_), _ = ray.wait(streams)
            try:
                yield ray.get(next(ready))
            except StopIteration:
                streams.remove(ready)
            except ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, settings.PlainError) else error from None
    finally:
        for hand in hands:
            ray.kill(hand)
        if ours:
            ray.shutdown()


def _import_ray() -> ModuleType:
    """Return Ray, told to listen on this machine's loopback only if it is started here and not by `ray.init` before."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # read on import, and on every system
    try:
        import ray
    except ModuleNotFoundError:
        raise FeaturesError(
            "engine is 'ray', but Ray is not installed; pip install ray, or leave `engine` out"
        ) from None
    return ray


_ENGINES = {"local": _local, "ray": _ray}


# --------------------------------------------------------------------------------------------------- one picture


def _address(appid: int) -> str:
    games = catalogue.fetch_games([appid])
    if games.empty:
        raise banners.Refused(f"the store has no game with appid {appid}")
    address = games["banner_url"].iloc[0]
    if not address:
        raise banners.Refused(f"the store has no vertical banner of game {appid}, {games['name'].iloc[0]}")
    return address
