"""Verified shards -> banners: who each belongs to, its JPEG, and its pixels, all of one size and kind."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from utils import files, images, snapshot
from utils.errors import DamagedError, PictureError
from utils.images import HEIGHT, WIDTH, open_picture

_PLACE = ["appid", "name", "offset", "size"]  # columns of a record


@dataclass(frozen=True)
class Banner:
    """A game's vertical banner as it is stored: a JPEG of 256x384 pixels."""

    appid: int
    name: str
    jpeg: bytes
    ratio: float = WIDTH / HEIGHT  # width / height of the picture it was made from

    @cached_property
    def sha256(self) -> str:
        """The checksum of the JPEG, 64 hex digits: banners of one checksum have the same pixels."""
        return hashlib.sha256(self.jpeg).hexdigest()

    @cached_property
    def rgb(self) -> np.ndarray:
        """The pixels, uint8 (384, 256, 3); raises PictureError if the JPEG is broken."""
        return decode(self.jpeg, images.FORMATS)


def decode(picture: bytes, formats: tuple[str, ...] = images.OWN_FORMATS) -> np.ndarray:
    """Return any picture file as a banner's pixels, uint8 RGB (384, 256, 3).

    Grey, palette, CMYK and 16-bit pictures become 8-bit sRGB, transparency is laid on white, EXIF rotation is applied,
    of an animation the first frame is taken. Another size is scaled to cover 256x384, by area averaging or upwards by
    Lanczos as the stored banners were, and cut at the centre: nothing is distorted. Raises PictureError for what is no
    picture or a broken one, or not of these `formats`: `images.FORMATS` for what comes from a stranger.
    """
    return np.asarray(_fit(images.upright_rgb(open_picture(picture, formats))))


def own(picture: images.AnyPicture, name: str, formats: tuple[str, ...] = images.OWN_FORMATS) -> Banner:
    """Return a picture of one's own, as `images.opened` takes it, as a banner (its appid is 0); raises PictureError."""
    return _made(0, name, images.opened(picture, formats))


def read(folder: Path, catalogue: pd.DataFrame | None = None) -> Iterator[Banner]:
    """Yield every banner in a folder of snapshots once, its newest version, oldest snapshot first.

    With a catalogue, only its games: those that left the store stay on disk but are not read. Holds one shard in
    memory. Raises DamagedError.
    """
    shards = snapshot.verified(folder)
    newest = {appid: shard for shard in shards for appid in shard.appids}
    wanted = newest.keys() if catalogue is None else newest.keys() & set(catalogue["appid"])
    for shard in shards:
        for banner in read_shard(shard):
            if banner.appid in wanted and newest[banner.appid] is shard:
                yield banner


def read_shard(shard: snapshot.Shard) -> Iterator[Banner]:
    """Yield the banners of one verified shard in the plan's order, after checking that it is what it was.

    Holds the shard in memory. Raises DamagedError, before the first banner, if the tar's checksum is another.
    """
    tar = b""
    with suppress(OSError):
        tar = shard.path.read_bytes()
    if hashlib.sha256(tar).hexdigest() != shard.sha256:
        remedy = "snapshot.update(catalogue, folder, check=True) fetches it again"
        raise DamagedError(f"{shard.path} changed after it was checked: {remedy}")
    for appid, name, offset, size in shard.rows[_PLACE].itertuples(index=False):
        yield _banner(appid, name, tar[offset : offset + size])


class Album(Mapping[int, Banner]):
    """The banners of a folder by appid, the newest version of each, read from the shards when asked for.

    Holds an index of about 100 bytes a banner in memory. What it gives is not hashed: `read` does that. (The random
    access of webdataset, `wids`, copies every shard into /tmp and finds it there by name, though it was fetched again.)
    """

    def __init__(self, folder: Path) -> None:
        self._places: dict[int, tuple[Path, str, int, int]] = {}  # tar, name, offset and bytes of the JPEG
        for shard in snapshot.verified(folder):
            for appid, name, offset, size in shard.rows[_PLACE].itertuples(index=False):
                self._places.pop(appid, None)  # the newest stand last
                self._places[appid] = (shard.path, name, offset, size)

    def __getitem__(self, appid: int) -> Banner:
        path, name, offset, size = self._places[appid]
        with files.storage_errors(path), path.open("rb") as tar:
            tar.seek(offset)
            jpeg = tar.read(size)
        return _banner(int(appid), name, jpeg)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _banner(appid: int, name: str, jpeg: bytes) -> Banner:
    """Return a banner, its JPEG written again only where it is not of the banners' size."""
    with suppress(PictureError):  # its pixels say what is wrong, without keeping the others back
        if images.picture_size(jpeg) != (WIDTH, HEIGHT):
            return _made(appid, name, open_picture(jpeg))
    return Banner(appid, name, jpeg)


def _made(appid: int, name: str, picture: Image.Image) -> Banner:
    upright = images.upright_rgb(picture)
    file = io.BytesIO()
    _fit(upright).save(file, "JPEG", quality=95)
    return Banner(appid, name, file.getvalue(), upright.width / upright.height)


def _fit(image: Image.Image) -> Image.Image:
    if image.size == (WIDTH, HEIGHT):
        return image
    shrinks = image.width >= WIDTH and image.height >= HEIGHT
    return ImageOps.fit(image, (WIDTH, HEIGHT), Image.Resampling.BOX if shrinks else Image.Resampling.LANCZOS)
