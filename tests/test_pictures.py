"""Pictures of every kind become banners of one kind, or are refused with a reason; nothing is run, no memory filled."""

import random
import re
import struct
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from downloads import file
from hosts import refusal
from PIL import Image, ImageCms

from utils import banners, images
from utils.errors import PictureError
from utils.snapshot.img2dataset_process import for_opencv

ROOT = Path(__file__).parent.parent


def slope(size=(600, 900)):
    """A picture that tells its corners apart: red grows to the right, green to the bottom."""
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 60)], axis=-1).astype("uint8"))


def difference(picture, expected):
    return np.abs(np.asarray(picture, "int16") - np.asarray(expected, "int16")).mean()


@pytest.mark.parametrize("size", [(600, 900), (128, 192), (460, 215), (342, 482), (1000, 1000), (100, 900)])
def test_another_shape_is_cut_at_the_centre_not_distorted(size):
    picture = banners.decode(file(slope(size), "PNG")).astype("int16")
    assert picture.shape == (384, 256, 3)
    assert difference(picture[192, 128], [127, 127, 60]) < 3
    across, down = (picture[264, 200] - picture[120, 56])[:2] / 144  # levels a pixel
    scale = max(256 / size[0], 384 / size[1])
    assert (across, down) == pytest.approx((255 / (size[0] * scale), 255 / (size[1] * scale)), rel=0.08)


MODES = {("CMYK", "JPEG"): 8, ("L", "JPEG"): 90, ("P", "PNG"): 90, ("RGBA", "WEBP"): 8, ("1", "PNG"): 90}


@pytest.mark.parametrize(("mode", "kind"), MODES)
def test_every_mode_becomes_rgb(mode, kind):
    picture = banners.decode(file(slope().convert(mode), kind))
    assert (picture.dtype, picture.shape) == (np.uint8, (384, 256, 3))
    assert difference(picture, slope((256, 384))) < MODES[mode, kind]


@pytest.mark.parametrize(
    ("kind", "dtype", "white"), [("PNG", "uint16", 65_535), ("TIFF", "float32", 1), ("TIFF", "int32", 65_535)]
)
def test_more_bits_are_scaled_not_clipped(kind, dtype, white):
    grey = Image.fromarray(np.tile(np.linspace(0, white, 600).astype(dtype), (900, 1)))
    assert difference(banners.decode(file(grey, kind))[200, :, 0], np.linspace(0, 255, 256)) < 2


