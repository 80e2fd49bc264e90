"""The families of checkpoints, as a table, and the one way in which each of them becomes a Network.

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

`complex` is cls and mean, one after the other. To add a family, add a row: `pooled` and `poolings` say which feature is
its own and which mean something, `norm` where its final norm stands in the model.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.module import register_module_parameter_registration_hook
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from utils.encoder.checkpoint import read_weights
from utils.encoder.text import TextEncoder, load_text_encoder
from utils.errors import CheckpointError

Model = Any  # a model of transformers: its parts are attributes that no type checker knows

_MOST_PATCHES = 8_192
_SPARE = 2_000_000  # numbers that a model may have beyond twice those in its files
_HEADS = re.compile(r"(classifier|pooler)\.")  # what a checkpoint may have beyond the model: heads that are not used


@dataclass(frozen=True)
class Family:
    """How the checkpoints of a model_type, or of an architecture of BEiT, are read."""

    title: str
    kind: type[PreTrainedModel]
    pooled: str  # the feature that "pooled" is: "cls", "mean" or "head"
    poolings: tuple[str, ...] = ("pooled", "cls", "mean", "complex")
    tower: str = ""  # the network for pictures, a path in the model
    norm: str = ""  # the final norm, a path in the model
    on: str = "tokens"  # what the norm acts on; "mean": on the mean of the patches, for the pooled feature alone
    stride: int = 0  # of a CNN; the config of a transformer says its patch_size
    cls: int = 1  # CLS tokens
    switch: str = ""  # what a pass is asked for, so that other sizes than the trained are taken
    options: tuple[str, ...] = ()  # switches of the constructor to turn off
    prompt: str = ""  # what words are put into, where the family reads

    @property
    def heat_maps(self) -> tuple[str, ...]:
        """The poolings that are a sum over patches or cells."""
        return tuple(
            each for each in self.poolings if each in ("mean", "complex") or (each, self.pooled) == ("pooled", "mean")
        )


_ANY_SIZE = "interpolate_pos_encoding"
_BEIT = Family(
    "BEiT", transformers.BeitForImageClassification, "mean", tower="beit", norm="beit.pooler.layernorm", on="mean"
)
_DINO = Family("DINOv2", transformers.Dinov2Model, "cls", norm="layernorm")
_CNN = Family("BiT", transformers.BitModel, "mean", ("pooled", "mean"), stride=32, cls=0)
_CLIP = Family(
    "CLIP",
    transformers.CLIPModel,
    "head",
    ("pooled", "cls"),
    tower="vision_model",
    norm="vision_model.post_layernorm",
    switch=_ANY_SIZE,
    prompt="a photo of a {}.",
)

FAMILIES = {  # model_type in config.json, for BEiT with the architecture, -> how it is read; "vit" is DINO's first, too
    "beit (BeitForImageClassification)": _BEIT,
    "beit (BeitForMaskedImageModeling)": replace(
        _BEIT,
        kind=transformers.BeitForMaskedImageModeling,
        poolings=("cls", "mean", "complex"),
        norm="layernorm",
        on="tokens",
    ),
    "vit": Family(
        "ViT", transformers.ViTModel, "cls", norm="layernorm", switch=_ANY_SIZE, options=("add_pooling_layer",)
    ),
    "dinov2": _DINO,
    "dinov2_with_registers": replace(_DINO, kind=transformers.Dinov2WithRegistersModel),
    "dinov3_vit": replace(_DINO, title="DINOv3", kind=transformers.DINOv3ViTModel, norm="norm"),
    "clip": _CLIP,
    "siglip": replace(
        _CLIP,
        title="SigLIP",
        kind=transformers.SiglipModel,
        poolings=("pooled", "mean"),
        cls=0,
        prompt="this is a photo of {}.",
    ),
    "bit": _CNN,
    "mobilenet_v2": replace(_CNN, title="MobileNetV2", kind=transformers.MobileNetV2Model),
    "resnet": replace(_CNN, title="ResNet", kind=transformers.ResNetModel),
    "convnextv2": replace(_CNN, title="ConvNeXtV2", kind=transformers.ConvNextV2Model, norm="layernorm", on="mean"),
}


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
        """Return this norm on a device."""
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
    text: TextEncoder | str = ""  # what reads words, or why nothing does
    heat_maps: tuple[str, ...] = ()  # the poolings that are a sum over patches or cells
    dims: int = 0  # of the features; `measured` fills it in


class Tokens(nn.Module):
    """A model of transformers -> its last tokens (n, tokens, hidden), for a CNN the cells of its map, row by row."""

    def __init__(self, model: nn.Module, switch: str) -> None:
        super().__init__()
        self.model = model
        self.switches = {switch: True} if switch else {}

    def forward(self, pixels: Tensor) -> Tensor:
        last = self.model(pixels, **self.switches).last_hidden_state
        return last.flatten(2).mT if last.ndim == 4 else last


def family_of(config: dict) -> Family:
    """Return how a checkpoint is read, by its config.json; raises CheckpointError for one of no known family."""
    kind = config.get("model_type", config.get("architecture"))  # timm's checkpoints say the second
    if kind == "beit":  # two of its architectures have a trained norm
        kind = f"beit ({(config.get('architectures') or [None])[0]})"
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise CheckpointError(f"its model_type is {kind!r}; allowed are {', '.join(FAMILIES)}")
    if config.get("quantization_config"):
        raise CheckpointError("its weights are quantized; allowed are plain numbers (float32, float16, bfloat16)")
    if not config.get("use_mean_pooling", True):
        raise CheckpointError("it pools its CLS token (use_mean_pooling is false); allowed is true")
    return FAMILIES[kind]


def parse_config(family: Family, config: dict) -> PreTrainedConfig:
    """Return the content of a config.json as the config of a family's model; whatever transformers raises, flies."""
    kind: Any = family.kind
    with _quiet():
        return kind.config_class.from_dict(config)


