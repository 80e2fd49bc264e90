"""Shards -> vectors: workers decode, full batches go through the encoder, on one device or on many by Ray."""

import itertools
import multiprocessing
import os
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from utils import banners
from utils.errors import PictureError, PlainError, SettingsError
from utils.snapshot import Shard

if TYPE_CHECKING:
    from utils.encoder import Encoder
    from utils.encoder.preparation import Preparation

_CHUNK = 32  # pictures that a worker hands over at a time
_FEW = 512  # pictures up to which starting workers costs more than they bring


class Row(NamedTuple):
    """A banner whose features are wanted."""

    appid: int
    name: str
    jpeg_sha256: str


@dataclass(frozen=True)
class Task:
    """Shards to compute, and how."""

    shards: dict[int, Shard]  # by the number of their files
    known: frozenset[str]  # SHA-256 of the JPEGs whose features are there already: they are not decoded
    batch_size: int
    workers: int  # processes that decode; 0 decodes in this one


class _Chunk(NamedTuple):
    """Some prepared pictures of a shard, on their way from a worker."""

    number: int  # of the shard
    pictures: Tensor  # uint8 (n, height, width, 3)
    rows: list[Row]
    fresh: list[bool]  # whether a row has a picture
    refused: list[tuple[int, str]]  # appid and reason of those left out
    last: bool  # of its shard


@dataclass
class Computed:
    """The features of a shard as they come in."""

    rows: list[Row] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)  # whether a row's vector is among `vectors`
    refused: list[tuple[int, str]] = field(default_factory=list)  # appid and reason
    vectors: list[np.ndarray] = field(default_factory=list)  # float16 (some, dims)
    is_read: bool = False

    @property
    def is_whole(self) -> bool:
        return self.is_read and sum(map(len, self.vectors)) == sum(self.fresh)


Stream = Generator[tuple[int, list[tuple[int, Computed]]]]  # how many pictures went by, which shards that finished


def workers_for(device: torch.device, total: int) -> int:
    """Return how many processes decode: none for a few pictures, one beside a busy CPU, all cores for a GPU."""
    if total <= _FEW:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if device.type == "cpu" else min(cores, 16)


# -------------------------------------------------------------------------------------------------- pictures


class _Pictures(IterableDataset):
    """The prepared pictures of shards, in chunks. Workers share the list of shards and take the next when free."""

    def __init__(self, task: Task, preparation: "Preparation") -> None:
        self._shards = list(task.shards.items())
        self._known = task.known
        self._preparation = preparation
        self._taken = multiprocessing.Value("q", 0)

    def __iter__(self) -> Iterator[_Chunk | PlainError]:
        try:
            while (at := self._take()) < len(self._shards):
                number, shard = self._shards[at]
                stream = banners.read_shard(shard)
                while some := list(itertools.islice(stream, _CHUNK)):
                    yield self._chunk(number, some, last=False)
                yield self._chunk(number, [], last=True)
        except PlainError as error:  # handed over, as DataLoader would bury its message in a traceback
            yield error

    def _take(self) -> int:
        with self._taken:
            self._taken.value += 1
            return self._taken.value - 1

    def _chunk(self, number: int, some: list[banners.Banner], *, last: bool) -> _Chunk:
        pictures = []
        rows = []
        fresh = []
        refused = []
        for banner in some:
            row = Row(banner.appid, banner.name, banner.sha256)
            try:
                if row.jpeg_sha256 not in self._known:
                    pictures.append(self._preparation(banner.rgb))
            except PictureError as error:
                refused.append((banner.appid, str(error)))
                continue
            rows.append(row)
            fresh.append(row.jpeg_sha256 not in self._known)
        stacked = np.array(pictures, np.uint8).reshape(-1, *self._preparation.shape, 3)
        return _Chunk(number, torch.from_numpy(stacked), rows, fresh, refused, last)


def _as_it_is(chunk: Any) -> Any:  # noqa: ANN401 - DataLoader's type
    return chunk


# --------------------------------------------------------------------------------------------------- batches


def compute(task: Task, encoder: "Encoder", _actors: int | None = None) -> Stream:
    """Compute the features of shards on the encoder's device, in batches that are full across shard borders."""
    shards: dict[int, Computed] = defaultdict(Computed)
    on_gpu = encoder.device.type == "cuda"
    pictures = _Pictures(task, encoder.preparation)
    chunks = DataLoader(pictures, batch_size=None, num_workers=task.workers, pin_memory=on_gpu, collate_fn=_as_it_is)
    buffer = torch.zeros((task.batch_size, *encoder.preparation.shape, 3), dtype=torch.uint8, device=encoder.device)
    for owners, vectors in _embedded(_batches(chunks, shards, buffer), encoder, task.batch_size):
        start = 0
        for number, run in itertools.groupby(owners):
            stop = start + len(list(run))
            shards[number].vectors.append(vectors[start:stop])
            start = stop
        yield len(owners), _take_whole(shards)
    yield 0, _take_whole(shards)


