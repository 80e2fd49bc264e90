"""Tokenizers of a few hundred words, as CLIP's and SigLIP 2's are stored."""

import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel

CLIP_END = 513  # the id of CLIP's last token: two forms of 256 letters, a start and an end


def write_clip(folder: Path) -> Path:
    """Write a byte-level vocabulary of single letters, in the files of CLIP's tokenizer."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer"}))
    return folder


def write_gemma(folder: Path) -> Path:
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
    return folder
