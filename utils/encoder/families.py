"""The families of checkpoints, as a table, and the one way in which all of them but BEiT become a Network.

With x the tokens of the last block and LN the checkpoint's trained final layer norm, x[0] the CLS token and x[p] those
of the patches (without registers), or for a CNN the cells of its last map, the features are

    family                        pooled                     cls         mean
    BEiT, fine-tuned              LN(mean(x[p]))             x[0]        mean(x[p])
    BEiT, pre-trained             none                       LN(x)[0]    mean(LN(x)[p])
    ViT, DINO, DINOv2, DINOv3     LN(x)[0]                   LN(x)[0]    mean(LN(x)[p])
    CLIP                          projection of LN(x)[0]     LN(x)[0]    none: only CLS was trained
    SigLIP                        attention head of LN(x)    none        mean(LN(x)[p])
    BiT, MobileNetV2, ResNet      mean(x[p])                 none        mean(x[p])
    ConvNeXtV2                    LN(mean(x[p]))             none        mean(x[p])

`complex` is cls and mean, one after the other. `cls@8`, `mean@8` and `complex@8` take the tokens after block 8 of a
transformer instead, without a norm, as none was trained there. To add a family, add a row: `pooled` and `poolings` say
which feature is its own and which mean something, `norm` where its final norm stands in the model.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import (
    BitModel,
    CLIPModel,
    ConvNextV2Model,
    Dinov2Model,
    Dinov2WithRegistersModel,
    DINOv3ViTModel,
    MobileNetV2Model,
    PreTrainedConfig,
    PreTrainedModel,
    ResNetModel,
    SiglipModel,
    ViTModel,
)

from utils.encoder.checkpoint import CheckpointError
from utils.encoder.network import Network, Norm, Tokens, checked, cut_blocks, fix_method, grid_of
from utils.encoder.weights import Model, load_model
from utils.encoder.words import Reader, read_words


@dataclass(frozen=True)
class Family:
    """How the checkpoints of a model_type are read; `norm` is a path in the network for pictures."""

    title: str
    kind: type[PreTrainedModel]
    pooled: str  # the feature that "pooled" is: "cls", "mean" or "head"
    poolings: tuple[str, ...] = ("pooled", "cls", "mean", "complex")  # of the last block
    norm: str = ""  # its final norm
    on: str = "tokens"  # what the norm acts on
    stride: int = 0  # of a CNN; the config of a transformer says it
    cls: int = 1  # CLS tokens
    switch: str = "interpolate_pos_encoding"  # what a pass is asked for, so that other sizes than the trained are taken
    options: tuple[str, ...] = ()  # switches of the constructor to turn off
    prompt: str = ""  # what words are put into, where the family reads

    @property
    def heat_maps(self) -> tuple[str, ...]:
        """The poolings that are a sum over patches or cells."""
        found = [
            each for each in self.poolings if each in ("mean", "complex") or (each, self.pooled) == ("pooled", "mean")
        ]
        if not self.stride:
            found += ["mean@N", "complex@N"] if self.cls else ["mean@N"]
        return tuple(found)


_DINO = Family("DINOv2", Dinov2Model, "cls", norm="layernorm", switch="")
_CNN = Family("BiT", BitModel, "mean", ("pooled", "mean"), stride=32, cls=0, switch="")
_CLIP = Family("CLIP", CLIPModel, "head", ("pooled", "cls"), norm="post_layernorm", prompt="a photo of a {}.")

FAMILIES = {  # model_type in config.json -> how it is read; "vit" is DINO's first, too
    "vit": Family("ViT", ViTModel, "cls", norm="layernorm", options=("add_pooling_layer",)),
    "dinov2": _DINO,
    "dinov2_with_registers": replace(_DINO, kind=Dinov2WithRegistersModel),
    "dinov3_vit": replace(_DINO, title="DINOv3", kind=DINOv3ViTModel, norm="norm"),
    "clip": _CLIP,
    "siglip": replace(
        _CLIP, title="SigLIP", kind=SiglipModel, poolings=("pooled", "mean"), cls=0, prompt="this is a photo of {}."
    ),
    "bit": _CNN,
    "mobilenet_v2": replace(_CNN, title="MobileNetV2", kind=MobileNetV2Model),
    "resnet": replace(_CNN, title="ResNet", kind=ResNetModel),
    "convnextv2": replace(_CNN, title="ConvNeXtV2", kind=ConvNextV2Model, norm="layernorm", on="mean"),
}


class Projection(nn.Module):
    """CLIP's head: a linear projection of CLS."""

    def __init__(self, projection: nn.Linear) -> None:
        super().__init__()
        self.projection = projection

    def forward(self, tokens: Tensor) -> Tensor:
        return self.projection(tokens[:, 0])