def _take_whole(shards: dict[int, Computed]) -> list[tuple[int, Computed]]:
    """Take out and return the shards that are whole."""
    return [(number, shards.pop(number)) for number in list(shards) if shards[number].is_whole]


def _batches(
    chunks: Iterable[_Chunk | PlainError], shards: dict[int, Computed], buffer: Tensor
) -> Iterator[tuple[list[int], Tensor]]:
    """Fill the buffer with pictures, again and again, and yield it with the shard of each.

    It is always handed over in its whole size, the last time with some of its old content behind the new: a batch of
    another size could be computed by another kernel and round otherwise, and a run that was resumed would differ.
    """
    owners: list[int] = []
    for chunk in chunks:
        if isinstance(chunk, PlainError):
            raise chunk
        shard = shards[chunk.number]
        shard.rows += chunk.rows
        shard.fresh += chunk.fresh
        shard.refused += chunk.refused
        shard.is_read = chunk.last
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


def _embedded(
    batches: Iterable[tuple[list[int], Tensor]], encoder: "Encoder", size: int
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield the features of batches, float16; a batch is waited for only when the next has been begun."""
    begun = None
    for owners, pictures in batches:
        features, size = _embed_in_parts(encoder, pictures, size)
        vectors = features.half().to("cpu", non_blocking=pictures.is_cuda)
        event = torch.cuda.current_stream(pictures.device).record_event() if pictures.is_cuda else None
        if begun:
            yield _waited_for(*begun)
        begun = owners, vectors, event
    if begun:
        yield _waited_for(*begun)


def _waited_for(owners: list[int], vectors: Tensor, event: torch.cuda.Event | None) -> tuple[list[int], np.ndarray]:
    if event:
        event.synchronize()
    return owners, vectors.numpy()


def _embed_in_parts(encoder: "Encoder", batch: Tensor, size: int) -> tuple[Tensor, int]:
    """Return a batch's features, embedded in parts of a size that the device's memory allows, and that size."""
    while True:
        try:
            return torch.cat([encoder.embed(some) for some in batch.split(size)]), size
        except torch.OutOfMemoryError:
            if size == 1:
                raise
        size = (size + 1) // 2
        torch.cuda.empty_cache()


# ------------------------------------------------------------------------------------------------------- Ray


class _Actor:
    """A process of Ray with a device of its own."""

    def run(self, encoder: "Encoder", device: str, task: Task) -> Stream:
        yield from compute(task, encoder.to(device))


def compute_by_ray(task: Task, encoder: "Encoder", actors: int | None = None) -> Stream:
    """Compute the features of shards as `compute` does, by actors of Ray.

    Uses the cluster that `ray.init` connected to, else this machine alone. `actors` is by default one for each GPU,
    else one for each core. Raises SettingsError where Ray is not installed.
    """
    ray = _import_ray()
    is_ours = not ray.is_initialized()
    if is_ours:
        ray.init("local", include_dashboard=False, log_to_driver=False)
    resources = ray.cluster_resources()
    device = "cuda" if "GPU" in resources else "cpu"
    most = int(resources["GPU" if device == "cuda" else "CPU"])
    kind = ray.remote(num_cpus=1, num_gpus=int(device == "cuda"))(_Actor)
    every = list(task.shards.items())
    count = min(actors or most, len(every))
    workers = [kind.remote() for _ in range(count)]
    shared = ray.put(encoder.to("cpu"))
    streams = []
    for start, worker in enumerate(workers):
        share = Task(dict(every[start::count]), task.known, task.batch_size, task.workers)
        streams.append(worker.run.options(num_returns="streaming").remote(shared, device, share))
    try:
        yield from _arriving(ray, streams)
    finally:
        for worker in workers:
            ray.kill(worker)
        if is_ours:
            ray.shutdown()


def _import_ray() -> ModuleType:
    """Return Ray, set to listen on this machine's loopback only if it is started here and not by `ray.init` before."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # read on import, and on every system
    try:
        import ray
    except ModuleNotFoundError:
        raise SettingsError(
            "engine is 'ray', but Ray is not installed; pip install ray, or leave `engine` out"
        ) from None
    return ray


def _arriving(ray: ModuleType, streams: list) -> Stream:
    """Yield what the actors' streams yield, as it comes."""
    while streams:
        ready = ray.wait(streams)[0][0]
        try:
            yield ray.get(next(ready))
        except StopIteration:
            streams.remove(ready)
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, PlainError) else error from None


ENGINES = {"local": compute, "ray": compute_by_ray}
