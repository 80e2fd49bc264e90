"""Shards -> vectors: workers decode, full batches go through the encoder, on one device or on many by Ray."""

import itertools
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from utils import banners
from utils.encoder import Encoder
from utils.encoder.preparation import Preparation
from utils.errors import PictureError, PlainError, SettingsError
from utils.snapshot import Shard

_CHUNK = 32  # pictures that a worker hands over at a time
_FEW = 512  # pictures up to which starting workers costs more than they bring


@dataclass(frozen=True)
class Task:
    """Shards to compute, and how."""

    shards: dict[int, Shard]  # by the number of their files
    known: frozenset[str]  # SHA-256 of the JPEGs whose features are there already: they are not decoded
    batch_size: int
    workers: int | None  # processes that decode; 0 decodes in this one; None is by device and number of pictures


class _Chunk(NamedTuple):
    """Some banners of a shard, on their way from a worker."""

    number: int  # of the shard
    digests: list[str]  # SHA-256 of the JPEGs
    refused: list[tuple[int, str]]  # appid and reason of those left out
    pictures: Tensor  # uint8 (n, height, width, 3), prepared, of those whose features are not known


@dataclass
class Computed:
    """The features of a shard as they come in."""

    banners: int  # in the shard
    digests: list[str] = field(default_factory=list)  # SHA-256 of the JPEGs of those not refused
    refused: list[tuple[int, str]] = field(default_factory=list)  # appid and reason
    pictures: int = 0  # of those whose features were not known
    vectors: list[np.ndarray] = field(default_factory=list)  # float16 (some, dims) of these

    @property
    def is_whole(self) -> bool:
        is_read = len(self.digests) + len(self.refused) == self.banners
        return is_read and sum(map(len, self.vectors)) == self.pictures


Stream = Generator[tuple[int, list[tuple[int, Computed]]]]  # how many banners are done, and the shards that are whole


class _Pictures(IterableDataset):
    """The banners of shards, in chunks; each worker has its share of the shards."""

    def __init__(self, task: Task, preparation: Preparation) -> None:
        self._task = task
        self._preparation = preparation

    def __iter__(self) -> Iterator[_Chunk | PlainError]:
        worker = get_worker_info()
        share = slice(worker.id, None, worker.num_workers) if worker else slice(None)
        try:
            for number, shard in list(self._task.shards.items())[share]:
                stream = banners.read_shard(shard)
                while some := list(itertools.islice(stream, _CHUNK)):
                    yield self._chunk(number, some)
        except PlainError as error:  # handed over, as DataLoader would bury its message in a traceback
            yield error

    def _chunk(self, number: int, some: list[banners.Banner]) -> _Chunk:
        digests, refused, pictures = [], [], []
        for banner in some:
            try:
                if banner.sha256 not in self._task.known:
                    pictures.append(self._preparation(banner.rgb))
                digests.append(banner.sha256)
            except PictureError as error:
                refused.append((banner.appid, str(error)))
        stacked = np.array(pictures, np.uint8).reshape(-1, *self._preparation.shape, 3)
        return _Chunk(number, digests, refused, torch.from_numpy(stacked))


def _as_it_is(chunk: Any) -> Any:  # noqa: ANN401 - DataLoader's type
    return chunk


def compute(task: Task, encoder: Encoder, _actors: int | None = None) -> Stream:
    """Compute the features of shards on the encoder's device, in batches that are full across shard borders."""
    shards = {number: Computed(len(shard.appids)) for number, shard in task.shards.items()}
    on_gpu = encoder.device.type == "cuda"
    pictures = _Pictures(task, encoder.preparation)
    workers = _workers_for(encoder.device, shards) if task.workers is None else task.workers
    chunks = DataLoader(pictures, batch_size=None, num_workers=workers, pin_memory=on_gpu, collate_fn=_as_it_is)
    buffer = torch.zeros((task.batch_size, *encoder.preparation.shape, 3), dtype=torch.uint8, device=encoder.device)
    for owners, vectors, event in _embedded(_batches(chunks, shards, buffer), encoder, task.batch_size):
        if event:
            event.synchronize()
        for number in set(owners):
            shards[number].vectors.append(vectors.numpy()[np.flatnonzero(np.array(owners) == number)])
        yield _whole(shards, len(owners))
    yield _whole(shards, 0)


