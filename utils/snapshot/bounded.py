"""img2dataset's downloads, bounded in bytes, pixels and time, and kept to the store's addresses.

img2dataset alone reads a body of any length, decodes a picture of any size, follows any redirect and opens `file:`
addresses. It calls one function for each picture; here is ours. Imported in downloading processes only.
"""

import functools
import importlib
import io
import os
import sys
import threading
import types
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from utils import http, images

# What img2dataset imports and a download does not use; torch and ray alone take longer than all the rest.
_UNUSED = {"wandb": types.ModuleType("wandb"), "torch": None, "ray": None}  # None: an import of it fails
vars(sys)["modules"].update({name: stub for name, stub in _UNUSED.items() if name not in sys.modules})

from img2dataset import distributor, downloader  # noqa: E402

main = importlib.import_module("img2dataset.main")  # the package's name `main` is a function

__all__ = ["BoundedDownloader", "distributor", "main"]

MOST_BYTES = 8_000_000  # of a picture as the store serves it; Steam's largest banners take a tenth

_TRIES = 2
_AS_IT_IS = 1_000_000  # bytes of a file that is handed on; a larger one is shrunk first, as many wait in memory
_MOST_REWRITTEN = 16_000_000  # pixels of a picture that is decoded here
_DECODING = threading.Lock()  # one picture at a time takes memory
_STREAK = [0]  # pictures in a row that this process asked for in vain
_COUNTING = threading.Lock()


class BoundedDownloader(downloader.Downloader):
    """img2dataset's downloader with our `fetch`.

    bounds: `shards`, the numbers of those to download; `allowed`, what addresses must begin with; `deadline`, seconds
    for a picture; `counted`, a folder where each process counts the pictures it has asked for; `in_vain`, how many of
    them may fail in a row; `down`, a file that says that more did.
    """

    def __init__(self, bounds: Mapping[str, Any], **options: Any) -> None:  # noqa: ANN401 - img2dataset's own
        super().__init__(**options)
        self.bounds = bounds

    def __call__(self, row: tuple[int, str]) -> tuple[bool, tuple[int, str]]:
        """Download a shard that is wanted, in whichever process this runs.

        img2dataset finds out by a glob which shards are there, and finds none under a folder named "[1]".
        """
        if row[0] not in self.bounds["shards"]:
            return True, row
        vars(downloader).update(download_image_with_retry=functools.partial(fetch, bounds=self.bounds))
        return super().__call__(row)


def fetch(
    row: tuple[int, str],
    *,
    disallowed_header_directives: set[str] | None,
    bounds: Mapping[str, Any],
    **_: object,
) -> tuple[int, io.BytesIO | None, str | None]:
    """Return a picture's key with its file, or with the reason why there is none, as img2dataset's function does."""
    key, address = row
    in_vain = False
    try:
        answer = http.get(
            address, limit=MOST_BYTES, deadline=bounds["deadline"], allowed=bounds["allowed"], tries=_TRIES
        )
        in_vain = http.is_retryable(answer.status)
        if answer.status != HTTPStatus.OK:
            return key, None, f"status {answer.status}"
        if disallowed_header_directives and downloader.is_disallowed(
            answer.headers, None, disallowed_header_directives
        ):
            return key, None, "disallowed by X-Robots-Tag"
        return key, io.BytesIO(for_opencv(answer.body)), None
    except images.TooLarge as error:
        return key, None, f"too large: {error}"
    except images.Refused as error:
        return key, None, f"damaged: {error}"
    except http.HttpError as error:
        in_vain = error.retryable
        return key, None, str(error)
    finally:
        _count(bounds, in_vain=in_vain)


def for_opencv(content: bytes) -> bytes:
    """Return a picture file that img2dataset's OpenCV shows as Pillow does; raises Refused.

    OpenCV makes 16 bits white and cannot read every format; img2dataset forgets EXIF's rotation. A plain JPEG is
    returned as it is; others are rewritten as an upright BMP, not much larger than a banner.
    """
    if len(content) <= _AS_IT_IS and images.is_plain(content):
        return content
    with _DECODING:
        width, height = images.picture_size(content)
        if width * height > _MOST_REWRITTEN:
            raise images.TooLarge(f"{width} x {height} pixels; allowed are {_MOST_REWRITTEN:,} in all")
        image = images.upright_rgb(images.open_picture(content))
        shrunk = image.reduce(max(1, min(image.width // 256, image.height // 384)))
    rewritten = io.BytesIO()
    shrunk.save(rewritten, "BMP")
    return rewritten.getvalue()


def _count(bounds: Mapping[str, Any], *, in_vain: bool) -> None:
    """Add a byte to this process's file, for the progress bar, and say when too many pictures in a row failed."""
    with _COUNTING, suppress(OSError):
        with Path(bounds["counted"], str(os.getpid())).open("ab") as counted:
            counted.write(b".")
        _STREAK[0] = _STREAK[0] + 1 if in_vain else 0
        if _STREAK[0] >= bounds["in_vain"]:
            Path(bounds["down"]).touch()
