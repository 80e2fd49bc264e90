"""The embeddings of altered banners, and how fast they were made; kept on disk, so that a second run takes no time."""

import hashlib
import json
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from study.alterations import alter
from study.baselines import Pixels
from utils import files
from utils.banners import Banner
from utils.encoder import Encoder

Altered = dict[str, np.ndarray]  # alteration -> the vectors of altered banners, float32 (banners, dim)


def embed_altered(
    embedder: Encoder | Pixels, shown: Mapping[str, list[int]], album: Mapping[int, Banner], folder: Path
) -> tuple[Altered, float]:
    """Return the vectors of banners altered as `shown` says, alteration -> appids, and the pictures a second.

    What the same embedder made of the same banners before is read from `folder`, with the seconds that it took, from
    pixels to vectors.
    """
    vectors = {}
    seconds = 0.0
    name = Path(str(embedder.identity["checkpoint"])).name
    for alteration, appids in tqdm(shown.items(), desc=f"Altered banners, {name}", unit=" alteration"):
        if appids:
            vectors[alteration], taken = _embed(embedder, alteration, list(map(album.__getitem__, appids)), folder)
            seconds += taken
    return vectors, sum(map(len, vectors.values())) / seconds


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
