"""The Encoder: pictures -> features, with checkpoint, pooling, input and precision fixed together."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from utils.encoder.devices import device_name
from utils.encoder.network import Network
from utils.encoder.preparation import Preparation
from utils.encoder.words import NoWords
from utils.images import HEIGHT, WIDTH


class Encoder:
    """Pictures -> features: checkpoint, pooling, input and precision are fixed, so that they cannot drift apart.

    Made by `load`. `identity` (dict) is all that tells its features from another Encoder's: checkpoint, revision,
    weights, pooling, image, trained (False for the untrained of the tests), dtype, dims. `family` is its family's name.
    `preparation` is the way from a banner to the input; its `box` says which part of the banner is seen. `grid` (rows,
    columns) lays the patch tokens, row by row, over that box; they begin after `leading` others (CLS and registers).
    `feature` says what the features are: "cls", "mean" of the patches, "complex" (both, one after the other) or what a
    trained "head" makes of them. `heat_maps` names the poolings of this checkpoint that are a sum over patches. `norm`
    is the layer norm between the `tokens` and the features, or None. `batch_size` is how many pictures go through at a
    time; it may be set.
    """

    def __init__(
        self, network: Network, preparation: Preparation, identity: dict, device: torch.device, dtype: torch.dtype
    ) -> None:
        self.preparation = preparation
        self.device = device
        self.dtype = dtype
        self.family = network.title
        self.feature = network.feature
        self.leading = network.leading
        self.heat_maps = network.heat_maps
        self.grid = network.grid
        self.norm = network.norm
        self.pooling = identity["pooling"]
        self.dims = network.dims
        self.identity = identity | {"dtype": str(dtype).removeprefix("torch."), "dims": self.dims}
        self.batch_size = 16 if device.type == "cpu" else 256
        self._network = network
        self._backbone = network.backbone.to(device, dtype)
        self._head = network.head and network.head.to(device, dtype)
        self._norm = network.norm and network.norm.to(device)
        self._mean = torch.tensor(preparation.mean, device=device)
        self._std = torch.tensor(preparation.std, device=device)

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
        """Return the tokens of the chosen block before the final norm, on the CPU.

        They are float32 (n, leading + rows * columns, hidden), of a CNN the cells of its last map. `pool` makes the
        features of them: `encoder.pool(encoder.tokens(p))` is `encoder(p)`.
        """
        return torch.cat([self._forward(batch).float().cpu() for batch in self._batches(pictures)])

    @torch.no_grad()
    def pool(self, tokens: Tensor) -> Tensor:
        """Return the features, float32 (n, dims), of what `tokens` gives."""
        return self._pool(tokens.to(self.device)).cpu()

    @torch.no_grad()
    def embed(self, batch: Tensor) -> Tensor:
        """Return the features, float32 (n, dims), of prepared pictures, uint8 (n, height, width, 3), on the device.

        Does not wait for the device, and so does not look into the result.
        """
        return self._pool(self._forward(batch))

    @property
    def parameters(self) -> int:
        """How many trained numbers a picture goes through."""
        parts = [self._backbone, self._head] if self._head else [self._backbone]
        every = sum(weight.numel() for part in parts for weight in part.parameters())
        return every + (2 * self.norm.gamma.numel() if self.norm else 0)

    @property
    def reads(self) -> bool:
        """Whether `words` works: the checkpoint was trained on pictures and words together."""
        return not self.silence

    @property
    def silence(self) -> str:
        """Why `words` does not work, in a sentence; empty where it does."""
        if self._network.reader:
            return ""
        if not self._network.prompted:
            return f"{self.family} was trained on pictures alone, so it cannot be asked with words"
        if self.feature != "head":
            return f"{self.family} compares words with its own feature only: load it with pooling='pooled'"
        return f"this {self.family} came without its tokenizer's files, so it cannot be asked with words"

    def words(self, texts: Sequence[str], prompt: str | None = None) -> Tensor:
        """Return the features of texts, float32 (n, dims), to compare with those of pictures by cosine.

        Both lie in one space as they are; centred or whitened features have left it. Each text is put into the family's
        own prompt in the place of {}, such as "a photo of a {}.", unless another is given ("{}" for none). Raises
        NoWords where the checkpoint does not read, with the reason.
        """
        if self._network.reader is None:
            raise NoWords(self.silence)
        return self._network.reader(texts, prompt)

    def __str__(self) -> str:
        name = Path(str(self.identity["checkpoint"])).name
        trained = "" if self.identity["trained"] else ", untrained"
        how = f"{self.pooling} features of {self.dims} numbers, {self.preparation.image} input"
        return f"{name}{trained}: {how}, on {device_name(self.device)} in {self.identity['dtype']}"

    def to(self, device: str | torch.device) -> "Encoder":
        """Return a copy of this Encoder on another device, which sees but does not read."""
        copied = replace(
            self._network,
            backbone=copy.deepcopy(self._network.backbone),
            head=copy.deepcopy(self._network.head),
            reader=None,
        )
        return Encoder(copied, self.preparation, self.identity, torch.device(device), self.dtype)

    def mirrored(self) -> "Encoder":
        """Return this Encoder looking at each picture's mirror image; the weights are shared, not copied."""
        preparation = replace(self.preparation, mirrored=True)
        identity = self.identity | {"image": f"{self.preparation.image}, mirrored"}
        return Encoder(self._network, preparation, identity, self.device, self.dtype)

    def compile(self) -> "Encoder":
        """Have torch.compile make the forward pass faster, and return self; worth it for many thousand pictures.

        The first pass takes a minute more. Features change by rounding only.
        """
        self._backbone.compile(options={"freezing": self.device.type == "cpu"})
        return self

    def _forward(self, batch: Tensor) -> Tensor:
        levels = batch.to(self.device, non_blocking=True).float() * self.preparation.scale
        pixels = ((levels - self._mean) / self._std).permute(0, 3, 1, 2)  # (n, 3, height, width)
        return self._backbone(pixels.to(self.dtype))

    def _pool(self, tokens: Tensor) -> Tensor:
        if self._norm and self._norm.on == "tokens":
            tokens = self._norm(tokens)
        if self.feature == "cls":
            return tokens[:, 0].float()
        if self._head:
            return self._head(tokens.to(self.dtype)).float()
        mean = tokens[:, self.leading :].mean(1, dtype=torch.float32)
        if self._norm and self._norm.on == "mean":
            mean = self._norm(mean)
        return mean if self.feature == "mean" else torch.cat([tokens[:, 0].float(), mean], dim=1)

    def _batches(self, pictures: Sequence[np.ndarray]) -> Sequence[Tensor]:
        if not len(pictures):
            raise ValueError("no pictures: an Encoder takes at least one, uint8 RGB (384, 256, 3)")
        prepared = [self.preparation(_checked(number, picture)) for number, picture in enumerate(pictures)]
        return torch.from_numpy(np.stack(prepared)).split(self.batch_size)


def _checked(number: int, picture: np.ndarray) -> np.ndarray:
    kind = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
    if kind != f"uint8 {(HEIGHT, WIDTH, 3)}":
        raise ValueError(
            f"picture {number} is {kind}; allowed is uint8 RGB {(HEIGHT, WIDTH, 3)}, "
            "which banners.decode makes of the bytes of any picture file"
        )
    return picture
