"""Pictures are opened in one place only, which runs nothing and fills no memory."""

import io
import random
import re
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from utils import banners, images
from utils.errors import PictureError

ROOT = Path(__file__).parent.parent


def file(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize("kind", images.FORMATS)
def test_each_named_format_is_opened(kind):
    image = images.open_picture(file(Image.new("RGB", (60, 90), "red"), kind))
    assert (image.format, image.size) == (kind, (60, 90))


def test_a_picture_that_is_a_program_is_never_run(tmp_path):
    """A PostScript picture that writes a file: Pillow would hand it to Ghostscript, where that is installed."""
    written = tmp_path / "written"
    program = f"({written}) (w) file dup (x) writestring closefile"
    picture = f"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 60 90\n%%EndComments\n{program}\nshowpage\n%%EOF\n".encode()
    if shutil.which("gs"):
        Image.open(io.BytesIO(picture)).load()
        written.unlink(missing_ok=True)
    for opened in (images.open_picture, banners.decode, lambda content: banners.own(content, "")):
        with pytest.raises(PictureError, match="allowed are JPEG, PNG"):
            opened(picture)
    assert not written.exists()


@pytest.mark.parametrize("kind", ["EPS", "PDF", "PPM", "TGA", "ICO", "PCX", "JPEG2000"])
def test_every_other_format_is_refused(kind):
    with pytest.raises(PictureError, match="not a whole picture; allowed are JPEG") as refused:
        images.open_picture(file(Image.new("RGB", (64, 64), "red"), kind))
    assert "<" not in str(refused.value)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize(("width", "height"), [(32_000, 32_000), (8_000, 8_000), (2**31 - 1, 2**31 - 1)])
def test_pixels_are_bounded_before_anything_is_decoded(width, height, monkeypatch):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000)))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    with pytest.raises(PictureError, match=r"pixels; allowed are 50,000,000"):
        images.open_picture(bomb)


def test_bytes_are_bounded_wherever_a_picture_comes_from(tmp_path):
    endless = tmp_path / "endless.jpg"
    with endless.open("wb") as sparse:
        sparse.truncate(10**12)
    with pytest.raises(PictureError, match=r"50,000,001 bytes; allowed are 50,000,000"):
        banners.own(endless, "")
    with pytest.raises(PictureError, match="/dev/zero is not a file"):
        banners.own("/dev/zero", "")


def test_nothing_else_in_the_product_opens_pictures():
    opens = re.compile(r"Image\.open\(|imread\(|imdecode\(|ImageFile\.Parser|Image\.preinit")
    files = [file for room in ("utils", "sample") for file in (ROOT / room).rglob("*.py")]
    files += ROOT.glob("*.ipynb")
    found = {file.name for file in files if opens.search(file.read_text())}
    assert found == {"images.py"}


def damaged(whole, seeded):
    """Return a file with some bytes flipped, and in half of the cases cut."""
    content = bytearray(whole)
    for _ in range(seeded.randint(1, 4)):
        content[seeded.randrange(len(content))] = seeded.randrange(256)
    return bytes(content[: seeded.choice([len(content), seeded.randrange(len(content))])])


def said(content):
    """Return what is said of a file that is refused; nothing where it is a picture."""
    try:
        assert banners.decode(content).shape == (384, 256, 3)
    except PictureError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", images.FORMATS)
def test_flipped_and_cut_files_are_pictures_or_refused(kind):
    seeded = random.Random(5)  # noqa: S311 - damage, not secrets
    whole = file(Image.radial_gradient("L").resize((48, 72)).convert("RGB"), kind)
    reasons = {said(damaged(whole, seeded)) for _ in range(60)}
    assert len(reasons) > 1
    assert not [reason for reason in reasons if "\n" in reason or "<" in reason]


@pytest.mark.parametrize(
    "nothing", [np.zeros((0, 0, 3), "uint8"), np.zeros((0, 5, 3), "uint8"), Image.new("RGB", (0, 0))]
)
def test_a_picture_without_pixels_is_refused(nothing):
    with pytest.raises(PictureError, match="pixels"):
        images.content(nothing)


def test_a_path_that_is_too_long_is_one_short_line():
    with pytest.raises(PictureError, match="File name too long") as caught:
        images.content("x" * 5_000)
    assert len(str(caught.value)) < 400