def test_transparency_is_laid_on_white_exif_turns_and_of_an_animation_the_first_frame_is_taken():
    assert (banners.decode(file(Image.new("RGBA", (600, 900)), "PNG")) == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = file(slope().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    assert difference(banners.decode(lying), slope((256, 384))) < 3
    frames = [Image.new("RGB", (300, 450), colour) for colour in ("red", "blue")]
    picture = banners.decode(file(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert difference(picture, np.broadcast_to([255, 0, 0], picture.shape)) < 2


def wide_profile():
    """A profile whose red is sRGB's green and the other way round: nobody overlooks that it was not applied."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)
    return swapped.replace("sRGB".encode("utf-16-be"), "Mine".encode("utf-16-be"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_embedded_profile_is_turned_into_srgb(kind):
    content = file(Image.new("RGB", (256, 384), (200, 40, 90)), kind, icc_profile=wide_profile(), quality=98)
    for rgb in (banners.decode(content), images.open_picture(for_opencv(content), ("BMP",))):
        assert difference(np.asarray(rgb)[100, 100], [40, 200, 90]) < 6
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), b"no profile"):
        same = banners.decode(file(slope(), "PNG", icc_profile=profile))
        assert (same == banners.decode(file(slope(), "PNG"))).all()


@pytest.mark.slow
def test_a_large_jpeg_is_decoded_reduced():
    content = file(slope((6_000, 9_000)), "JPEG")
    assert images.open_picture(content).size == (3_000, 4_500)
    assert difference(banners.decode(content), slope((256, 384))) < 3
    assert images.picture_size(for_opencv(content)) < (600, 900)


@pytest.mark.parametrize("kind", images.OWN_FORMATS)
def test_each_named_format_is_opened_and_tiff_from_the_own_disk_alone(kind, tmp_path):
    content = file(Image.new("RGB", (60, 90), "red"), kind)
    assert images.open_picture(content, images.OWN_FORMATS).format == kind
    (tmp_path / "mine").write_bytes(content)
    assert banners.own(tmp_path / "mine", "").ratio == pytest.approx(2 / 3)
    for opened in (images.open_picture, images.picture_size, for_opencv):
        with pytest.raises(PictureError) if kind == "TIFF" else nullcontext():
            opened(content)


def tile(side):
    """A TIFF of 4x4 pixels in a tile that says it is of another size."""
    tags = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 277: 1, 322: side, 323: side, 324: 8, 325: 64}
    rows = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
    return b"II*\0" + struct.pack("<I", 72) + bytes(64) + struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4)


HUGE = {
    "png": lambda: file(Image.new("1", (8_000, 8_000)), "PNG"),
    "png beyond Pillow's bound": lambda: file(Image.new("1", (30_000, 30_000)), "PNG"),
    "tile": lambda: tile(20_000),
    "progressive": lambda: file(Image.new("L", (7_500, 7_500)), "JPEG", progressive=True),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", HUGE)
def test_pixels_are_bounded_before_anything_is_decoded(kind, monkeypatch):
    bomb = HUGE[kind]()
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("decoded"))
    assert refusal(PictureError, images.open_picture, bomb, images.OWN_FORMATS).startswith(images.TOO_LARGE)


def test_a_picture_comes_from_anywhere_and_a_tiff_from_no_address(tmp_path, httpserver):
    whole = slope((60, 90))
    for kind in ("PNG", "TIFF"):
        (tmp_path / kind).write_bytes(file(whole, kind))
        httpserver.expect_request(f"/{kind}").respond_with_data(file(whole, kind))
    expected = banners.own(whole, "")
    for picture in (file(whole, "PNG"), tmp_path / "TIFF", str(tmp_path / "PNG"), np.asarray(whole)):
        assert banners.own(picture, "") == expected
    assert banners.own(httpserver.url_for("/PNG"), "") == expected
    for missing in ("/TIFF", "/nothing"):
        refusal(PictureError, banners.own, httpserver.url_for(missing), "")


def test_bytes_are_bounded_and_what_is_no_picture_or_of_another_format_is_refused(tmp_path):
    endless = tmp_path / "endless.jpg"
    with endless.open("wb") as sparse:
        sparse.truncate(10**12)
    nothing = [np.zeros((0, 5, 3), "uint8"), Image.new("RGB", (0, 0)), np.zeros((5, 5)), 7]
    others = [file(Image.new("RGB", (64, 64), "red"), kind) for kind in ("EPS", "PDF", "PPM", "TGA", "JPEG2000")]
    for picture in (endless, "/dev/zero", "x" * 5_000, tmp_path, *nothing, *others):
        line = refusal(PictureError, banners.own, picture, "")
        assert len(line) < 400
        assert "AVIF and TIFF" in line or not isinstance(picture, bytes)


def test_nothing_else_in_the_product_opens_pictures():
    opens = re.compile(r"Image\.open\(|imread\(|imdecode\(|ImageFile\.Parser|Image\.preinit")
    files = [file for room in ("utils", "study", "share", "sample") for file in (ROOT / room).rglob("*.py")]
    files += ROOT.glob("*.ipynb")
    assert {file.name for file in files if opens.search(file.read_text())} == {"images.py"}


@pytest.mark.parametrize("kind", images.OWN_FORMATS)
def test_flipped_and_cut_files_are_pictures_or_refused(kind):
    seeded = random.Random(5)  # noqa: S311 - damage, not secrets
    whole = file(Image.radial_gradient("L").resize((48, 72)).convert("RGB"), kind)
    contents, reasons = [b"", file(Image.new("LAB", (48, 72)), "TIFF")], []
    for _ in range(40):
        content = bytearray(whole)
        for _ in range(seeded.randint(1, 4)):
            content[seeded.randrange(len(content))] = seeded.randrange(256)
        contents.append(bytes(content[: seeded.choice([len(content), seeded.randrange(len(content))])]))
    for content in contents:
        for opened in (banners.decode, for_opencv):
            try:
                assert len(opened(content)) > 0
            except PictureError as error:
                reasons.append(str(error))
    assert len(reasons) > 4
    assert not [reason for reason in reasons if "\n" in reason or "<" in reason]
