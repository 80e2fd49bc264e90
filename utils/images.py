"""The one place where a picture file is opened: named formats, bounded bytes and pixels, never a program.

Pillow opens every format it knows, and for some of them it runs a program (Ghostscript for EPS). From an upload, an
address or a shard, a picture goes through `open_picture`; whatever a decoder raises over it is a PictureError.
"""

import functools
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError
from PIL.ExifTags import Base

from utils import http
from utils.errors import PictureError, shown

WIDTH = 256  # pixels of a banner
HEIGHT = 384
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")  # Pillow's names; each is decoded by Pillow itself
OWN_FORMATS = (*FORMATS, "TIFF")  # of files on the user's own disk
MOST_BYTES = 50_000_000  # of a picture file
MOST_PIXELS = 50_000_000  # of a picture; a phone's camera gives up to 48 million
ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")  # of files
TOO_LARGE = "too large: "  # how the message begins where bytes or pixels are too many

AnyPicture = str | Path | bytes | Image.Image | np.ndarray

_MOST_REDUCED = 200_000_000  # pixels of a JPEG that is decoded at an eighth of its size
_DEADLINE = 60.0  # seconds for a picture from an address
_TILE_WIDTH, _TILE_LENGTH = 322, 323  # tags of a TIFF
_START_OF_SCAN, _END_OF_JPEG = b"\xff\xda", b"\xff\xd9"


