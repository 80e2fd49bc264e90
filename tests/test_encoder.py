import hashlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import checkpoints
import families
import numpy as np
import pytest
import tokenizers_small
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import BeitImageProcessorPil

from utils import banners, encoder, settings

COVERS = Path(__file__).parents[2] / "shared" / "real-covers" / "images"
STYLES = {"tuned": ("pooled", "cls", "mean", "complex"), "masked": ("cls", "mean", "complex")}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Three smooth pictures, uint8 (3, 384, 256, 3)."""
    noise = np.random.RandomState(1).randint(0, 256, (3, 12, 8, 3)).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((256, 384), Image.Resampling.BICUBIC)) for each in noise])


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[tuple[str, str], Path]:
    home = tmp_path_factory.mktemp("checkpoints")
    every = [(kind, form) for kind in checkpoints.KINDS for form in checkpoints.FORMS]
    return {(kind, form): checkpoints.write(home / f"{kind}-{form}", kind, form) for kind, form in every}


def its_processor(folder: Path, image: str, side: int) -> BeitImageProcessorPil:
    """Transformers' own processor, for each way a banner becomes an input."""
    square = {"height": side, "width": side}
    options = {
        "squash": {},
        "crop": {"size": {"shortest_edge": round(side * 256 / 224)}, "do_center_crop": True, "crop_size": square},
        "whole": {"size": {"height": side * 3 // 2, "width": side}},
    }
    return BeitImageProcessorPil.from_pretrained(folder, **options[image])


@torch.no_grad()
def by_transformers(folder: Path, kind: str, pooling: str, image: str, pictures: np.ndarray, side: int = 224):
    """The features as a user of transformers would compute them, nothing of ours in between."""
    processor = its_processor(folder, image, side)
    pixels = processor(list(pictures), return_tensors="pt").pixel_values
    model = checkpoints.KINDS[kind].from_pretrained(folder, attn_implementation="eager").eval()
    outputs = model.beit(pixels, output_hidden_states=True)
    style, _, block = pooling.partition("@")
    if style == "pooled":
        return outputs.pooler_output
    tokens = outputs.hidden_states[int(block)] if block else outputs.last_hidden_state
    if kind == "masked" and not block:
        tokens = model.layernorm(tokens)
    cls, mean = tokens[:, 0], tokens[:, 1:].mean(1)
    return {"cls": cls, "mean": mean, "complex": torch.cat([cls, mean], 1)}[style]


@pytest.mark.parametrize("image", checkpoints.IMAGES)
@pytest.mark.parametrize("form", checkpoints.FORMS)
@pytest.mark.parametrize("kind", checkpoints.KINDS)
def test_features_are_those_of_transformers(folders, pictures, kind, form, image):
    folder = folders[kind, form]
    for pooling in (*STYLES[kind], "cls@2", "mean@2", "complex@1"):
        ours = encoder.load(folder, pooling, image, device="cpu", dtype="float32")(pictures)
        theirs = by_transformers(folder, kind, pooling, image, pictures)
        assert ours.dtype == torch.float32
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() < 1e-5, pooling


CANONICAL = {  # every eleventh number of the first picture's features
    ("tuned", "pooled", "squash"): [-0.222, 2.0301, 1.8147],
    ("tuned", "pooled", "crop"): [-0.2269, 2.0205, 1.7946],
    ("tuned", "pooled", "whole"): [-0.222, 2.0314, 1.8069],
    ("tuned", "cls", "squash"): [3.4343, -0.5536, 0.4693],
    ("tuned", "cls", "crop"): [3.3894, -0.5932, 0.4049],
    ("tuned", "cls", "whole"): [3.4495, -0.5262, 0.4469],
    ("tuned", "mean", "squash"): [4.5112, -0.8251, 0.3033],
    ("tuned", "mean", "crop"): [4.4149, -0.8616, 0.2113],
    ("tuned", "mean", "whole"): [4.5207, -0.815, 0.2695],
    ("tuned", "complex", "squash"): [3.4343, -0.5536, 0.4693, -5.404, 6.6869, -4.3736],
    ("tuned", "complex", "crop"): [3.3894, -0.5932, 0.4049, -5.1881, 6.7181, -4.4875],
    ("tuned", "complex", "whole"): [3.4495, -0.5262, 0.4469, -5.4137, 6.6968, -4.3758],
    ("tuned", "mean@2", "squash"): [3.6246, -0.4877, -4.2167],
    ("tuned", "mean@2", "crop"): [3.599, -0.5102, -4.3301],
    ("tuned", "mean@2", "whole"): [3.6225, -0.4893, -4.2533],
    ("masked", "cls", "squash"): [0.5231, 0.4073, -0.8074],
    ("masked", "cls", "crop"): [0.5176, 0.4032, -0.8159],
    ("masked", "cls", "whole"): [0.5238, 0.412, -0.8127],
    ("masked", "mean", "squash"): [0.7072, 0.3979, -0.8071],
    ("masked", "mean", "crop"): [0.6933, 0.3933, -0.8265],
    ("masked", "mean", "whole"): [0.7072, 0.3991, -0.8142],
    ("masked", "complex", "squash"): [0.5231, 0.4073, -0.8074, 0.4583, 0.3998, -0.3911],
    ("masked", "complex", "crop"): [0.5176, 0.4032, -0.8159, 0.4889, 0.4024, -0.4136],
    ("masked", "complex", "whole"): [0.5238, 0.412, -0.8127, 0.4562, 0.3995, -0.3918],
    ("masked", "mean@2", "squash"): [3.6393, -0.4906, -4.2305],
    ("masked", "mean@2", "crop"): [3.6215, -0.5086, -4.3503],
    ("masked", "mean@2", "whole"): [3.6393, -0.4904, -4.2675],
}


def combinations() -> list[tuple[str, str, str]]:
    return [
        (kind, pooling, image) for kind in STYLES for pooling in (*STYLES[kind], "mean@2") for image in settings.IMAGES
    ]


@pytest.mark.parametrize(("kind", "pooling", "image"), combinations())
def test_features_stay_what_they_were(folders, pictures, kind, pooling, image):
    features = encoder.load(folders[kind, "2021"], pooling, image, device="cpu", dtype="float32")(pictures[:1])
    assert features[0, ::11].tolist() == pytest.approx(CANONICAL[kind, pooling, image], abs=2e-4)


@pytest.mark.slow
def test_tokens_norm_and_pool_make_the_features(folders, pictures):
    for kind, pooling, image in combinations():
        one = encoder.load(folders[kind, "today"], pooling, image, device="cpu", dtype="float32")
        tokens = one.tokens(pictures)
        rows, columns = one.grid
        assert tokens.shape == (3, 1 + rows * columns, 32)
        assert tokens.dtype == torch.float32
        assert torch.equal(one.pool(tokens), one(pictures))
        expected = None if "@" in pooling else "mean" if pooling == "pooled" else "tokens" if kind == "masked" else None
        assert (one.norm and one.norm.on) == expected
        assert one.identity["dims"] == one.dims == one(pictures).shape[1]


def test_norm_is_what_the_pooled_features_went_through(folders, pictures):
    one = encoder.load(folders["tuned", "today"], device="cpu", dtype="float32")
    x = one.tokens(pictures)[:, 1:]
    mean = x.mean(1, keepdim=True)
    sigma = (mean.var(-1, correction=0, keepdim=True) + one.norm.eps).sqrt()
    shares = one.norm.gamma * (x - x.mean(-1, keepdim=True)) / sigma + one.norm.beta
    assert (shares.mean(1) - one(pictures)).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("image", "grid", "box"),
    [
        ("squash", (14, 14), (0, 0, 256, 384)),
        ("crop", (14, 14), (16, 80, 240, 304)),
        ("whole", (21, 14), (0, 0, 256, 384)),
    ],
)
def test_grid_and_box_say_where_patches_lie(folders, image, grid, box):
    one = encoder.load(folders["tuned", "today"], image=image, device="cpu", dtype="float32")
    assert one.grid == grid
    assert one.preparation.box == box
    ramp = np.zeros((384, 256, 3), np.uint8)
    ramp[..., 0] = np.arange(256)  # red says the column, green and blue the row
    ramp[..., 1] = np.arange(384)[:, None] // 2
    seen = one.preparation(ramp)
    left, top, right, bottom = box
    assert abs(int(seen[0, 0, 0]) - left) <= 1
    assert abs(int(seen[0, 0, 1]) - top / 2) <= 1
    assert abs(int(seen[-1, -1, 0]) - (right - 1)) <= 1
    assert abs(int(seen[-1, -1, 1]) - (bottom - 1) / 2) <= 1


def test_another_size_is_read_from_the_checkpoint(tmp_path, pictures):
    folder = checkpoints.write(tmp_path / "small", image_size=64)
    for image, shape, grid in (("squash", (64, 64), (4, 4)), ("crop", (64, 64), (4, 4)), ("whole", (96, 64), (6, 4))):
        one = encoder.load(folder, image=image, device="cpu")
        assert (one.preparation.shape, one.grid) == (shape, grid)
        assert one(pictures).isfinite().all()
    odd = checkpoints.write(tmp_path / "odd", image_size=56)
    for image in ("squash", "crop"):
        with pytest.raises(encoder.CheckpointError, match=r"56 x 56 pixels.*patches of 16.*'whole'"):
            encoder.load(odd, image=image)
    assert encoder.load(odd, image="whole", device="cpu").preparation.shape == (96, 64)


@pytest.mark.parametrize("image", settings.IMAGES)
def test_the_filter_and_the_numbers_are_the_checkpoint_s_own(tmp_path, pictures, image):
    folder = checkpoints.write(tmp_path / "other", image_size=64)
    file = folder / "preprocessor_config.json"
    other = {"resample": 1, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4], "rescale_factor": 0.003}
    file.write_text(json.dumps(json.loads(file.read_text()) | other))
    ours = encoder.load(folder, image=image, device="cpu", dtype="float32")(pictures)
    assert (ours - by_transformers(folder, "tuned", "pooled", image, pictures, side=64)).abs().max() < 1e-5


