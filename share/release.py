"""A release: the features and matches of a snapshot, with checksums and a dataset card, without the banners."""

import json
from pathlib import Path

from share.archive import pack
from share.lists import in_markdown
from utils import __version__, catalogue, features, files
from utils.errors import CellError
from utils.settings import Settings

ARCHIVE = "steam-banners-features.tar"
CARD = Path(__file__).with_name("release_card.md")


def release(chosen: Settings, folder: Path) -> Path:
    """Write a release of what `data/<source>` holds into a folder, and return its archive, which SNAPSHOT takes.

    The folder gets the archive, the catalogue, the matches, a dataset card in the hub's form (README.md) and
    SHA256SUMS; files of an earlier release are replaced. Raises CellError where there are no features or no matches,
    DamagedError where something is damaged; StorageError.
    """
    made = sorted(chosen.data_dir.glob("features/*/manifest.json"))
    matches = sorted(chosen.data_dir.glob("matches/*/matches.parquet"))
    if not made or not matches:
        raise CellError(f"{chosen.data_dir} holds no features and matches to release; run make match first")
    tables = {"catalogue.parquet": chosen.catalogue_file}
    tables |= {f"matches/{table.parent.name}.parquet": table for table in matches}
    with files.storage_errors(folder):
        pack(chosen.data_dir, folder / ARCHIVE)
        for name, table in tables.items():
            files.write(folder / name, table.read_bytes())
        files.write(folder / "README.md", _card(chosen, made, list(tables)).encode())
        sums = [f"{files.sha256(folder / name)}  {name}\n" for name in (ARCHIVE, *tables, "README.md")]
        files.write(folder / "SHA256SUMS", "".join(sums).encode())
    return folder / ARCHIVE


def _card(chosen: Settings, made: list[Path], tables: list[str]) -> str:
    """Return the dataset card; the names in it may be anybody's."""
    configs = [f"  - config_name: {json.dumps(Path(name).stem)}\n    data_files: {json.dumps(name)}" for name in tables]
    return CARD.read_text(encoding="utf-8").format(
        place={"steam": "Steam", "sample": "the sample store", "folder": "a folder of pictures"}[chosen.source],
        version=__version__,
        games=len(catalogue.load(chosen.catalogue_file)),
        archive=ARCHIVE,
        configs="\n".join(configs),
        features="\n".join(map(_described, made)),
    )


def _described(manifest: Path) -> str:
    """Return a line on features, from their manifest."""
    found = features.load(manifest.parent)
    facts = [f"{name} {value}" for name, value in found.manifest.items() if isinstance(value, str | int | float)]
    count, width = found.vectors.shape
    about = in_markdown(", ".join(facts))
    return f"- {in_markdown(manifest.parent.name)}: {count:,} banners, {width} dimensions ({about})"
