"""Pictures a second from shards to features, family by family, beside their limit and their peer, in one run.

    python benchmarks/extraction.py                            BEiT-base on this machine's best device
    python benchmarks/extraction.py --families beit dinov2 clip bit
    python benchmarks/extraction.py --families all             some six minutes on two cores
    python benchmarks/extraction.py --families all --pictures 2000

The limit is the forward pass alone, on pictures that are ready; the peer is transformers' own pipeline on the same
banners, in the same precision. Speed does not depend on the weights: they are random, in networks of the true shape.
The banners come from the sample store through the notebooks' own download, unless --snapshots names a folder that has
some. Stages are run in turn, again and again, so that whatever else the machine does meets all of them: after one round
that is not counted, --repeats rounds, or fewer, but three at least, where --seconds have passed.

On a CPU, all families are measured on one batch of 16 pictures, without the peer. Where a network takes only some ms a
picture (MobileNetV2), decoding on the same cores is a share of the time that no code can hide.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import PreTrainedConfig, ViTImageProcessorPil
from transformers.utils import logging

import sample
from utils import banners, catalogue, encoder, features, settings, snapshot

Stage = Callable[[], int]  # does its work once and returns how many pictures it was

FEWEST = 3  # rounds that are counted at least
BASE = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
SHAPES: dict[str, Callable[[], PreTrainedConfig]] = {  # the size that stands in encoder.CHECKPOINTS
    "beit": lambda: transformers.BeitConfig(use_relative_position_bias=True),
    "vit": transformers.ViTConfig,
    "dinov2": lambda: transformers.Dinov2Config(image_size=518, patch_size=14),
    "dinov2_with_registers": lambda: transformers.Dinov2WithRegistersConfig(image_size=518, patch_size=14),
    "dinov3_vit": lambda: transformers.DINOv3ViTConfig(**BASE, num_register_tokens=4),
    "clip": lambda: transformers.CLIPConfig(text_config={"num_hidden_layers": 1}),  # no picture goes through it
    "siglip": lambda: transformers.SiglipConfig(text_config={"num_hidden_layers": 1}),
    "bit": transformers.BitConfig,
    "mobilenet_v2": transformers.MobileNetV2Config,
    "resnet": transformers.ResNetConfig,
    "convnextv2": lambda: transformers.ConvNextV2Config(hidden_sizes=[128, 256, 512, 1024], depths=[3, 3, 27, 3]),
}
SAVED_AS = {"beit": transformers.BeitForImageClassification}  # its trained norm is there only
PEERS = {"clip": transformers.CLIPVisionModel, "siglip": transformers.SiglipVisionModel}  # the half that sees


def main() -> None:
    options = _options()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as home:
        folder = options.snapshots or _snapshots(Path(home) / "snapshots", options.pictures)
        _print_conditions(options, folder)
        for name in options.families:
            checkpoint = _random_checkpoint(Path(home) / name, name)
            for image in options.images:
                stages = _stages(options, checkpoint, name, folder, image)
                _print_row(f"{name}, {image}", _measure(stages, options.repeats, options.seconds))
            shutil.rmtree(checkpoint)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", default=["beit"], choices=["all", *SHAPES])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", help="default: the fastest that the device is made for")
    parser.add_argument("--snapshots", type=Path, help="a folder of snapshots")
    parser.add_argument("--images", nargs="+", default=["squash"], choices=settings.IMAGES)
    parser.add_argument("--pictures", type=int, help="default: 32 (16 for all families) on a CPU, 20,000 on a GPU")
    parser.add_argument("--peer-pictures", type=int, help="0 for none; default: 16 (0) on a CPU, 400 on a GPU")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=25, help="for the rounds of a row")
    options = parser.parse_args()
    every = "all" in options.families
    on_cpu = options.device == "cpu"
    options.pictures = options.pictures or (20_000 if not on_cpu else 16 if every else 32)
    if options.peer_pictures is None:
        options.peer_pictures = 400 if not on_cpu else 0 if every else 16
    options.families = list(SHAPES) if every else options.families
    return options


def _random_checkpoint(folder: Path, name: str) -> Path:
    """Write a network of the true shape, with random weights."""
    torch.manual_seed(0)
    config = SHAPES[name]()
    model = SAVED_AS[name](config) if name in SAVED_AS else transformers.AutoModel.from_config(config)
    model.save_pretrained(folder)
    side = 448 if name == "bit" else 224
    half = [0.5, 0.5, 0.5]
    processor = {"size": {"height": side, "width": side}, "resample": 2, "image_mean": half, "image_std": half}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder


def _snapshots(folder: Path, count: int) -> Path:
    stock = sample.Stock(sample.many(count).games, _picture)
    with sample.Store(stock) as store, contextlib.redirect_stderr(io.StringIO()):
        addresses = {"api_url": store.api_url, "assets_url": store.assets_url}
        snapshot.update(catalogue.fetch_catalogue(**addresses), folder, assets_url=store.assets_url)
    return folder


def _picture(appid: int) -> bytes:
    """Return a JPEG with as much detail as a banner: some 50 KB as it is stored."""
    rng = np.random.default_rng(appid)
    few = Image.fromarray(rng.integers(0, 256, (6, 4, 3)).astype(np.uint8))
    smooth = few.resize((256, 384), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 9, (384, 256, 1))
    content = io.BytesIO()
    Image.fromarray((np.asarray(smooth) + grain).clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=95)
    return content.getvalue()


def _stages(options: argparse.Namespace, checkpoint: Path, name: str, folder: Path, image: str) -> dict[str, Stage]:
    network = encoder.load(checkpoint, image=image, device=options.device, dtype=options.dtype)
    stages = {"limit": _limit(network, options.pictures), "ours": _ours(network, folder)}
    if options.peer_pictures:
        jpegs = [banner.jpeg for banner in banners.read(folder)][: options.peer_pictures]
        stages["pipeline"] = _pipeline(network, checkpoint, name, jpegs)
    return stages


def _limit(network: encoder.Encoder, count: int) -> Stage:
    batch = torch.randint(
        0, 256, (network.batch_size, *network.preparation.shape, 3), dtype=torch.uint8, device=network.device
    )
    passes = max(1, count // network.batch_size)

    def forward() -> int:
        last = batch
        for _ in range(passes):
            last = network.embed(batch)
        last.cpu()  # waits for the device
        return passes * network.batch_size

    return forward


def _ours(network: encoder.Encoder, folder: Path) -> Stage:
    def extract() -> int:
        with tempfile.TemporaryDirectory() as out, contextlib.redirect_stderr(io.StringIO()):
            return len(features.extract(folder, network, Path(out)))

    return extract


def _pipeline(network: encoder.Encoder, checkpoint: Path, name: str, jpegs: list[bytes]) -> Stage:
    height, width = network.preparation.shape
    model = PEERS.get(name, transformers.AutoModel).from_pretrained(checkpoint, dtype=network.dtype)
    processor = ViTImageProcessorPil(size={"height": height, "width": width}, resample=2)
    pipe = transformers.pipeline(
        "image-feature-extraction", model=model, image_processor=processor, device=network.device
    )

    def run() -> int:
        return len(pipe([Image.open(io.BytesIO(jpeg)) for jpeg in jpegs], pool=True))

    return run


def _measure(stages: dict[str, Stage], repeats: int, seconds: float) -> dict[str, list[float]]:
    """Return the pictures a second of each stage and round, after one uncounted run that warms the limit, too."""
    rates: dict[str, list[float]] = {name: [] for name in stages}
    _run_once({name: stage for name, stage in stages.items() if name != "limit"})
    deadline = time.perf_counter() + seconds
    for number in range(repeats):
        if number >= FEWEST and time.perf_counter() > deadline:
            break
        for name, rate in _run_once(stages).items():
            rates[name].append(rate)
    return rates


def _run_once(stages: dict[str, Stage]) -> dict[str, float]:
    rates = {}
    for name, stage in stages.items():
        start = time.perf_counter()
        rates[name] = stage() / (time.perf_counter() - start)
    return rates


def _print_conditions(options: argparse.Namespace, folder: Path) -> None:
    shards = snapshot.verified(folder)
    kilobytes = sum(shard.path.stat().st_size for shard in shards) / sum(len(shard.appids) for shard in shards) / 1e3
    device = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor() or platform.machine()
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, transformers {transformers.__version__}"
    print(f"{device}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {versions}")
    rounds = f"up to {options.repeats} interleaved rounds of {options.pictures} pictures"
    print(f"random weights of the true shape; banners of {kilobytes:.0f} KB; {rounds}")
    peer = " pipeline | over it |" if options.peer_pictures else ""
    print(f"pictures a second, median (range)\n\n| family, input | ours | limit | of the limit |{peer}")
    print(f"|---|---|---|---|{'---|---|' if peer else ''}", flush=True)


def _print_row(title: str, rates: dict[str, list[float]]) -> None:
    figures = [title, _shown(rates["ours"]), _shown(rates["limit"]), f"{_ratio(rates, 'limit'):.2f}"]
    if "pipeline" in rates:
        figures += [_shown(rates["pipeline"]), f"{_ratio(rates, 'pipeline'):.1f}"]
    print(f"| {' | '.join(figures)} |", flush=True)


def _shown(rates: list[float]) -> str:
    return f"{median(rates):,.1f} ({min(rates):,.1f} to {max(rates):,.1f})"


def _ratio(rates: dict[str, list[float]], other: str) -> float:
    """Return how ours compares with another stage, round by round."""
    return median(mine / theirs for mine, theirs in zip(rates["ours"], rates[other], strict=True))


if __name__ == "__main__":
    main()