def _whole(shards: dict[int, Computed], embedded: int) -> tuple[int, list[tuple[int, Computed]]]:
    """Take out the shards that are whole; return how many banners are done with those just embedded, and them."""
    whole = [(number, shards.pop(number)) for number in list(shards) if shards[number].is_whole]
    return embedded + sum(each.banners - each.pictures for _, each in whole), whole


def _workers_for(device: torch.device, shards: dict[int, Computed]) -> int:
    """Return how many processes decode: none for a few pictures, one beside a busy CPU, all cores for a GPU."""
    if sum(shard.banners for shard in shards.values()) <= _FEW:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if device.type == "cpu" else min(cores, 16)


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
        shard.digests += chunk.digests
        shard.refused += chunk.refused
        shard.pictures += len(chunk.pictures)
        for picture in chunk.pictures:
            buffer[len(owners)].copy_(picture, non_blocking=True)
            owners.append(chunk.number)
            if len(owners) == len(buffer):
                yield owners, buffer
                owners = []
    if owners:
        yield owners, buffer


def _embedded(
    batches: Iterable[tuple[list[int], Tensor]], encoder: Encoder, size: int
) -> Iterator[tuple[list[int], Tensor, torch.cuda.Event | None]]:
    """Yield the features of batches, float16, and what to wait for; each when the next has been begun."""
    begun = []
    for owners, pictures in batches:
        features, size = _embed_in_parts(encoder, pictures, size)
        vectors = features.half().to("cpu", non_blocking=pictures.is_cuda)
        event = torch.cuda.current_stream(pictures.device).record_event() if pictures.is_cuda else None
        begun.append((owners, vectors, event))
        if len(begun) > 1:
            yield begun.pop(0)
    yield from begun


def _embed_in_parts(encoder: Encoder, batch: Tensor, size: int) -> tuple[Tensor, int]:
    """Return a batch's features, embedded in parts of a size that the device's memory allows, and that size."""
    while True:
        try:
            return torch.cat([encoder.embed(some) for some in batch.split(size)]), size
        except torch.OutOfMemoryError:
            if size == 1:
                raise
        size = (size + 1) // 2
        torch.cuda.empty_cache()


class _Actor:
    """A process of Ray with a device of its own."""

    def run(self, encoder: Encoder, device: str, task: Task) -> Stream:
        yield from compute(task, encoder.to(device))


def compute_by_ray(task: Task, encoder: Encoder, actors: int | None = None) -> Stream:
    """Compute the features of shards as `compute` does, by actors of Ray.

    `actors` is by default one for each GPU, else one for each core. Raises SettingsError where Ray is not installed.
    """
    with _cluster() as ray:
        resources = ray.cluster_resources()
        device = "cuda" if "GPU" in resources else "cpu"
        kind = ray.remote(num_cpus=1, num_gpus=int(device == "cuda"))(_Actor)
        every = list(task.shards.items())
        count = min(actors or int(resources["GPU" if device == "cuda" else "CPU"]), len(every))
        workers = [kind.remote() for _ in range(count)]
        shared = ray.put(encoder.to("cpu"))
        streams = []
        for start, worker in enumerate(workers):
            share = replace(task, shards=dict(every[start::count]))
            streams.append(worker.run.options(num_returns="streaming").remote(shared, device, share))
        try:
            yield from _arriving(ray, streams)
        finally:
            for worker in workers:
                ray.kill(worker)


@contextmanager
def _cluster() -> Iterator[ModuleType]:
    """Yield Ray with the cluster that `ray.init` connected to before, else with this machine alone, for the block."""
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # else it may listen to others; read on import
    try:
        import ray
    except ModuleNotFoundError:
        raise SettingsError(
            "engine is 'ray', but Ray is not installed; pip install ray, or leave `engine` out"
        ) from None
    if ray.is_initialized():
        yield ray
        return
    ray.init("local", include_dashboard=False, log_to_driver=False)
    try:
        yield ray
    finally:
        ray.shutdown()


def _arriving(ray: ModuleType, streams: list) -> Stream:
    """Yield what streams of Ray yield, as it comes, and take out those that end."""
    while streams:
        ready = ray.wait(streams)[0][0]
        try:
            yield ray.get(next(ready))
        except StopIteration:
            streams.remove(ready)
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, PlainError) else error from None


ENGINES = {"local": compute, "ray": compute_by_ray}
