"""Words -> features, for the checkpoints that were trained on pictures and words together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from utils.encoder.checkpoint import TOKENIZER, CheckpointError
from utils.errors import PlainError

_LARGEST_FILE = 64 << 20  # bytes of a tokenizer's file; SigLIP 2's has 34 MB
_MOST_CHARACTERS = 1_000  # of a text; what is beyond 64 or 77 tokens is not read by any checkpoint


class NoWords(PlainError, ValueError):
    """Words where they cannot be read; the message says why."""


@dataclass(frozen=True)
class Reader:
    """The half of a checkpoint that reads words, on the CPU in float32."""

    model: Any  # CLIPModel or SiglipModel, without its network for pictures
    tokenizer: Any  # of transformers
    prompt: str  # what the words are put into, in the place of {}
    tidy: bool  # SigLIP's way: lower case, always padded to the whole length, and no mask

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], prompt: str | None = None) -> Tensor:
        """Return the features of texts, float32 (n, dims); raises NoWords."""
        put = [(self.prompt if prompt is None else prompt).replace("{}", _clean(text)) for text in _checked(texts)]
        length = self.model.config.text_config.max_position_embeddings
        inputs = self.tokenizer(
            [each.lower() for each in put] if self.tidy else put,
            padding="max_length" if self.tidy else True,
            truncation=True,
            max_length=length,
            return_tensors="pt",
        )
        if inputs["input_ids"].max() >= self.model.config.text_config.vocab_size:
            raise NoWords(
                "the checkpoint's tokenizer knows words that its network does not: they are of two checkpoints"
            )
        mask = None if self.tidy else inputs["attention_mask"]
        return self.model.get_text_features(input_ids=inputs["input_ids"], attention_mask=mask).pooler_output.float()


def read_words(folder: Path, model: nn.Module, prompt: str, *, tidy: bool) -> Reader | None:
    """Return the Reader of a checkpoint, or None where its folder has no tokenizer; raises CheckpointError."""
    found = [folder / name for name in TOKENIZER if (folder / name).is_file()]
    if not found:
        return None
    for file in found:
        if file.stat().st_size > _LARGEST_FILE:
            raise CheckpointError(f"{file} has {file.stat().st_size:,} bytes; allowed are {_LARGEST_FILE:,}")
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - its kinds are many where a tokenizer is not sound
        reason = (str(error).splitlines() or [""])[0][:200]
        raise CheckpointError(f"the tokenizer in {folder} cannot be read: {reason}") from None
    return Reader(model, tokenizer, prompt, tidy)


def _checked(texts: Sequence[str]) -> Sequence[str]:
    if isinstance(texts, str) or not texts or not all(isinstance(each, str) and each.strip() for each in texts):
        raise NoWords(f"the words are {str(texts)[:80]!r}; allowed is a list of texts with one word each at least")
    return texts


def _clean(text: str) -> str:
    """Return a text as UTF-8 can hold it, not too long."""
    return text[:_MOST_CHARACTERS].encode(errors="replace").decode()
