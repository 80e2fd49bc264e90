"""A checkpoint's name -> its model, its own preprocessing and the meaning of its features, in one Encoder.

What the features are, with x the tokens of the last block, x[0] the CLS token, x[1:] those of the patches, LN the
checkpoint's trained final layer norm:

    pooling     fine-tuned (BeitForImageClassification)    pre-trained (BeitForMaskedImageModeling)
    pooled      LN(mean(x[1:])), its own pooled output     none: it was trained without
    cls         x[0]                                       LN(x)[0]
    mean        mean(x[1:])                                mean(LN(x)[1:])
    complex     cls and mean, one after the other          cls and mean, one after the other

`cls@8`, `mean@8` and `complex@8` take the tokens after block 8 instead, without a norm, as none was trained there.

How a banner of 256x384 pixels becomes the input of a checkpoint of 224 pixels, with the checkpoint's own filter:

    image       size (width x height)     what it shows
    squash      224 x 224                 all of the banner, its ratio lost: what the checkpoint's processor does
    crop        224 x 224                 the centre, after resizing to 256 wide: unilm's evaluation
    whole       224 x 336                 all of the banner, its ratio kept; the position bias is interpolated
"""

import copy
import hashlib
import json
import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
import numpy as np
import safetensors
import torch
from huggingface_hub import constants, errors
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import BeitForImageClassification, BeitForMaskedImageModeling, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from utils import settings
from utils.snapshot import HEIGHT, WIDTH

CHECKPOINTS = {  # name on the hub -> revision; "main" where no whole commit hash is known to us
    "microsoft/beit-base-patch16-224-pt22k": "49128b46539bd7dfad519b5e1014b050edabd9f6",
    "microsoft/beit-base-patch16-224-pt22k-ft22k": "dcb1f16cdebbc51eab67c0e1960d64adb8596669",
    "microsoft/beit-base-patch16-224": "main",
    "microsoft/beit-large-patch16-224-pt22k": "c3c80a4111b872e62e37e471cfcb4ff3fc958685",
    "microsoft/beit-large-patch16-224-pt22k-ft22k": "main",
    "microsoft/beit-large-patch16-224": "main",
}
POOLINGS = ("pooled", "cls", "mean", "complex")
IMAGES = ("squash", "crop", "whole")
DTYPES = ("bfloat16", "float16", "float32")

_CONFIG, _PROCESSOR = "config.json", "preprocessor_config.json"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_REMEDY = "check the network, or set CHECKPOINT to a folder with the checkpoint's files, or SOURCE to 'sample'"
_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # processors' names for bfloat16 instructions: x86, x86, Arm
_POOLING = re.compile(r"(pooled|cls|mean|complex)(?:@(\d+))?")


class CheckpointError(settings.PlainError, ValueError):
    """A checkpoint that is not known, not whole, not safe or not BEiT; the message says what to do."""


class HubUnreachable(settings.PlainError, ConnectionError):
    """The hub of checkpoints gives no answer."""


@dataclass(frozen=True)
class Preparation:
    """A banner -> the network's input, by the numbers of the checkpoint's own processor. Picklable, without weights."""

    image: str  # one of IMAGES
    size: int  # side of the checkpoint's square input, pixels
    resample: int  # Pillow's number of the filter
    scale: float  # what a level of 0..255 is multiplied with
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the input, pixels."""
        return (self.size * HEIGHT // WIDTH if self.image == "whole" else self.size, self.size)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The part of the banner that the input shows: left, top, right, bottom, in pixels of the 256x384 banner."""
        if self.image != "crop":
            return (0.0, 0.0, float(WIDTH), float(HEIGHT))
        (width, height), (left, top) = self._cover, self._corner
        edges = (left / width, top / height, (left + self.size) / width, (top + self.size) / height)
        return tuple(edge * side for edge, side in zip(edges, (WIDTH, HEIGHT) * 2, strict=True))

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """Return a banner, uint8 (384, 256, 3), resized and cut: uint8 (height, width, 3)."""
        picture = Image.fromarray(rgb)
        if self.image != "crop":
            return np.asarray(picture.resize(self.shape[::-1], self.resample))
        left, top = self._corner
        cut = (left, top, left + self.size, top + self.size)
        return np.asarray(picture.resize(self._cover, self.resample).crop(cut))

    @property
    def _cover(self) -> tuple[int, int]:
        """Width and height of the banner before the centre is cut: 256 wide for an input of 224."""
        width = round(self.size * 256 / 224)
        return width, width * HEIGHT // WIDTH

    @property
    def _corner(self) -> tuple[int, int]:
        width, height = self._cover
        return (width - self.size) // 2, (height - self.size) // 2