def test_the_same_features_in_any_batch(folders, pictures):
    one = encoder.load(folders["tuned", "today"], device="cpu", dtype="float32")
    many = np.concatenate([pictures] * 12)
    assert (one(many)[-3:] - one(pictures)).abs().max() < 1e-5


@pytest.mark.skipif(not COVERS.is_dir(), reason="the real covers lie beside the repository only where it is developed")
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_agrees_on_real_covers(folders, dtype):
    covers = [banners.decode(file.read_bytes()) for file in sorted(COVERS.glob("*.jpg"))[:64]]
    exact, fast = (
        encoder.load(folders["tuned", "today"], device="cpu", dtype=each)(covers) for each in ("float32", dtype)
    )
    assert functional.cosine_similarity(exact - exact.mean(0), fast - fast.mean(0)).min() > 0.998


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler for the CPU")
def test_compiled_features_are_the_same(tmp_path, pictures):
    folder = checkpoints.write(tmp_path / "one", image_size=64, num_hidden_layers=1)
    one = encoder.load(folder, device="cpu", dtype="float32")
    expected = one(pictures)
    assert one.compile() is one
    assert (one(pictures) - expected).abs().max() < 1e-5
    assert (one(pictures[:2]) - expected[:2]).abs().max() < 1e-5


