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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils.hooks import RemovableHandle
from transformers import AutoTokenizer, PreTrainedConfig

from utils.encoder.checkpoint import TOKENIZER, first_line
from utils.errors import CheckpointError

Model = Any  # a model of transformers: its parts are attributes that no type checker knows

_SPARE = 2_000_000  # numbers that a model may have beyond twice those in its files
_HEADS = re.compile(r"(classifier|pooler)\.")  # what a checkpoint may have beyond the model: heads that are not used
_MOST_CHARACTERS = 1_000  # of a text; what is beyond 64 or 77 tokens is not read by any checkpoint


@dataclass(frozen=True)
class Family:
    """How the checkpoints of a model_type, or of an architecture of BEiT, are read."""

    title: str
    kind: str  # the name of its class in transformers
    pooled: str  # the feature that "pooled" is: "cls", "mean" or "head"
    poolings: tuple[str, ...] = ("pooled", "cls", "mean", "complex")
    tower: str = ""  # the network for pictures, a path in the model
    norm: str = ""  # the final norm, a path in the model
    on: str = "tokens"  # what the norm acts on; "mean": on the mean of the patches, for the pooled feature alone
    stride: int = 0  # of a CNN; the config of a transformer says its patch_size
    cls: int = 1  # CLS tokens
    any_size: bool = False  # whether a pass is asked to take other sizes than the trained
    options: tuple[str, ...] = ()  # switches of the constructor to turn off
    prompt: str = ""  # what words are put into, where the family reads

    @property
    def heat_maps(self) -> tuple[str, ...]:
        """The poolings that are a sum over patches or cells."""
        sums = ("mean", "complex", "pooled") if self.pooled == "mean" else ("mean", "complex")
        return tuple(each for each in self.poolings if each in sums)

    def require(self, pooling: str) -> None:
        """Raise CheckpointError for a pooling that these checkpoints were not trained for."""
        if pooling not in self.poolings:
            said = f"pooling is {pooling!r}, which {self.title} was not trained for"
            raise CheckpointError(f"{said}; allowed are {', '.join(self.poolings)}")


_BEIT = Family("BEiT", "BeitForImageClassification", "mean", tower="beit", norm="beit.pooler.layernorm", on="mean")
_PRETRAINED = Family("BEiT", "BeitForMaskedImageModeling", "", ("cls", "mean", "complex"), "beit", "layernorm")
_VIT = Family("ViT", "ViTModel", "cls", norm="layernorm", any_size=True, options=("add_pooling_layer",))
_DINO = Family("DINOv2", "Dinov2Model", "cls", norm="layernorm")
_CNN = Family("BiT", "BitModel", "mean", ("pooled", "mean"), stride=32, cls=0)
_CLIP = Family("CLIP", "CLIPModel", "head", ("pooled", "cls"), "vision_model", "vision_model.post_layernorm")
_CLIP = replace(_CLIP, any_size=True, prompt="a photo of a {}.")
_SIGLIP = replace(_CLIP, title="SigLIP", kind="SiglipModel", poolings=("pooled", "mean"), cls=0)

FAMILIES = {  # model_type in config.json, for BEiT with the architecture, -> how it is read; "vit" is DINO's first, too
    "beit (BeitForImageClassification)": _BEIT,
    "beit (BeitForMaskedImageModeling)": _PRETRAINED,
    "vit": _VIT,
    "dinov2": _DINO,
    "dinov2_with_registers": replace(_DINO, kind="Dinov2WithRegistersModel"),
    "dinov3_vit": replace(_DINO, title="DINOv3", kind="DINOv3ViTModel", norm="norm"),
    "clip": _CLIP,
    "siglip": replace(_SIGLIP, prompt="this is a photo of {}."),
    "bit": _CNN,
    "mobilenet_v2": replace(_CNN, title="MobileNetV2", kind="MobileNetV2Model"),
    "resnet": replace(_CNN, title="ResNet", kind="ResNetModel"),
    "convnextv2": replace(_CNN, title="ConvNeXtV2", kind="ConvNextV2Model", norm="layernorm", on="mean"),
}


