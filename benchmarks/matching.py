"""How fast the matches are found, beside the bare product, faiss and scikit-learn, all in one run on the same vectors.

    PYTHONPATH=. python benchmarks/matching.py [--games 100000] [--dims 768] [--runs 3] [--slice 8192]

Limit: the bare float32 product in the same tiles, nothing kept of it. Peers: faiss-cpu's IndexFlatIP and scikit-
learn's NearestNeighbors, both exact, each in a process of its own with the kernel of OpenBLAS that is fastest for it
in a trial; threadpoolctl names it. All pairs are run in full by us; the limit and the peers answer a slice of the
queries, and their time is multiplied. What is run is interleaved, and medians are given. Memory is the peak of a
process that prepares and matches, above what it takes to import. Exact: against float64, ties aside.
"""

import argparse
import contextlib
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest.mock import patch

import faiss
import numpy as np
import sklearn
import torch
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_info

from utils import matching
from utils.features import Features
from utils.matching.search import exact_products

Process = multiprocessing.get_context("spawn").Process
K, TILE = 10, 4096  # neighbours; rows and columns of the limit's tiles
ONE, SAMPLE = 50, 200  # single queries timed; games compared with float64
KERNELS = ({}, {"OPENBLAS_CORETYPE": "Haswell"}, {"OPENBLAS_CORETYPE": "SkylakeX"})  # first what OpenBLAS itself takes
REST = 0.05  # seconds until the last one's threads, which wait for more work at full speed, have gone to sleep
TRIAL = 512  # queries by which a peer's kernel is chosen
MULTIPLIES = {"faiss": "faiss", "scikit-learn": "numpy"}  # peer -> the package whose OpenBLAS it multiplies with


def made_up(games: int, dims: int) -> Features:
    """Features as a network gives them: a large common part, clusters of some twenty, a thousandth copies of one."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(games // 20, dims)).astype(np.float32)
    vectors = np.empty((games, dims), np.float16)
    for rows in np.array_split(np.arange(games), -(-games // TILE)):
        noise = rng.normal(size=(len(rows), dims)).astype(np.float32)
        vectors[rows] = 3 + centres[rng.integers(len(centres), size=len(rows))] + 1.5 * noise
    vectors[rng.integers(games, size=games // 1000)] = vectors[0]
    appids = rng.permutation(games).astype(np.int64) * 10
    return Features(appids, appids.astype(str).astype(object), vectors, {"preparation": "as they are"})


def product(vectors: torch.Tensor, queries: int) -> None:
    """The limit: the cosines of some queries with all, tile by tile, as fast as torch exactly can here."""
    tile = torch.empty(TILE, TILE)
    with exact_products(vectors):
        for top in range(0, queries, TILE):
            rows = vectors[top : min(top + TILE, queries)]
            for columns in vectors.split(TILE):
                torch.mm(rows, columns.T, out=tile[: len(rows), : len(columns)])


def medians(acts: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Return the median seconds of each, all taking turns; a first turn is not counted."""
    taken = {name: [] for name in acts}
    for _ in range(runs + 1):
        for name, act in acts.items():
            time.sleep(REST)
            began = time.perf_counter()
            act()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(some[1:]) for name, some in taken.items()}


def row(stage: str, ours: float, limit: float, *peers: float) -> None:
    """Print a stage's line: times, and what they are to each other."""
    ratios = [f"{ours / limit:.2f}", *(f"{peer / ours:.1f}" for peer in peers)]
    print(f"| {' | '.join([stage, *(f'{each:.1f}' for each in (ours, limit, *peers)), *ratios])} |", flush=True)


def answer(peer: str, pipe: "multiprocessing.connection.Connection") -> None:
    """Send the name of a peer's kernel; then, for each number received, run that many queries and send it back."""
    vectors = pipe.recv()
    search = NearestNeighbors(n_neighbors=K + 1, algorithm="brute", metric="cosine").fit(vectors).kneighbors
    if peer == "faiss":
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        search = partial(index.search, k=K + 1)
    search(vectors[:TRIAL])
    used = [each for each in threadpool_info() if each["user_api"] == "blas" and MULTIPLIES[peer] in each["filepath"]]
    named = "{prefix}/{internal_api} {architecture}, {num_threads} threads"
    pipe.send(" and ".join(named.format_map({"architecture": "?"} | each) for each in used))
    with contextlib.suppress(EOFError):  # nothing more is asked
        while queries := pipe.recv():
            search(vectors[:queries])
            pipe.send(queries)