def test_identity_tells_encoders_apart(folders, tmp_path):
    folder = folders["tuned", "today"]
    one = encoder.load(folder, device="cpu", dtype="float32").identity
    assert one == {
        "checkpoint": "tuned-today",
        "revision": one["revision"],
        "weights": "model.safetensors",
        "pooling": "pooled",
        "image": "squash",
        "trained": True,
        "dtype": "float32",
        "dims": 32,
    }
    moved = Path(shutil.copytree(folder, tmp_path / "elsewhere" / "tuned-today"))
    assert encoder.load(str(moved), device="cpu", dtype="float32").identity == one
    edit_weights(moved, lambda weights: weights["classifier.bias"].add_(1))
    assert encoder.load(moved, device="cpu", dtype="float32").identity["revision"] != one["revision"]
    edit_config(moved, steam_banners_untrained=True)
    assert encoder.load(moved, device="cpu").identity["trained"] is False


def test_a_mirrored_encoder_sees_mirror_images(folders, pictures):
    eye = encoder.load(next(iter(folders.values())), device="cpu", dtype="float32")
    turned = eye.mirrored()
    assert turned.identity["image"] == "squash, mirrored"
    prepared = np.stack([eye.preparation(picture[:, ::-1]) for picture in pictures])
    np.testing.assert_array_equal(np.stack([turned.preparation(picture) for picture in pictures]), prepared)
    features = eye([np.ascontiguousarray(picture[:, ::-1]) for picture in pictures])
    torch.testing.assert_close(turned(pictures), features)
    torch.testing.assert_close(turned.to("cpu")(pictures), features)


