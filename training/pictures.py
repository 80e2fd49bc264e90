"""From Debian packages to the pictures that are kept: opaque art and cut-outs, animation frames thinned out.

python -m training.pictures packages pictures
"""

from __future__ import annotations

import csv
import hashlib
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

LONGEST = 400  # pixels: a kept picture is made no larger than this
SHORTEST = 56  # pixels: smaller ones are icons
HELD_OUT = 0.05  # of the groups of pictures; views of these are never trained on
_KINDS = {".png", ".jpg", ".jpeg", ".webp", ".tga", ".bmp", ".gif", ".dds"}
_ARCHIVES = {".pk3", ".zip", ".pk4"}
_SKIP = re.compile(
    r"usr/share/doc|/fonts?/|normal|_nm?\.|_norm|_spec|specular|lightmap|/masks?/|_mask|heightmap|bump|_ao\.|glow"
    r"|/icons/|hicolor|cursor|mipmap|screenshot|minimap|shadow|/flags?/|button",
    re.IGNORECASE,
)
_PER_SERIES = 4  # frames of one animation
_PER_FOLDER = 150
_MOST_PIXELS = 40_000_000


@dataclass(frozen=True)
class Picture:
    """One kept picture: its file, where it came from, and whether its group is held out."""

    file: str
    package: str
    source: str
    series: str
    cutout: bool
    held: bool


def kept(folder: Path) -> list[Picture]:
    """Read the index that `keep` wrote."""
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [_picture(row) for row in rows]


def _picture(row: dict[str, str]) -> Picture:
    cutout = row["cutout"] == "True"
    held = row["held"] == "True"
    return Picture(row["file"], row["package"], row["source"], row["series"], cutout, held)


def keep(packages: Path, folder: Path) -> list[Picture]:
    """Read every package's pictures, thin them, and write those that are kept, with an index, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(path, folder) for path in sorted(packages.iterdir()) if path.is_dir() and path.suffix != ".part"]
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(_keep_package, jobs))
    pictures = [picture for package in found for picture in package]
    _write_index(pictures, folder / "index.csv")
    return pictures


def _write_index(pictures: list[Picture], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Picture)])
        writer.writeheader()
        writer.writerows(asdict(picture) for picture in pictures)


def _keep_package(job: tuple[Path, Path]) -> list[Picture]:
    package, folder = job
    unpack(package)
    seen: set[bytes] = set()
    pictures = []
    for path, series in thinned(package):
        picture = _keep_one(path, series, package, folder, seen)
        if picture:
            pictures.append(picture)
    return pictures


def unpack(package: Path) -> None:
    """Unpack the pictures of a package's zip archives (games' `.pk3`) into a folder beside each archive."""
    for archive in sorted(package.rglob("*")):
        if archive.suffix.lower() in _ARCHIVES and archive.is_file() and zipfile.is_zipfile(archive):
            target = archive.with_name(archive.name + ".d")
            with zipfile.ZipFile(archive) as opened:
                names = [name for name in opened.namelist() if Path(name).suffix.lower() in _KINDS]
                opened.extractall(target, [name for name in names if not _SKIP.search(name)])


def thinned(package: Path) -> Iterator[tuple[Path, str]]:
    """Picture files of a package with the name of their series (the path without its numbers), a few of each."""
    per_series: Counter[str] = Counter()
    per_folder: Counter[Path] = Counter()
    for path in _shuffled(package):
        series = series_of(path.relative_to(package.parent))
        if per_series[series] < _PER_SERIES and per_folder[path.parent] < _PER_FOLDER:
            per_series[series] += 1
            per_folder[path.parent] += 1
            yield path, series


def _shuffled(package: Path) -> list[Path]:
    found = (path for path in package.rglob("*") if path.suffix.lower() in _KINDS)
    wanted = [path for path in found if path.is_file() and not _SKIP.search(path.as_posix())]
    return sorted(wanted, key=lambda path: _digest(path.relative_to(package.parent).as_posix()))


def series_of(path: Path) -> str:
    """`units/orc-attack-3.png` to `units/orc`: frames and variants of one drawing share a series."""
    stem = re.split(r"[-_ ]?\d|-", path.stem)[0] or "numbered"
    folder = re.sub(r"\d+", "#", path.parent.as_posix())
    return f"{folder}/{stem}"


def _keep_one(path: Path, series: str, package: Path, folder: Path, seen: set[bytes]) -> Picture | None:
    image = _read(path)
    if image is None or _dull(image, seen):
        return None
    cutout = image.mode == "RGBA"
    name = f"{package.name}-{_digest(path.relative_to(package).as_posix())[:12]}" + (".png" if cutout else ".jpg")
    image.save(folder / name, compress_level=1, quality=92)
    held = int(_digest(series)[:8], 16) / 16**8 < HELD_OUT
    return Picture(name, package.name, path.relative_to(package).as_posix(), series, cutout, held)


def _read(path: Path) -> Image.Image | None:
    """The picture at most `LONGEST` pixels long, RGBA cropped to what shows if it has holes, else RGB."""
    try:
        with Image.open(path) as opened:
            if min(opened.size) < SHORTEST or opened.width * opened.height > _MOST_PIXELS:
                return None
            opened.draft("RGB", (LONGEST, LONGEST))
            opened.thumbnail((LONGEST * 2, LONGEST * 2), Image.Resampling.BOX)
            image = opened.convert("RGBA")
    except (OSError, ValueError, SyntaxError, NotImplementedError, Image.DecompressionBombError):
        return None
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    return _trimmed(image)


def _trimmed(image: Image.Image) -> Image.Image | None:
    alpha = image.getchannel("A")
    if np.asarray(alpha).mean() > 250:
        return image.convert("RGB")
    box = alpha.point(lambda value: 255 * (value > 24)).getbbox()
    if box is None or min(box[2] - box[0], box[3] - box[1]) < SHORTEST:
        return None
    return image.crop(box)


def _dull(image: Image.Image, seen: set[bytes]) -> bool:
    """Flat pictures, and pictures of a package already kept in another size."""
    small = np.asarray(image.convert("RGB").resize((8, 8), Image.Resampling.BOX))
    mark = (small // 24).tobytes()
    repeated = mark in seen
    seen.add(mark)
    return repeated or float(np.asarray(image.convert("L")).std()) < 9


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


if __name__ == "__main__":
    result = keep(Path(sys.argv[1]), Path(sys.argv[2]))
    for package, count in Counter(picture.package for picture in result).most_common():
        print(count, package)
    print(len(result), "kept,", sum(picture.held for picture in result), "held out")
