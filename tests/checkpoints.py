"""Small BEiT checkpoints with weights that no library's version changes, in today's form and in that of 2021."""

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BeitConfig, BeitForImageClassification, BeitForMaskedImageModeling, BeitImageProcessorPil

from utils import settings

KINDS = {"tuned": BeitForImageClassification, "masked": BeitForMaskedImageModeling}
IMAGES = [settings.IMAGES[0], *(pytest.param(image, marks=pytest.mark.slow) for image in settings.IMAGES[1:])]

BLOCKS = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
_SMALL = BLOCKS | {"intermediate_size": 64, "patch_size": 16}
OLD_NAMES = [  # today's names of weights -> those of 2021
    (r"^((beit\.)?)layers\.", r"\1encoder.layer."),
    (r"^beit\.shared_position_bias\.", "beit.encoder.relative_position_bias."),
    (r"(layer\.\d+)\.relative_position_bias\.", r"\1.attention.attention.relative_position_bias."),
    (r"attention\.q_proj\.", "attention.attention.query."),
    (r"attention\.k_proj\.", "attention.attention.key."),
    (r"attention\.v_proj\.", "attention.attention.value."),
    (r"attention\.o_proj\.", "attention.output.dense."),
    (r"mlp\.fc1\.", "intermediate.dense."),
    (r"mlp\.fc2\.", "output.dense."),
]


def write(folder: Path, kind: str = "tuned", form: str = "today", *, image_size: int = 224, **config) -> Path:
    """Write a checkpoint of one of KINDS, in today's form or the "old" one; return its folder."""
    model = small(kind, image_size=image_size, **config)
    model.save_pretrained(folder)
    numbers = {"resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    BeitImageProcessorPil(size={"height": image_size, "width": image_size}, **numbers).save_pretrained(folder)
    if form == "old":
        make_old(folder, model, OLD_NAMES)
    return folder


def make_old(folder: Path, model: torch.nn.Module, names: list[tuple[str, str]], prefix: str = "", **more) -> None:
    """Make a checkpoint as those of 2021 on the hub are: old names, `pytorch_model.bin`, `more` in it, sizes alone."""
    weights = dict(more)
    for name, weight in model.state_dict().items():
        for pattern, old in names:
            name = re.sub(pattern, old, name)
        weights[prefix + name] = weight
        if name.endswith("relative_position_bias_table"):  # with a buffer, which is computed now
            weights[name.replace("bias_table", "index")] = torch.zeros(5, 5, dtype=torch.int64)
    torch.save(weights, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    file = folder / "preprocessor_config.json"
    for name, size in json.loads(file.read_text()).items():
        if isinstance(size, dict) and "height" in size:
            edit(file, **{name: size["height"]})


def edit(file: Path, **values) -> None:
    """Change entries of a JSON file."""
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def small(kind: str, *, image_size: int = 224, **config) -> torch.nn.Module:
    """Return a model of three blocks and 32 dims, filled."""
    masked = kind == "masked"
    bias = {"use_shared_relative_position_bias": masked, "use_relative_position_bias": not masked}
    heads = {"use_mask_token": True, "vocab_size": 16} if masked else {"num_labels": 5}
    return filled(KINDS[kind](BeitConfig(**_SMALL | bias | heads | {"image_size": image_size} | config)))


def filled(model: torch.nn.Module) -> torch.nn.Module:
    """Return a model with weights that depend on nothing but their names and shapes."""
    for name, weight in model.named_parameters():
        weight.data = torch.from_numpy(numbers(name, tuple(weight.shape)))
    return model.eval()


def numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return a weight by its name: near 1 for a scale, of unit gain for a matrix, of unit size for the rest."""
    found = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)  # a stream frozen for good
    if "lambda" in name or (name.endswith("weight") and len(shape) == 1):
        found = 1 + 0.3 * found
    elif name.endswith("weight"):
        found /= np.sqrt(np.prod(shape[1:]))
    return np.asarray(found, np.float32)