def test_a_copy_on_another_device_is_the_same(folders, pictures):
    one = encoder.load(folders["tuned", "today"], device="cpu", dtype="float32")
    copy = pickle.loads(pickle.dumps(one.to("cpu")))  # noqa: S301, as Ray sends it
    assert torch.equal(copy(pictures), one(pictures))
    assert copy.identity == one.identity


# --------------------------------------------------------------------------------------------- what must be refused


def edit_weights(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def edit_config(folder: Path, **values) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def edit_processor(folder: Path, **values) -> None:
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda weights: weights.pop("beit.pooler.layernorm.weight"), "missing.*beit.pooler.layernorm.weight"),
        (lambda weights: weights.pop("classifier.weight"), "missing.*classifier.weight"),
        (lambda weights: weights.update(extra=torch.ones(1)), "unexpected.*extra"),
        (lambda weights: weights.update({"classifier.bias": torch.ones(9)}), "mismatched.*classifier.bias"),
        (lambda weights: weights["beit.embeddings.cls_token"].fill_(np.nan), "not finite.*cls_token"),
    ],
)
def test_weights_that_are_not_whole_are_refused(tmp_path, change, reason):
    folder = checkpoints.write(tmp_path / "one", image_size=64)
    edit_weights(folder, change)
    with pytest.raises(encoder.CheckpointError, match=reason):
        encoder.load(folder)


