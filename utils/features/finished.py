"""Which files of features are finished, for whoever copies or packs them."""

from pathlib import Path

from utils.features.manifest import read_manifest
from utils.features.parts import numbers_in, owned_part, rows_file, vectors_file
from utils.features.record import FeaturesError


def finished_files(folder: Path, *, check: bool = False) -> list[tuple[Path, ...]]:
    """Return the finished files of all features in a folder, `data/<source>/features`: those that count together.

    The last of each tuple makes them count: it is written last. With `check` each is read, and what is not as it was
    written is left out.
    """
    found: list[tuple[Path, ...]] = []
    for manifest in sorted(Path(folder).glob("*/manifest.json")):
        out = manifest.parent
        if check and not _sound_manifest(out):
            continue
        found.append((manifest,))
        for number in numbers_in(out):
            if check and not _sound(out, number):
                continue
            found.append((vectors_file(out, number), rows_file(out, number)))
    return found


def _sound_manifest(out: Path) -> bool:
    try:
        read_manifest(out)
    except FeaturesError:
        return False
    return True


def _sound(out: Path, number: int) -> bool:
    try:
        owned_part(out, number, read_manifest(out))
    except (FeaturesError, IndexError):
        return False
    return True
