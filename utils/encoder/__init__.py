"""A checkpoint's name -> its model, its own preprocessing and the meaning of its features, in one Encoder.

What the features of each family are stands in network.py, how a banner becomes an input in preparation.py.
"""

from collections import ChainMap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils import logging

from utils import files, settings
from utils.encoder import checkpoint as stored
from utils.encoder import efficientnet
from utils.encoder.checkpoint import CHECKPOINTS, first_line
from utils.encoder.encoder import Encoder, choose_device, choose_dtype
from utils.encoder.network import Family, Model, build, load_model, read_config
from utils.encoder.preparation import VIEWS, read_preparation
from utils.errors import CheckpointError, PlainError, SettingsError, shown

__all__ = ["CHECKPOINTS", "VIEWS", "Encoder", "check", "load"]


def load(  # noqa: PLR0917 - the first three are what a checkpoint is called by
    checkpoint: str | Path,
    pooling: str = "pooled",
    image: str = "squash",
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    views: Sequence[str] | None = None,
) -> Encoder:
    """Return the Encoder of a checkpoint: one of CHECKPOINTS, another of a known family by name, or a local folder.

    The known ones come at the revision given there, others at `main`; the identity has the commit. Where there are no
    safetensors, `pytorch_model.bin` is read as plain tensors (`weights_only`); no other pickle and no remote code is
    ever run. "efficientnet-lite2" comes from two packages instead. `pooling` is one of settings.POOLINGS; what each
    means stands in network.py. `image` is one of settings.IMAGES. `device` is the accelerator where there is one;
    `dtype` (one of settings.DTYPES) is the fastest that the device is made for: bfloat16, else float16 on a GPU and
    float32 on a CPU. `views` are some of VIEWS, by default those that its config.json names as `steam_banners_views`,
    else the whole banner alone.

    Raises CheckpointError for a checkpoint that is unknown, incomplete, unsafe, not finite or of another family, and
    for a pooling that it was not trained for; HttpError where the hub gives no answer; StorageError; SettingsError for
    an unknown pooling, image, device, dtype or view.
    """
    for name, value, allowed in (("pooling", pooling, settings.POOLINGS), ("image", image, settings.IMAGES)):
        if value not in allowed:
            raise SettingsError(f"{name} is {shown(repr(value), 100)}; allowed are {', '.join(allowed)}")
    chosen_device = choose_device(device)
    chosen_dtype = choose_dtype(dtype, chosen_device)
    with _loading(checkpoint):
        known = _look_at(checkpoint)
        family = known.family
        if pooling not in family.poolings:
            said = f"pooling is {pooling!r}, which {family.title} was not trained for"
            raise CheckpointError(f"{said}; allowed are {', '.join(family.poolings)}")
        preparation = read_preparation(
            known.processor, image, known.views if views is None else views, known.stride, trimmed=not family.stride
        )
        model, identity = known.read()
        network = build(family, model, pooling, preparation.size, known.stride, folder=known.folder)
        identity |= {"pooling": pooling, "image": image, "views": "+".join(preparation.views)}
        return Encoder(network, preparation, identity, chosen_device, chosen_dtype)


def check(checkpoint: str | Path) -> None:
    """Raise what `load` would for a checkpoint's name, config and processor; no weights are downloaded or read."""
    with _loading(checkpoint):
        _look_at(checkpoint)


@dataclass(frozen=True)
class _Known:
    """What is known of a checkpoint before its weights are read."""

    folder: Path
    family: Family
    stride: int  # pixels from one patch, or cell of a map, to the next
    processor: dict
    read: Callable[[], tuple[Model, dict]]  # -> its model and its identity
    views: object = VIEWS[:1]


def _look_at(checkpoint: str | Path) -> _Known:
    if str(checkpoint) == efficientnet.NAME:
        efficientnet.require_packages()
        family = efficientnet.FAMILY
        return _Known(Path(), family, family.stride, efficientnet.PROCESSOR, efficientnet.read)
    folder = stored.locate(checkpoint)
    is_local = folder == Path(checkpoint)
    config = stored.read_json(folder / stored.CONFIG)
    family, parsed, stride = read_config(config)
    processor_file, processor = stored.read_processor(folder)
    if is_local:
        stored.weights_files(folder)

    def read() -> tuple[Model, dict]:
        name, shards = stored.weights_files(folder, "" if is_local else str(checkpoint))
        model = load_model(family, parsed, dict(ChainMap(*map(stored.read_weights, shards))))
        return model, {
            "checkpoint": folder.resolve().name if is_local else str(checkpoint),
            "revision": stored.hashed([folder / stored.CONFIG, processor_file, *shards]) if is_local else folder.name,
            "weights": name,
            "trained": not config.get("steam_banners_untrained", False),
        }

    return _Known(folder, family, stride, processor, read, config.get("steam_banners_views", VIEWS[:1]))


@contextmanager
def _loading(checkpoint: str | Path) -> Iterator[None]:
    """Raise whatever a checkpoint raises as one line that begins with its name as typed, and keep transformers quiet.

    The kinds of transformers, torch, the hub and the disk are many where a checkpoint is not sound. Hidden are a
    progress bar and a table of weights left over: what counts of them is checked here.
    """
    name = shown(checkpoint, 200) or "''"
    bar = logging.is_progress_bar_enabled()
    level = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from None
    except PlainError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # the disk's
            with files.storage_errors(Path(name)):
                raise
        raise CheckpointError(f"{name}: it cannot be loaded: {first_line(error)}") from None
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
