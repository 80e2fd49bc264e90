"""Prepared pictures -> vectors: they go through the encoder in batches that are full across shard borders."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from utils.errors import PlainError
from utils.features.reading import Chunk, Row, Task, chunks_of

if TYPE_CHECKING:
    from utils.encoder import Encoder


@dataclass
class Computed:
    """The features of a shard as they come in."""

    rows: list[Row] = field(default_factory=list)
    fresh: list[bool] = field(default_factory=list)  # whether a row's vector is among `vectors`
    refused: list[tuple[int, str]] = field(default_factory=list)  # appid and reason
    vectors: list[np.ndarray] = field(default_factory=list)  # float16 (some, dims)
    read: bool = False

    @property
    def whole(self) -> bool:
        return self.read and sum(map(len, self.vectors)) == sum(self.fresh)


Stream = Generator[tuple[int, list[tuple[int, Computed]]]]  # how many pictures went by, which shards that finished


def compute(task: Task, encoder: "Encoder") -> Stream:
    """Compute the features of shards on the encoder's device, in batches that are full across shard borders."""
    parts: dict[int, Computed] = defaultdict(Computed)
    loader = chunks_of(task, encoder.preparation, pinned=encoder.device.type == "cuda")
    buffer = torch.zeros((task.batch_size, *encoder.preparation.shape, 3), dtype=torch.uint8, device=encoder.device)
    for owners, vectors in _arrived(_batches(loader, parts, buffer), _Embedding(encoder, task.batch_size)):
        start = 0
        for number, run in itertools.groupby(owners):
            stop = start + len(list(run))
            parts[number].vectors.append(vectors[start:stop])
            start = stop
        yield len(owners), _take_whole(parts)
    yield 0, _take_whole(parts)


def _take_whole(parts: dict[int, Computed]) -> list[tuple[int, Computed]]:
    """Take out and return the shards that are whole."""
    return [(number, parts.pop(number)) for number in list(parts) if parts[number].whole]


def _batches(
    chunks: Iterable[Chunk | PlainError], parts: dict[int, Computed], buffer: Tensor
) -> Iterator[tuple[list[int], Tensor]]:
    """Fill the buffer with pictures, again and again, and yield it with the shard of each.

    It is always handed over in its whole size, the last time with some of its old content behind the new: a batch of
    another size could be computed by another kernel and round otherwise, and a run that was resumed would differ.
    """
    owners: list[int] = []
    for chunk in chunks:
        if isinstance(chunk, PlainError):
            raise chunk
        _note(parts[chunk.number], chunk)
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


def _note(part: Computed, chunk: Chunk) -> None:
    part.rows += chunk.rows
    part.fresh += chunk.fresh
    part.refused += chunk.refused
    part.read = chunk.last


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
        self._encoder = encoder
        self._size = size

    def __call__(self, batch: Tensor) -> Tensor:
        while True:
            try:
                return torch.cat([self._encoder.embed(some) for some in batch.split(self._size)])
            except torch.OutOfMemoryError:
                if self._size == 1:
                    raise
            self._size = (self._size + 1) // 2
            torch.cuda.empty_cache()