def best_kernel(peer: str, vectors: np.ndarray) -> tuple[str, Callable[[int], object]]:
    """Return the name of the kernel that a peer is fastest with, and what runs so many queries with it."""
    tried = {}
    for kernel in KERNELS:  # a process each: a kernel is taken when its library is loaded
        ours, theirs = multiprocessing.Pipe()
        with patch.dict(os.environ, kernel):
            Process(target=answer, args=(peer, theirs), daemon=True).start()
        theirs.close()
        with contextlib.suppress(EOFError, ConnectionError):  # of instructions that this processor lacks a process dies
            ours.send(vectors)
            tried[ours.recv()] = lambda queries, pipe=ours: (pipe.send(queries), pipe.recv())
    taken = medians({name: partial(run, TRIAL) for name, run in tried.items()}, 1)
    print(f"{peer}, {TRIAL} queries:", "; ".join(f"{name}: {seconds:.2f} s" for name, seconds in taken.items()))
    best = min(taken, key=taken.__getitem__)
    return best, tried[best]


def speed(games: matching.Prepared, runs: int, queries: int) -> None:
    """Print the table of speeds."""
    vectors, count = torch.from_numpy(games.vectors), len(games)
    faiss_kernel, by_faiss = best_kernel("faiss", games.vectors)
    brute_kernel, by_brute = best_kernel("scikit-learn", games.vectors)
    print(
        "| stage | ours | bare product | faiss | scikit-learn | ours / product | faiss / ours | scikit-learn / ours |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print(f"| kernel | | | {faiss_kernel} | {brute_kernel} | | | |")
    whole = {
        "ours": lambda: matching.all_matches(games, K),
        "product": lambda: product(vectors, queries),
        "faiss": lambda: by_faiss(queries),
        "scikit-learn": lambda: by_brute(queries),
    }
    ours, *others = medians(whole, runs).values()
    row("all pairs, s", ours, *(count / queries * other for other in others))
    single = {
        "ours": lambda: matching.nearest(games, games.appids[:1], K),
        "product": lambda: games.vectors @ games.vectors[0],
        "faiss": lambda: by_faiss(1),
        "scikit-learn": lambda: by_brute(1),
    }
    row("one query, ms", *(1000 * taken for taken in medians(single, ONE).values()))


def wrong(games: matching.Prepared, sample: int) -> int:
    """Return how many of some games' neighbours float64 would not have named, but for ties."""
    matches = matching.all_matches(games, K)
    unit = games.vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    found = 0
    for at in np.random.default_rng(1).choice(len(games), sample, replace=False):
        cosines = unit @ unit[at]
        cosines[at] = -2
        least = np.partition(cosines, -K)[-K]
        theirs = cosines[np.searchsorted(games.appids, matches.neighbours[at])]
        found += int((theirs < least - 1e-12).sum())
    return found


def peak(games: int, dims: int, pipe: "multiprocessing.connection.Connection") -> None:
    """Send by how many bytes making, preparing and matching features raises this process's peak."""
    before = resident("VmRSS")
    matching.all_matches(matching.prepare(made_up(games, dims)), K)
    pipe.send(resident("VmHWM") - before)


def resident(kind: str) -> int:
    """Return this process's memory in bytes, at present (VmRSS) or at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(kind))


def memory(games: int, dims: int) -> int:
    """Return what `peak` sends from a process of its own."""
    ours, theirs = multiprocessing.Pipe()
    process = Process(target=peak, args=(games, dims, theirs))
    process.start()
    taken = ours.recv()
    process.join()
    return taken


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--games", type=int, default=100_000)
    words.add_argument("--dims", type=int, default=768)
    words.add_argument("--runs", type=int, default=3)
    words.add_argument("--slice", type=int, default=2 * TILE)
    given = words.parse_args()
    print(
        f"{given.games:,} x {given.dims}, top {K}, {given.runs} runs; {os.cpu_count()} cores, {platform.machine()}; "
        f"torch {torch.__version__}, faiss {faiss.__version__}, scikit-learn {sklearn.__version__}\n"
    )
    taken = memory(given.games, given.dims)  # first, while this process is small: some kernels hand its peak down
    games = matching.prepare(made_up(given.games, given.dims))
    speed(games, given.runs, min(given.slice, given.games))
    stored, prepared = games.vectors.nbytes / 2e9, games.vectors.nbytes / 1e9
    print(f"\nmemory: {taken / 1e9:.2f} GB, of which {stored:.2f} features as stored and {prepared:.2f} prepared")
    print(f"neighbours of {SAMPLE} games that float64 would not have named, ties aside: {wrong(games, SAMPLE)}")


if __name__ == "__main__":
    main()
