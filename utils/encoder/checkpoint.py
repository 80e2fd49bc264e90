"""A checkpoint's name -> the folder with its files, from the disk or the hub, at a known revision."""

import hashlib
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import huggingface_hub
from huggingface_hub import constants, errors

from utils import files
from utils.errors import PlainError
from utils.names import shortened

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
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is read
CONFIG = "config.json"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")  # the second holds the first under a key
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt", "special_tokens_map.json")

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_REMEDY = "check the network, or set CHECKPOINT to a folder with the checkpoint's files, or SOURCE to 'sample'"
_LARGEST_JSON = 16 << 20  # bytes; the longest known, with 21,841 labels, has 1.7 MB


class CheckpointError(PlainError, ValueError):
    """A checkpoint that is unknown, incomplete, unsafe or of no known family; the message says what to do."""


class HubUnreachable(PlainError, ConnectionError):
    """The hub of checkpoints gives no answer."""


def locate(checkpoint: str | Path) -> tuple[Path, str]:
    """Return the folder of a checkpoint's files and its revision: the hub's commit, or a hash for a local folder.

    Raises CheckpointError and HubUnreachable.
    """
    folder = Path(checkpoint)
    if str(checkpoint) and _is_folder(folder):
        return folder, f"sha256:{_folder_hash(folder)}"
    if not _HUB_NAME.fullmatch(str(checkpoint)):
        raise CheckpointError(_unknown(checkpoint))
    return _download(str(checkpoint), CHECKPOINTS.get(str(checkpoint), "main"))


def _is_folder(place: Path) -> bool:
    try:
        return place.is_dir()
    except OSError:  # no name that the system takes
        return False


def weights_file(folder: Path) -> Path:
    """Return the file of weights to read; raises CheckpointError where there is none."""
    name = _present(folder, WEIGHTS)
    if not name:
        raise CheckpointError(f"{folder} has no weights; looked for {' and '.join(WEIGHTS)}")
    return folder / name


def read_config(folder: Path) -> dict:
    """Return the content of config.json; raises CheckpointError."""
    return _read(folder / CONFIG)


def read_processor(folder: Path) -> dict:
    """Return the numbers of the checkpoint's own picture processor; raises CheckpointError."""
    older, newer = PROCESSORS
    if (folder / older).is_file() or not (folder / newer).is_file():
        return _read(folder / older)
    found = _read(folder / newer).get("image_processor")
    if not isinstance(found, dict):
        raise CheckpointError(f"{folder / newer} says nothing of an image_processor")
    return found


def _read(file: Path) -> dict:
    """Return the object in a JSON file, bounded in size."""
    if not file.is_file():
        raise CheckpointError(f"{file.parent} has no {file.name}, so it is no checkpoint that save_pretrained wrote")
    size = file.stat().st_size
    if size > _LARGEST_JSON:
        raise CheckpointError(f"{file} has {size:,} bytes; allowed are {_LARGEST_JSON:,}")
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} holds a {type(content).__name__}, not an object")
    return content


def _folder_hash(folder: Path) -> str:
    """Return a hash of all that makes the features of a local checkpoint."""
    digest = hashlib.sha256()
    for choices in ((CONFIG,), PROCESSORS, WEIGHTS):
        if name := _present(folder, choices):
            digest.update(bytes.fromhex(files.sha256(folder / name)))
    return digest.hexdigest()[:16]


def _present(folder: Path, choices: tuple[str, ...]) -> str | None:
    """Return the first of some names that a folder has a file of."""
    return next((name for name in choices if (folder / name).is_file()), None)


# ----------------------------------------------------------------------------------------------------------- the hub


def _download(name: str, revision: str) -> tuple[Path, str]:
    """Return the folder of the hub's cache with the files of a checkpoint, and the commit they are of."""
    host = urlsplit(constants.ENDPOINT).netloc
    try:
        folder = _fetched(name, CONFIG, revision).parent
        _first_of(name, PROCESSORS, folder)
        _first_of(name, WEIGHTS, folder)
        _fetch_tokenizer(name, folder)
    except errors.GatedRepoError:  # a RepositoryNotFoundError, too
        page = f"{constants.ENDPOINT}/{name}"
        remedy = f"accept it at {page} with an account of yours, and set HF_TOKEN to a token of that account"
        raise CheckpointError(f"{name} is given out under a licence of its own: {remedy}") from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        raise CheckpointError(_unknown(name)) from None
    except errors.LocalEntryNotFoundError:
        raise HubUnreachable(f"{host} cannot be reached for {name}; {_REMEDY}") from None
    except errors.EntryNotFoundError as error:
        raise CheckpointError(f"{name} lacks a file at {host}: {error}") from None
    except OSError as error:
        raise HubUnreachable(f"{host} does not give {name}: {error}; {_REMEDY}") from None
    return folder, folder.name


def _fetched(name: str, file: str, revision: str) -> Path:
    return Path(huggingface_hub.hf_hub_download(name, file, revision=revision))


def _first_of(name: str, choices: tuple[str, ...], folder: Path) -> None:
    """Fetch the first file that the hub has among some, unless one is here; `folder` is named by the commit."""
    if _present(folder, choices):
        return
    for choice in choices:
        try:
            _fetched(name, choice, folder.name)
        except errors.LocalEntryNotFoundError:
            raise
        except errors.EntryNotFoundError:
            if choice == choices[-1]:
                raise
        else:
            return


def _fetch_tokenizer(name: str, folder: Path) -> None:
    """Fetch what a tokenizer is made of, where the checkpoint reads words."""
    if "text_config" not in read_config(folder) or _present(folder, TOKENIZER):
        return
    for file in TOKENIZER:
        try:
            _fetched(name, file, folder.name)
        except errors.LocalEntryNotFoundError:
            raise
        except errors.EntryNotFoundError:
            continue


def _unknown(checkpoint: str | Path) -> str:
    shown = shortened(repr(str(checkpoint)), 100)
    return f"{shown} is neither a folder here nor a checkpoint on the hub; known: {', '.join(CHECKPOINTS)}"
