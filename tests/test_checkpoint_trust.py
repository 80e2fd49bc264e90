"""Checkpoints that are hostile or broken: refused in one line, with nothing run and little memory taken."""

import io
import json
import pickle
import re
import zipfile
from pathlib import Path

import checkpoints
import families
import pytest
import torch
from safetensors.torch import load_file, save_file

from utils import encoder


def edited(folder: Path, **values) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))
    return folder


def refusal(folder: Path) -> str:
    """What is said of a checkpoint: one line, and no names from inside."""
    with pytest.raises(encoder.CheckpointError) as caught:
        encoder.load(folder)
    said = str(caught.value)
    assert "\n" not in said
    assert not any(inside in said for inside in ("object at 0x", "<_io", "Traceback", "Error(", "._"))
    return said


def write_list(file: Path) -> None:
    torch.save([torch.ones(2)], file)


def write_stretched(file: Path) -> None:
    """One number that claims to be ten million million of them."""
    torch.save({"beit.embeddings.cls_token": torch.ones(1).expand(10**7, 10**6)}, file)


def write_compressed(file: Path) -> None:
    """A small archive that would become large."""
    content = io.BytesIO()
    torch.save({"beit.embeddings.cls_token": torch.zeros(1 << 20)}, content)
    with zipfile.ZipFile(content) as plain, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda file: file.write_bytes(b""), "it is empty"),
        (
            lambda file: file.write_bytes(b"<html>404</html>"),
            "is refused: it holds more than plain tensors, or is broken",
        ),
        (lambda file: file.write_bytes(pickle.dumps({"a": 1})), "no table of weights|more than plain tensors"),
        (lambda file: file.write_bytes(b"PK\x05\x06" + bytes(18)), "cannot be read|refused"),
        (write_list, "no table of weights"),
        (write_stretched, "claims 40,000,000,000,000 of weights"),
        (write_compressed, "it is compressed"),
    ],
)
def test_a_foreign_file_of_weights_is_refused(tmp_path, write, reason):
    folder = checkpoints.write(tmp_path / "one", form="2021", image_size=64)
    write(folder / "pytorch_model.bin")
    said = refusal(folder)
    assert any(each in said for each in reason.split("|"))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantized weights; allowed are plain numbers"),
        ({"attn_implementation": "a/b"}, "attention 'a/b'; allowed are eager and sdpa"),
        ({"_attn_implementation": "kernels-community/evil"}, "allowed are eager and sdpa"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers 1000000000; allowed are"),
        ({"num_hidden_layers": 5_000}, "num_hidden_layers 5000; allowed are up to 256"),
        ({"hidden_size": 10**12}, "hidden_size 1000000000000"),
        ({"intermediate_size": 1_999_999}, "config describes .* weights, model.safetensors holds"),
        ({"image_size": 100_000}, "config describes .* weights|numbers up to"),
        ({"num_labels": 10**9}, "num_labels 1000000000"),
        ({"out_indices": [1] * 10**5}, "100,000 out_indices"),
        ({"patch_size": 0}, "patch_size is 0; allowed are 1 to 64"),
        ({"patch_size": [16, 16]}, r"patch_size is \[16, 16\]"),
        ({"hidden_act": "no-such"}, "config that cannot be used"),
        ({"num_attention_heads": 5}, "cannot be used|cannot be read|does not fit"),
        ({"hidden_size": "32"}, "cannot be used"),
        ({"hidden_size": None}, "cannot be used"),
        ({"model_type": ["beit"]}, r"model_type is \['beit'\]; allowed are"),
    ],
)
def test_a_config_is_bounded_before_anything_is_built(tmp_path, values, reason):
    folder = edited(checkpoints.write(tmp_path / "one", image_size=64), **values)
    assert re.search(reason, refusal(folder))


@pytest.mark.parametrize("stray", [{"return_dict": False}, {"vision_config": {"auto_map": {}}}, {"text_config": {}}])
def test_stray_entries_of_a_config_change_nothing(tmp_path, stray):
    folder = edited(checkpoints.write(tmp_path / "one", image_size=64), **stray)
    assert encoder.load(folder).family == "BEiT"


def test_a_deviation_too_small_to_divide_by_is_refused(tmp_path):
    folder = checkpoints.write(tmp_path / "one", image_size=64)
    file = folder / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"image_std": [1e-320] * 3}))
    assert "allowed are numbers from 0.0001" in refusal(folder)


@pytest.mark.parametrize("name", ["a" * 5_000, "a/" * 2_500, "/dev/zero", "\0", "a/b\n"])
def test_a_name_that_is_no_folder_and_none_of_the_hub(name):
    said = refusal(name)
    assert "is neither a folder here nor a checkpoint on the hub" in said
    assert len(said) < 1_200


def test_a_patch_of_one_pixel_does_not_fill_the_memory(tmp_path):
    folder = families.write(tmp_path / "one", "siglip")
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"] |= {"patch_size": 1}
    processor = json.loads((folder / "preprocessor_config.json").read_text())
    processor["size"] = {"height": 512, "width": 512}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    (folder / "config.json").write_text(json.dumps(config))
    assert "262,144 patches, over 8,192" in refusal(folder)


def test_an_adapter_beside_the_weights_is_not_asked_for(tmp_path):
    """transformers would look for another checkpoint, named there, on the hub."""
    folder = checkpoints.write(tmp_path / "one", image_size=64)
    (folder / "adapter_config.json").write_text(
        json.dumps({"base_model_name_or_path": "evil/evil", "peft_type": "LORA"})
    )
    assert encoder.load(folder).family == "BEiT"


def test_a_long_list_of_faults_is_short(tmp_path):
    folder = checkpoints.write(tmp_path / "one", image_size=64)
    more = {f"extra.{number}": torch.ones(1) for number in range(100)}
    save_file(load_file(folder / "model.safetensors") | more, folder / "model.safetensors", metadata={"format": "pt"})
    assert "and 95 more" in refusal(folder)


def test_a_config_of_many_megabytes_is_refused(tmp_path):
    folder = edited(checkpoints.write(tmp_path / "one", image_size=64), filler="x" * (17 << 20))
    assert "allowed are 16,777,216" in refusal(folder)


def test_deep_json_is_refused(tmp_path):
    folder = checkpoints.write(tmp_path / "one", image_size=64)
    (folder / "config.json").write_text("[" * 200_000)
    assert "config.json cannot be read" in refusal(folder)
