"""A tiny BEiT that was never trained: for tests of the machinery, where a real checkpoint would take too long."""

from __future__ import annotations

import json
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import BeitForImageClassification

_PROCESSOR = {
    "do_center_crop": False,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "BeitImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
    "size": {"height": 224, "width": 224},
}


def checkpoint(folder: Path) -> Path:
    """Write a tiny, untrained BEiT of the fine-tuned type into a folder, unless it is there; return the folder.

    224 x 224 pixels, patches of 16, 64 dims, 4 blocks, 262,000 parameters that depend on nothing but their names: the
    same on every machine. Its config has `steam_banners_untrained`. config.json comes last, so what has it is whole.
    """
    folder = Path(folder)
    if (folder / "config.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        _save(_tiny_beit(), beside)
        Path(beside, "preprocessor_config.json").write_text(json.dumps(_PROCESSOR, indent=2))
        for file in ("preprocessor_config.json", "model.safetensors", "config.json"):
            Path(beside, file).replace(folder / file)
    return folder


def _tiny_beit() -> BeitForImageClassification:
    import torch
    from transformers import BeitConfig, BeitForImageClassification

    config = BeitConfig(
        hidden_size=64,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=256,
        use_relative_position_bias=True,
        num_labels=2,  # ty: ignore[unknown-argument] - kept in the config, as any other
        steam_banners_untrained=True,  # ty: ignore[unknown-argument]
    )
    with torch.random.fork_rng():
        model = BeitForImageClassification(config)
    for name, parameter in model.named_parameters():
        parameter.data = torch.from_numpy(_weights(name, tuple(parameter.shape)))
    return model


def _save(model: BeitForImageClassification, folder: str) -> None:
    """`save_pretrained` without its progress bar."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        model.save_pretrained(folder)
    finally:
        if shown:
            logging.enable_progress_bar()


def _weights(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter that does not vanish, float32, scaled so that signals keep their size from block to block."""
    noise = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, np.float32)
    if "lambda" in name:
        return 0.5 + 0.1 * noise
    if "layernorm" in name:
        return name.endswith("weight") + 0.1 * noise
    if "relative_position_bias" in name:
        return 0.5 * noise
    if name.endswith("weight"):
        return noise / np.sqrt(noise[0].size)
    return 0.05 * noise
