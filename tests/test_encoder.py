"""Features of every family by two routes, ours and transformers' own; views, words, and what an Encoder refuses."""

import functools
import pickle
import shutil
from pathlib import Path

import checkpoints
import families
import numpy as np
import pytest
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


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Three smooth pictures, uint8 (3, 384, 256, 3)."""
    noise = np.random.RandomState(1).randint(0, 256, (3, 12, 8, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((256, 384), Image.Resampling.BICUBIC)) for each in noise])


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """What writes a small checkpoint once and returns its folder."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return functools.cache(lambda name, form="today": families.write(folder / f"{name}-{form}", name, form))


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
    ("image", "views", "grid", "box"),
    [
        ("squash", ["grey"], (14, 14), (0, 0, 256, 384)),
        ("crop", None, (14, 14), (16, 80, 240, 304)),
        ("whole", None, (21, 14), (0, 0, 256, 384)),
        ("squash", ["crop"], (14, 14), (23.04, 34.56, 232.96, 349.44)),
    ],
)
def test_grid_and_box_say_where_patches_lie(folder_of, image, views, grid, box):
    one = load(folder_of("tuned"), image=image, views=views)
    assert one.grid == grid
    np.testing.assert_allclose(one.preparation.box, box)
    ramps = np.zeros((2, 384, 256, 3), np.uint8)
    ramps[0] = np.arange(256)[:, None]  # the column
    ramps[1] = np.arange(384)[:, None, None] // 2  # half the row
    column, row = (one.preparation(ramp)[..., 0].astype(int) for ramp in ramps)
    np.testing.assert_allclose([column[0, 0], 2 * row[0, 0], column[-1, -1] + 1, 2 * row[-1, -1] + 1], box, atol=2)


@pytest.mark.parametrize(("side", "seen"), [(64, 64), (56, 48)])  # patches of 16 do not fill 56
@pytest.mark.parametrize("image", ["squash", "crop"])
def test_filter_numbers_and_size_are_the_checkpoint_s_own(tmp_path, pictures, image, side, seen):
    folder = checkpoints.write(tmp_path / "other", image_size=side)
    other = {"resample": 1, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "rescale_factor": 0.003}
    checkpoints.edit(folder / "preprocessor_config.json", **other)
    one = load(folder, image=image)
    assert one.preparation.shape == (seen, seen)
    pixels = families.pixels(folder, "tuned", image, pictures, (side, side))
    assert (one(pictures) - families.features(folder, "tuned", "pooled", pixels)).abs().max() < 1e-5
    assert load(folder, image="whole").preparation.shape == (96, 64)


@pytest.mark.slow
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
    checkpoints.edit(moved / "config.json", steam_banners_views=["whole", "grey"], steam_banners_untrained=True)
    other = load(moved).identity
    assert other == one | {"views": "whole+grey", "trained": False, "revision": other["revision"]}
    assert load(moved, views=["whole"]).identity == other | {"views": "whole"}
    weights = load_file(moved / "model.safetensors")
    weights["classifier.bias"] += 1
    save_file(weights, moved / "model.safetensors", metadata={"format": "pt"})
    assert len({one["revision"], other["revision"], load(moved).identity["revision"]}) == 3


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
    assert one.box == (0, 0, 256, 384)


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
    bare, half = (families.write(tmp_path / name, "clip") for name in ("bare", "half"))
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (bare / name).unlink()
    (half / "evil.py").write_text(f"open({str(tmp_path / 'was-here')!r}, 'w')")
    auto_map = {"AutoTokenizer": ["evil.Evil", None]}
    checkpoints.edit(half / "tokenizer_config.json", tokenizer_class="Evil", auto_map=auto_map)
    (half / "vocab.json").write_text("{")
    for one, reason in [
        (load(folder_of("tuned")), "pictures alone"),
        (load(folder_of("clip"), "cls"), "pooling='pooled'"),
        (load(folder_of("clip")).to("cpu"), "another device"),
        (load(bare), "without its tokenizer"),
        (load(half), "cannot be read"),
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
    checkpoints.edit(folder / "vocab.json", **{"a</w>": 99_999})
    with pytest.raises(CheckpointError, match="of two checkpoints"):
        load(folder).words(["a"])


def test_arguments_that_nothing_follows_are_refused(folder_of):
    views = [("views", each) for each in ([], ["grey", "grey"], ["blue"], "grey", [["grey"]])]
    for name, value in [("pooling", "mean@2"), ("image", "stretch"), ("device", "abacus"), ("dtype", "int8"), *views]:
        with pytest.raises(SettingsError) as error:
            encoder.load(folder_of("tuned"), **{name: value})
        assert repr(value) in str(error.value)
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
