"""A checkpoint's name -> its model, its own preprocessing and the meaning of its features, in one Encoder.

What the features of each family are stands in network.py, how a banner becomes an input in preparation.py.
"""

from collections import ChainMap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers.utils import logging

from utils import files, settings
from utils.encoder import checkpoint as stored
from utils.encoder.checkpoint import CHECKPOINTS, CONFIG, first_line
from utils.encoder.encoder import Encoder, choose_device, choose_dtype
from utils.encoder.network import build, load_model, read_config
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
    ever run. `pooling` is one of settings.POOLINGS; what each means stands in network.py. `image` is one of
    settings.IMAGES. `device` is the accelerator where there is one; `dtype` (one of settings.DTYPES) is the fastest
    that the device is made for: bfloat16, else float16 on a GPU and float32 on a CPU. `views` are some of VIEWS, by
    default those that its config.json names as `steam_banners_views`, else the whole banner alone.

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
        folder = stored.locate(checkpoint)
        hub_name = "" if folder == Path(checkpoint) else str(checkpoint)
        config = stored.read_json(folder / CONFIG)
        family, parsed, stride = read_config(config)
        family.require(pooling)
        processor_file, processor = stored.read_processor(folder)
        views = config.get("steam_banners_views", VIEWS[:1]) if views is None else views
        preparation = read_preparation(processor, image, views, stride, trimmed=not family.stride)
        weights, shards = stored.weights_files(folder, hub_name)
        model = load_model(family, parsed, dict(ChainMap(*map(stored.read_weights, shards))))
        network = build(family, model, pooling, preparation.size, stride, folder=folder)
        identity = stored.name_and_revision(folder, hub_name, [folder / CONFIG, processor_file, *shards])
        identity |= {"weights": weights, "trained": not config.get("steam_banners_untrained", False)}
        identity |= {"pooling": pooling, "image": image, "views": "+".join(preparation.views)}
        return Encoder(network, preparation, identity, chosen_device, chosen_dtype)


def check(checkpoint: str | Path) -> None:
    """Raise what `load` would for a checkpoint's name, config and processor; no weights are downloaded or read."""
    with _loading(checkpoint):
        folder = stored.locate(checkpoint)
        read_config(stored.read_json(folder / CONFIG))
        stored.read_processor(folder)
        if folder == Path(checkpoint):  # a local folder, whose weights are not on the hub
            stored.weights_files(folder)


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
