"""BEiT: a checkpoint of one of its two trained forms -> a Network. Its table of features stands in families.py."""

from pathlib import Path

import torch
from transformers import BeitForImageClassification, BeitForMaskedImageModeling, PreTrainedConfig, PreTrainedModel

from utils.encoder.checkpoint import CheckpointError
from utils.encoder.families import Family
from utils.encoder.network import Fixed, Network, Norm, Tokens, checked, cut_blocks, grid_of
from utils.encoder.weights import Model, load_model

_KINDS: dict[str, type[PreTrainedModel]] = {
    each.__name__: each for each in (BeitForImageClassification, BeitForMaskedImageModeling)
}
BEIT = Family("BEiT", BeitForImageClassification, "mean")


def build_beit(
    folder: Path, config: PreTrainedConfig, pooling: tuple[str, int | None], shape: tuple[int, int]
) -> Network:
    """Return the Network of a BEiT for a pooling (style, block) and an input's height and width.

    Raises CheckpointError, and ValueError for a block that the network has not.
    """
    style, block = pooling
    kind = _kind(config, folder.name)
    tuned = kind is BeitForImageClassification
    if style == "pooled" and not tuned:
        raise CheckpointError(
            "pooling is 'pooled', which a checkpoint trained to fill masks has not; allowed are cls, mean, complex"
        )
    grid = grid_of(shape, config.patch_size)
    model = load_model(kind, folder, config, spare=None)
    norm = _norm(model, tuned) if block is None and (style == "pooled" or not tuned) else None
    beit = model.beit
    beit.pooler = None
    cut_blocks(beit, config.num_hidden_layers, block)
    _fix_bias(beit, grid)
    feature = "mean" if style == "pooled" else style
    heat_maps = BEIT.heat_maps if tuned else BEIT.heat_maps[1:]
    return checked(Network("BEiT", Tokens(beit), feature, 1, grid, norm, heat_maps=heat_maps), shape)


def _kind(config: PreTrainedConfig, name: str) -> type[PreTrainedModel]:
    """Return the class that a checkpoint was saved from: the two that have a trained norm."""
    found = (config.architectures or [None])[0]
    if found not in _KINDS:
        raise CheckpointError(f"{name} is a {found}; allowed are {', '.join(_KINDS)}, which have a trained norm")
    if not config.use_mean_pooling:
        raise CheckpointError(f"{name} pools its CLS token (use_mean_pooling is false); allowed is true")
    return _KINDS[found]


def _norm(model: Model, tuned: bool) -> Norm:
    layer = model.beit.pooler.layernorm if tuned else model.layernorm
    return Norm(layer.weight.data, layer.bias.data, layer.eps, "mean" if tuned else "tokens")


@torch.no_grad()
def _fix_bias(beit: Model, grid: tuple[int, int]) -> None:
    """Replace each relative position bias by its value for a grid (rows, columns) of patches."""
    if beit.shared_position_bias is not None:
        beit.shared_position_bias = Fixed(beit.shared_position_bias(grid))
    for layer in beit.layers:
        if layer.relative_position_bias is not None:
            layer.relative_position_bias = Fixed(layer.relative_position_bias(grid))