class Payload:
    """A pickle of this creates a file when it is read without care."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return Path.touch, (self.file,)


def write_plain(content: dict, file: Path) -> None:
    file.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize("write", [torch.save, write_plain])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, write):
    folder, trace = checkpoints.write(tmp_path / "evil", form="2021", image_size=64), tmp_path / "was-here"
    file = folder / "pytorch_model.bin"
    write({"beit.embeddings.cls_token": Payload(trace)}, file)
    with pytest.raises(encoder.CheckpointError, match=r"refused.*plain tensors.*safetensors"):
        encoder.load(folder)
    assert not trace.exists()
    write({"payload": Payload(trace)}, file)
    read = {torch.save: lambda: torch.load(file, weights_only=False), write_plain: lambda: pickle.load(file.open("rb"))}  # noqa: S301
    read[write]()
    assert trace.exists()  # so the payload is a real one


def test_code_beside_a_checkpoint_is_not_run(tmp_path):
    folder, trace = checkpoints.write(tmp_path / "one", image_size=64), tmp_path / "was-here"
    (folder / "modeling.py").write_text(
        f"open({str(trace)!r}, 'w')\nfrom transformers import BeitForImageClassification"
    )
    edit_config(folder, auto_map={"AutoModelForImageClassification": "modeling.BeitForImageClassification"})
    encoder.load(folder)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda folder: edit_config(folder, model_type="swin"), "model_type is 'swin'.*beit, vit, dinov2"),
        (lambda folder: edit_config(folder, architectures=["BeitModel"]), "BeitModel.*BeitForImageClassification"),
        (lambda folder: edit_config(folder, architectures=None), "None.*BeitForImageClassification"),
        (lambda folder: edit_config(folder, use_mean_pooling=False), "use_mean_pooling|missing"),
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), "list"),
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "no preprocessor_config.json"),
        (lambda folder: (folder / "preprocessor_config.json").write_text("{}"), "lacks size, resample, image_mean"),
        (lambda folder: edit_processor(folder, size={"height": 64, "width": 48}), "size.*48.*equal height and width"),
        (lambda folder: edit_processor(folder, size="64"), "size is 64; allowed"),
        (lambda folder: edit_processor(folder, size=10**6), "size is 1000000; allowed are 1 to 1024"),
        (lambda folder: edit_processor(folder, crop_pct=0), "crop_pct is 0"),
        (lambda folder: edit_processor(folder, resample=9), "numbers.*9"),
        (lambda folder: edit_processor(folder, image_std=[1, 2]), "numbers.*unpack"),
        (lambda folder: edit_processor(folder, image_std=[0.5, 0.5, 0]), "image_std.*allowed are numbers from"),
        (lambda folder: edit_processor(folder, image_mean=[0.5, 0.5, float("nan")]), "nan is not finite"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no weights.*safetensors.*pytorch_model.bin"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "model.safetensors cannot be read"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, edit, reason):
    folder = checkpoints.write(tmp_path / "one", image_size=64)
    edit(folder)
    with pytest.raises(encoder.CheckpointError, match=reason):
        encoder.load(folder)


@pytest.mark.parametrize("name", ["beit", "no/such/folder", "../elsewhere", "/no/such", ""])
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    with pytest.raises(encoder.CheckpointError, match=r"neither a folder.*microsoft/beit-base-patch16-224-pt22k-ft22k"):
        encoder.load(name)


def test_what_a_checkpoint_cannot_give_is_refused(folders):
    tuned, masked = folders["tuned", "today"], folders["masked", "today"]
    with pytest.raises(encoder.CheckpointError, match=r"'pooled'.*cls, mean, complex"):
        encoder.load(masked)
    for arguments, reason in [
        ({"pooling": "max"}, "'max'; allowed are 'pooled', 'cls', 'mean', 'complex', and such as 'mean@8'"),
        ({"pooling": "pooled@2"}, "'pooled@2'"),
        ({"pooling": "mean@3"}, "block is 3.*1 to 2"),
        ({"pooling": "mean@0"}, "block is 0"),
        ({"image": "stretch"}, "'stretch'.*squash, crop, whole"),
        ({"device": "abacus"}, "'abacus'.*leave it out"),
        ({"dtype": "int8"}, "'int8'.*bfloat16, float16, float32"),
    ]:
        with pytest.raises(ValueError, match=reason):
            encoder.load(tuned, **arguments)


def test_features_that_overflow_are_an_error(folders, pictures):
    one = encoder.load(folders["tuned", "today"], device="cpu")
    one.embed = lambda batch: torch.full((len(batch), 32), torch.inf)
    with pytest.raises(ValueError, match=r"not finite in .*float32"):
        one(pictures)


def test_what_is_no_picture_is_refused(folders, pictures):
    one = encoder.load(folders["tuned", "today"], device="cpu")
    for wrong, reason in [
        ([], "no pictures"),
        (pictures[0], r"picture 0 is uint8 \(256, 3\)"),
        ([pictures[0], pictures[1].astype(np.float32)], r"picture 1 is float32 \(384, 256, 3\).*banners.decode"),
        ([pictures[0][..., 0]], r"uint8 \(384, 256\)"),
        ([pictures[0][:300]], r"uint8 \(300, 256, 3\)"),
        ([pictures[0].transpose(1, 0, 2)], r"uint8 \(256, 384, 3\)"),
        (["a.jpg"], "picture 0 is str"),
    ]:
        for door in (one, one.tokens):
            with pytest.raises(ValueError, match=reason):
                door(wrong)


# ------------------------------------------------------------------------------------------------- the hub, by HTTP

OTHER = "someone/other.beit_1"
COMMIT = "f" * 40
ASKS = """
import json, sys
from utils import encoder
from utils.errors import PlainError
for name in sys.argv[1:]:
    try:
        print(json.dumps(encoder.load(name, device="cpu").identity))
    except PlainError as error:
        print(json.dumps([type(error).__name__, str(error)]))
