"""`load`: a checkpoint's name, a pooling and an input -> an Encoder."""

from pathlib import Path
from typing import NamedTuple

import torch

from utils import settings
from utils.encoder import efficientnet
from utils.encoder.beit import BEIT, build_beit
from utils.encoder.checkpoint import CheckpointError, locate, read_config, read_processor, weights_file
from utils.encoder.devices import choose_device, choose_dtype
from utils.encoder.encoder import Encoder
from utils.encoder.families import FAMILIES, build, stride_of
from utils.encoder.network import Network
from utils.encoder.preparation import Preparation, read_preparation
from utils.encoder.weights import parse_config

Pooling = tuple[str, int | None]  # style and block


class _Made(NamedTuple):
    """A checkpoint made ready, and where it comes from."""

    network: Network
    preparation: Preparation
    checkpoint: str
    revision: str
    weights: str
    trained: bool


def load(
    checkpoint: str | Path,
    pooling: str = "pooled",
    image: str = "squash",
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Encoder:
    """Return the Encoder of a checkpoint: one of CHECKPOINTS, another of a known family by name, or a local folder.

    The known ones come at the revision given there, others at `main`; the identity has the commit. Where there are no
    safetensors, `pytorch_model.bin` is read as plain tensors (`weights_only`); no other pickle and no remote code is
    ever run. "efficientnet-lite2" comes from two packages instead. `pooling` is one of settings.POOLINGS or, with the
    number of a block, such as "mean@8"; what each means stands in families.py. `image` is one of settings.IMAGES.
    `device` is the accelerator where there is one; `dtype` (one of settings.DTYPES) is the fastest that the device is
    made for: bfloat16, else float16 on a GPU and float32 on a CPU.

    Raises CheckpointError for a checkpoint that is unknown, incomplete, unsafe, not finite or of another family, and
    for a pooling that it was not trained for; HubUnreachable; ValueError for an unknown pooling, block, image, device
    or dtype.
    """
    split = settings.split_pooling(pooling)
    if image not in settings.IMAGES:
        raise ValueError(f"image is {image!r}; allowed are {', '.join(settings.IMAGES)}")
    device = choose_device(device)
    dtype = choose_dtype(dtype, device)
    made = _from_packages(split, image) if checkpoint == efficientnet.NAME else _from_files(checkpoint, split, image)
    identity = {
        "checkpoint": made.checkpoint,
        "revision": made.revision,
        "weights": made.weights,
        "pooling": pooling,
        "image": image,
        "trained": made.trained,
    }
    return Encoder(made.network, made.preparation, identity, device, dtype)


def _from_packages(pooling: Pooling, image: str) -> _Made:
    network, preparation = efficientnet.build_efficientnet(pooling, image)
    name = efficientnet.NAME
    return _Made(network, preparation, name, efficientnet.REVISION, "efficientnet-lite2-9656183e.pth", trained=True)


def _from_files(checkpoint: str | Path, pooling: Pooling, image: str) -> _Made:
    folder, revision = locate(checkpoint)
    config = read_config(folder)
    network, preparation = _network(folder, config, pooling, image)
    name = Path(checkpoint).resolve().name if Path(checkpoint).is_dir() else str(checkpoint)
    trained = not config.get("steam_banners_untrained", False)
    return _Made(network, preparation, name, revision, weights_file(folder).name, trained)


def _network(folder: Path, config: dict, pooling: Pooling, image: str) -> tuple[Network, Preparation]:
    kind = config.get("model_type")
    if not isinstance(kind, str) or (kind != "beit" and kind not in FAMILIES):
        known = ", ".join(["beit", *FAMILIES])
        raise CheckpointError(f"{folder.name}'s model_type is {kind!r}; allowed are {known}")
    family = BEIT if kind == "beit" else FAMILIES[kind]
    parsed = parse_config(family.kind, config, folder.name)
    preparation = read_preparation(read_processor(folder), image, stride_of(family, parsed))
    if kind == "beit":
        return build_beit(folder, parsed, pooling, preparation.shape), preparation
    return build(family, folder, parsed, pooling, preparation.shape), preparation
