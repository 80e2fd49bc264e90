"""The Encoder: pictures -> features, with checkpoint, pooling, input, views and precision fixed together."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from utils import settings
from utils.encoder.network import Network, TextEncoder
from utils.encoder.preparation import Preparation
from utils.errors import CheckpointError, PictureError, SettingsError
from utils.images import HEIGHT, WIDTH

_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # processors' names for bfloat16 instructions: x86, x86, Arm


class Encoder:
    """Pictures -> features: checkpoint, pooling, input and precision are fixed, so that they cannot drift apart.

    Made by `load`. `identity` (dict) is all that tells its features from another Encoder's: checkpoint, revision,
    weights, pooling, image, views, trained (False for the untrained of the tests), dtype, dims. `family` is a name,
    `preparation` the way from a banner to the input; its `box` says which part of the banner is seen. `grid` (rows,
    columns) lays the patch tokens, row by row, over that box; they begin after `leading` others (CLS and registers).
    `feature` says what the features are: "cls", "mean" of the patches, "complex" (both, one after the other) or what a
    trained "head" makes of them. `heat_maps` names the poolings of this checkpoint that are a sum over patches. `norm`
    is the layer norm between `tokens` and features, float32, or None; it acts `norm_on` "tokens", on each, or on the
    "mean" of the patches. `batch_size`, which may be set, is how many pictures go through at a time. Of several views,
    the features are the mean of those of each, brought to length 1 before.
    """

    def __init__(
        self, network: Network, preparation: Preparation, identity: dict, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.preparation = preparation
        self.device = device
        self.dtype = dtype
        self.family = network.family.title
        self.heat_maps = network.family.heat_maps
        self.feature = network.feature
        self.leading = network.leading
        self.grid = network.grid
        self.norm = network.norm and network.norm.to(device)
        self.norm_on = network.family.on
        self.pooling = identity["pooling"]
        self.views = preparation.views
        self.dims = network.dims
        self.identity = identity | {"dtype": str(dtype).removeprefix("torch."), "dims": self.dims}
        self.batch_size = max(1, (16 if device.type == "cpu" else 256) // len(self.views))
        self._network = network
        self._backbone = network.backbone.to(device, dtype)
        self._head = network.head and network.head.to(device, dtype)
        self._mean = torch.tensor(preparation.mean, device=device)
        self._std = torch.tensor(preparation.std, device=device)

    def __call__(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the features of banners, uint8 RGB arrays (384, 256, 3), as a float32 tensor (n, dims) on the CPU.

        Raises PictureError for no pictures and for a picture of another kind or size, and SettingsError for features
        that overflow.
        """
        features = torch.cat([self.embed(batch).cpu() for batch in self._batches(pictures)])
        if not features.isfinite().all():
            raise SettingsError(f"features overflow in {self.identity['dtype']}; load the encoder with dtype='float32'")
        return features

    @torch.no_grad()
    def tokens(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Return the tokens of the last block before the final norm, on the CPU, the views of a picture in turn.

        They are float32 (n * views, leading + rows * columns, hidden), of a CNN the cells of its last map. `pool` makes
        the features of them: `encoder.pool(encoder.tokens(p))` is `encoder(p)`. Raises PictureError.
        """
        return torch.cat([self._forward(batch).float().cpu() for batch in self._batches(pictures)])

    @torch.no_grad()
    def pool(self, tokens: Tensor) -> Tensor:
        """Return the features, float32 (n, dims), of what `tokens` gives."""
        return self._pool(tokens.to(self.device)).cpu()

    @torch.no_grad()
    def embed(self, batch: Tensor) -> Tensor:
        """Return the features, float32 (n, dims), of prepared pictures, uint8 (n, *preparation.shape, 3).

        They are on the device, which is not waited for, and so nothing looks into the result.
        """
        return self._pool(self._forward(batch))

    @property
    def parameters(self) -> int:
        """How many trained numbers a picture goes through."""
        parts = filter(None, (self._backbone, self.norm, self._head))
        return sum(weight.numel() for part in parts for weight in part.parameters())

    @property
    def supports_text(self) -> bool:
        """Whether `words` works: the checkpoint was trained on pictures and words together."""
        return isinstance(self._network.text, TextEncoder)

    @property
    def text_unsupported_reason(self) -> str:
        """Why `words` does not work, in a sentence; empty where it does."""
        return self._network.text if isinstance(self._network.text, str) else ""

    def words(self, texts: Sequence[str], prompt: str | None = None) -> Tensor:
        """Return the features of texts, float32 (n, dims), to compare with those of pictures by cosine.

        Both lie in one space as they are; centred or whitened features have left it. Each text is put into the family's
        own prompt in the place of {}, such as "a photo of a {}.", unless another is given ("{}" for none). Raises
        CheckpointError where the checkpoint does not read, with the reason, and for what is no list of texts.
        """
        if isinstance(self._network.text, str):
            raise CheckpointError(self._network.text)
        return self._network.text(texts, prompt)

    def __str__(self) -> str:
        name = Path(str(self.identity["checkpoint"])).name
        trained = "" if self.identity["trained"] else ", untrained"
        views = f" of {len(self.views)} views" if len(self.views) > 1 else ""
        how = f"{self.pooling} features of {self.dims} dimensions, {self.identity['image']} input{views}"
        where = f"the GPU ({self.device.type})"
        if self.device.type == "cuda":
            where = f"the GPU {torch.cuda.get_device_name(self.device)}"
        elif self.device.type == "cpu":
            where = "the CPU (on Colab, Runtime > Change runtime type > T4 GPU is much faster)"
        return f"{name}{trained}: {how}, on {where} in {self.identity['dtype']}"

    def to(self, device: str | torch.device) -> "Encoder":
        """Return a copy of this Encoder on another device, which sees but does not read."""
        silent = self.text_unsupported_reason or "a copy on another device comes without what reads words"
        copied = copy.deepcopy(replace(self._network, text=silent))
        return Encoder(copied, self.preparation, self.identity, torch.device(device), self.dtype)

    def mirrored(self) -> "Encoder":
        """Return this Encoder looking at each picture's mirror image; the weights are shared, not copied."""
        identity = self.identity | {"image": f"{self.identity['image']}, mirrored"}
        return Encoder(self._network, replace(self.preparation, mirrored=True), identity, self.device, self.dtype)

    def _forward(self, batch: Tensor) -> Tensor:
        views = batch.reshape(-1, *self.preparation.size, 3)  # they lie one below the other
        levels = views.to(self.device, non_blocking=True).float() * self.preparation.scale
        pixels = ((levels - self._mean) / self._std).permute(0, 3, 1, 2)  # (n * views, 3, height, width)
        return self._backbone(pixels.to(self.dtype))

    def _pool(self, tokens: Tensor) -> Tensor:
        """Return the features of pictures, (n, dims), from the tokens of their views, (n * views, tokens, hidden)."""
        if self.norm and self.norm_on == "tokens":
            tokens = self.norm(tokens.float())
        if self.feature == "cls":
            features = tokens[:, 0].float()
        elif self._head:
            features = self._head((tokens[:, 0] if self.leading else tokens).to(self.dtype)).float()
        else:
            features = tokens[:, self.leading :].mean(1, dtype=torch.float32)
        if self.norm and self.norm_on == "mean":
            features = self.norm(features)
        if self.feature == "complex":
            features = torch.cat([tokens[:, 0].float(), features], dim=1)
        if len(self.views) == 1:
            return features
        return functional.normalize(features, dim=1).unflatten(0, (-1, len(self.views))).mean(1)

    def _batches(self, pictures: Sequence[np.ndarray]) -> Sequence[Tensor]:
        if not len(pictures):
            raise PictureError("no pictures: an Encoder takes at least one, uint8 RGB (384, 256, 3)")
        for number, picture in enumerate(pictures):
            kind = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
            if kind != f"uint8 {(HEIGHT, WIDTH, 3)}":
                allowed = f"uint8 RGB {(HEIGHT, WIDTH, 3)}, which banners.decode makes of the bytes of a picture file"
                raise PictureError(f"picture {number} is {kind}; allowed is {allowed}")
        return torch.from_numpy(np.stack([*map(self.preparation, pictures)])).split(self.batch_size)


# --------------------------------------------------------------------------------------------- device and precision


def choose_device(name: str | torch.device | None) -> torch.device:
    """Return a device by name, or the accelerator where there is one; raises SettingsError."""
    if not name:
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for CUDA
        message = f"device {str(name)!r} cannot be used: {error}; leave it out to take the best there is"
        raise SettingsError(message) from None


def choose_dtype(name: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """Return one of settings.DTYPES, or the fastest that the device has instructions for; raises SettingsError."""
    if name:
        found = str(name).removeprefix("torch.")
        if found not in settings.DTYPES:
            raise SettingsError(f"dtype is {found!r}; allowed are {', '.join(settings.DTYPES)}")
        return getattr(torch, found)
    if device.type == "cuda":  # a T4 only emulates bfloat16
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    abilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return torch.bfloat16 if any(abilities.get(name) for name in _BFLOAT16) else torch.float32
