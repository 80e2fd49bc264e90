"""A release: the features and matches of a snapshot, with checksums and a dataset card, without the banners."""

import json
import shutil
from pathlib import Path

from utils import __version__, catalogue, files
from utils.names import visible
from utils.settings import Settings
from utils.transfer.copying import plain_errors
from utils.transfer.errors import TransferError
from utils.transfer.packing import pack

ARCHIVE = "steam-banners-features.tar"

_CARD = """---
pretty_name: Features of {place}'s vertical banners
license: other
task_categories:
  - image-feature-extraction
tags:
  - steam
  - beit
  - image-retrieval
size_categories:
  - {size}
configs:
{configs}
---

# Features of {place}'s vertical banners

What [steam-BEiT](https://github.com/woctezuma/steam-BEiT) {version} made of the vertical banners of {games:,} games: a
vector for each banner and checkpoint, and each game's nearest neighbours. The banners themselves are not in here: they
belong to the games' publishers, and the notebooks download them from the store.

## Use it

Set `SNAPSHOT` in the match notebook to the address of `{archive}`: banners whose bytes are the same are not embedded
again. Or read the files as they are:

- `catalogue.parquet`: a row a game, from the store's own search.
- `matches/*.parquet`: a row a game, with its neighbours and their cosines.
- `{archive}`: the catalogue and `features/`, in the layout of clip-retrieval and embedding-reader (float16 vectors in
  `img_emb/*.npy`, the appids of their rows in `metadata/*.parquet`), and first of all `manifest.json`, which lists each
  file with its SHA-256.
- `SHA256SUMS`: of all of these; `sha256sum --check SHA256SUMS`.

## What made the features

{eyes}

## Limits

Games come and go and change their banners; this is how they were on the day of the download. Two banners that look
alike to a network may not look alike to you. Games for adults only are left out unless they were asked for.
"""


def release(chosen: Settings, folder: Path) -> Path:
    """Write a release of what `data/<source>` holds into a folder, and return its archive, which SNAPSHOT takes.

    The folder gets the archive, the catalogue, the matches, a dataset card in the hub's form (README.md) and
    SHA256SUMS; files of an earlier release are replaced. Raises TransferError where there are no features or no
    matches, and where something is damaged; StorageError.
    """
    home = chosen.data_dir
    eyes = sorted(place.parent for place in home.glob("features/*/manifest.json"))
    tables = sorted(home.glob("matches/*/matches.parquet"))
    if not eyes or not tables:
        raise TransferError(f"{home} holds no features and matches to release; run make match first, or the notebook")
    games = catalogue.load(chosen.catalogue_file)
    archive = pack(home, folder / ARCHIVE, banners=False)
    with plain_errors(folder):
        paths = [archive, _copied(chosen.catalogue_file, folder / "catalogue.parquet")]
        paths += [_copied(table, folder / "matches" / f"{table.parent.name}.parquet") for table in tables]
        files.write(folder / "README.md", _card(chosen, len(games), eyes, paths[2:]).encode())
        paths.append(folder / "README.md")
        sums = [f"{files.sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths]
        files.write(folder / "SHA256SUMS", "".join(sums).encode())
    return archive


def _copied(file: Path, to: Path) -> Path:
    with files.writing(to) as part:
        shutil.copyfile(file, part)
    return to


def _card(chosen: Settings, games: int, eyes: list[Path], tables: list[Path]) -> str:
    names = {"catalogue": "catalogue.parquet"} | {table.stem: f"matches/{table.name}" for table in tables}
    config = "  - config_name: {}\n    data_files: {}"
    configs = [config.format(json.dumps(name), json.dumps(file)) for name, file in names.items()]
    return _CARD.format(
        place={"steam": "Steam", "sample": "the sample store", "folder": "a folder of pictures"}[chosen.source],
        version=__version__,
        games=games,
        size=_size(games),
        archive=ARCHIVE,
        configs="\n".join(configs),
        eyes="\n".join(_described(eye) for eye in eyes),
    )


def _described(eye: Path) -> str:
    """Return a line on the features in a folder, from their manifest."""
    from utils import features  # brings torch, which a download does not need

    found = features.load(eye)
    about = {name: value for name, value in found.manifest.items() if isinstance(value, str | int | float)}
    facts = ", ".join(f"{name} {_without_folder(value)}" for name, value in about.items())
    return f"- `features/{eye.name}`: {len(found):,} banners, {found.vectors.shape[1]} numbers each ({visible(facts)})"


def _without_folder(value: object) -> object:
    """Return a value as it is, but a path of this machine as its last name."""
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _size(games: int) -> str:
    """Return the hub's word for a number of rows."""
    limits = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K"}
    return next((word for limit, word in limits.items() if games < limit), "100K<n<1M")
