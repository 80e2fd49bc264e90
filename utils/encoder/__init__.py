"""A checkpoint's name -> its model, its own preprocessing and the meaning of its features, in one Encoder.

What the features of each family are stands in network.py, how a banner becomes an input in preparation.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from utils import files, settings
from utils.encoder import efficientnet
from utils.encoder.checkpoint import (
    CHECKPOINTS,
    CONFIG,
    first_line,
    folder_hash,
    is_folder,
    locate,
    read_json,
    read_processor,
    weights_files,
)
from utils.encoder.encoder import Encoder, choose_device, choose_dtype, device_name
from utils.encoder.network import Network, Norm, build, family_of, parse_config, stride_of
from utils.encoder.preparation import VIEWS, Preparation, read_preparation
from utils.errors import CheckpointError, PlainError, SettingsError
from utils.names import shortened, visible

__all__ = ["CHECKPOINTS", "VIEWS", "Encoder", "Norm", "check", "device_name", "load"]


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
    _require("pooling", pooling, settings.POOLINGS)
    _require("image", image, settings.IMAGES)
    chosen_device = choose_device(device)
    chosen_dtype = choose_dtype(dtype, chosen_device)
    with _one_line(checkpoint):
        if str(checkpoint) == efficientnet.NAME:
            identity = efficientnet.IDENTITY
            network, preparation = efficientnet.build_efficientnet(pooling, image, _chosen_views(views))
        else:
            network, preparation, identity = _from_files(checkpoint, pooling, image, views)
        identity = identity | {"pooling": pooling, "image": image, "views": "+".join(preparation.views)}
        return Encoder(network, preparation, identity, chosen_device, chosen_dtype)


def check(checkpoint: str | Path) -> None:
    """Raise what `load` would for a checkpoint's name, config and processor; no weights are downloaded or read."""
    with _one_line(checkpoint):
        if str(checkpoint) == efficientnet.NAME:
            efficientnet.require_packages()
            return
        folder = locate(checkpoint, weights=False)
        config = read_json(folder / CONFIG)
        stride_of(family_of(config), parse_config(family_of(config), config))
        read_processor(folder)
        if is_folder(checkpoint):
            weights_files(folder)


def _from_files(
    checkpoint: str | Path, pooling: str, image: str, views: Sequence[str] | None
) -> tuple[Network, Preparation, dict]:
    folder = locate(checkpoint)
    config = read_json(folder / CONFIG)
    family = family_of(config)
    parsed = parse_config(family, config)
    chosen = _chosen_views(views, config.get("steam_banners_views"))
    stride = stride_of(family, parsed)
    preparation = read_preparation(read_processor(folder), image, chosen, stride, trimmed=not family.stride)
    weights, shards = weights_files(folder)
    network = build(family, parsed, shards, pooling, preparation.size)
    here = is_folder(checkpoint)
    identity = {
        "checkpoint": folder.resolve().name if here else str(checkpoint),
        "revision": folder_hash(folder) if here else folder.name,
        "weights": weights,
        "trained": not config.get("steam_banners_untrained", False),
    }
    return network, preparation, identity


def _chosen_views(asked: Sequence[str] | None, own: object = None) -> tuple[str, ...]:
    """Return the views asked for, else a checkpoint's own, else the whole banner."""
    if asked is None and own is None:
        return VIEWS[:1]
    views = own if asked is None else asked
    if not isinstance(views, list | tuple) or not views or len(set(map(str, views))) < len(views):
        raise SettingsError(f"views are {shortened(repr(views), 100)}; allowed are some of {', '.join(VIEWS)}")
    for view in views:
        _require("a view", view, VIEWS)
    return tuple(views)


def _require(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingsError(f"{name} is {shortened(repr(value), 100)}; allowed are {', '.join(allowed)}")


@contextmanager
def _one_line(checkpoint: str | Path) -> Iterator[None]:
    """Raise whatever a checkpoint raises as one line that begins with its name as typed.

    The kinds of transformers, torch, the hub and the disk are many where a checkpoint is not sound.
    """
    name = shortened(visible(str(checkpoint)), 200) or "''"
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