@dataclass(frozen=True)
class TextEncoder:
    """The half of a checkpoint that reads words, on the CPU in float32."""

    model: Model  # CLIPModel or SiglipModel, without its network for pictures
    tokenizer: Any  # of transformers
    prompt: str  # what the words are put into, in the place of {}
    padded: bool  # SigLIP's way: lower case, always padded to the whole length, and no mask

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], prompt: str | None = None) -> Tensor:
        """Return the features of texts, float32 (n, dims); raises CheckpointError."""
        if isinstance(texts, str) or not texts or not all(isinstance(each, str) and each.strip() for each in texts):
            raise CheckpointError(f"the words are {str(texts)[:80]!r}; allowed is a list of texts, each with a word")
        template = self.prompt if prompt is None else prompt
        asked = []
        for text in texts:
            words = template.replace("{}", text[:_MOST_CHARACTERS])
            words = words.encode(errors="replace").decode()  # no lone surrogates
            asked.append(words.lower() if self.padded else words)
        config = self.model.config.text_config
        inputs = self.tokenizer(
            asked,
            padding="max_length" if self.padded else True,
            truncation=True,
            max_length=config.max_position_embeddings,
            return_tensors="pt",
        )
        if inputs["input_ids"].max() >= config.vocab_size:
            raise CheckpointError("its tokenizer knows words that its network does not: they are of two checkpoints")
        mask = None if self.padded else inputs["attention_mask"]
        return self.model.get_text_features(input_ids=inputs["input_ids"], attention_mask=mask).pooler_output.float()


@dataclass(frozen=True)
class Network:
    """All that an Encoder needs of a checkpoint."""

    family: Family
    backbone: nn.Module  # pixels (n, 3, height, width) -> tokens (n, leading + cells, hidden), not normed
    feature: str  # what the features are: "cls", "mean", "complex", or what the "head" gives
    leading: int  # tokens before those of the patches: CLS and registers; 0 where there is no CLS
    grid: tuple[int, int]  # rows and columns of patches, or of a CNN's cells
    norm: nn.LayerNorm | None  # between the tokens and the features, float32
    head: nn.Module | None  # normed CLS, or all normed tokens where there is no CLS -> features (n, dims)
    dims: int  # of the features
    text: TextEncoder | str  # what reads words, or why nothing does


class _Tokens(nn.Module):
    """A model of transformers -> its last tokens (n, tokens, hidden), for a CNN the cells of its map, row by row."""

    def __init__(self, model: Model, switches: dict[str, bool]) -> None:
        super().__init__()
        self.model = model
        self.switches = switches

    def forward(self, pixels: Tensor) -> Tensor:
        last = self.model(pixels, **self.switches).last_hidden_state
        return last.flatten(2).mT if last.ndim == 4 else last


def read_config(config: dict) -> tuple[Family, PreTrainedConfig, int]:
    """Return how a checkpoint is read by its config.json, that as transformers has it, and the size of a patch.

    The size is in pixels, for a CNN from one cell of its last map to the next. Raises CheckpointError for a family that
    is not known and for a patch that cannot be; whatever transformers raises, flies.
    """
    kind = config.get("model_type", config.get("architecture"))  # timm's checkpoints say the second
    if kind == "beit":  # two of its architectures have a trained norm
        kind = f"beit ({(config.get('architectures') or [None])[0]})"
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise CheckpointError(f"its model_type is {kind!r}; allowed are {', '.join(FAMILIES)}")
    if config.get("quantization_config"):
        raise CheckpointError("its weights are quantized; allowed are plain numbers (float32, float16, bfloat16)")
    if not config.get("use_mean_pooling", True):
        raise CheckpointError("it pools its CLS token (use_mean_pooling is false); allowed is true")
    family = FAMILIES[kind]
    parsed = getattr(transformers, family.kind).config_class.from_dict(config)
    tower = getattr(parsed, "vision_config", None)
    seen = tower if isinstance(tower, PreTrainedConfig) else parsed  # a stray entry of a config.json is a dict
    stride = family.stride or seen.patch_size
    if not isinstance(stride, int) or not 1 <= stride <= 64:
        raise CheckpointError(f"its patch_size is {stride}; allowed are 1 to 64 pixels")
    return family, parsed, stride


