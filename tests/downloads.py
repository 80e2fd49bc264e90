"""What the tests of downloads share: a catalogue of a store, an update from it, pictures to put into it."""

import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from utils import banners, catalogue, snapshot


def fetch(store):
    return catalogue.fetch_catalogue(adult=True, api_url=store.api_url, assets_url=store.assets_url)


def update(store, folder, games=None, **options):
    """Bring a folder up to date with a store and return the report."""
    games = fetch(store) if games is None else games
    return snapshot.update(games, folder, assets_url=store.assets_url, **options)


def pictures(folder):
    """Return what a folder of snapshots holds: appid -> JPEG."""
    return {banner.appid: banner.jpeg for banner in banners.read(folder)}


def asked(store):
    """Return the appids whose pictures a store was asked for, sorted, each as often as it was."""
    targets = [request.target for request in store.requests if "store_item_assets" in request.target]
    return sorted(int(target.split("/")[4]) for target in targets)


def copy_of(folder, to):
    return Path(shutil.copytree(folder, to))


def png(size, colour, mode="RGB"):
    return file(Image.new(mode, size, colour), "PNG")


def file(image, kind, **options):
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def jpeg(image, **options):
    return file(image, "JPEG", quality=90, **options)


def noise(size, seed=0):
    patches = np.random.default_rng(seed).integers(0, 255, (size[1] // 50, size[0] // 50, 3), "uint8")
    return Image.fromarray(patches).resize(size)
