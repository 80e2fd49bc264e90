"""A checkpoint's name -> the folder with its files, here or from the hub, and what stands in them: JSON and tensors.

Whatever the files say is bounded before it is used, and nothing in them is run.
"""

import hashlib
import json
import math
import os
import re
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
import torch
from huggingface_hub import constants, errors
from safetensors.torch import load_file
from torch import Tensor

from utils import files, http
from utils.errors import CheckpointError, HttpError, shown

CHECKPOINTS = {  # name on the hub -> revision; "main" where no whole commit hash is known to us
    "microsoft/beit-base-patch16-224-pt22k": "49128b46539bd7dfad519b5e1014b050edabd9f6",
    "microsoft/beit-base-patch16-224-pt22k-ft22k": "dcb1f16cdebbc51eab67c0e1960d64adb8596669",
    "microsoft/beit-base-patch16-224": "main",
    "microsoft/beit-large-patch16-224-pt22k": "c3c80a4111b872e62e37e471cfcb4ff3fc958685",
    "microsoft/beit-large-patch16-224-pt22k-ft22k": "main",
    "microsoft/beit-large-patch16-224": "main",
    "facebook/dino-vitb16": "f205d5d8e640a89a2b8ef0369670dfc37cc07fc2",
    "facebook/dinov2-base": "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
    "facebook/dinov2-with-registers-base": "a1d738ccfa7ae170945f210395d99dde8adb1805",
    "facebook/dinov3-vitb16-pretrain-lvd1689m": "5931719e67bbdb9737e363e781fb0c67687896bc",
    "openai/clip-vit-base-patch32": "c237dc49a33fc61debc9276459120b7eac67e7ef",
    "google/siglip2-base-patch16-224": "75de2d55ec2d0b4efc50b3e9ad70dba96a7b2fa2",
    "google/bit-50": "9e9a281aa096247270860f9cda4f68daacca33d0",
    "google/mobilenet_v2_1.0_224": "f4a07ccfbe6c27cf60bcb36382f58a0de1cd095f",
    "microsoft/resnet-50": "main",
    "facebook/convnextv2-base-22k-224": "main",
}
CONFIG = "config.json"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")  # the second holds the first under a key
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read, whole or in shards
TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "special_tokens_map.json",
    "merges.txt",
    "spiece.model",
)

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_UNKNOWN = f"neither a folder here nor a checkpoint on the hub; known: {', '.join(CHECKPOINTS)}"
_REMEDY = "check the network, or set CHECKPOINT to a folder with the checkpoint's files, or SOURCE to 'sample'"
_LARGEST_JSON = 16 << 20  # bytes; the longest known, with 21,841 labels, has 1.7 MB
_LARGEST_NUMBER = 2_000_000  # in a config; the longest vocabulary known has 256,000 words
_OURS = {"auto_map", "attn_implementation", "_attn_implementation", "dtype", "torch_dtype", "return_dict"}


def locate(checkpoint: str | Path) -> Path:
    """Return the folder of a checkpoint's files, one from the hub without its weights: `weights_files` fetches them.

    Raises CheckpointError for a name that is neither a folder nor on the hub, and HttpError where the hub does not
    answer.
    """
    if os.path.isdir(checkpoint):  # noqa: PTH112 - Path's own raises for names that no system takes
        return Path(checkpoint)
    name = str(checkpoint)
    config = _from_hub(name, CHECKPOINTS.get(name, "main"), CONFIG) if _HUB_NAME.fullmatch(name) else None
    if config is None:
        raise CheckpointError(_UNKNOWN)
    folder = config.parent
    any(_from_hub(name, folder.name, file) for file in PROCESSORS)  # the first that there is
    if "text_config" in read_json(config):
        for file in TOKENIZER:
            try:
                _from_hub(name, folder.name, file)
            except HttpError as error:  # where no hub is reached, pictures can be compared without a tokenizer
                if error.retryable:
                    raise
    return folder


def name_and_revision(folder: Path, hub_name: str, parts: list[Path]) -> dict[str, object]:
    """Return what tells a checkpoint from others: on the hub its name and commit, else the folder's and a hash.

    The hash is of the files that make the features: config, processor and weights.
    """
    if hub_name:
        return {"checkpoint": hub_name, "revision": folder.name}
    digests = bytes.fromhex("".join(map(files.sha256, parts)))
    revision = f"sha256:{hashlib.sha256(digests).hexdigest()[:16]}"
    return {"checkpoint": folder.resolve().name, "revision": revision}


def read_json(file: Path, largest: float = _LARGEST_NUMBER) -> dict:
    """Return the object in a JSON file, without what this package decides itself, such as code to run.

    The file is bounded in size, and its integers before they are parsed: raises CheckpointError.
    """

    def bounded(digits: str) -> int:
        if abs(float(digits)) > largest:
            raise ValueError(f"it has the number {shown(digits, 20)}; allowed are up to {largest:,}")
        return int(digits)

    def theirs(entries: list[tuple[str, object]]) -> dict[str, object]:
        return {name: value for name, value in entries if name not in _OURS}

    if not file.is_file():
        raise CheckpointError(f"it has no {file.name}, which save_pretrained writes")
    if file.stat().st_size > _LARGEST_JSON:
        raise CheckpointError(f"{file.name} has {file.stat().st_size:,} bytes; allowed are {_LARGEST_JSON:,}")
    try:
        content = json.loads(file.read_bytes(), parse_int=bounded, object_pairs_hook=theirs)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file.name} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file.name} holds a {type(content).__name__}, not an object")
    return content


