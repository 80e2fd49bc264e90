"""A release: the features and matches of a snapshot, with checksums and a dataset card, without the banners."""

import json
import shutil
from pathlib import Path

from share.archive import pack
from share.escape import in_markdown
from utils import __version__, catalogue, files
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
    data_dir = chosen.data_dir
    made = sorted(place.parent for place in data_dir.glob("features/*/manifest.json"))
    tables = sorted(data_dir.glob("matches/*/matches.parquet"))
    if not made or not tables:
        raise CellError(f"{data_dir} holds no features and matches to release; run make match first, or the notebook")
    games = len(catalogue.load(chosen.catalogue_file))
    with files.storage_errors(folder):
        paths = [pack(data_dir, folder / ARCHIVE, banners=False)]
        paths.append(_copied(chosen.catalogue_file, folder / "catalogue.parquet"))
        paths += [_copied(table, folder / "matches" / f"{table.parent.name}.parquet") for table in tables]
        paths.append(folder / "README.md")
        files.write(paths[-1], _card(chosen, games, made, tables).encode())
        sums = [f"{files.sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
        files.write(folder / "SHA256SUMS", "".join(sums).encode())
    return folder / ARCHIVE


def _copied(file: Path, to: Path) -> Path:
    with files.writing(to) as part:
        shutil.copyfile(file, part)
    return to


def _card(chosen: Settings, games: int, made: list[Path], tables: list[Path]) -> str:
    """Return the dataset card; the names in it may be anybody's."""
    parts = {"catalogue": "catalogue.parquet"}
    for table in tables:
        parts[table.parent.name] = f"matches/{table.parent.name}.parquet"
    config = "  - config_name: {}\n    data_files: {}"
    return CARD.read_text(encoding="utf-8").format(
        place={"steam": "Steam", "sample": "the sample store", "folder": "a folder of pictures"}[chosen.source],
        version=__version__,
        games=games,
        size=_size(games),
        archive=ARCHIVE,
        configs="\n".join(config.format(json.dumps(name), json.dumps(file)) for name, file in parts.items()),
        features="\n".join(_described(folder) for folder in made),
    )


def _described(folder: Path) -> str:
    """Return a line on the features in a folder, from their manifest."""
    from utils import features  # brings torch, which a download does not need

    found = features.load(folder)
    about = {name: value for name, value in found.manifest.items() if isinstance(value, str | int | float)}
    facts = in_markdown(", ".join(f"{name} {_without_folder(value)}" for name, value in about.items()))
    return f"- {in_markdown(folder.name)}: {len(found):,} banners, {found.vectors.shape[1]} dimensions ({facts})"


def _without_folder(value: object) -> object:
    """Return a value as it is, but a path of this machine as its last name."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _size(games: int) -> str:
    """Return the hub's word for a number of rows."""
    limits = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K"}
    return next((word for limit, word in limits.items() if games < limit), "100K<n<1M")