def open_picture(content: bytes, formats: tuple[str, ...] = FORMATS, *, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """Return the picture in a file's bytes, decoded, of an animation the first frame; raises PictureError.

    The file has at most MOST_BYTES; format and size are looked at before anything is decoded. A JPEG of more than
    `most_pixels` is decoded at a half, a quarter or an eighth of its size; any other picture is too large.
    """
    with _refusing(content):
        image = _undecoded(content, formats)
        _bound(image, content, most_pixels)
        image.load()
    return image


def picture_size(content: bytes) -> tuple[int, int]:
    """Return width and height in pixels as a file of FORMATS states them, without decoding it; raises PictureError."""
    with _refusing(content):
        return _undecoded(content, FORMATS).size


def is_plain(content: bytes, most_pixels: int) -> bool:
    """Return whether every decoder shows a picture file alike, and none takes much memory for it.

    Such is an upright JPEG, grey or in sRGB, of at most `most_pixels`. Raises PictureError for what is no picture.
    """
    with _refusing(content):
        image = _undecoded(content, OWN_FORMATS)
        upright = "exif" not in image.info or image.getexif().get(Base.Orientation, 1) == 1
        srgb = image.mode in ("L", "RGB") and _to_srgb(image.info.get("icc_profile", b""), image.mode) is None
        return image.format == "JPEG" and upright and srgb and image.width * image.height <= most_pixels


def opened(picture: AnyPicture, formats: tuple[str, ...] = OWN_FORMATS) -> Image.Image:
    """Return a picture, wherever it is: a path, a file's bytes, a PIL image, an RGB array or an http(s) address.

    An array is uint8 (height, width, 3). Raises PictureError for anything else, and for a file that cannot be read, or
    is not of these `formats`, from an address of FORMATS.
    """
    match picture:
        case bytes():
            return open_picture(picture, formats)
        case str() if picture.lower().startswith(("http://", "https://")):
            return open_picture(_from_address(picture))
        case str() | Path():
            return open_picture(_from_file(Path(picture)), formats)
        case np.ndarray() if picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3:
            return Image.fromarray(picture)
        case Image.Image():
            return picture
    kind = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
    raise PictureError(
        f"the picture is {kind}; allowed are a path, bytes, a PIL image, an RGB array uint8 (height, width, 3), "
        "or an http(s) address"
    )


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return a picture as 8-bit sRGB: rotated as its EXIF says, its colour profile applied, transparency on white.

    16 bits are scaled to 8; whole numbers and floats of 32 bits too, from the range 0 to 1, 255 or 65,535 that holds
    them. Raises PictureError.
    """
    if not image.width or not image.height:
        raise PictureError(f"the picture has {image.width} x {image.height} pixels")
    with _refusing():
        if "exif" in image.info:
            with suppress(Exception):  # EXIF that cannot be read says nothing about the pixels
                image = ImageOps.exif_transpose(image)
        image = _eight_bits(image)
        clear = "A" in image.getbands() or "transparency" in image.info
        if clear or image.mode == "P":
            image = image.convert("RGBA" if clear else "RGB")
        if to_srgb := _to_srgb(image.info.get("icc_profile", b""), image.mode):
            image = ImageCms.applyTransform(image, to_srgb) or image
        if clear:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return image.convert("RGB")


def _from_address(address: str) -> bytes:
    try:
        answer = http.get(address, limit=MOST_BYTES, deadline=_DEADLINE)
    except http.HttpError as error:
        raise PictureError(str(error)) from None
    if answer.status != HTTPStatus.OK:
        raise PictureError(f"the address answers with status {answer.status}; check it")
    return answer.body


def _from_file(path: Path) -> bytes:
    try:
        if path.is_file() or not path.exists():  # a pipe would be waited for
            with path.open("rb") as file:
                return file.read(MOST_BYTES + 1)  # a byte too many is refused when it is opened
        reason = "it is something else"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
    raise PictureError(f"{shown(path, 200)} is no file that can be read, nor an http(s) address: {reason}")


def _undecoded(content: bytes, formats: tuple[str, ...]) -> Image.Image:
    if len(content) > MOST_BYTES:
        raise PictureError(f"{TOO_LARGE}the picture has {len(content):,} bytes; allowed are {MOST_BYTES:,}")
    if content.startswith(b"\xff\xd8\xff"):  # Pillow would refuse by their size some that can be decoded reduced
        return JpegImagePlugin.JpegImageFile(io.BytesIO(content))
    try:
        return Image.open(io.BytesIO(content), formats=formats)
    except Image.DecompressionBombError:
        raise PictureError(f"{TOO_LARGE}the picture has too many pixels; allowed are {MOST_PIXELS:,}") from None
    except UnidentifiedImageError:
        known = f"{', '.join(formats[:-1])} and {formats[-1]}"
        raise PictureError(f"{len(content):,} bytes that are not a whole picture; allowed are {known}") from None


def _bound(image: Image.Image, content: bytes, most: int) -> None:
    """Have a large JPEG decoded reduced; raises PictureError where that is not enough, or not to be had."""
    pixels = image.width * image.height
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # a tile is decoded whole, whatever the picture's size
        pixels = max(pixels, image.tag_v2.get(_TILE_WIDTH, 0) * image.tag_v2.get(_TILE_LENGTH, 0))
    if pixels <= most:
        return
    allowed = most
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        begin = image.fp.tell() if image.fp else 0  # behind the header of the first scan
        several = content.count(_START_OF_SCAN, begin, content.find(_END_OF_JPEG, begin))
        allowed = min(64 * most, MOST_PIXELS if several else _MOST_REDUCED)  # of several, all is held in memory
    if pixels > allowed:
        raise PictureError(f"{TOO_LARGE}the picture has {pixels:,} pixels; allowed are {allowed:,}")
    scale = next(scale for scale in (2, 4, 8) if pixels <= most * scale**2)
    image.draft(None, (image.width // scale, image.height // scale))


def _eight_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode not in ("I", "F"):
        return image
    levels = np.asarray(image, np.float64)
    white = next((white for white in (1, 255, 65_535) if levels.min() >= 0 and levels.max() <= white), None)
    if white is None:
        raise PictureError("the picture's levels are not within 0 to 65,535; save it with 8 or 16 bits a channel")
    return Image.fromarray((levels * (255 / white)).round().astype(np.uint8))


@functools.lru_cache(maxsize=8)  # 15 ms for a profile
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what turns a mode's colours into sRGB; None where the profile does not ask for it, or says nothing."""
    with suppress(Exception):  # one that is not there, or cannot be read, says nothing about the colours
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" not in ImageCms.getProfileDescription(given):
            srgb = ImageCms.createProfile("sRGB")
            return ImageCms.buildTransform(given, srgb, mode, "RGBA" if mode == "RGBA" else "RGB")
    return None


@contextmanager
def _refusing(content: bytes | None = None) -> Iterator[None]:
    """Turn whatever Pillow raises over a picture into PictureError, which names the reason."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:  # noqa: BLE001 - it may be almost anything
        said = str(error) or type(error).__name__
        reason = "it is damaged" if "<" in said else said  # not the names of Python's objects
        what = "no RGB can be made of it" if content is None else f"{len(content):,} bytes that are not a whole picture"
        raise PictureError(f"{what}: {reason}") from None
