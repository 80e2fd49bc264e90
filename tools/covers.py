"""Rebuild the real covers that docs/results.md judges by, from clones of the public collection they come from.

    PYTHONPATH=. python tools/covers.py CLONES FOLDER

CLONES holds the clones that docs/covers.md names; FOLDER becomes what `make judge FOLDER=...` takes.
The covers belong to their publishers: use them to measure, and keep them out of what you publish.
"""

import argparse
import io
import shutil
from pathlib import Path

import pandas as pd
from PIL import Image

from utils.images import open_picture

LIST = Path(__file__).parents[1] / "docs" / "covers.csv"
REPOSITORIES = {
    "Wii U": "Nintendo_-_Wii_U",
    "32X": "Sega_-_32X",
    "Master System": "Sega_-_Master_System_-_Mark_III",
}
SIZE = (300, 450)


def cut(picture: bytes) -> bytes:
    """Return a cover as a JPEG of SIZE: on black where it is transparent, cut at the centre to 2:3, Lanczos."""
    image = open_picture(picture).convert("RGBA")
    cover = Image.new("RGB", image.size)
    cover.paste(image, mask=image.getchannel("A"))
    width = min(cover.width, cover.height * 2 / 3)
    height = width * 3 / 2
    left = (cover.width - width) / 2
    top = (cover.height - height) / 2
    content = io.BytesIO()
    cover.resize(SIZE, Image.Resampling.LANCZOS, (left, top, left + width, top + height)).save(
        content, "JPEG", quality=90
    )
    return content.getvalue()


def rebuild(clones: Path, folder: Path) -> list[str]:
    """Write the covers and their list to a folder; return the names of those that the clones lack."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    missing = []
    for appid, name, _, platform in pd.read_csv(LIST).itertuples(index=False):
        source = clones / REPOSITORIES[platform] / "Named_Boxarts" / f"{name}.png"
        if source.is_file():
            (folder / "images" / f"{appid}.jpg").write_bytes(cut(source.read_bytes()))
        else:
            missing.append(name)
    shutil.copy(LIST, folder / "covers.csv")
    return missing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clones", type=Path)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    missing = rebuild(asked.clones, asked.folder)
    print(f"{len(pd.read_csv(LIST)) - len(missing)} covers in {asked.folder}; {len(missing)} are not in the clones")
    print(*missing, sep="\n")


if __name__ == "__main__":
    main()
