"""What a checkpoint of any family becomes: a backbone that gives tokens, and what makes the features of them."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from utils.encoder.checkpoint import CheckpointError
from utils.encoder.words import Reader

_MOST_PATCHES = 8_192


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
class Network:
    """All that an Encoder needs of a checkpoint."""

    title: str  # of the family
    backbone: nn.Module  # pixels (n, 3, height, width) -> tokens (n, leading + cells, hidden), not normed
    feature: str  # what the features are: "cls", "mean", "complex", or what the "head" gives
    leading: int  # tokens before those of the patches: CLS and registers; 0 where there is no CLS
    grid: tuple[int, int]  # rows and columns of patches, or of a CNN's cells
    norm: Norm | None = None  # between the tokens and the features
    head: nn.Module | None = None  # normed tokens -> features (n, dims)
    reader: Reader | None = None  # words -> features
    prompted: bool = False  # whether the family was trained on words, too
    heat_maps: tuple[str, ...] = ()  # the poolings that are a sum over patches or cells
    dims: int = 0  # of the features; `checked` fills it in


class Tokens(nn.Module):
    """A model of transformers -> its last tokens (n, tokens, hidden), for a CNN the cells of its map, row by row."""

    def __init__(self, model: nn.Module, switches: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.model = model
        self.switches = dict.fromkeys(switches, True)

    def forward(self, pixels: Tensor) -> Tensor:
        last = self.model(pixels, **self.switches).last_hidden_state
        return last.flatten(2).mT if last.ndim == 4 else last


class Fixed(nn.Module):
    """A value worked out once, in the place of what transformers works out again at every pass."""

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self, *_args: object, **_options: object) -> Tensor:
        return self.value


def fix_method(module: nn.Module, name: str, value: Tensor) -> None:
    """Have a method of a module return a value, which moves with the module from device to device."""
    fixed = Fixed(value)
    module.add_module(f"fixed_{name}", fixed)
    module.__dict__[name] = fixed  # found before the class's own method


def grid_of(shape: tuple[int, int], stride: int) -> tuple[int, int]:
    """Return rows and columns of patches in an input; raises CheckpointError for more than memory bears."""
    rows = shape[0] // stride
    columns = shape[1] // stride
    if rows * columns > _MOST_PATCHES:
        raise CheckpointError(
            f"an input of {shape[1]} x {shape[0]} pixels has {rows * columns:,} patches, over {_MOST_PATCHES:,}"
        )
    return rows, columns


@torch.no_grad()
def checked(network: Network, shape: tuple[int, int]) -> Network:
    """Return a network with its dims, after one pass; raises CheckpointError where it does not see the whole input.

    Several families cut rows and columns that do not fill a patch, without a word.
    """
    tokens = network.backbone(torch.zeros(1, 3, *shape))
    expected = network.leading + network.grid[0] * network.grid[1]
    if tokens.ndim != 3 or tokens.shape[1] != expected:
        raise CheckpointError(
            f"the network makes {tokens.shape[1]} tokens of an input of {shape[1]} x {shape[0]} pixels, "
            f"not {expected}; take another image or checkpoint"
        )
    dims = network.head(tokens).shape[1] if network.head else tokens.shape[2]
    return replace(network, dims=2 * dims if network.feature == "complex" else dims)


def cut_blocks(model: nn.Module, count: int, block: int | None) -> None:
    """Leave the first blocks of a transformer of `count` blocks; raises ValueError for a block that it has not."""
    if block is None:
        return
    if not 1 <= block < count:
        raise ValueError(f"block is {block}; allowed are 1 to {count - 1} (the last needs no number)")
    blocks = next(each for each in model.modules() if isinstance(each, nn.ModuleList) and len(each) == count)
    del blocks[block:]