def stride_of(family: Family, config: PreTrainedConfig) -> int:
    """Return the pixels from one patch, or cell of a CNN's map, to the next; raises CheckpointError."""
    stride = family.stride or _tower_config(config).patch_size
    if not isinstance(stride, int) or not 1 <= stride <= 64:
        raise CheckpointError(f"the checkpoint's patch_size is {stride}; allowed are 1 to 64 pixels")
    return stride


def build(
    family: Family, folder: Path, config: PreTrainedConfig, pooling: tuple[str, int | None], shape: tuple[int, int]
) -> Network:
    """Return the Network of a checkpoint for a pooling (style, block) and an input's height and width.

    Raises CheckpointError, and ValueError for a block that the network has not.
    """
    style, block = pooling
    _check_pooling(family, style, block)
    grid = grid_of(shape, stride_of(family, config))
    model = load_model(family.kind, folder, config, options=dict.fromkeys(family.options, False))
    tower = getattr(model, "vision_model", model)
    norm = _take_norm(family, tower, style, block)
    head = _take_head(model, tower) if style == "pooled" and family.pooled == "head" else None
    if not family.stride:
        cut_blocks(tower, tower.config.num_hidden_layers, block)
        _fix_positions(tower, grid, shape, family.cls)
    network = Network(
        title=family.title,
        backbone=Tokens(tower, (family.switch,) if family.switch else ()),
        feature=family.pooled if style == "pooled" else style,
        leading=family.cls + getattr(tower.config, "num_register_tokens", 0),
        grid=grid,
        norm=norm,
        head=head,
        reader=_take_reader(family, folder, model) if head else None,
        prompted=bool(family.prompt),
        heat_maps=family.heat_maps,
    )
    return checked(network, shape)


def _tower_config(config: PreTrainedConfig) -> PreTrainedConfig:
    tower = getattr(config, "vision_config", config)
    return tower if isinstance(tower, PreTrainedConfig) else config  # a stray entry of a config.json is a dict


def _check_pooling(family: Family, style: str, block: int | None) -> None:
    allowed = ", ".join(family.poolings)
    if family.stride and block is not None:
        raise CheckpointError(f"pooling is '{style}@{block}', but {family.title} has no blocks; allowed are {allowed}")
    if not family.cls and style in ("cls", "complex"):
        raise CheckpointError(f"pooling is {style!r}, but {family.title} has no CLS token; allowed are {allowed}")
    if block is None and style not in family.poolings:
        raise CheckpointError(f"pooling is {style!r}, which {family.title} was not trained for; allowed are {allowed}")


def _take_norm(family: Family, tower: Model, style: str, block: int | None) -> Norm | None:
    """Return the final norm for the features, and leave the tower's tokens without it."""
    if not family.norm:
        return None
    layer = getattr(tower, family.norm)
    setattr(tower, family.norm, nn.Identity())
    used = block is None and (family.on == "tokens" or style == "pooled")
    return Norm(layer.weight.data, layer.bias.data, layer.eps, family.on) if used else None


def _take_head(model: Model, tower: Model) -> nn.Module:
    """Return what makes the pooled feature of the normed tokens, and leave the tower without it."""
    if not hasattr(tower, "head"):
        return Projection(model.visual_projection)
    head = tower.head
    tower.use_head = False
    del tower.head
    return head


def _take_reader(family: Family, folder: Path, model: Model) -> Reader | None:
    model.vision_model = None
    return read_words(folder, model, family.prompt, tidy=family.title == "SigLIP")


@torch.no_grad()
def _fix_positions(tower: Model, grid: tuple[int, int], shape: tuple[int, int], cls: int) -> None:
    """Interpolate the position embeddings once, in float32; transformers does it again at every pass."""
    name = "interpolate_pos_encoding"
    if not hasattr(tower.embeddings, name):  # DINOv3 turns positions into angles, whatever the size
        return
    tokens = torch.zeros(1, cls + grid[0] * grid[1], tower.config.hidden_size)
    fix_method(tower.embeddings, name, getattr(tower.embeddings, name)(tokens, *shape).clone())
