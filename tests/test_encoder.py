"""Features of every family by two routes, ours and transformers' own; views, words, and what an Encoder refuses."""

import json
import pickle
import shutil
from pathlib import Path

import checkpoints
import families
import numpy as np
import pytest
import tokenizers_small
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional

from utils import banners, encoder, settings
from utils.errors import CheckpointError, PictureError, SettingsError

COVERS = Path(__file__).parents[2] / "shared" / "real-covers" / "images"
POOLINGS = dict.fromkeys(("vit", "dinov2", "dinov2_with_registers", "dinov3_vit", "tuned"), settings.POOLINGS)
POOLINGS |= dict.fromkeys(("bit", "mobilenet_v2", "resnet", "convnextv2", "siglip"), ("pooled", "mean"))
POOLINGS |= {"clip": ("pooled", "cls"), "masked": ("cls", "mean", "complex")}
TEXTS = ["a dragon", "Racing CARS at night", "ein Schloß", "x" * 500]
TOKENIZERS = {"clip": tokenizers_small.write_clip, "siglip": tokenizers_small.write_gemma}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Three smooth pictures, uint8 (3, 384, 256, 3)."""
    noise = np.random.RandomState(1).randint(0, 256, (3, 12, 8, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((256, 384), Image.Resampling.BICUBIC)) for each in noise])


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """What writes a small checkpoint once and returns its folder; "clip" and "siglip" come with their tokenizers."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def write(name: str, form: str = "today") -> Path:
        place = folder / f"{name}-{form}"
        if not place.exists():
            (checkpoints if name in checkpoints.KINDS else families).write(place, name, form)
            if name in TOKENIZERS:
                TOKENIZERS[name](place)
        return place

    return write


def load(folder: Path, pooling: str = "pooled", image: str = "squash", **more) -> encoder.Encoder:
    return encoder.load(folder, pooling, image, **{"device": "cpu", "dtype": "float32"} | more)


