"""Small checkpoints of every family, in today's form and an older one, and what transformers makes of them."""

import json
from pathlib import Path

import checkpoints
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor

HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
SHARED = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True, "do_resize": True}
TOWER = checkpoints.BLOCKS | {"intermediate_size": 64}
STAGES = {"hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1]}
WORDS = 514  # of the text towers: CLIP's tokenizer has two forms of 256 letters, a start and an end


def _square(side: int, resample: int) -> dict:
    return SHARED | {"size": {"height": side, "width": side}, "resample": resample}


def _cropped(edge: int, side: int, resample: int) -> dict:
    crop = {"do_center_crop": True, "crop_size": {"height": side, "width": side}}
    return SHARED | crop | {"size": {"shortest_edge": edge}, "resample": resample}


def _towers(patch: int, longest: int, **text) -> dict:
    text = TOWER | {"vocab_size": WORDS, "max_position_embeddings": longest} | text
    return {"text_config": text, "vision_config": TOWER | {"image_size": 64, "patch_size": patch}}


_DINO = checkpoints.BLOCKS | {"image_size": 98, "patch_size": 14, "mlp_ratio": 2}
_PERCENT = SHARED | IMAGENET | {"size": {"shortest_edge": 64}, "crop_pct": 0.875, "resample": 3}
_CLIP = _towers(32, 77, bos_token_id=WORDS - 2, eos_token_id=WORDS - 1)
_SIGLIP = _towers(16, 64, projection_size=32, pad_token_id=0, bos_token_id=2, eos_token_id=1)
FAMILIES = {  # model_type -> the numbers of its config and of its processor
    "vit": (TOWER | {"image_size": 64, "patch_size": 8}, _square(64, 2) | IMAGENET),
    "dinov2": (_DINO, _cropped(64, 56, 3) | IMAGENET),
    "dinov2_with_registers": (_DINO | {"num_register_tokens": 4}, _cropped(64, 56, 3) | IMAGENET),
    "dinov3_vit": (TOWER | {"image_size": 64, "patch_size": 16, "num_register_tokens": 4}, _square(64, 2) | IMAGENET),
    "clip": (_CLIP | {"projection_dim": 24}, _cropped(64, 64, 3) | IMAGENET),
    "siglip": (_SIGLIP, _square(64, 2) | HALF),
    "bit": (STAGES | {"embedding_size": 16, "num_groups": 4}, _cropped(96, 64, 2) | HALF),
    "mobilenet_v2": ({"image_size": 64, "depth_multiplier": 0.25}, _cropped(80, 64, 2) | HALF),
    "resnet": (STAGES | {"embedding_size": 16}, _PERCENT),
    "convnextv2": (STAGES, _PERCENT),
}
_LEADING = {"tuned": 1, "masked": 1, "vit": 1, "dinov2": 1, "dinov2_with_registers": 5, "dinov3_vit": 5, "clip": 1}
_ANY_SIZE = ("vit", "clip", "siglip")  # which are asked to interpolate
_CROPS = {"clip": "CLIP", "mobilenet_v2": "MobileNetV2", "resnet": "ConvNext", "convnextv2": "ConvNext"}  # else "Bit"
_WITHOUT_PREFIX = ("dinov2", "dinov2_with_registers", "dinov3_vit", "clip", "siglip")  # in older files
_OLD_NAMES = {"vit": checkpoints.OLD_NAMES, "dinov2": checkpoints.OLD_NAMES[:-2]}  # whose MLP has today's


def write(folder: Path, name: str, form: str = "today") -> Path:
    """Write a checkpoint as today's transformers does, or in the "old" form; return its folder."""
    if name in checkpoints.KINDS:
        return checkpoints.write(folder, name, form)
    numbers, processor = FAMILIES[name]
    config = transformers.AutoConfig.for_model(name, **numbers)
    model = checkpoints.filled(transformers.AutoModel.from_config(config))
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
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


def pixels(folder: Path, name: str, image: str, pictures: np.ndarray, shape: tuple[int, int]) -> Tensor:
    """What transformers' own processor makes of banners, for each way of ours."""
    options = json.loads((folder / "preprocessor_config.json").read_text())
    kind = f"{_CROPS.get(name, 'Bit')}ImageProcessorPil"  # the class in transformers that knows its crop
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
    kind = checkpoints.KINDS.get(name, transformers.AutoModel)
    model = kind.from_pretrained(folder, attn_implementation="eager").eval()
    switches = {"interpolate_pos_encoding": True} if name in _ANY_SIZE else {}
    if pooling == "pooled" and name in ("clip", "siglip"):
        return model.get_image_features(inputs, **switches).pooler_output
    found = getattr(model, "vision_model", getattr(model, "beit", model))(inputs, **switches)
    if name == "clip" or (pooling == "pooled" and name != "vit"):
        return found.pooler_output.flatten(1)  # CLIP's is its CLS, normed
    tokens = found.last_hidden_state
    tokens = tokens.flatten(2).mT if tokens.ndim == 4 else model.layernorm(tokens) if name == "masked" else tokens
    cls, mean = tokens[:, 0], tokens[:, _LEADING.get(name, 0) :].mean(1)
    return {"pooled": cls, "cls": cls, "mean": mean, "complex": torch.cat([cls, mean], 1)}[pooling]
