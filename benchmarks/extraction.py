"""Pictures a second from shards to features, beside their limit and their peers, measured side by side in one run.

    python benchmarks/extraction.py                         this machine's best device, BEiT-base, random weights
    python benchmarks/extraction.py --device cpu --pictures 64 --compile
    python benchmarks/extraction.py --variants              the limit itself under other settings

Speed does not depend on the weights, so that random ones do; --checkpoint takes a name or a folder instead. The banners
come from the sample store through the same download as the notebooks', unless --snapshots names a folder that has some.
"""

import argparse
import io
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, BeitConfig, BeitForImageClassification, BeitImageProcessorPil

import sample
from utils import banners, catalogue, encoder, features, settings, snapshot
from utils.features.reading import Task, chunks_of

Stage = Callable[[], int]  # does its work once and returns how many pictures it was


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as home:
        checkpoint = options.checkpoint or _random_checkpoint(Path(home) / "beit-base")
        folder = options.snapshots or _snapshots(Path(home) / "snapshots", options.pictures)
        _print_conditions(options, folder)
        for image in options.images:
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
                memory = fresh.submit(_memory, checkpoint, image, folder, options).result()
            stages = (_variants if options.variants else _stages)(options, checkpoint, folder, image)
            _print_table(image, _measure(stages, options.repeats), memory)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", help="default: the fastest that the device is made for")
    parser.add_argument("--checkpoint")
    parser.add_argument("--snapshots", type=Path, help="a folder of snapshots")
    parser.add_argument("--images", nargs="+", default=["squash", "whole"], choices=settings.IMAGES)
    parser.add_argument("--pictures", type=int, help="for us; default: 96 on a CPU, 20,000 on a GPU")
    parser.add_argument("--peer-pictures", type=int, help="for the slower ways; default: 12 on a CPU, 400 on a GPU")
    parser.add_argument("--batch", type=int, help="default: the encoder's")
    parser.add_argument("--workers", type=int, help="default: ours")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="ours and the limit with torch.compile")
    parser.add_argument("--variants", action="store_true", help="only the limit, under other settings")
    options = parser.parse_args()
    on_cpu = options.device == "cpu"
    options.pictures = options.pictures or (96 if on_cpu else 20_000)
    options.peer_pictures = options.peer_pictures or (12 if on_cpu else 400)
    return options


# ------------------------------------------------------------------------------------------------------ what is used


def _random_checkpoint(folder: Path) -> Path:
    torch.manual_seed(0)
    BeitForImageClassification(BeitConfig(use_relative_position_bias=True)).save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    BeitImageProcessorPil(resample=2, image_mean=half, image_std=half).save_pretrained(folder)
    return folder


def _snapshots(folder: Path, count: int) -> Path:
    stock = sample.Stock(sample.many(count).games, _picture)
    with sample.Store(stock) as store:
        addresses = {"api_url": store.api_url, "assets_url": store.assets_url}
        snapshot.update(catalogue.fetch_catalogue(**addresses), folder, assets_url=store.assets_url)
    return folder