"""


class Hub(ThreadingHTTPServer):
    """A hub on loopback: (name, commit) -> folder; "main" is the commit of a name's last entry."""

    def __init__(self, shelf: dict[tuple[str, str], Path]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.shelf, self.asked = shelf, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        owner, name, revision, file = re.fullmatch(r"/([^/]+)/([^/]+)/resolve/([^/]+)/(.+)", self.path).groups()
        self.server.asked.append((f"{owner}/{name}", revision, file))
        commits = [commit for known, commit in self.server.shelf if known == f"{owner}/{name}"]
        commit = commits[-1] if commits and revision == "main" else revision
        path = self.server.shelf.get((f"{owner}/{name}", commit), Path("nowhere")) / file
        code = "RepoNotFound" if not commits else "RevisionNotFound" if commit not in commits else "EntryNotFound"
        gated = name == "gated"
        if gated:
            code, path = "GatedRepo", Path("nowhere")
        content = path.read_bytes() if path.is_file() else code.encode()
        self.send_response(403 if gated else 200 if path.is_file() else 404)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", commit)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        if not path.is_file():
            self.send_header("X-Error-Code", code)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *_arguments) -> None:
        pass


def ask(hub: str, cache: Path, *names: str) -> list:
    """What a fresh Python gets for checkpoints of a hub, as the address of a hub is read when Python starts."""
    environment = os.environ | {"HF_ENDPOINT": hub, "HF_HOME": str(cache), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-c", ASKS, *names]
    home = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=900, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_checkpoints_come_from_the_hub_at_their_revision(tmp_path):
    pinned = "microsoft/beit-base-patch16-224-pt22k-ft22k"
    old = checkpoints.write(tmp_path / "old", form="2021", image_size=64)
    new = checkpoints.write(tmp_path / "new", image_size=64)
    bare = checkpoints.write(tmp_path / "bare", image_size=64)
    (bare / "model.safetensors").unlink()
    shelf = {(pinned, encoder.CHECKPOINTS[pinned]): old, (pinned, "e" * 40): new, (OTHER, COMMIT): new}
    words = tokenizers_small.write_clip(families.write(tmp_path / "words", "clip"))
    hub = Hub(shelf | {("someone/bare", "b" * 40): bare, ("someone/reads", "c" * 40): words})
    cache = tmp_path / "cache"
    names = (pinned, OTHER, "someone/bare", "someone/nobody", "facebook/gated", "someone/reads")
    first, other, weightless, unknown, gated, reads = ask(hub.address, cache, *names)
    assert (first["checkpoint"], first["revision"]) == (pinned, encoder.CHECKPOINTS[pinned])
    assert first["weights"] == "pytorch_model.bin"
    assert {revision for name, revision, _ in hub.asked if name == pinned} == {encoder.CHECKPOINTS[pinned]}
    assert (other["checkpoint"], other["revision"], other["weights"]) == (OTHER, COMMIT, "model.safetensors")
    assert weightless[0] == "CheckpointError"
    assert "someone/bare lacks" in weightless[1]
    assert "pytorch_model.bin" in weightless[1]
    assert unknown[0] == "CheckpointError"
    assert pinned in unknown[1]
    assert gated[0] == "CheckpointError"
    assert all(each in gated[1] for each in ("facebook/gated", "licence", f"{hub.address}/facebook/gated", "HF_TOKEN"))
    assert reads["revision"] == "c" * 40
    asked = {file for name, _, file in hub.asked if name == "someone/reads"}
    assert {"vocab.json", "merges.txt", "tokenizer_config.json"} <= asked
    assert not any(file.startswith("tok") or file == "vocab.json" for name, _, file in hub.asked if name == OTHER)

    address = hub.address
    hub.shutdown()
    hub.server_close()
    again, still, gone = ask(address, cache, pinned, OTHER, "someone/nobody")
    assert (again, still) == (first, other)  # from the cache
    assert gone[0] == "HubUnreachable"
    assert f"127.0.0.1:{hub.server_port}" in gone[1]
    assert "folder" in gone[1]
    assert "sample" in gone[1]