@dataclass(frozen=True)
class Norm:
    """A trained final layer norm, and what it acts on."""

    gamma: Tensor  # float32 (hidden,)
    beta: Tensor  # float32 (hidden,)
    eps: float
    on: str  # "tokens": on each token, before any mean; "mean": on the mean of the patch tokens

    def __call__(self, x: Tensor) -> Tensor:
        """Return the norm of float (..., hidden), in float32."""
        return functional.layer_norm(x.float(), self.gamma.shape, self.gamma, self.beta, self.eps)

    def to(self, device: torch.device) -> "Norm":
        return replace(self, gamma=self.gamma.to(device), beta=self.beta.to(device))


@dataclass(frozen=True)
class _Network:
    """What a family of checkpoints brings: the one thing to write when another family joins."""

    backbone: nn.Module  # pixels (n, 3, height, width) -> .last_hidden_state, tokens (n, 1 + patches, hidden)
    norm: Norm | None  # between those tokens and the features
    hidden: int
    patch: int  # side of a patch, pixels


class Encoder:
    """Pictures -> features: checkpoint, pooling, input and precision are fixed, so that they cannot drift apart.

    Made by `load`. `identity` (dict) is all that tells its features from another Encoder's: checkpoint, revision,
    weights, pooling, image, trained (False for the untrained sample), dtype, dims. `preparation` is the way from a
    banner to the input; its `box` says which part of the banner is seen. `grid` (rows, columns) lays the patch tokens,
    row by row, over that box. `norm` is the layer norm between the `tokens` and the features, or None. `batch_size` is
    how many pictures go through at a time; it may be set.
    """

    def __init__(
        self,
        network: _Network,
        preparation: Preparation,
        identity: dict,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.preparation, self.device, self.dtype = preparation, device, dtype
        self.pooling = identity["pooling"]
        self._style = self.pooling.partition("@")[0]
        self.dims = network.hidden * (2 if self._style == "complex" else 1)
        self.identity = identity | {"dtype": str(dtype).removeprefix("torch."), "dims": self.dims}
        self.grid = tuple(side // network.patch for side in preparation.shape)
        self.norm = network.norm
        self.batch_size = 16 if device.type == "cpu" else 256
        self._network = network
        self._backbone = network.backbone.to(device, dtype)
        self._norm = network.norm and network.norm.to(device)
        self._mean, self._std = (torch.tensor(each, device=device) for each in (preparation.mean, preparation.std))

    def __call__(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the features of banners, uint8 RGB arrays (384, 256, 3), as a float32 tensor (n, dims) on the CPU.

        Raises ValueError for no pictures, for a picture of another kind or size, and for features that overflow.
        """
        features = torch.cat([self.embed(batch).cpu() for batch in self._batches(pictures)])
        if not features.isfinite().all():
            raise ValueError(
                f"features are not finite in {self.identity['dtype']}; load the encoder with dtype='float32'"
            )
        return features

    @torch.no_grad()
    def tokens(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the tokens of the chosen block before the final norm, float32 (n, 1 + patches, hidden), on the CPU.

        The first token is CLS; `pool` makes the features of them: `encoder.pool(encoder.tokens(p))` is `encoder(p)`.
        """
        return torch.cat([self._forward(batch).float().cpu() for batch in self._batches(pictures)])

    def pool(self, tokens: Tensor) -> Tensor:
        """Return the features, float32 (n, dims), of tokens on the CPU, (n, 1 + patches, hidden)."""
        return self._pool(tokens, self.norm)

    @torch.no_grad()
    def embed(self, batch: Tensor) -> Tensor:
        """Return the features, float32 (n, dims), of prepared pictures, uint8 (n, height, width, 3), on the device.

        Does not wait for the device, and so does not look into the result.
        """
        return self._pool(self._forward(batch), self._norm)

    def __str__(self) -> str:
        name, trained = Path(self.identity["checkpoint"]).name, "" if self.identity["trained"] else ", untrained"
        how = f"{self.pooling} features of {self.dims} numbers, {self.preparation.image} input"
        return f"{name}{trained}: {how}, on {device_name(self.device)} in {self.identity['dtype']}"

    def to(self, device: str | torch.device) -> "Encoder":
        """Return a copy of this Encoder on another device."""
        network = replace(self._network, backbone=copy.deepcopy(self._network.backbone))
        return Encoder(network, self.preparation, self.identity, torch.device(device), self.dtype)

    def compile(self) -> "Encoder":
        """Have torch.compile make the forward pass faster, and return self; worth it for many thousand pictures.

        The first pass takes a minute more. Features change by rounding only.
        """
        self._backbone.compile(options={"freezing": self.device.type == "cpu"})
        return self

    def _forward(self, batch: Tensor) -> Tensor:
        levels = batch.to(self.device, non_blocking=True).float() * self.preparation.scale
        pixels = ((levels - self._mean) / self._std).permute(0, 3, 1, 2)  # (n, 3, height, width)
        return self._backbone(pixels.to(self.dtype)).last_hidden_state

    def _pool(self, tokens: Tensor, norm: Norm | None) -> Tensor:
        if norm and norm.on == "tokens":
            tokens = norm(tokens)
        cls, mean = tokens[:, 0].float(), tokens[:, 1:].mean(1, dtype=torch.float32)
        if self._style == "pooled":
            return norm(mean)
        return {"cls": cls, "mean": mean, "complex": torch.cat([cls, mean], dim=1)}[self._style]

    def _batches(self, pictures: Sequence[np.ndarray]) -> Sequence[Tensor]:
        if not len(pictures):
            raise ValueError("no pictures: an Encoder takes at least one, uint8 RGB (384, 256, 3)")
        prepared = [self.preparation(_checked(number, picture)) for number, picture in enumerate(pictures)]
        return torch.from_numpy(np.stack(prepared)).split(self.batch_size)


def device_name(device: torch.device) -> str:
    """Return what a device is called, with a hint where a GPU would be faster."""
    if device.type == "cuda":
        return f"the GPU {torch.cuda.get_device_name(device)}"
    if device.type != "cpu":
        return f"the GPU ({device.type})"
    return "the CPU (on Colab, Runtime > Change runtime type > T4 GPU is much faster)"


def load(
    checkpoint: str | Path,
    pooling: str = "pooled",
    image: str = "squash",
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
) -> Encoder:
    """Return the Encoder of a checkpoint: one of CHECKPOINTS, another BEiT of the hub by name, or a local folder.

    The known ones come at the revision given there, others at `main`; the identity has the commit. Where there are no
    safetensors, `pytorch_model.bin` is read as plain tensors (`weights_only`); no other pickle and no remote code is
    ever run. `device` is the accelerator where there is one; `dtype` (one of DTYPES) is the fastest that the device is
    made for: bfloat16, else float16 on a GPU and float32 on a CPU.

    Raises CheckpointError for a checkpoint that is unknown, incomplete, unsafe, not finite or of another family,
    HubUnreachable, and ValueError for an unknown pooling, image or dtype.
    """
    style, block = _parse(pooling)
    if image not in IMAGES:
        raise ValueError(f"image is {image!r}; allowed are {', '.join(IMAGES)}")
    device = _device(device) if device else _best_device()
    dtype = _dtype(dtype) if dtype else _best_dtype(device)
    folder, revision = _locate(checkpoint)
    config = _read(folder / _CONFIG)
    preparation = _preparation(_read(folder / _PROCESSOR), image)
    network = _family(config)(folder, config, style, block, preparation.shape)
    identity = {
        "checkpoint": Path(checkpoint).resolve().name if Path(checkpoint).is_dir() else str(checkpoint),
        "revision": revision,
        "weights": _present(folder)[0].name,
        "pooling": pooling,
        "image": image,
        "trained": not config.get("steam_banners_untrained", False),
    }
    return Encoder(network, preparation, identity, device, dtype)


def _checked(number: int, picture: np.ndarray) -> np.ndarray:
    kind = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
    if kind != f"uint8 {(HEIGHT, WIDTH, 3)}":
        raise ValueError(
            f"picture {number} is {kind}; allowed is uint8 RGB {(HEIGHT, WIDTH, 3)}, "
            "which banners.decode makes of the bytes of any picture file"
        )
    return picture


def _parse(pooling: str) -> tuple[str, int | None]:
    """Return the style and the number of the block, None for the last."""
    found = _POOLING.fullmatch(pooling)
    if not found or (found[1] == "pooled" and found[2]):
        raise ValueError(
            f"pooling is {pooling!r}; allowed are {', '.join(POOLINGS)}, "
            "and cls@N, mean@N, complex@N for the tokens after block N"
        )
    return found[1], int(found[2]) if found[2] else None


def _best_device() -> torch.device:
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")


def _device(name: str | torch.device) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for CUDA
        raise ValueError(
            f"device {str(name)!r} cannot be used: {error}; leave it out to take the best there is"
        ) from None


def _best_dtype(device: torch.device) -> torch.dtype:
    """Return the fastest dtype that the device has instructions for."""
    if device.type == "cuda":  # a T4 only emulates bfloat16
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    abilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return torch.bfloat16 if any(abilities.get(name) for name in _BFLOAT16) else torch.float32


def _dtype(name: str | torch.dtype) -> torch.dtype:
    found = str(name).removeprefix("torch.")
    if found not in DTYPES:
        raise ValueError(f"dtype is {found!r}; allowed are {', '.join(DTYPES)}")
    return getattr(torch, found)


# ------------------------------------------------------------------------------------------ where a checkpoint lies


def _locate(checkpoint: str | Path) -> tuple[Path, str]:
    """Return the folder of a checkpoint's files and its revision: the hub's commit, or a hash for a local folder."""
    folder = Path(checkpoint)
    if str(checkpoint) and folder.is_dir():
        return folder, f"sha256:{_hash(folder)}"
    if not _HUB_NAME.fullmatch(str(checkpoint)):
        raise CheckpointError(_unknown(checkpoint))
    return _download(str(checkpoint), CHECKPOINTS.get(str(checkpoint), "main"))


def _unknown(checkpoint: str | Path) -> str:
    return f"{str(checkpoint)!r} is neither a folder here nor a checkpoint on the hub; known: {', '.join(CHECKPOINTS)}"


def _download(name: str, revision: str) -> tuple[Path, str]:
    """Return the folder of the hub's cache with the files of a checkpoint, and the commit they are of."""
    host = urlsplit(constants.ENDPOINT).netloc
    try:
        folder = Path(huggingface_hub.hf_hub_download(name, _CONFIG, revision=revision)).parent
        huggingface_hub.hf_hub_download(name, _PROCESSOR, revision=folder.name)
        if not _present(folder):
            _download_weights(name, folder.name)
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise CheckpointError(_unknown(name)) from None
    except errors.LocalEntryNotFoundError:
        raise HubUnreachable(f"{host} cannot be reached for {name}; {_REMEDY}") from None
    except errors.EntryNotFoundError as error:
        raise CheckpointError(f"{name} lacks a file at {host}: {error}") from None
    except OSError as error:
        raise HubUnreachable(f"{host} does not give {name}: {error}; {_REMEDY}") from None
    return folder, folder.name


def _download_weights(name: str, commit: str) -> None:
    try:
        huggingface_hub.hf_hub_download(name, _WEIGHTS[0], revision=commit)
    except errors.LocalEntryNotFoundError:
        raise
    except errors.EntryNotFoundError:
        huggingface_hub.hf_hub_download(name, _WEIGHTS[1], revision=commit)


def _present(folder: Path) -> list[Path]:
    """Return the files of weights in a folder, the one to read first."""
    return [folder / name for name in _WEIGHTS if (folder / name).is_file()]


def _hash(folder: Path) -> str:
    """Return a hash of all that makes a local checkpoint."""
    digest = hashlib.sha256()
    for file in (folder / _CONFIG, folder / _PROCESSOR, *_present(folder)[:1]):
        if file.is_file():
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]


def _read(file: Path) -> dict:
    try:
        content = json.loads(file.read_text())
    except FileNotFoundError:
        raise CheckpointError(
            f"{file.parent} has no {file.name}, so it is no checkpoint that save_pretrained wrote"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds a {type(content).__name__}, not an object")
    return content


def _preparation(processor: dict, image: str) -> Preparation:
    """Return the numbers of a processor in today's form, or that of 2021, whose `size` is one number."""
    size = processor.get("size", 224)
    height, width = (size.get("height"), size.get("width")) if isinstance(size, dict) else (size, size)
    if not isinstance(height, int) or height != width:
        raise CheckpointError(f"the processor's size is {size}; allowed are a number, or equal height and width")
    try:
        return Preparation(
            image=image,
            size=height,
            resample=Image.Resampling(processor.get("resample", Image.Resampling.BICUBIC)),
            scale=float(processor.get("rescale_factor", 1 / 255)) if processor.get("do_rescale", True) else 1.0,
            mean=_three(processor.get("image_mean", [0.5] * 3) if processor.get("do_normalize", True) else [0.0] * 3),
            std=_three(processor.get("image_std", [0.5] * 3) if processor.get("do_normalize", True) else [1.0] * 3),
        )
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the processor's numbers cannot be used: {error}") from None


def _three(numbers: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, numbers)
    return red, green, blue


# ------------------------------------------------------------------------------------------------------------- BEiT


def _family(config: dict) -> Callable[..., _Network]:
    found = config.get("model_type")
    if found not in _FAMILIES:
        raise CheckpointError(f"the checkpoint's model_type is {found!r}; allowed are {', '.join(_FAMILIES)}")
    return _FAMILIES[found]


def _beit(folder: Path, config: dict, style: str, block: int | None, shape: tuple[int, int]) -> _Network:
    model = _whole_model(folder, config)
    tuned = isinstance(model, BeitForImageClassification)
    _check(style, block, tuned, shape, model.config)
    beit, patch = model.beit, model.config.patch_size
    layer = beit.pooler.layernorm if tuned else model.layernorm
    used = block is None and (style == "pooled" or not tuned)
    norm = Norm(layer.weight.data, layer.bias.data, layer.eps, "mean" if tuned else "tokens") if used else None
    beit.pooler = None
    beit.layers = beit.layers[:block]
    _fix_bias(beit, (shape[0] // patch, shape[1] // patch))
    return _Network(beit.eval().requires_grad_(False), norm, model.config.hidden_size, patch)


def _whole_model(folder: Path, config: dict) -> PreTrainedModel:
    """Return the model in float32, with every weight from the checkpoint and none left over."""
    kind = (config.get("architectures") or [None])[0]
    if kind not in _ARCHITECTURES:
        raise CheckpointError(
            f"{folder.name} is a {kind}; allowed are {', '.join(_ARCHITECTURES)}, which have a trained norm"
        )
    if not _present(folder):
        raise CheckpointError(f"{folder} has no weights; looked for {' and '.join(_WEIGHTS)}")
    try:
        with _quiet():
            model, info = _ARCHITECTURES[kind].from_pretrained(folder, dtype=torch.float32, **_STRICT)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{_present(folder)[0]} is refused: it holds more than plain tensors, or is broken; "
            f"take a checkpoint with model.safetensors ({str(error).splitlines()[0]})"
        ) from None
    except (OSError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
        raise CheckpointError(f"{_present(folder)[0]} cannot be read: {error}") from None
    faults = {name: sorted(map(str, found)) for name, found in info.items() if found}
    if faults:
        raise CheckpointError(f"{folder.name} does not fit {kind}, and a made-up weight is worse than none: {faults}")
    broken = [name for name, weight in model.state_dict().items() if not weight.isfinite().all()]
    if broken:
        raise CheckpointError(f"{folder.name} has weights that are not finite: {', '.join(broken)}; fetch it again")
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide transformers' own progress bar, which is over in a moment."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _check(style: str, block: int | None, tuned: bool, shape: tuple[int, int], config: PreTrainedConfig) -> None:
    if not config.use_mean_pooling:
        raise CheckpointError("the checkpoint pools its CLS token (use_mean_pooling is false); allowed is true")
    if style == "pooled" and not tuned:
        raise CheckpointError(
            "pooling is 'pooled', which a checkpoint trained to fill masks has not; allowed are cls, mean, complex"
        )
    if any(side % config.patch_size for side in shape):
        raise CheckpointError(
            f"the input would be {shape[1]} x {shape[0]} pixels, which patches of {config.patch_size} do not fill; "
            "take image='squash' or another checkpoint"
        )
    if block is not None and not 1 <= block < config.num_hidden_layers:
        raise ValueError(
            f"block is {block}; allowed are 1 to {config.num_hidden_layers - 1} (the last needs no number)"
        )


class _FixedBias(nn.Module):
    """A relative position bias worked out once; transformers interpolates it in every layer at every pass."""

    def __init__(self, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("bias", bias)

    def forward(self, *_args: object, **_options: object) -> Tensor:
        return self.bias


@torch.no_grad()
def _fix_bias(beit: nn.Module, grid: tuple[int, int]) -> None:
    """Replace each relative position bias by its value for a grid (rows, columns) of patches."""
    if beit.shared_position_bias is not None:
        beit.shared_position_bias = _FixedBias(beit.shared_position_bias(grid))
    for layer in beit.layers:
        if layer.relative_position_bias is not None:
            layer.relative_position_bias = _FixedBias(layer.relative_position_bias(grid))


_STRICT = {  # faults are reported to us, plain tensors are read and nothing else, and the hub is not asked
    "output_loading_info": True,
    "ignore_mismatched_sizes": True,
    "weights_only": True,
    "local_files_only": True,
}
_ARCHITECTURES = {each.__name__: each for each in (BeitForImageClassification, BeitForMaskedImageModeling)}
_FAMILIES = {"beit": _beit}
