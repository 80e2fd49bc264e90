"""Pictures of every kind become banners of one kind, or are refused with a reason."""

import io

import numpy as np
import pytest
from PIL import Image

from utils import banners
from utils.errors import PictureError


def file(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def slope(size=(600, 900)):
    """A picture that tells its corners apart: red grows to the right, green to the bottom."""
    x, y = np.meshgrid(np.linspace(0, 255, size[0]), np.linspace(0, 255, size[1]))
    return Image.fromarray(np.stack([x, y, np.full_like(x, 60)], axis=-1).astype("uint8"))


def difference(picture, expected):
    return np.abs(picture.astype("int16") - np.asarray(expected, "int16")).mean()


@pytest.mark.parametrize("size", [(600, 900), (300, 450), (1200, 1800), (256, 384), (128, 192)])
def test_every_size_of_the_right_shape_shows_the_same(size):
    assert difference(banners.decode(file(slope(size), "PNG")), slope((256, 384))) < 1.5


@pytest.mark.parametrize("size", [(460, 215), (342, 482), (1000, 1000), (100, 900)])
def test_another_shape_is_cut_at_the_centre_not_distorted(size):
    picture = banners.decode(file(slope(size), "PNG"))
    scale = max(256 / size[0], 384 / size[1])
    assert picture.shape == (384, 256, 3)
    assert difference(picture[192, 128], [127, 127, 60]) < 3
    step = (int(picture[192, 200, 0]) - int(picture[192, 56, 0])) / 144  # levels of red a pixel
    assert step == pytest.approx(255 / (size[0] * scale), rel=0.08)


@pytest.mark.parametrize(
    ("mode", "kind"), [("CMYK", "JPEG"), ("L", "JPEG"), ("P", "PNG"), ("RGBA", "WEBP"), ("1", "PNG")]
)
def test_every_mode_becomes_rgb(mode, kind):
    picture = banners.decode(file(slope().convert(mode), kind))
    assert (picture.dtype, picture.shape) == (np.uint8, (384, 256, 3))
    tolerance = 8 if mode in ("CMYK", "RGBA") else 90
    assert difference(picture, slope((256, 384))) < tolerance


def test_sixteen_bits_are_scaled_not_clipped():
    grey = Image.fromarray(np.tile(np.linspace(0, 65_535, 600).astype("uint16"), (900, 1)))
    picture = banners.decode(file(grey, "PNG"))
    assert difference(picture[200, :, 0], np.linspace(0, 255, 256)) < 2


def test_transparency_is_laid_on_white():
    clear = Image.new("RGBA", (600, 900), (0, 0, 0, 0))
    assert (banners.decode(file(clear, "PNG")) == 255).all()


def test_exif_rotation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = file(slope().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    assert difference(banners.decode(lying), slope((256, 384))) < 3


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Image.new("RGB", (300, 450), colour) for colour in ("red", "blue")]
    picture = banners.decode(file(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert difference(picture, np.broadcast_to([255, 0, 0], picture.shape)) < 2


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", file(slope(), "JPEG")[:5_000], file(slope(), "PNG")[:2_000], b"\x89PNG\r\n\x1a\n" + bytes(40)],
)
def test_what_is_no_whole_picture_is_refused(content):
    with pytest.raises(PictureError, match="bytes that are not a whole picture"):
        banners.decode(content)


@pytest.mark.slow
def test_a_picture_that_would_fill_the_memory_is_refused():
    bomb = file(Image.new("1", (30_000, 30_000)), "PNG")
    assert len(bomb) < 1_000_000
    with pytest.raises(PictureError, match=r"too many pixels|30000 x 30000 pixels"):
        banners.decode(bomb)
