"""The one place where a picture file is opened: named formats, bounded bytes and pixels, never a program.

Pillow opens every format it knows, and for some of them it runs a program (Ghostscript for EPS). Whatever the picture
comes from, an upload, an address or a shard, it goes through `open_picture`.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from utils import http
from utils.errors import PlainError
from utils.names import shortened, visible

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # Pillow's names; each is decoded by Pillow itself
ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")  # of files
MOST_BYTES = 50_000_000  # of a picture file
MOST_PIXELS = 50_000_000  # of a picture; a phone's camera gives up to 48 million

_DEADLINE = 60.0  # seconds for a picture from an address


class Refused(PlainError, ValueError):
    """A picture that cannot be a banner, with the reason."""


class TooLarge(Refused):
    """A picture with more bytes or pixels than are allowed."""


def open_picture(content: bytes) -> Image.Image:
    """Return the picture in a file's bytes, decoded, of an animation the first frame; raises Refused.

    The format must be one of FORMATS, with at most MOST_BYTES and MOST_PIXELS; size and format are looked at before
    anything is decoded.
    """
    with _refusing(content):
        image = _undecoded(content)
        image.load()
    return image


def picture_size(content: bytes) -> tuple[int, int]:
    """Return width and height in pixels as a picture file states them, without decoding it; raises Refused."""
    with _refusing(content):
        return _undecoded(content).size


def is_plain(content: bytes) -> bool:
    """Return whether every decoder shows a picture file alike: an upright grey or RGB JPEG; raises Refused."""
    with _refusing(content):
        image = _undecoded(content)
        upright = "exif" not in image.info or image.getexif().get(Base.Orientation, 1) == 1
        return image.format == "JPEG" and image.mode in ("L", "RGB") and upright


def content(picture: str | Path | bytes | Image.Image | np.ndarray) -> bytes:
    """Return the bytes of a picture's file, wherever it is; pixels are written as TIFF, which loses nothing.

    A picture is a file's path or bytes, a PIL image, an RGB array uint8 (height, width, 3) or an http(s) address.
    Raises Refused for anything else, and for what cannot be read.
    """
    match picture:
        case bytes():
            return picture
        case str() if picture.lower().startswith(("http://", "https://")):
            return _from_address(picture)
        case str() | Path():
            return _from_file(Path(picture))
        case np.ndarray() if picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3:
            return _tiff(Image.fromarray(picture))
        case Image.Image():
            return _tiff(picture)
    kind = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
    raise Refused(
        f"the picture is {kind}; allowed are a path, bytes, a PIL image, an RGB array uint8 (height, width, 3), "
        "or an http(s) address"
    )


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return a picture as 8-bit RGB: rotated as its EXIF says, transparency laid on white, 16 bits scaled to 8."""
    image = _upright(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _from_address(address: str) -> bytes:
    try:
        answer = http.get(address, limit=MOST_BYTES, deadline=_DEADLINE)
    except http.HttpError as error:
        raise Refused(str(error)) from None
    if answer.status != HTTPStatus.OK:
        raise Refused(f"the address answers with status {answer.status}; check it")
    return answer.body


def _from_file(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise Refused(f"{path} is not a file")
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)  # a byte too many is refused when it is opened
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        shown = shortened(visible(str(path)), 200)
        raise Refused(f"{shown} is no file that can be read, nor an http(s) address: {reason}") from None


def _tiff(image: Image.Image) -> bytes:
    if not image.width or not image.height:
        raise Refused(f"the picture has {image.width} x {image.height} pixels")
    file = io.BytesIO()
    _upright(image).save(file, "TIFF")
    return file.getvalue()


def _upright(image: Image.Image) -> Image.Image:
    if "exif" not in image.info:
        return image
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001 - EXIF that cannot be read says nothing about the pixels
        return image


def _undecoded(content: bytes) -> Image.Image:
    if len(content) > MOST_BYTES:
        raise TooLarge(f"the picture has {len(content):,} bytes; allowed are {MOST_BYTES:,}")
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise TooLarge(f"the picture has {image.width} x {image.height} pixels; allowed are {MOST_PIXELS:,} in all")
    return image


@contextmanager
def _refusing(content: bytes) -> Iterator[None]:
    """Turn whatever a damaged file makes Pillow raise into Refused, which names the reason."""
    try:
        yield
    except Refused:
        raise
    except Image.DecompressionBombError:
        raise TooLarge(f"the picture has too many pixels; allowed are {MOST_PIXELS:,}") from None
    except UnidentifiedImageError:
        raise Refused(f"{len(content):,} bytes that are not a whole picture; allowed are {_known()}") from None
    except Exception as error:  # noqa: BLE001 - it may be almost anything
        raise Refused(f"{len(content):,} bytes that are not a whole picture: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return what a decoder says, without the names of Python's objects."""
    said = str(error) or type(error).__name__
    return said if "<" not in said else "it is damaged"


def _known() -> str:
    return f"{', '.join(FORMATS[:-1])} and {FORMATS[-1]}"
