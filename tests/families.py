"""Small checkpoints of every family, in today's form and an older one, and what transformers makes of them."""

import json
from pathlib import Path
from typing import NamedTuple

import checkpoints
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
SHARED = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "do_resize": True}
TOWER = checkpoints.BLOCKS | {"intermediate_size": 64}
STAGES = {"hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1]}
WORDS = 514  # of the text towers: CLIP's tokenizer has two forms of 256 letters, a start and an end


class Family(NamedTuple):
    """A family as transformers has it."""

    model: type[PreTrainedModel]
    config: PreTrainedConfig
    processor: dict
    leading: int = 0
    switches: dict = {}  # noqa: RUF012 - never changed


def _square(side: int, resample: int) -> dict:
    return SHARED | {"size": {"height": side, "width": side}, "resample": resample}


def _cropped(edge: int, side: int, resample: int) -> dict:
    crop = {"do_center_crop": True, "crop_size": {"height": side, "width": side}}
    return SHARED | crop | {"size": {"shortest_edge": edge}, "resample": resample}


def _dino(**more) -> dict:
    return checkpoints.BLOCKS | {"image_size": 98, "patch_size": 14, "mlp_ratio": 2} | more


def _towers(patch: int, longest: int, **text) -> dict:
    text = TOWER | {"vocab_size": WORDS, "max_position_embeddings": longest} | text
    return {"text_config": text, "vision_config": TOWER | {"image_size": 64, "patch_size": patch}}


_POSITIONS = {"interpolate_pos_encoding": True}
_PERCENT = SHARED | IMAGENET | {"size": {"shortest_edge": 64}, "crop_pct": 0.875, "resample": 3}
_VIT = transformers.ViTConfig(**TOWER, image_size=64, patch_size=8)
_REGISTERS = transformers.Dinov2WithRegistersConfig(**_dino(num_register_tokens=4))
_DINOV3 = transformers.DINOv3ViTConfig(**TOWER, image_size=64, patch_size=16, num_register_tokens=4)
_CLIP = transformers.CLIPConfig(**_towers(32, 77, bos_token_id=WORDS - 2, eos_token_id=WORDS - 1), projection_dim=24)
_SIGLIP = transformers.SiglipConfig(
    **_towers(16, 64, projection_size=32, pad_token_id=0, bos_token_id=2, eos_token_id=1)
)
_MOBILE = transformers.MobileNetV2Config(image_size=64, depth_multiplier=0.25)
_BIT = transformers.BitConfig(**STAGES, embedding_size=16, num_groups=4)
_RESNET = transformers.ResNetConfig(**STAGES, embedding_size=16)
_CONVNEXT = transformers.ConvNextV2Config(**STAGES)
FAMILIES = {
    "vit": Family(transformers.ViTModel, _VIT, _square(64, 2) | IMAGENET, 1, _POSITIONS),
    "dinov2": Family(transformers.Dinov2Model, transformers.Dinov2Config(**_dino()), _cropped(64, 56, 3) | IMAGENET, 1),
    "dinov2_with_registers": Family(
        transformers.Dinov2WithRegistersModel, _REGISTERS, _cropped(64, 56, 3) | IMAGENET, 5
    ),
    "dinov3_vit": Family(transformers.DINOv3ViTModel, _DINOV3, _square(64, 2) | IMAGENET, 5),
    "clip": Family(transformers.CLIPModel, _CLIP, _cropped(64, 64, 3) | IMAGENET, 1, _POSITIONS),
    "siglip": Family(transformers.SiglipModel, _SIGLIP, _square(64, 2) | HALF, 0, _POSITIONS),
    "bit": Family(transformers.BitModel, _BIT, _cropped(96, 64, 2) | HALF),
    "mobilenet_v2": Family(transformers.MobileNetV2Model, _MOBILE, _cropped(80, 64, 2) | HALF),
    "resnet": Family(transformers.ResNetModel, _RESNET, _PERCENT),
    "convnextv2": Family(transformers.ConvNextV2Model, _CONVNEXT, _PERCENT),
}
_PROCESSORS = {  # family -> the class in transformers that knows its crop; BiT's for all others
    "clip": "CLIPImageProcessorPil",
    "mobilenet_v2": "MobileNetV2ImageProcessorPil",
    "resnet": "ConvNextImageProcessorPil",
    "convnextv2": "ConvNextImageProcessorPil",
}
_WITHOUT_PREFIX = ("dinov2", "dinov2_with_registers", "dinov3_vit", "clip", "siglip")  # in older files
_OLD_NAMES = {"vit": checkpoints.OLD_NAMES, "dinov2": checkpoints.OLD_NAMES[:-2]}  # whose MLP has today's


def write(folder: Path, name: str, form: str = "today") -> Path:
    """Write a checkpoint as today's transformers does, or in the "old" form; return its folder."""
    if name in checkpoints.KINDS:
        return checkpoints.write(folder, name, form)
    model = _model(name)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(FAMILIES[name].processor))
    if form == "old":
        left_over = {"classifier.weight": torch.ones(3, 3)}
        if name == "clip":
            left_over["text_model.embeddings.position_ids"] = torch.arange(77)[None]
        is_bare = name in _WITHOUT_PREFIX
        checkpoints.make_old(folder, model, _OLD_NAMES.get(name, []), "" if is_bare else f"{name}.", **left_over)
        checkpoints.edit(folder / "config.json", architectures=None)  # as SigLIP 2's has none
    if name in _TOKENIZERS:
        _TOKENIZERS[name](folder)
    return folder


