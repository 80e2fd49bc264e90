"""The embeddings of altered banners, and how fast they were made; kept on disk, so that a second run takes no time."""

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor
from tqdm.auto import tqdm

from study.alterations import alter
from utils import files
from utils.banners import Banner


class Embedder(Protocol):
    """An Encoder, or whatever else maps pictures uint8 (384, 256, 3) to vectors float32 (n, dim)."""

    @property
    def identity(self) -> Mapping: ...

    def __call__(self, pictures: Sequence[np.ndarray], /) -> Tensor: ...


@dataclass(frozen=True)
class AugmentedEmbeddings:
    """The vectors of altered pictures by alteration, float32 (pictures, dim) each."""

    vectors: dict[str, np.ndarray]
    seconds: float  # that they took, from pixels to vectors

    @property
    def speed(self) -> float:
        """Pictures a second."""
        return sum(map(len, self.vectors.values())) / self.seconds

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> "AugmentedEmbeddings":
        """Return the same with other vectors."""
        return replace(self, vectors={name: change(vectors) for name, vectors in self.vectors.items()})


def embed_altered(
    embedder: Embedder, shown: Mapping[str, list[int]], album: Mapping[int, Banner], folder: Path
) -> AugmentedEmbeddings:
    """Return the vectors of banners altered as `shown` says: alteration -> appids.

    What the same embedder made of the same banners before is read from `folder`.
    """
    vectors = {}
    seconds = 0.0
    name = Path(embedder.identity["checkpoint"]).name
    for alteration, appids in tqdm(shown.items(), desc=f"Altered banners, {name}", unit=" alteration"):
        if appids:
            file = folder / f"{alteration}-{_key(embedder.identity, [album[appid] for appid in appids])}.npz"
            vectors[alteration], taken = _load(file) or _embed(file, embedder, alteration, album, appids)
            seconds += taken
    return AugmentedEmbeddings(vectors, seconds)


def _key(identity: Mapping, shown: list[Banner]) -> str:
    """Return what tells these banners, seen by this embedder, from all others."""
    digest = hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode())
    for banner in shown:
        digest.update(bytes.fromhex(banner.sha256))
    return digest.hexdigest()[:16]


def _embed(
    file: Path, embedder: Embedder, alteration: str, album: Mapping[int, Banner], appids: list[int]
) -> tuple[np.ndarray, float]:
    pictures = [alter(album[appid].rgb, alteration) for appid in appids]
    began = time.perf_counter()
    vectors = embedder(pictures).numpy()
    seconds = time.perf_counter() - began
    with files.writing(file) as part, part.open("wb") as content:
        np.savez(content, vectors=vectors, seconds=seconds)
    return vectors, seconds


def _load(file: Path) -> tuple[np.ndarray, float] | None:
    """Return what `_embed` wrote; None where it did not, or the file is damaged and has to be made again."""
    try:
        with np.load(file) as content:  # zip checks its members' checksums
            return content["vectors"], float(content["seconds"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
