"""The embeddings of altered banners, and how fast they were made; kept on disk, so that a second run takes no time."""

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from study.alterations import alter
from study.baselines import Pixels
from utils import files
from utils.banners import Banner
from utils.encoder import Encoder


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
    embedder: Encoder | Pixels, shown: Mapping[str, list[int]], album: Mapping[int, Banner], folder: Path
) -> AugmentedEmbeddings:
    """Return the vectors of banners altered as `shown` says: alteration -> appids.

    What the same embedder made of the same banners before is read from `folder`.
    """
    vectors = {}
    seconds = 0.0
    name = Path(str(embedder.identity["checkpoint"])).name
    for alteration, appids in tqdm(shown.items(), desc=f"Altered banners, {name}", unit=" alteration"):
        if appids:
            banners = [album[appid] for appid in appids]
            vectors[alteration], taken = _embed(embedder, alteration, banners, folder)
            seconds += taken
    return AugmentedEmbeddings(vectors, seconds)


def _embed(
    embedder: Encoder | Pixels, alteration: str, banners: list[Banner], folder: Path
) -> tuple[np.ndarray, float]:
    """Return the vectors of altered banners and the seconds they took, from disk where they are there and whole."""
    digest = hashlib.sha256(json.dumps(dict(embedder.identity), sort_keys=True).encode())
    for banner in banners:
        digest.update(bytes.fromhex(banner.sha256))
    file = folder / f"{alteration}-{digest.hexdigest()[:16]}.npz"
    try:
        with np.load(file) as content:  # zip checks its members' checksums
            return content["vectors"], float(content["seconds"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass  # it is made again
    pictures = [alter(banner.rgb, alteration) for banner in banners]
    began = time.perf_counter()
    vectors = embedder(pictures).numpy()
    seconds = time.perf_counter() - began
    with files.writing(file) as part, part.open("wb") as content:
        np.savez(content, vectors=vectors, seconds=seconds)
    return vectors, seconds
