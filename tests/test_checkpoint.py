"""Checkpoints that are broken, hostile, in parts or on the hub: one line with the name as typed, and nothing run."""

import hashlib
import io
import json
import re
import socket
import zipfile
from dataclasses import dataclass
from pathlib import Path

import checkpoints
import families
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from pytest_httpserver import HTTPServer
from safetensors.torch import load_file, save_file
from werkzeug import Request, Response

from utils import encoder
from utils.errors import CheckpointError, PlainError

CONFIG, PROCESSOR = "config.json", "preprocessor_config.json"
COMMIT = "c0ffee" * 6 + "1234"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 343215432\n"


@pytest.fixture
def folder(tmp_path) -> Path:
    """A small checkpoint in today's form."""
    return checkpoints.write(tmp_path / "my checkpoint", image_size=64)


def refusal(folder: str | Path, use=encoder.load) -> str:
    """What is said of a checkpoint: one line that begins with its name, and no names from inside."""
    with pytest.raises(CheckpointError) as caught:
        use(folder)
    said = str(caught.value)
    assert "\n" not in said
    assert not any(inside in said for inside in ("object at 0x", "<_io", "Traceback", "Error(", "._", "weights_only"))
    return said


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda weights: weights.pop("beit.pooler.layernorm.weight"), "missing are beit.pooler.layernorm.weight"),
        (lambda weights: weights.update(extra=torch.ones(1)), "unexpected are extra"),
        (lambda weights: weights.update({f"e.{n}": torch.ones(1) for n in range(100)}), "and 95 more"),
        (lambda weights: weights.update({"classifier.bias": torch.ones(9)}), "shape are classifier.bias"),
        (lambda weights: weights["beit.embeddings.cls_token"].fill_(torch.nan), "finite are beit.embeddings.cls_token"),
    ],
)
def test_weights_that_are_not_whole_are_refused(folder, change, named):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    said = refusal(folder)
    assert said.startswith(f"{folder}: ")
    assert named in said


def test_weights_in_shards_are_those_in_one_file(folder):
    picture = np.zeros((384, 256, 3), np.uint8)
    whole = encoder.load(folder, dtype="float32")([picture])
    (folder / "model.safetensors").unlink()
    checkpoints.small("tuned", image_size=64).save_pretrained(folder, max_shard_size="40KB")
    index = folder / "model.safetensors.index.json"
    checkpoints.edit(index, metadata={"total_size": 10**12})
    shards = encoder.load(folder, dtype="float32")
    assert torch.equal(shards([picture]), whole)
    assert shards.identity["weights"] == index.name
    lacking = max(folder.glob("model-*-of-*.safetensors"))
    lacking.unlink()
    assert lacking.name in refusal(folder)
    checkpoints.edit(index, weight_map={"a": "../my checkpoint/model.safetensors"})
    assert "lists no files" in refusal(folder)


@dataclass
class Payload:
    """A pickle of this creates a file when it is read without care."""

    file: Path

    def __reduce__(self):
        return Path.touch, (self.file,)


def write_compressed(file: Path) -> None:
    """A small archive that would become large."""
    content = io.BytesIO()
    torch.save({"beit.embeddings.cls_token": torch.zeros(1 << 20)}, content)
    with zipfile.ZipFile(content) as plain, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))


@pytest.mark.parametrize(
    ("name", "write", "named"),
    [
        ("pytorch_model.bin", lambda file: file.write_bytes(b""), "or is broken"),
        ("pytorch_model.bin", lambda file: file.write_text(POINTER), "git lfs pull"),
        ("pytorch_model.bin", lambda file: torch.save([torch.ones(2)], file), "no table of weights"),
        ("pytorch_model.bin", lambda file: torch.save({"a": torch.ones(1).expand(10**7, 10**6)}, file), "40,000,000,"),
        ("pytorch_model.bin", write_compressed, "is refused"),
        ("model.safetensors", lambda file: file.write_text(POINTER), "git lfs pull"),
        ("model.safetensors", lambda file: file.write_bytes(b""), "cannot be read"),
        ("model.safetensors", lambda file: file.write_bytes(b"x" * 99), "cannot be read"),
    ],
)
def test_a_file_that_holds_no_weights_is_refused(folder, name, write, named):
    (folder / "model.safetensors").unlink()
    write(folder / name)
    assert named in refusal(folder)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(folder, tmp_path, zipped):
    file, trace = folder / "pytorch_model.bin", tmp_path / "was-here"
    (folder / "model.safetensors").unlink()
    torch.save({"payload": Payload(trace)}, file, _use_new_zipfile_serialization=zipped)
    assert "more than plain tensors" in refusal(folder)
    assert not trace.exists()
    torch.load(file, weights_only=False)
    assert trace.exists()  # so the payload is a real one