@pytest.mark.parametrize("image", checkpoints.IMAGES)
@pytest.mark.parametrize("form", ["today", pytest.param("old", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", POOLINGS)
def test_features_are_those_of_transformers(folder_of, pictures, name, form, image):
    """Of the same weights in files of today's form: the older form is transformers' own affair."""
    for pooling in POOLINGS[name]:
        one = load(folder_of(name, form), pooling, image)
        pixels = families.pixels(folder_of(name), name, image, pictures, one.preparation.size)
        theirs = families.features(folder_of(name), name, pooling, pixels)
        ours = one(pictures)
        assert ours.dtype == torch.float32
        assert ours.shape == theirs.shape == (3, one.dims)
        assert (ours - theirs).abs().max() < 2e-5 * max(1, theirs.abs().max()), pooling
        tokens = one.tokens(pictures)
        assert tokens.shape[:2] == (3, one.leading + one.grid[0] * one.grid[1])
        assert torch.equal(one.pool(tokens), ours)
        assert one.identity["weights"] == ("model.safetensors" if form == "today" else "pytorch_model.bin")


@pytest.mark.parametrize(
    ("image", "grid", "box"),
    [
        ("squash", (14, 14), (0, 0, 256, 384)),
        ("crop", (14, 14), (16, 80, 240, 304)),
        ("whole", (21, 14), (0, 0, 256, 384)),
    ],
)
def test_grid_and_box_say_where_patches_lie(folder_of, image, grid, box):
    one = load(folder_of("tuned"), image=image)
    assert (one.grid, one.preparation.box) == (grid, box)
    ramp = np.zeros((384, 256, 3), np.uint8)
    ramp[..., 0] = np.arange(256)  # red says the column, green the row
    ramp[..., 1] = np.arange(384)[:, None] // 2
    seen = one.preparation(ramp).astype(int)
    corners = [seen[0, 0, 0], seen[0, 0, 1] * 2, seen[-1, -1, 0] + 1, seen[-1, -1, 1] * 2 + 1]
    np.testing.assert_allclose(corners, box, atol=2)


@pytest.mark.parametrize(("side", "seen"), [(64, 64), (56, 48)])  # patches of 16 do not fill 56
@pytest.mark.parametrize("image", ["squash", "crop"])
def test_filter_numbers_and_size_are_the_checkpoint_s_own(tmp_path, pictures, image, side, seen):
    folder = checkpoints.write(tmp_path / "other", image_size=side)
    file = folder / "preprocessor_config.json"
    other = {"resample": 1, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "rescale_factor": 0.003}
    file.write_text(json.dumps(json.loads(file.read_text()) | other))
    one = load(folder, image=image)
    assert one.preparation.shape == (seen, seen)
    pixels = families.pixels(folder, "tuned", image, pictures, (side, side))
    assert (one(pictures) - families.features(folder, "tuned", "pooled", pixels)).abs().max() < 1e-5
    assert load(folder, image="whole").preparation.shape == (96, 64)


@pytest.mark.skipif(not COVERS.is_dir(), reason="the real covers lie beside the repository only where it is developed")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_agrees_on_real_covers(folder_of, dtype):
    covers = [banners.decode(file.read_bytes()) for file in sorted(COVERS.glob("*.jpg"))[:64]]
    exact, fast = (load(folder_of("tuned"), dtype=each)(covers) for each in ("float32", dtype))
    assert functional.cosine_similarity(exact - exact.mean(0), fast - fast.mean(0)).min() > 0.998


def test_identity_tells_encoders_apart(folder_of, tmp_path):
    one = load(folder_of("tuned")).identity
    expected = {"pooling": "pooled", "image": "squash", "views": "whole", "trained": True, "dtype": "float32"}
    expected |= {"checkpoint": "tuned-today", "weights": "model.safetensors", "dims": 32}
    assert one == expected | {"revision": one["revision"]}
    moved = Path(shutil.copytree(folder_of("tuned"), tmp_path / "elsewhere" / "tuned-today"))
    assert load(moved).identity == one
    weights = load_file(moved / "model.safetensors")
    weights["classifier.bias"] += 1
    save_file(weights, moved / "model.safetensors", metadata={"format": "pt"})
    assert load(moved).identity["revision"] != one["revision"]


def test_any_batch_mirrored_and_copied_encoders(folder_of, pictures):
    one = load(folder_of("tuned"), views=encoder.VIEWS)
    assert (one(np.concatenate([pictures] * 12))[-3:] - one(pictures)).abs().max() < 1e-5
    turned = one.mirrored()
    assert turned.identity["image"] == "squash, mirrored"
    expected = one([np.ascontiguousarray(picture[:, ::-1]) for picture in pictures])
    assert torch.equal(turned(pictures), expected)
    copy = pickle.loads(pickle.dumps(turned.to("cpu")))  # noqa: S301 - as Ray sends it
    assert torch.equal(copy(pictures), expected)
    assert copy.identity == turned.identity


# ------------------------------------------------------------------------------------------------------------- views


@pytest.mark.parametrize(("name", "image"), [("tuned", "squash"), ("tuned", "crop"), ("clip", "whole")])
def test_views_are_the_mean_of_unit_features(folder_of, pictures, name, image):
    """Each view by Pillow and the plain encoder: a crop of 0.82, to the half pixel, and a grey copy."""
    plain, several = (load(folder_of(name), image=image, views=views) for views in (None, encoder.VIEWS))
    crops = [np.asarray(Image.fromarray(each).crop((23, 35, 233, 349)).resize((256, 384))) for each in pictures]
    greys = [np.asarray(Image.fromarray(each).convert("L").convert("RGB")) for each in pictures]
    alone = [load(folder_of(name), image=image, views=[view])(pictures) for view in encoder.VIEWS]
    for ours, theirs in zip(alone, map(plain, (pictures, crops, greys)), strict=True):
        assert functional.cosine_similarity(ours, theirs).min() > 0.999
    exact = torch.stack([functional.normalize(each, dim=1) for each in alone]).mean(0)
    assert (several(pictures) - exact).abs().max() < 1e-6
    assert torch.equal(several.pool(several.tokens(pictures)), several(pictures))


def test_values_of_a_crop_are_laid_on_the_whole_banner(folder_of):
    one = load(folder_of("tuned"), views=("crop", "whole")).preparation
    values = torch.rand(2 * 14 * 14, dtype=torch.float64)
    laid = one.on_one_grid(values, (14, 14))
    assert laid.sum() == pytest.approx(values.sum().item(), rel=1e-12)
    crop = laid - values[14 * 14 :].reshape(14, 14)
    assert crop[0].max() < crop[7].max()  # what is not in the crop gets nothing but of the cells on its border
    np.testing.assert_allclose(one.box_of("crop"), (23.04, 34.56, 232.96, 349.44))
    assert one.box == (0, 0, 256, 384)


def test_views_are_the_checkpoint_s_own_unless_they_are_chosen(tmp_path):
    folder = checkpoints.write(tmp_path / "one", image_size=64)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"steam_banners_views": ["whole", "grey"]}))
    assert load(folder).identity["views"] == "whole+grey"
    assert load(folder, views=["whole"]).identity["views"] == "whole"
    for wrong in ([], ["grey", "grey"], ["blue"], "grey", [["grey"]]):
        with pytest.raises(SettingsError) as error:
            load(folder, views=wrong)
        assert "whole, crop, grey" in str(error.value)


# ------------------------------------------------------------------------------------------------------------- words


@torch.no_grad()
def words_by_transformers(folder: Path, name: str, texts: list[str], pixels: torch.Tensor) -> torch.Tensor:
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