def load_model(family: Family, config: PreTrainedConfig, weights: dict[str, Tensor]) -> Model:
    """Return a family's model in float32, with every number from the weights and none left over but unused heads.

    Nothing is asked of the hub, and no file is opened. Raises CheckpointError for weights that are missing, left over,
    of another shape, not finite, or far fewer than the config describes; whatever transformers raises, flies.
    """
    held = sum(each.numel() for each in weights.values())
    with _bounded_model(2 * held + _SPARE, 2 * len(weights) + 100):
        model, info = getattr(transformers, family.kind).from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # reported to us, and refused here
            output_loading_info=True,
            **dict.fromkeys(family.options, False),
        )
    faults = {
        "missing": info["missing_keys"],
        "unexpected": [name for name in info["unexpected_keys"] if not _HEADS.search(name)],
        "of another shape": [name for name, *_ in info["mismatched_keys"]],
        "not finite": [name for name, weight in model.state_dict().items() if not weight.isfinite().all()],
    }
    for fault, names in faults.items():
        if names:
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            raise CheckpointError(
                f"its weights do not fit {family.kind}, and a made-up one is worse than none: "
                f"{fault} are {', '.join(sorted(names)[:5])}{more}"
            )
    return model.eval().requires_grad_(False)


def _bounded_model(numbers: int, tensors: int) -> RemovableHandle:
    """Return a context that raises CheckpointError for a model of more numbers or tensors than its files could fill."""
    sizes: dict[tuple[int, str], int] = {}

    def count(module: nn.Module, name: str, parameter: Tensor | None) -> None:
        sizes[id(module), name] = 0 if parameter is None else parameter.numel()
        described = sum(sizes.values())
        if described > numbers or len(sizes) > tensors:
            raise CheckpointError(f"its config describes over {described:,} weights, its files hold far fewer")

    return register_module_parameter_registration_hook(count)


@torch.no_grad()
def build(family: Family, model: Model, pooling: str, size: tuple[int, int], stride: int, *, folder: Path) -> Network:
    """Return the Network of a checkpoint's model for a pooling and an input's height and width.

    `folder` has its tokenizer, if any. Raises CheckpointError where the model does not see the whole input: several
    families cut rows and columns that do not fill a patch, without a word.
    """
    tower = model.get_submodule(family.tower)
    leading = family.cls + getattr(getattr(tower, "config", None), "num_register_tokens", 0)
    grid = size[0] // stride, size[1] // stride
    norm = _take_norm(family, model, pooling)
    head = _take_head(model, tower) if pooling == "pooled" and family.pooled == "head" else None
    backbone = _Tokens(tower, {"interpolate_pos_encoding": True} if family.any_size else {})
    tokens = backbone(torch.zeros(1, 3, *size))
    expected = leading + grid[0] * grid[1]
    if tokens.ndim != 3 or tokens.shape[1] != expected:
        raise CheckpointError(
            f"the network makes {tokens.shape[1]} tokens of an input of {size[1]} x {size[0]} pixels, "
            f"not {expected}; take another image, such as 'whole', or another checkpoint"
        )
    feature = family.pooled if pooling == "pooled" else pooling
    dims = 2 * tokens.shape[2] if feature == "complex" else getattr(head, "out_features", tokens.shape[2])
    text = _text_encoder(family, folder, model, head)
    return Network(family, backbone, feature, leading, grid, norm, head, dims, text)


def _take_norm(family: Family, model: Model, pooling: str) -> nn.LayerNorm | None:
    """Return the final norm for the features, and leave the model's tokens without it."""
    if not family.norm:
        return None
    norm = model.get_submodule(family.norm)
    model.set_submodule(family.norm, nn.Identity())
    return None if family.on == "mean" and pooling != "pooled" else norm


def _take_head(model: Model, tower: Model) -> nn.Module:
    """Return what makes the pooled feature, and leave the tower without it."""
    if not hasattr(tower, "head"):  # CLIP's is a linear projection
        return model.visual_projection
    head = tower.head
    tower.use_head = False
    del tower.head
    return head


def _text_encoder(family: Family, folder: Path, model: Model, head: nn.Module | None) -> TextEncoder | str:
    """Return what reads words, or why nothing does: pictures are compared without it."""
    if not family.prompt:
        return f"{family.title} was trained on pictures alone, so it cannot be asked with words"
    if head is None:
        return f"{family.title} compares words with its own feature only: load it with pooling='pooled'"
    if not any((folder / name).is_file() for name in TOKENIZER):
        return "this checkpoint came without its tokenizer's files, so it cannot be asked with words"
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - its kinds are many where a tokenizer is not whole
        needs = "; pip install sentencepiece reads spiece.model" if (folder / "spiece.model").is_file() else ""
        return f"its tokenizer cannot be read, so it cannot be asked with words: {first_line(error)}{needs}"
    model.vision_model = None
    return TextEncoder(model, tokenizer, family.prompt, padded=family.title == "SigLIP")
