"""Words -> features, for the checkpoints that were trained on pictures and words together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from utils.encoder.checkpoint import TOKENIZER, first_line
from utils.errors import CheckpointError

_LARGEST_FILE = 64 << 20  # bytes of a tokenizer's file; SigLIP 2's has 34 MB
_MOST_CHARACTERS = 1_000  # of a text; what is beyond 64 or 77 tokens is not read by any checkpoint


@dataclass(frozen=True)
class TextEncoder:
    """The half of a checkpoint that reads words, on the CPU in float32."""

    model: Any  # CLIPModel or SiglipModel, without its network for pictures
    tokenizer: Any  # of transformers
    prompt: str  # what the words are put into, in the place of {}
    padded: bool  # SigLIP's way: lower case, always padded to the whole length, and no mask

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], prompt: str | None = None) -> Tensor:
        """Return the features of texts, float32 (n, dims); raises CheckpointError."""
        if isinstance(texts, str) or not texts or not all(isinstance(each, str) and each.strip() for each in texts):
            raise CheckpointError(f"the words are {str(texts)[:80]!r}; allowed is a list of texts, each with a word")
        template = self.prompt if prompt is None else prompt
        short = [text[:_MOST_CHARACTERS].encode(errors="replace").decode() for text in texts]  # as UTF-8 can hold them
        asked = [template.replace("{}", text) for text in short]
        config = self.model.config.text_config
        inputs = self.tokenizer(
            [text.lower() for text in asked] if self.padded else asked,
            padding="max_length" if self.padded else True,
            truncation=True,
            max_length=config.max_position_embeddings,
            return_tensors="pt",
        )
        if inputs["input_ids"].max() >= config.vocab_size:
            raise CheckpointError(
                "the checkpoint's tokenizer knows words that its network does not: they are of two checkpoints"
            )
        mask = None if self.padded else inputs["attention_mask"]
        return self.model.get_text_features(input_ids=inputs["input_ids"], attention_mask=mask).pooler_output.float()


def load_text_encoder(folder: Path, model: nn.Module, prompt: str, *, padded: bool) -> TextEncoder | str:
    """Return the TextEncoder of a checkpoint, or why there is none: pictures are compared without it."""
    found = [folder / name for name in TOKENIZER if (folder / name).is_file()]
    if not found:
        return "this checkpoint came without its tokenizer's files, so it cannot be asked with words"
    if large := [file.name for file in found if file.stat().st_size > _LARGEST_FILE]:
        return f"its tokenizer's {large[0]} has over {_LARGEST_FILE:,} bytes, so it cannot be asked with words"
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - its kinds are many where a tokenizer is not whole
        needs = "; pip install sentencepiece reads spiece.model" if (folder / "spiece.model").is_file() else ""
        return f"its tokenizer cannot be read, so it cannot be asked with words: {first_line(error)}{needs}"
    return TextEncoder(model, tokenizer, prompt, padded)
