"""The student: a small BEiT, started so that it learns quickly, whose `pooler_output` is the target itself."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from transformers import BeitConfig, BeitForImageClassification

from utils.encoder.encoder import choose_dtype

PATCH = 16
_START_STD = 0.05  # transformers' 0.02 starts slowly with so few blocks
_LOCAL_BLOCKS = 3
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))


def config(side: int, width: int = 256, blocks: int = 6, heads: int = 8, stretch: int = 2) -> BeitConfig:
    """A BEiT in the form of Microsoft's fine-tuned ones: relative position bias per block, mean pooling."""
    return BeitConfig(
        hidden_size=width,
        num_hidden_layers=blocks,
        num_attention_heads=heads,
        intermediate_size=width * stretch,
        image_size=side,
        patch_size=PATCH,
        use_relative_position_bias=True,
        use_absolute_position_embeddings=False,
        use_shared_relative_position_bias=False,
        use_mask_token=False,
        use_mean_pooling=True,
        use_auxiliary_head=False,
        layer_scale_init_value=1.0,
        drop_path_rate=0.0,
        num_labels=0,  # ty: ignore[unknown-argument] - it is taught features, no labels
    )


def new(settings: BeitConfig, patches: Tensor, seed: int) -> BeitForImageClassification:
    """A student to train. `patches` (n, 3, 16, 16) of normalised pictures shape its patch embedding."""
    torch.manual_seed(seed)
    net = BeitForImageClassification(settings)
    net.set_attn_implementation("eager")  # a tenth faster than sdpa for 64 tokens on a processor
    for module in net.beit.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=_START_STD)
    _embed_principal_patches(net, patches)
    for block, bias in enumerate(bias_tables(net)):
        if block < _LOCAL_BLOCKS:
            _look_at_neighbours(bias, side_of(net) // PATCH)
    return net


def bias_tables(net: BeitForImageClassification) -> list[nn.Parameter]:
    """The relative position bias of each block, ((2 grid - 1) ** 2 + 3, heads)."""
    named = net.named_parameters()
    return [value for name, value in named if name.endswith("relative_position_bias_table")]


def _embed_principal_patches(net: BeitForImageClassification, patches: Tensor) -> None:
    """Patch embedding = whitened principal components of patches, so that the first block gets unlike channels."""
    projection: Any = net.get_submodule("beit.embeddings.patch_embeddings.projection")
    flat = patches.flatten(1)
    centred = flat - flat.mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(flat))
    values = values.flip(0)[: projection.out_channels]
    vectors = vectors.flip(1)[:, : projection.out_channels]
    filters = vectors / (values + 1e-3 * values[0]).sqrt()
    with torch.no_grad():
        projection.weight.copy_(filters.T.reshape(projection.weight.shape))
        projection.bias.copy_(-flat.mean(0) @ filters)


@torch.no_grad()
def _look_at_neighbours(table: Tensor, grid: int) -> None:
    """Let each head prefer one of the eight neighbours, as a 3 x 3 convolution does."""
    steps = torch.arange(2 * grid - 1) - (grid - 1)
    for head in range(table.shape[1]):
        down, right = _NEIGHBOURS[head % len(_NEIGHBOURS)]
        distance = (steps[:, None] - down) ** 2 + (steps[None] - right) ** 2
        table[: distance.numel(), head] = (-0.7 * distance).clamp(min=-5.0).flatten()


@torch.no_grad()
def resized(net: BeitForImageClassification, side: int) -> BeitForImageClassification:
    """The same network for pictures of another side: bias tables keep their steps in patches, new edges repeat old."""
    settings = copy.deepcopy(net.config)
    settings.image_size = side
    other = BeitForImageClassification(settings)
    other.set_attn_implementation("eager")
    old = net.state_dict()
    for name, value in other.state_dict().items():
        source = old[name]
        if name.endswith("relative_position_bias_table"):
            source = _resized_table(source, side_of(net) // PATCH, side // PATCH)
        value.copy_(source)
    return other


def _resized_table(table: Tensor, grid: int, wanted: int) -> Tensor:
    """Each step of the wanted grid takes the bias of the old grid's nearest step; the last three rows have none."""
    steps = torch.arange(2 * wanted - 1) - (wanted - 1)
    nearest = steps.clamp(1 - grid, grid - 1) + (grid - 1)
    places = nearest[:, None] * (2 * grid - 1) + nearest
    return torch.cat([table[places.flatten()], table[-3:]])


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 itself; then a step takes half the time, else many times as long."""
    return choose_dtype(None, torch.device("cpu")) == torch.bfloat16


def side_of(net: BeitForImageClassification) -> int:
    """Pixels of a side of the network's pictures."""
    side = net.config.image_size
    return side if isinstance(side, int) else side[0]


def see(net: BeitForImageClassification, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Pooled output (n, width) and the patches' contributions (n, patches, width), whose mean it is."""
    output = net.beit(pictures)
    tokens = output.last_hidden_state[:, 1:]
    norm: Any = net.get_submodule("beit.pooler.layernorm")
    sigma = (tokens.mean(1).var(-1, unbiased=False) + norm.eps).sqrt()[:, None, None]
    shares = norm.weight * (tokens - tokens.mean(-1, keepdim=True)) / sigma + norm.bias
    return output.pooler_output, shares