def read_processor(folder: Path) -> tuple[Path, dict]:
    """Return the file of the checkpoint's own picture processor, and its numbers; raises CheckpointError."""
    for name in PROCESSORS:
        if (folder / name).is_file():
            content = read_json(folder / name)
            return folder / name, content.get("image_processor", content)
    raise CheckpointError(
        f"it has no {PROCESSORS[0]}, so how pictures enter it is not known; save the processor beside the model: "
        "AutoImageProcessor.from_pretrained(the checkpoint it was trained from).save_pretrained(its folder)"
    )


def weights_files(folder: Path, hub_name: str = "") -> tuple[str, list[Path]]:
    """Return the name that the weights go by, and their files: one, or the shards that an index lists.

    Those of a checkpoint that has a name on the hub are fetched. Raises CheckpointError where there are none, and
    HttpError.
    """

    def has(file: str) -> bool:
        return bool(_from_hub(hub_name, folder.name, file)) if hub_name else (folder / file).is_file()

    for name in WEIGHTS:
        index = f"{name}.index.json"
        if has(name):
            return name, [folder / name]
        if has(index):
            shards = _shards(folder / index)
            all(map(has, shards))  # fetched; `read_weights` says which is not there
            return index, [folder / shard for shard in shards]
    raise CheckpointError(f"it has no weights; looked for {' and '.join(WEIGHTS)}, whole or in shards")


def read_weights(file: Path) -> dict[str, Tensor]:
    """Return the tensors in a file of weights, on the CPU; a pickle is read with `weights_only`, so nothing in it runs.

    Raises CheckpointError.
    """
    if not file.is_file():
        raise CheckpointError(f"it lacks {file.name}, which its index lists; fetch it again")
    with file.open("rb") as content:
        if content.read(40).startswith(b"version https://git-lfs"):
            raise CheckpointError(f"{file.name} is a git-lfs pointer, not weights: run `git lfs pull` in its folder")
    is_safe = file.suffix == ".safetensors"
    try:
        tensors = load_file(file) if is_safe else _read_pickle(file)
    except Exception as error:  # noqa: BLE001 - its kinds are many where a file is not whole
        reason = "is refused: it holds more than plain tensors, or is broken; take a model.safetensors"
        if is_safe:  # of a pickle, torch advises to run what is in it
            reason = f"cannot be read, fetch it again: {first_line(error)}"
        raise CheckpointError(f"{file.name} {reason}") from None
    if not isinstance(tensors, dict) or not all(isinstance(each, Tensor) for each in tensors.values()):
        raise CheckpointError(f"{file.name} holds no table of weights; take one that save_pretrained wrote")
    claimed = sum(each.numel() * each.element_size() for each in tensors.values())
    if claimed > file.stat().st_size:
        raise CheckpointError(f"{file.name} has {file.stat().st_size:,} bytes and claims {claimed:,} of weights")
    return tensors


def first_line(error: Exception) -> str:
    """Return what an error says in its first line; never nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _shards(index: Path) -> list[str]:
    """Return the names of the files that an index of weights lists."""
    table = read_json(index, largest=math.inf).get("weight_map")
    names = sorted(set(map(str, table.values()))) if isinstance(table, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise CheckpointError(f"{index.name} lists no files of weights beside it")
    return names


def _read_pickle(file: Path) -> dict[str, Tensor]:
    if zipfile.is_zipfile(file):  # as torch.save writes it, uncompressed; a compressed one could fill the memory
        with zipfile.ZipFile(file) as archive:
            if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
                raise ValueError("it is compressed, which torch.save does not do")
    return torch.load(file, map_location="cpu", weights_only=True)


# ----------------------------------------------------------------------------------------------------------- the hub


def _from_hub(name: str, revision: str, file: str) -> Path | None:
    """Return a file in the folder of the hub's cache named by its commit; None where the hub has none of that name."""
    known = None
    if revision != "main":  # which may be another commit by now
        known = huggingface_hub.try_to_load_from_cache(name, file, revision=revision)
    if known is None:  # neither a path, nor that the hub has none
        known = http.retry(lambda: _downloaded(name, revision, file), tries=3)
    return Path(known) if isinstance(known, str) else None


def _downloaded(name: str, revision: str, file: str) -> str | None:
    host = urlsplit(constants.ENDPOINT).netloc
    try:
        return huggingface_hub.hf_hub_download(name, file, revision=revision)
    except errors.GatedRepoError:  # a RepositoryNotFoundError, too
        remedy = f"accept it at {constants.ENDPOINT}/{name} with your account, and set HF_TOKEN to one of its tokens"
        raise CheckpointError(f"it is given out under a licence of its own: {remedy}") from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise CheckpointError(_UNKNOWN) from None
    except errors.LocalEntryNotFoundError:  # an EntryNotFoundError, too
        raise HttpError(f"{host} cannot be reached for {name}; {_REMEDY}") from None
    except errors.EntryNotFoundError:
        return None
    except Exception as error:  # its client's kinds change with its version
        if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
            raise  # the disk's
        message = f"{host} does not give {name}: {first_line(error)}; {_REMEDY}"
        raise HttpError(message, retryable=True) from None
