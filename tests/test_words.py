"""Words: the same likeness of pictures and texts as transformers finds, and what cannot be asked."""

import json
from pathlib import Path

import checkpoints
import families
import numpy as np
import pytest
import tokenizers_small
import torch
import transformers
from torch.nn import functional

from utils import encoder

TEXTS = ["a dragon", "Racing CARS at night", "ein Schloß", "x" * 500]
WRITERS = {"clip": tokenizers_small.write_clip, "siglip": tokenizers_small.write_gemma}


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    home = tmp_path_factory.mktemp("words")
    return {name: write(families.write(home / name, name)) for name, write in WRITERS.items()}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.RandomState(3).randint(0, 256, (3, 384, 256, 3)).astype(np.uint8)


def load(folder: Path, pooling: str = "pooled", image: str = "squash") -> encoder.Encoder:
    return encoder.load(folder, pooling, image, device="cpu", dtype="float32")


@torch.no_grad()
def by_transformers(folder: Path, name: str, texts: list[str], pixels: torch.Tensor) -> torch.Tensor:
    """The logits of each picture and text, as a user of transformers gets them."""
    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if name == "clip":
        inputs = tokenizer(texts, padding=True, truncation=True, max_length=77, return_tensors="pt")
    else:
        options = {"padding": "max_length", "max_length": 64, "truncation": True, "return_tensors": "pt"}
        inputs = {"input_ids": tokenizer([text.lower() for text in texts], **options)["input_ids"]}
    found = model(**inputs, pixel_values=pixels).logits_per_image
    return (found - getattr(model, "logit_bias", 0)) / model.logit_scale.exp()


@pytest.mark.parametrize("name", WRITERS)
def test_words_are_as_near_to_pictures_as_transformers_says(folders, pictures, name):
    one = load(folders[name])
    assert one.reads
    assert one.silence == ""
    words = one.words(TEXTS, prompt="{}")
    assert (words.dtype, words.shape) == (torch.float32, (4, one.dims))
    ours = functional.cosine_similarity(one(pictures)[:, None], words[None], dim=2)
    pixels = families.pixels(name, "squash", pictures, one.preparation.shape)
    assert (ours - by_transformers(folders[name], name, TEXTS, pixels)).abs().max() < 1e-5


@pytest.mark.parametrize(("name", "prompt"), [("clip", "a photo of a {}."), ("siglip", "this is a photo of {}.")])
def test_words_are_put_into_the_family_s_prompt(folders, name, prompt):
    one = load(folders[name])
    assert torch.equal(one.words(["dragon"]), one.words([prompt.replace("{}", "dragon")], prompt="{}"))
    assert not torch.equal(one.words(["dragon"]), one.words(["dragon"], prompt="{}"))


def test_case_means_nothing(folders):
    for folder in folders.values():
        one = load(folder)
        assert torch.equal(one.words(["DRAGON"]), one.words(["dragon"]))


def test_any_text_is_read(folders):
    for folder in folders.values():
        assert load(folder).words(["\ud800", "龍", "a\x00b", "{0.__class__}", "{" * 5000]).isfinite().all()


def test_what_does_not_read_says_why(folders, tmp_path):
    beit = load(checkpoints.write(tmp_path / "beit", image_size=64))
    bare = load(families.write(tmp_path / "bare", "clip"))
    for one, reason in [
        (beit, "BEiT was trained on pictures alone"),
        (load(folders["clip"], "cls"), "pooling='pooled'"),
        (bare, "without its tokenizer"),
        (load(folders["siglip"]).to("cpu"), "without"),
    ]:
        assert not one.reads
        assert reason in one.silence
        with pytest.raises(encoder.NoWords, match=reason):
            one.words(["a dragon"])


@pytest.mark.parametrize("words", [[], "a dragon", [""], [" "], [3], None])
def test_what_is_no_list_of_words_is_refused(folders, words):
    with pytest.raises(encoder.NoWords, match="allowed is a list of texts"):
        load(folders["clip"]).words(words)


def test_a_foreign_tokenizer_is_refused(tmp_path):
    folder = tokenizers_small.write_clip(families.write(tmp_path / "one", "clip"))
    words = json.loads((folder / "vocab.json").read_text())
    words["a</w>"] = 99_999
    (folder / "vocab.json").write_text(json.dumps(words))
    with pytest.raises(encoder.NoWords, match="of two checkpoints"):
        load(folder).words(["a"])
    (folder / "vocab.json").write_text("{")
    with pytest.raises(encoder.CheckpointError, match=r"tokenizer in .* cannot be read"):
        load(folder)
    code = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(code))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'was-here')!r}, 'w')")
    with pytest.raises(encoder.CheckpointError, match=r"tokenizer in .* cannot be read"):
        load(folder)
    assert not (tmp_path / "was-here").exists()