def test_nothing_beside_a_checkpoint_is_run_or_followed(folder, tmp_path):
    code = f"open({str(tmp_path / 'was-here')!r}, 'w')\nfrom transformers import BeitForImageClassification"
    (folder / "modeling.py").write_text(code)
    adapter = {"base_model_name_or_path": "evil/evil", "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(adapter))
    checkpoints.edit(
        folder / "config.json",
        auto_map={"AutoModelForImageClassification": "modeling.BeitForImageClassification"},
        attn_implementation="kernels-community/evil",
        _attn_implementation="a/b",
        return_dict=False,
        vision_config={"auto_map": {}},
        text_config={},
    )
    assert encoder.load(folder).family == "BEiT"
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize(
    ("name", "content", "named"),
    [
        (CONFIG, {"model_type": "swin"}, "'swin'"),
        (CONFIG, {"model_type": ["beit"]}, "['beit']"),
        (CONFIG, {"architectures": ["BeitModel"]}, "BeitModel"),
        (CONFIG, {"use_mean_pooling": False}, "use_mean_pooling"),
        (CONFIG, {"quantization_config": {"quant_method": "bitsandbytes"}}, "quantized"),
        (CONFIG, {"num_hidden_layers": 10**9}, "1000000000"),
        (CONFIG, {"num_hidden_layers": 5_000}, "describes over"),
        (CONFIG, {"intermediate_size": 1_999_999}, "describes over"),
        (CONFIG, {"patch_size": 0}, "patch_size is 0"),
        (CONFIG, {"patch_size": [16, 16]}, "patch_size is [16, 16]"),
        (CONFIG, {"hidden_size": "32"}, "hidden_size"),
        (CONFIG, {"filler": "x" * (17 << 20)}, "16,777,216"),
        (CONFIG, "{", "config.json cannot be read"),
        (CONFIG, "[" * 200_000, "config.json cannot be read"),
        (CONFIG, "[]", "list"),
        (CONFIG, None, "no config.json"),
        (PROCESSOR, {"size": {"height": 64, "width": 48}}, "48"),
        (PROCESSOR, {"size": 10**6}, "1000000"),
        (PROCESSOR, {"resample": 9}, "9"),
        (PROCESSOR, {"crop_pct": 0}, "crop_pct is 0"),
        (PROCESSOR, {"image_std": [1, 2]}, "[1, 2]"),
        (PROCESSOR, {"image_std": [0.5, 0.5, 1e-320]}, "1e-320"),
        (PROCESSOR, {"image_mean": [0.5, 0.5, float("nan")]}, "nan"),
        (PROCESSOR, "{}", "size, resample, image_mean"),
        (PROCESSOR, None, "AutoImageProcessor.from_pretrained"),
        ("model.safetensors", None, "pytorch_model.bin"),
    ],
)
def test_a_file_that_cannot_be_followed_is_refused(folder, name, content, named):
    """The earlier the better: what can be known without the weights, `check` says."""
    if content is None:
        (folder / name).unlink()
    elif isinstance(content, str):
        (folder / name).write_text(content)
    else:
        checkpoints.edit(folder / name, **content)
    assert named in refusal(folder)
    if content is None or content == "{":
        assert named in refusal(folder, encoder.check)


def test_a_patch_of_one_pixel_does_not_fill_the_memory(folder):
    checkpoints.edit(folder / "config.json", patch_size=1)
    checkpoints.edit(folder / "preprocessor_config.json", size={"height": 512, "width": 512})
    assert "262,144 patches" in refusal(folder)


@pytest.mark.parametrize(
    "name", ["", "beit", "no/such/folder", "../elsewhere", "/dev/zero", "\0", "a/b\n", "a/" * 2_500]
)
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    for use in (encoder.load, encoder.check):
        said = refusal(name, use)
        assert all(known in said for known in encoder.CHECKPOINTS)
        assert len(said) < 1_200


def serve(server: HTTPServer, folders: dict[str, Path], drops: dict[str, int]) -> list[str]:
    """Be a hub: name -> folder, each at COMMIT; return a list that grows by what is asked.

    drops: name and file -> how many times it breaks off halfway.
    """
    asked = []

    def answer(request: Request) -> Response:
        name, revision, file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", request.path).groups()
        asked.append(f"{name}@{revision}/{file}")
        path = folders.get(name, Path("nowhere")) / file
        headers = {"X-Repo-Commit": COMMIT if revision == "main" else revision}
        if not path.is_file():
            gated = name == "facebook/gated"
            code = "GatedRepo" if gated else "EntryNotFound" if path.parent.is_dir() else "RepoNotFound"
            return Response(code, 403 if gated else 404, headers | {"X-Error-Code": code})
        content = path.read_bytes()
        headers |= {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "Content-Length": str(len(content))}
        if request.method == "GET" and drops.get(f"{name}/{file}"):
            drops[f"{name}/{file}"] -= 1
            content = content[: len(content) // 2]
        return Response(iter([content]), headers=headers)

    server.expect_request(re.compile("/.*")).respond_with_handler(answer)
    return asked


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """What `load` or `check` gives for a name on the hub at an address: an identity, or an error's kind and line."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))

    def asked(hub: str, use, name: str) -> dict | tuple[str, str] | None:
        monkeypatch.setattr(constants, "ENDPOINT", hub)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub + "/{repo_id}/resolve/{revision}/{filename}")
        try:
            loaded = use(name)
        except PlainError as error:
            return type(error).__name__, str(error)
        return loaded and loaded.identity

    return asked


@pytest.mark.slow
def test_checkpoints_come_from_the_hub_at_their_revision(tmp_path, httpserver, ask):
    pinned = "microsoft/beit-base-patch16-224-pt22k-ft22k"
    new, bare, strange = (checkpoints.write(tmp_path / name, image_size=64) for name in ("new", "bare", "strange"))
    (bare / "model.safetensors").unlink()
    checkpoints.edit(strange / "config.json", model_type="vit_mae")
    folders = {
        pinned: checkpoints.write(tmp_path / "old", form="old", image_size=64),
        "someone/other.beit_1": new,
        "someone/drops": new,
        "someone/breaks": new,
        "someone/bare": bare,
        "someone/strange": strange,
        "someone/words": families.write(tmp_path / "words", "clip"),
    }
    drops = {"someone/drops/model.safetensors": 1, "someone/breaks/model.safetensors": 99}
    asked = serve(httpserver, folders, drops)
    hub = httpserver.url_for("").rstrip("/")
    assert "'vit_mae'" in ask(hub, encoder.check, "someone/strange")[1]
    assert pinned in ask(hub, encoder.check, "someone/nobody")[1]
    assert ask(hub, encoder.check, "someone/other.beit_1") is None
    assert not any("model" in each for each in asked)
    found = {name: ask(hub, encoder.load, name) for name in (*folders, "facebook/gated")}
    assert found[pinned]["revision"] == encoder.CHECKPOINTS[pinned]
    assert found[pinned]["weights"] == "pytorch_model.bin"
    of_pinned = [each for each in asked if each.startswith(pinned)]
    assert all(each.startswith(f"{pinned}@{encoder.CHECKPOINTS[pinned]}/") for each in of_pinned)
    for name in ("someone/other.beit_1", "someone/drops", "someone/words"):
        assert (found[name]["checkpoint"], found[name]["revision"]) == (name, COMMIT)
    assert found["someone/bare"][1].startswith("someone/bare: it has no weights")
    assert found["someone/breaks"][0] == "HttpError"
    assert hub.removeprefix("http://") in found["someone/breaks"][1]
    assert all(each in found["facebook/gated"][1] for each in (f"{hub}/facebook/gated", "HF_TOKEN"))
    assert any(each.endswith("/merges.txt") for each in asked)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
    for name in (pinned, "someone/words"):
        assert ask(address, encoder.load, name) == found[name]  # from the cache
    gone = ask(address, encoder.load, "someone/nobody")
    assert gone[0] == "HttpError"
    assert all(each in gone[1] for each in (address.removeprefix("http://"), "folder", "sample"))