def _picture(appid: int) -> bytes:
    """Return a JPEG with as much detail as a banner: some 50 KB as it is stored."""
    rng = np.random.default_rng(appid % 97)
    smooth = Image.fromarray(rng.integers(0, 256, (6, 4, 3)).astype(np.uint8)).resize(
        (256, 384), Image.Resampling.BICUBIC
    )
    grain = rng.normal(0, 9, (384, 256, 1))
    content = io.BytesIO()
    Image.fromarray((np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=95)
    return content.getvalue()


# ------------------------------------------------------------------------------------------------- what is measured


def _stages(options: argparse.Namespace, checkpoint: str | Path, folder: Path, image: str) -> dict[str, Stage]:
    one = encoder.load(checkpoint, image=image, device=options.device, dtype=options.dtype)
    if options.compile:
        one.compile()
    one.batch_size = options.batch or one.batch_size
    few = [banner.jpeg for banner, _ in zip(banners.read(folder), range(options.peer_pictures), strict=False)]
    dtype = one.identity["dtype"]
    stages = {
        f"the limit: forward pass alone, {dtype}, batches of {one.batch_size}": _limit(one, options.pictures),
        "ours: from shards to features on disk": _ours(one, folder, options),
        "preparation alone, one process": _preparation(one, few * 4),
        "transformers' pipeline, as called by default (float32)": _pipeline(one, checkpoint, few, torch.float32),
        f"transformers' pipeline in {dtype}": _pipeline(one, checkpoint, few, one.dtype),
        "one picture at a time, as the first notebook did (float32)": _one_by_one(one, checkpoint, few),
    }
    if options.pictures > 1_000:  # with fewer, it would be the start of the processes that is measured
        stages["preparation alone, all cores"] = _preparation_by_workers(one, folder)
    return stages


def _limit(one: encoder.Encoder, count: int) -> Stage:
    batch = torch.randint(0, 256, (one.batch_size, *one.preparation.shape, 3), dtype=torch.uint8, device=one.device)
    passes = max(1, count // one.batch_size)

    def forward() -> int:
        for _ in range(passes):
            last = one.embed(batch)
        last.cpu()  # waits for the device
        return passes * one.batch_size

    return forward


def _ours(one: encoder.Encoder, folder: Path, options: argparse.Namespace) -> Stage:
    def extract() -> int:
        with tempfile.TemporaryDirectory() as out:
            return len(features.extract(folder, one, Path(out), workers=options.workers))

    return extract


def _preparation(one: encoder.Encoder, jpegs: list[bytes]) -> Stage:
    def prepare() -> int:
        return len([one.preparation(banners.decode(jpeg)) for jpeg in jpegs])

    return prepare


def _preparation_by_workers(one: encoder.Encoder, folder: Path) -> Stage:
    shards = dict(enumerate(snapshot.verified(folder)))
    cores = os.cpu_count() or 1

    def prepare() -> int:
        task = Task(shards, frozenset(), one.batch_size, cores)
        return sum(len(chunk.pictures) for chunk in chunks_of(task, one.preparation, pinned=False))

    return prepare


def _processor(one: encoder.Encoder, checkpoint: str | Path) -> AutoImageProcessor:
    height, width = one.preparation.shape
    return AutoImageProcessor.from_pretrained(checkpoint, size={"height": height, "width": width})


def _pipeline(one: encoder.Encoder, checkpoint: str | Path, jpegs: list[bytes], dtype: torch.dtype) -> Stage:
    pipe = transformers.pipeline(
        "image-feature-extraction",
        model=str(checkpoint),
        image_processor=_processor(one, checkpoint),
        device=one.device,
        dtype=dtype,
    )

    def run() -> int:
        return len(pipe([Image.open(io.BytesIO(jpeg)) for jpeg in jpegs], pool=True))

    return run


def _one_by_one(one: encoder.Encoder, checkpoint: str | Path, jpegs: list[bytes]) -> Stage:
    processor, model = _processor(one, checkpoint), AutoModel.from_pretrained(checkpoint).to(one.device).eval()

    @torch.no_grad()
    def run() -> int:
        for jpeg in jpegs:
            inputs = processor(images=Image.open(io.BytesIO(jpeg)), return_tensors="pt").to(one.device)
            model(**inputs).pooler_output.cpu()
        return len(jpegs)

    return run


def _variants(options: argparse.Namespace, checkpoint: str | Path, _folder: Path, image: str) -> dict[str, Stage]:
    """The forward pass with one thing changed at a time."""

    def load(dtype: str | None = options.dtype) -> encoder.Encoder:
        one = encoder.load(checkpoint, image=image, device=options.device, dtype=dtype)
        one.batch_size = options.batch or one.batch_size
        return one

    best = load()
    stages = {f"the limit: {best.identity['dtype']}, batches of {best.batch_size}": _limit(best, options.pictures)}
    for size in (1, best.batch_size // 2, best.batch_size * 2):
        other = load()
        other.batch_size = size
        stages[f"batches of {size}"] = _limit(other, options.pictures)
    left_out = (best.identity["dtype"], "float16" if options.device == "cpu" else "")  # few CPUs are made for float16
    for dtype in (each for each in settings.DTYPES if each not in left_out):
        stages[dtype] = _limit(load(dtype), options.pictures // 2)
    stages["float32, matmul precision medium"] = _medium(_limit(load("float32"), options.pictures // 2))
    eager, last = load(), load()
    eager._backbone.set_attn_implementation("eager")
    last._backbone.embeddings.to(memory_format=torch.channels_last)
    stages["eager attention"] = _limit(eager, options.pictures)
    stages["channels_last"] = _limit(last, options.pictures)
    stages["position bias anew in every layer, as transformers does"] = _as_it_comes(best, checkpoint, options.pictures)
    stages["torch.compile"] = _limit(load().compile(), options.pictures)
    return stages


def _medium(stage: Stage) -> Stage:
    def run() -> int:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("medium")
        try:
            return stage()
        finally:
            torch.set_float32_matmul_precision(before)

    return run


def _as_it_comes(one: encoder.Encoder, checkpoint: str | Path, count: int) -> Stage:
    model = BeitForImageClassification.from_pretrained(checkpoint, dtype=one.dtype).to(one.device).eval().beit
    pixels = torch.randn(one.batch_size, 3, *one.preparation.shape, dtype=one.dtype, device=one.device)
    passes = max(1, count // one.batch_size)

    @torch.no_grad()
    def forward() -> int:
        for _ in range(passes):
            last = model(pixels).pooler_output
        last.cpu()
        return passes * one.batch_size

    return forward


# ---------------------------------------------------------------------------------------------------- how it is told


class Row(NamedTuple):
    name: str
    first: float  # seconds of the first run, which may compile, and is not counted
    rate: float  # pictures a second, median
    share: float  # of the limit, median


def _measure(stages: dict[str, Stage], repeats: int) -> list[Row]:
    """Run the stages in turn, again and again, so that whatever else the machine does meets all of them."""
    first = {name: _seconds(stage)[1] for name, stage in stages.items()}
    rounds = [{name: _seconds(stage) for name, stage in stages.items()} for _ in range(repeats)]
    rates = {name: [count / seconds for count, seconds in (each[name] for each in rounds)] for name in stages}
    limit = next(iter(rates.values()))
    return [
        Row(name, first[name], median(rate), median([one / best for one, best in zip(rate, limit, strict=True)]))
        for name, rate in rates.items()
    ]


def _seconds(stage: Stage) -> tuple[int, float]:
    start = time.perf_counter()
    count = stage()
    return count, time.perf_counter() - start


def _memory(checkpoint: str | Path, image: str, folder: Path, options: argparse.Namespace) -> str:
    """Extract once more and return the most memory that this process, doing nothing else, had."""
    one = encoder.load(checkpoint, image=image, device=options.device, dtype=options.dtype)
    one.batch_size = options.batch or one.batch_size
    _ours(one, folder, options)()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = f"{int(status['VmHWM'].split()[0]) / 2**20:.1f} GiB"  # getrusage would count what the parent had
    return peak + (
        f" and {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB of the GPU's" if one.device.type == "cuda" else ""
    )


def _print_conditions(options: argparse.Namespace, folder: Path) -> None:
    shards = snapshot.verified(folder)
    kilobytes = sum(shard.path.stat().st_size for shard in shards) / sum(len(shard.appids) for shard in shards) / 1e3
    device = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor() or platform.machine()
    print(
        f"{device}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, Python {platform.python_version()}, ",
        end="",
    )
    print(f"torch {torch.__version__}, transformers {transformers.__version__}")
    print(f"{options.checkpoint or 'BEiT-base, random weights'}; banners of {kilobytes:.0f} KB; ", end="")
    print(f"{options.repeats} interleaved repetitions, medians")


def _print_table(image: str, rows: list[Row], memory: str) -> None:
    print(f"\n| {image} | pictures a second | of the limit | first run, s |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.name} | {row.rate:,.1f} | {row.share:.2f} | {row.first:.1f} |")
    print(f"\nmost memory of an extraction: {memory}", flush=True)


if __name__ == "__main__":
    main()
