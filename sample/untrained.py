"""Tiny networks that were never trained: for tests of the machinery, and to stand beside a trained one in the study."""

from __future__ import annotations

import json
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SIDES = {"beit": 224, "clip": 128, "dinov2": 112, "convnextv2": 128}  # family -> pixels of the input's sides

_SMALL: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 256}
_READER = _SMALL | {"vocab_size": 16, "bos_token_id": 14, "eos_token_id": 15, "pad_token_id": 0}  # reads no word
_PROCESSOR = {
    "do_center_crop": False,
    "do_normalize": True,
    "do_resize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_processor_type": "BeitImageProcessor",
    "image_std": [0.5, 0.5, 0.5],
    "resample": 2,
}


def checkpoint(folder: Path, family: str = "beit") -> Path:
    """Write a tiny, untrained network of a family into a folder, unless it is there; return the folder.

    `family` is one of SIDES. The BEiT, of the fine-tuned type, has patches of 16, 64 dims, 4 blocks and 262,000
    parameters; the others are as small. Weights depend on nothing but their names and shapes: they are the same on
    every machine. The config has `steam_banners_untrained`. config.json comes last, so what has it is whole.
    """
    folder = Path(folder)
    if (folder / "config.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as beside:
        _save(_tiny(family), beside)
        processor = _PROCESSOR | {"size": {"height": SIDES[family], "width": SIDES[family]}}
        Path(beside, "preprocessor_config.json").write_text(json.dumps(processor, indent=2))
        for file in ("preprocessor_config.json", "model.safetensors", "config.json"):
            Path(beside, file).replace(folder / file)
    return folder


def _tiny(family: str) -> PreTrainedModel:
    import torch

    with torch.random.fork_rng():
        model = _random(family)
    model.config.steam_banners_untrained = True
    for name, parameter in model.named_parameters():
        parameter.data = torch.as_tensor(_weights(name, tuple(parameter.shape)))
    return model


def _random(family: str) -> PreTrainedModel:
    import transformers

    side = SIDES[family]
    if family == "clip":
        seen = _SMALL | {"image_size": side, "patch_size": 16}
        return transformers.CLIPModel(
            transformers.CLIPConfig(text_config=_READER, vision_config=seen, projection_dim=64)
        )
    if family == "dinov2":
        return transformers.Dinov2Model(transformers.Dinov2Config(**_SMALL, image_size=side, patch_size=14))
    if family == "convnextv2":
        config = transformers.ConvNextV2Config(hidden_sizes=[16, 32, 64, 128], depths=[1, 1, 3, 1])
        return transformers.ConvNextV2Model(config)
    config = transformers.BeitConfig(
        **_SMALL,
        use_relative_position_bias=True,
        num_labels=2,  # ty: ignore[unknown-argument] - kept in the config, as any other
    )
    return transformers.BeitForImageClassification(config)


def _save(model: PreTrainedModel, folder: str) -> None:
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
    if "norm" in name:
        return name.endswith("weight") + 0.1 * noise
    if "relative_position_bias" in name:
        return 0.5 * noise
    if name.endswith("weight"):
        return noise / np.sqrt(noise[0].size, dtype=np.float32)
    return 0.05 * noise
