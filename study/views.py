"""The vectors of altered banners, and how fast an eye made them; kept on disk, so that a second run takes no time."""

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor
from tqdm.auto import tqdm

from study.alterations import alter
from utils import files
from utils.banners import Banner

Describe = Callable[[list[np.ndarray]], Tensor]  # pictures uint8 (384, 256, 3) -> float32 (n, dim)


@dataclass(frozen=True)
class Views:
    """The vectors of altered pictures by alteration, float32 (pictures, dim) each."""

    vectors: dict[str, np.ndarray]
    seconds: float  # that they took, from pixels to vectors

    @property
    def speed(self) -> float:
        """Pictures a second."""
        return sum(map(len, self.vectors.values())) / self.seconds

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> "Views":
        """Return these views with other vectors."""
        return replace(self, vectors={name: change(vectors) for name, vectors in self.vectors.items()})


def altered_views(
    describe: Describe, identity: Mapping, shown: Mapping[str, list[int]], album: Mapping[int, Banner], folder: Path
) -> Views:
    """Return the vectors of banners altered as `shown` says: alteration -> appids.

    `identity` tells who describes them from all others; what the same one described before is read from `folder`.
    """
    vectors = {}
    seconds = 0.0
    name = Path(identity["checkpoint"]).name
    for alteration, appids in tqdm(shown.items(), desc=f"Altered banners, {name}", unit=" alteration"):
        if appids:
            file = folder / f"{alteration}-{_key(identity, [album[appid] for appid in appids])}.npz"
            vectors[alteration], taken = _kept(file) or _made(file, describe, alteration, album, appids)
            seconds += taken
    return Views(vectors, seconds)


def _key(identity: Mapping, banners: list[Banner]) -> str:
    """Return what tells these banners, described by this eye, from all others."""
    digest = hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode())
    for banner in banners:
        digest.update(bytes.fromhex(banner.sha256))
    return digest.hexdigest()[:16]


def _made(
    file: Path, describe: Describe, alteration: str, album: Mapping[int, Banner], appids: list[int]
) -> tuple[np.ndarray, float]:
    pictures = [alter(album[appid].rgb, alteration) for appid in appids]
    began = time.perf_counter()
    vectors = describe(pictures).numpy()
    seconds = time.perf_counter() - began
    with files.writing(file) as part, part.open("wb") as content:
        np.savez(content, vectors=vectors, seconds=seconds)
    return vectors, seconds


def _kept(file: Path) -> tuple[np.ndarray, float] | None:
    """Return what `_made` wrote; None where it did not, or the file is damaged."""
    if not file.is_file():
        return None
    try:
        with np.load(file) as content:  # zip checks its members' checksums
            return content["vectors"], float(content["seconds"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