@pytest.mark.parametrize(("name", "prompt"), [("clip", "a photo of a {}."), ("siglip", "this is a photo of {}.")])
def test_words_are_as_near_to_pictures_as_transformers_says(folder_of, pictures, name, prompt):
    one = load(folder_of(name))
    assert one.supports_text
    words = one.words(TEXTS, prompt="{}")
    ours = functional.cosine_similarity(one(pictures)[:, None], words[None], dim=2)
    pixels = families.pixels(folder_of(name), name, "squash", pictures, one.preparation.size)
    assert (ours - words_by_transformers(folder_of(name), name, TEXTS, pixels)).abs().max() < 1e-5
    torch.testing.assert_close(one.words(TEXTS[:1], prompt="{}"), words[:1])  # padded as it is beside a longer one
    assert torch.equal(one.words(["DRAGON"]), one.words([prompt.replace("{}", "dragon")], prompt="{}"))
    assert one.words(["\ud800", "龍", "a\x00b", "{0.__class__}", "{" * 5000]).isfinite().all()


def test_where_there_are_no_words_the_reason_is_said(folder_of, tmp_path):
    bare = families.write(tmp_path / "bare", "clip")
    half = tokenizers_small.write_clip(families.write(tmp_path / "half", "clip"))
    (half / "evil.py").write_text(f"open({str(tmp_path / 'was-here')!r}, 'w')")
    code = {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (half / "tokenizer_config.json").write_text(json.dumps(code))
    (half / "vocab.json").write_text("{")
    pieces = families.write(tmp_path / "pieces", "siglip")  # as SigLIP 1 is on the hub
    (pieces / "spiece.model").write_bytes(b"not read without a library of its own")
    (pieces / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "SiglipTokenizer"}))
    for one, reason in [
        (load(folder_of("tuned")), "pictures alone"),
        (load(folder_of("clip"), "cls"), "pooling='pooled'"),
        (load(folder_of("clip")).to("cpu"), "another device"),
        (load(bare), "without its tokenizer"),
        (load(half), "cannot be read"),
        (load(pieces), "sentencepiece"),
    ]:
        assert reason in one.text_unsupported_reason
        assert not one.supports_text
        with pytest.raises(CheckpointError):
            one.words(["a dragon"])
    assert not (tmp_path / "was-here").exists()


def test_words_that_cannot_be_read_are_refused(folder_of, tmp_path):
    one = load(folder_of("clip"))
    for words in ([], "a dragon", [" "], [3], None):
        with pytest.raises(CheckpointError) as error:
            one.words(words)
        assert repr(str(words)) in str(error.value)
    folder = Path(shutil.copytree(folder_of("clip"), tmp_path / "other-words"))
    vocabulary = json.loads((folder / "vocab.json").read_text()) | {"a</w>": 99_999}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    with pytest.raises(CheckpointError, match="of two checkpoints"):
        load(folder).words(["a"])


# --------------------------------------------------------------------------------------------- what must be refused


def test_arguments_that_nothing_follows_are_refused(folder_of):
    for arguments in ({"pooling": "mean@2"}, {"image": "stretch"}, {"device": "abacus"}, {"dtype": "int8"}):
        with pytest.raises(SettingsError) as error:
            encoder.load(folder_of("tuned"), **arguments)
        assert repr(*arguments.values()) in str(error.value)
    for name, pooling in (("masked", "pooled"), ("clip", "mean"), ("siglip", "cls"), ("bit", "complex")):
        with pytest.raises(CheckpointError) as error:
            load(folder_of(name), pooling)
        assert f"allowed are {', '.join(POOLINGS[name])}" in str(error.value)


@pytest.mark.parametrize(("abilities", "dtype"), [({"amx_bf16": True}, "bfloat16"), ({"avx2": True}, "float32")])
def test_the_precision_is_what_the_device_is_made_for(folder_of, monkeypatch, abilities, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: abilities)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    one = encoder.load(folder_of("tuned"))
    assert (one.device.type, one.identity["dtype"]) == ("cpu", dtype)


def test_what_is_no_picture_and_what_overflows_is_refused(folder_of, pictures, monkeypatch):
    one = load(folder_of("tuned"))
    for wrong, value in [
        ([], "no pictures"),
        ([pictures[0], pictures[1].astype(np.float32)], "picture 1 is float32 (384, 256, 3)"),
        ([pictures[0].transpose(1, 0, 2)], "uint8 (256, 384, 3)"),
        (["a.jpg"], "picture 0 is str"),
    ]:
        for use in (one, one.tokens):
            with pytest.raises(PictureError) as error:
                use(wrong)
            assert value in str(error.value)
    monkeypatch.setattr(one, "embed", lambda batch: torch.full((len(batch), 32), torch.inf))
    with pytest.raises(SettingsError):
        one(pictures)