def _write_letters(folder: Path) -> None:
    """Write a byte-level vocabulary of single letters, in the files of CLIP's tokenizer."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))


def _write_gemma(folder: Path) -> None:
    """Write a vocabulary of letters, which are not the same in upper and lower case, as SigLIP 2's tokenizer."""
    letters = [chr(code) for code in range(33, 127)]
    words = ["<pad>", "<eos>", "<bos>", "<unk>", "\u2581", *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True, unk_token="<unk>"))  # noqa: S106 - no password
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"}
    about = special | {"tokenizer_class": "GemmaTokenizer", "add_bos_token": False, "add_eos_token": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(about))


_TOKENIZERS = {"clip": _write_letters, "siglip": _write_gemma}


def _model(name: str) -> nn.Module:
    """Return a family's model, each weight of which depends on nothing but its name and shape."""
    options = {"add_pooling_layer": False} if name == "vit" else {}
    model = FAMILIES[name].model(FAMILIES[name].config, **options)
    for key, weight in model.named_parameters():
        weight.data = torch.from_numpy(checkpoints.numbers(key, tuple(weight.shape)))
    return model.eval()


def pixels(folder: Path, name: str, image: str, pictures: np.ndarray, shape: tuple[int, int]) -> Tensor:
    """What transformers' own processor makes of banners, for each way of ours."""
    options = json.loads((folder / "preprocessor_config.json").read_text())
    kind = _PROCESSORS.get(name, "BitImageProcessorPil")
    if image != "crop":
        options = {key: value for key, value in options.items() if "crop" not in key}
        options["size"] = {"height": shape[0], "width": shape[1]}
        kind = "ViTImageProcessorPil"
    elif options["size"] == shape[0] or "height" in options["size"]:
        side = shape[0]
        options |= {"size": {"shortest_edge": round(side * 256 / 224)}, "do_center_crop": True}
        options["crop_size"] = {"height": side, "width": side}
    return getattr(transformers, kind)(**options)(list(pictures), return_tensors="pt").pixel_values


@torch.no_grad()
def features(folder: Path, name: str, pooling: str, inputs: Tensor) -> Tensor:
    """The features as a user of transformers would compute them, nothing of ours in between."""
    if name in checkpoints.KINDS:
        model = checkpoints.KINDS[name].from_pretrained(folder, attn_implementation="eager").eval()
        found = model.beit(inputs)
        tokens = found.last_hidden_state if name == "tuned" else model.layernorm(found.last_hidden_state)
    else:
        family = FAMILIES[name]
        model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
        if pooling == "pooled" and name in ("clip", "siglip"):
            return model.get_image_features(inputs, **family.switches).pooler_output
        found = getattr(model, "vision_model", model)(inputs, **family.switches)
        tokens = found.last_hidden_state
    if name == "clip" or (pooling == "pooled" and name != "vit"):
        return found.pooler_output.flatten(1)  # CLIP's is its CLS, normed
    tokens = tokens.flatten(2).mT if tokens.ndim == 4 else tokens
    leading = 1 if name in checkpoints.KINDS else FAMILIES[name].leading
    cls, mean = tokens[:, 0], tokens[:, leading:].mean(1)
    return {"pooled": cls, "cls": cls, "mean": mean, "complex": torch.cat([cls, mean], 1)}[pooling]
