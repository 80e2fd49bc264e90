"""A checkpoint's config and weights -> a model, bounded before it is built, read as plain tensors, and whole."""

import pickle
import re
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from utils.encoder.checkpoint import CheckpointError, weights_file

Model = Any  # a model of transformers: its parts are attributes that no type checker knows

_LARGEST_NUMBER = 2_000_000  # in a config; the longest vocabulary known has 256,000 words
_MOST_LAYERS = 256
_OURS = (
    "quantization_config",
    "auto_map",
    "attn_implementation",
    "_attn_implementation",
    "dtype",
    "torch_dtype",
    "return_dict",
)
_ATTENTION = (None, "eager", "sdpa", "flash_attention_2")  # others are code from the hub
_OBJECT = re.compile(r"<[\w.]+( object)? at 0x[0-9a-f]+>|<_io\.\w+[^>]*>")
_HEADS = re.compile(r"(classifier|pooler)\.")  # what a checkpoint may have beyond the model: heads that are not used


def load_model(
    kind: type[PreTrainedModel],
    folder: Path,
    config: PreTrainedConfig,
    *,
    spare: re.Pattern | None = _HEADS,
    options: dict[str, Any] | None = None,
) -> Model:
    """Return a model of a class in float32, with every weight from the checkpoint in `folder` and none left over.

    `spare` says which weights may be left over; `options` go to the model's constructor. No file but the weights is
    opened here, `pytorch_model.bin` with `weights_only`; nothing is asked of the hub. Raises CheckpointError.
    """
    file = weights_file(folder)
    weights = _read(file)
    switches = options or {}
    made: Any = kind
    with _refused(f"{folder.name} has a config that cannot be used"), torch.device("meta"):
        described = sum(each.numel() for each in made(config, **switches).parameters())
    held = sum(each.numel() for each in weights.values())
    if described > 2 * held + _LARGEST_NUMBER:
        raise CheckpointError(f"{folder.name}'s config describes {described:,} weights, {file.name} holds {held:,}")
    with _refused(f"{file} cannot be read"), _quiet():
        model, info = made.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # reported to us, and refused here
            output_loading_info=True,
            **switches,
        )
    _check_whole(model, info, folder.name, spare)
    return model.eval().requires_grad_(False)


def parse_config(kind: type[PreTrainedModel], config: dict, name: str) -> PreTrainedConfig:
    """Return the content of a config.json as the config of a class of models.

    Raises CheckpointError for one that asks for code, for quantized weights, or for numbers beyond any use.
    """
    _check_config(config, name)
    made: Any = kind
    with _refused(f"{name} has a config that cannot be used"), _quiet():
        return made.config_class.from_dict(_plain(config))


def _check_config(config: dict, name: str) -> None:
    if config.get("quantization_config"):
        raise CheckpointError(f"{name} has quantized weights; allowed are plain numbers (float32, float16, bfloat16)")
    for key, value in _entries(config):
        if key in ("attn_implementation", "_attn_implementation") and value not in _ATTENTION:
            raise CheckpointError(f"{name}'s config asks for the attention {value!r}; allowed are eager and sdpa")
        if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
            raise CheckpointError(f"{name}'s config has {key} {value}; allowed are numbers up to {_LARGEST_NUMBER:,}")
        if isinstance(value, int) and re.search("layers|depth", key) and value > _MOST_LAYERS:
            raise CheckpointError(f"{name}'s config has {key} {value}; allowed are up to {_MOST_LAYERS}")
        if isinstance(value, list) and len(value) > _MOST_LAYERS:
            raise CheckpointError(f"{name}'s config has {len(value):,} {key}; allowed are {_MOST_LAYERS}")


def _entries(config: dict) -> Iterator[tuple[str, object]]:
    """Yield the entries of a config and of all objects and lists in it."""
    left: list[tuple[str, object]] = list(config.items())
    while left:
        key, value = left.pop()
        yield key, value
        if isinstance(value, dict) and key not in ("id2label", "label2id"):
            left += [(str(name), each) for name, each in value.items()]
        elif isinstance(value, list):
            left += [(key, each) for each in value]


def _plain(config: dict) -> dict:
    """Return a config without what this package decides itself."""
    kept = {name: value for name, value in config.items() if name not in _OURS}
    for tower in ("vision_config", "text_config"):
        if isinstance(kept.get(tower), dict):
            kept[tower] = {name: value for name, value in kept[tower].items() if name not in _OURS}
    return kept


def _read(file: Path) -> dict[str, Tensor]:
    """Return the plain tensors of a file of weights, on the CPU."""
    try:
        weights = load_file(file) if file.suffix == ".safetensors" else _read_pickle(file)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{file} is refused: it holds more than plain tensors, or is broken; "
            f"take a checkpoint with model.safetensors ({_first_line(error)})"
        ) from None
    except (OSError, RuntimeError, ValueError, EOFError, LookupError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{file} cannot be read: {_first_line(error)}") from None
    if not isinstance(weights, dict) or not all(isinstance(each, Tensor) for each in weights.values()):
        raise CheckpointError(f"{file} holds no table of weights; take a checkpoint that save_pretrained wrote")
    claimed = sum(each.numel() * each.element_size() for each in weights.values())
    if claimed > file.stat().st_size:
        raise CheckpointError(f"{file} has {file.stat().st_size:,} bytes and claims {claimed:,} of weights")
    return weights


def _read_pickle(file: Path) -> dict[str, Tensor]:
    if not file.stat().st_size:
        raise ValueError("it is empty")
    if zipfile.is_zipfile(file):  # as torch.save writes it, uncompressed; a compressed one could fill the memory
        with zipfile.ZipFile(file) as archive:
            if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
                raise ValueError("it is compressed, which torch.save does not do")
    return torch.load(file, map_location="cpu", weights_only=True)


def _check_whole(model: Model, info: dict, name: str, spare: re.Pattern | None) -> None:
    """Raise CheckpointError for weights that are missing, left over, of another shape or not finite."""
    kind = type(model).__name__
    left_over = [each for each in info.get("unexpected_keys", ()) if not (spare and spare.search(str(each)))]
    found = info | {"unexpected_keys": left_over}
    faults = [f"{fault.removesuffix('_keys')} {_some(names)}" for fault, names in found.items() if names]
    if faults:
        raise CheckpointError(
            f"{name} does not fit {kind}, and a made-up weight is worse than none: {'; '.join(faults)}"
        )
    broken = [each for each, weight in model.state_dict().items() if not weight.isfinite().all()]
    if broken:
        raise CheckpointError(f"{name} has weights that are not finite: {_some(broken)}; fetch it again")


def _some(names: Iterable[object]) -> str:
    """Return the first names of many; a weight of another shape comes with both shapes, which are left out."""
    every = sorted(str(name[0] if isinstance(name, tuple) else name) for name in names)
    more = f" and {len(every) - 5} more" if len(every) > 5 else ""
    return ", ".join(every[:5]) + more


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Raise CheckpointError for whatever transformers raises: its kinds are many where a checkpoint is not sound."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # noqa: BLE001
        raise CheckpointError(f"{what}: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    """Return what an error says in its first line, without objects."""
    lines = _OBJECT.sub("it", str(error)).splitlines() or [""]
    return lines[0][:300] or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide transformers' own progress bar and its table of weights left over: what counts is checked here."""
    shown = logging.is_progress_bar_enabled()
    level = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