def stride_of(family: Family, config: PreTrainedConfig) -> int:
    """Return the pixels from one patch, or cell of a CNN's map, to the next; raises CheckpointError."""
    tower = getattr(config, "vision_config", config)
    seen = tower if isinstance(tower, PreTrainedConfig) else config  # a stray entry of a config.json is a dict
    stride = family.stride or seen.patch_size
    if not isinstance(stride, int) or not 1 <= stride <= 64:
        raise CheckpointError(f"its patch_size is {stride}; allowed are 1 to 64 pixels")
    return stride


def grid_of(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Return rows and columns of patches in an input; raises CheckpointError for more than memory bears."""
    rows = size[0] // stride
    columns = size[1] // stride
    if rows * columns > _MOST_PATCHES:
        raise CheckpointError(
            f"an input of {size[1]} x {size[0]} pixels has {rows * columns:,} patches, over {_MOST_PATCHES:,}"
        )
    return rows, columns


def require_pooling(title: str, pooling: str, allowed: tuple[str, ...]) -> None:
    """Raise CheckpointError for a pooling that a family was not trained for."""
    if pooling not in allowed:
        raise CheckpointError(
            f"pooling is {pooling!r}, which {title} was not trained for; allowed are {', '.join(allowed)}"
        )


def build(family: Family, config: PreTrainedConfig, files: list[Path], pooling: str, size: tuple[int, int]) -> Network:
    """Return the Network of a checkpoint, from its files of weights, for a pooling and an input's height and width.

    Raises CheckpointError; whatever transformers raises for a checkpoint that is not sound, flies.
    """
    require_pooling(family.title, pooling, family.poolings)
    grid = grid_of(size, stride_of(family, config))
    model = _load_model(family, config, read_weights(files))
    tower = model.get_submodule(family.tower)
    norm = _take_norm(family, model, pooling)
    head = _take_head(model, tower) if pooling == "pooled" and family.pooled == "head" else None
    _fix_positions(tower, grid, size, family.cls)
    network = Network(
        title=family.title,
        backbone=Tokens(tower, family.switch),
        feature=family.pooled if pooling == "pooled" else pooling,
        leading=family.cls + getattr(tower.config, "num_register_tokens", 0),
        grid=grid,
        norm=norm,
        head=head,
        text=_text_encoder(family, files[0].parent, model, head),
        heat_maps=family.heat_maps,
    )
    return measured(network, size)


@torch.no_grad()
def measured(network: Network, size: tuple[int, int]) -> Network:
    """Return a network with its dims, after one pass; raises CheckpointError where it does not see the whole input.

    Several families cut rows and columns that do not fill a patch, without a word.
    """
    tokens = network.backbone(torch.zeros(1, 3, *size))
    expected = network.leading + network.grid[0] * network.grid[1]
    if tokens.ndim != 3 or tokens.shape[1] != expected:
        raise CheckpointError(
            f"the network makes {tokens.shape[1]} tokens of an input of {size[1]} x {size[0]} pixels, "
            f"not {expected}; take another image, such as 'whole', or another checkpoint"
        )
    dims = network.head(tokens).shape[1] if network.head else tokens.shape[2]
    return replace(network, dims=2 * dims if network.feature == "complex" else dims)


def _load_model(family: Family, config: PreTrainedConfig, weights: dict[str, Tensor]) -> Model:
    """Return a family's model in float32, with every number from the weights and none left over but unused heads.

    Nothing is asked of the hub, and no file is opened. Raises CheckpointError.
    """
    held = sum(each.numel() for each in weights.values())
    kind: Any = family.kind
    with _bounded_model(2 * held + _SPARE, 2 * len(weights) + 100), _quiet():
        model, info = kind.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # reported to us, and refused here
            output_loading_info=True,
            **dict.fromkeys(family.options, False),
        )
    _require_whole(model, info)
    return model.eval().requires_grad_(False)


@contextmanager
def _bounded_model(numbers: int, tensors: int) -> Iterator[None]:
    """Raise CheckpointError as soon as a model being built has more numbers or tensors than its files could fill."""
    sizes: dict[tuple[int, str], int] = {}

    def count(module: nn.Module, name: str, parameter: Tensor | None) -> None:
        sizes[id(module), name] = 0 if parameter is None else parameter.numel()
        described = sum(sizes.values())
        if described > numbers or len(sizes) > tensors:
            raise CheckpointError(f"its config describes over {described:,} weights, its files hold far fewer")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _require_whole(model: Model, info: dict) -> None:
    """Raise CheckpointError for weights that are missing, left over, of another shape or not finite."""
    broken = [name for name, weight in model.state_dict().items() if not weight.isfinite().all()]
    faults = {
        "missing": info["missing_keys"],
        "unexpected": [name for name in info["unexpected_keys"] if not _HEADS.search(name)],
        "of another shape": [name for name, *_ in info["mismatched_keys"]],
        "not finite": [] if info["missing_keys"] or info["mismatched_keys"] else broken,
    }
    for fault, names in faults.items():
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise CheckpointError(
                f"its weights do not fit {type(model).__name__}, and a made-up one is worse than none: "
                f"{fault} are {', '.join(sorted(names)[:5])}{more}"
            )


def _take_norm(family: Family, model: Model, pooling: str) -> Norm | None:
    """Return the final norm for the features, and leave the model's tokens without it."""
    if not family.norm:
        return None
    layer = model.get_submodule(family.norm)
    model.set_submodule(family.norm, nn.Identity())
    if family.on == "mean" and pooling != "pooled":
        return None
    return Norm(layer.weight.data, layer.bias.data, layer.eps, family.on)


@torch.no_grad()
def _fix_positions(tower: Model, grid: tuple[int, int], size: tuple[int, int], cls: int) -> None:
    """Interpolate the position embeddings once, in float32; transformers does it at every pass, in its precision."""
    embeddings = getattr(tower, "embeddings", None)
    if hasattr(embeddings, _ANY_SIZE) and getattr(embeddings, "position_embeddings", True) is not None:
        tokens = torch.zeros(1, cls + grid[0] * grid[1], tower.config.hidden_size)
        embeddings.fixed = _Fixed(embeddings.interpolate_pos_encoding(tokens, *size).clone())  # moves with the tower
        embeddings.__dict__[_ANY_SIZE] = embeddings.fixed  # found before the class's own method


class _Fixed(nn.Module):
    """A value in the place of what works it out at every pass."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self, *_: object) -> Tensor:
        return self.value  # ty: ignore[invalid-explicit-return]


def _take_head(model: Model, tower: Model) -> nn.Module:
    """Return what makes the pooled feature of the normed tokens, and leave the tower without it."""
    if not hasattr(tower, "head"):  # CLIP's is a linear projection of CLS
        return nn.Sequential(_First(), model.visual_projection)
    head = tower.head
    tower.use_head = False
    del tower.head
    return head


class _First(nn.Module):
    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]


def _text_encoder(family: Family, folder: Path, model: Model, head: nn.Module | None) -> TextEncoder | str:
    if not family.prompt:
        return f"{family.title} was trained on pictures alone, so it cannot be asked with words"
    if head is None:
        return f"{family.title} compares words with its own feature only: load it with pooling='pooled'"
    model.vision_model = None
    return load_text_encoder(folder, model, family.prompt, padded=family.title == "SigLIP")


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide transformers' own progress bar and its table of weights left over: what counts is checked here."""
    shown = logging.is_progress_bar_enabled()
    level = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
