"""Verified shards -> prepared pictures, in chunks, by worker processes that share the shards among them."""

import itertools
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from utils import banners
from utils.errors import PlainError
from utils.snapshot import Shard

if TYPE_CHECKING:
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


class Chunk(NamedTuple):
    """Some prepared pictures of a shard, on their way from a worker."""

    number: int  # of the shard
    pictures: Tensor  # uint8 (n, height, width, 3)
    rows: list[Row]
    fresh: list[bool]  # whether a row has a picture
    refused: list[tuple[int, str]]  # appid and reason of those left out
    last: bool  # of its shard


class Pictures(IterableDataset):
    """The prepared pictures of shards, in chunks. Workers share the list of shards and take the next when free."""

    def __init__(self, task: Task, preparation: "Preparation") -> None:
        self._shards = list(task.shards.items())
        self._known = task.known
        self._preparation = preparation
        self._taken = multiprocessing.Value("q", 0)

    def __iter__(self) -> Iterator[Chunk | PlainError]:
        try:
            while (place := self._take()) < len(self._shards):
                yield from self._chunks(*self._shards[place])
        except PlainError as error:  # handed over, as DataLoader would bury its message in a traceback
            yield error

    def _take(self) -> int:
        with self._taken:
            self._taken.value += 1
            return self._taken.value - 1

    def _chunks(self, number: int, shard: Shard) -> Iterator[Chunk]:
        stream = banners.read_shard(shard)
        while some := list(itertools.islice(stream, _CHUNK)):
            yield self._chunk(number, some, last=False)
        yield self._chunk(number, [], last=True)

    def _chunk(self, number: int, some: list[banners.Banner], *, last: bool) -> Chunk:
        pictures = []
        rows = []
        fresh = []
        refused = []
        for banner in some:
            row = Row(banner.appid, banner.name, banner.sha256)
            try:
                if row.jpeg_sha256 not in self._known:
                    pictures.append(self._preparation(banner.rgb))
            except banners.Refused as error:
                refused.append((banner.appid, str(error)))
                continue
            rows.append(row)
            fresh.append(row.jpeg_sha256 not in self._known)
        stacked = np.array(pictures, np.uint8).reshape(-1, *self._preparation.shape, 3)
        return Chunk(number, torch.from_numpy(stacked), rows, fresh, refused, last)


def chunks_of(task: Task, preparation: "Preparation", *, pinned: bool) -> DataLoader:
    """Return the chunks of all shards of a task; an error comes among them as it is."""
    pictures = Pictures(task, preparation)
    return DataLoader(pictures, batch_size=None, num_workers=task.workers, pin_memory=pinned, collate_fn=_as_it_is)


def workers_for(device: torch.device, total: int) -> int:
    """Return how many processes decode: none for a few pictures, one beside a busy CPU, all cores for a GPU."""
    if total <= _FEW:
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return 1 if device.type == "cpu" else min(cores, 16)


def _as_it_is(chunk: Any) -> Any:  # noqa: ANN401 - DataLoader's type
    return chunk
