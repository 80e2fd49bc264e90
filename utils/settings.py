"""The notebooks' settings: one frozen dataclass, filled from the settings cell; the environment overrides."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from hashlib import sha256
from pathlib import Path

from utils.errors import PlainError

API_URL = "https://api.steampowered.com"
ASSETS_URL = "https://shared.akamai.steamstatic.com/store_item_assets/"
DEFAULT_CHECKPOINT = "microsoft/beit-base-patch16-224-pt22k-ft22k"
PREFIX = "STEAM_BANNERS_"

_POOLING = re.compile(r"pooled|(cls|mean|complex)(@\d+)?")
_YES = ("1", "true", "yes", "on")
_NO = ("0", "false", "no", "off", "")


class SettingsError(PlainError, ValueError):
    """A setting that is unknown, or whose value is not allowed."""


def _choice(default: str | None, *others: str) -> str:
    return field(default=default, metadata={"allowed": (default, *others)})


@dataclass(frozen=True)
class Settings:
    """What a run of the notebooks is about. Made by `read`; passed on, never changed."""

    source: str = _choice("steam", "sample", "folder")  # where games and banners come from
    folder: Path | None = None  # your own pictures, for the source `folder`
    games: int = 0  # how many games; 0 is all
    order: str = _choice("top sellers", "most played", "newest", "title")  # which games come first
    adult: bool = False  # also games whose store page is for adults only
    checkpoint: str = ""  # a BEiT checkpoint: a name on the hub or a folder; empty is the source's own
    pooling: str = "pooled"  # which tensor is the feature: pooled, cls, mean, complex, or one of a block, mean@8
    image: str = _choice("squash", "crop", "whole")  # how a banner becomes the network's input
    dtype: str | None = _choice(None, "bfloat16", "float16", "float32")  # what BEiT computes in; None is by device
    query: str = ""  # the game shown first: a name or an appid; empty is the most played
    matches: int = 10  # how many matches a grid shows
    data: Path = Path("data")  # where everything is kept
    drive: Path | None = None  # a folder of a mounted Google Drive that finished work is copied to, and back
    snapshot: str = ""  # a released snapshot to start from, instead of downloading: an address or a path
    api_url: str = API_URL
    assets_url: str = ASSETS_URL

    def __post_init__(self) -> None:
        for each in fields(self):
            allowed = each.metadata.get("allowed")
            value = getattr(self, each.name)
            if allowed and value not in allowed:
                raise SettingsError(f"{each.name.upper()} is {value!r}; allowed are {', '.join(map(repr, allowed))}")
        if not _POOLING.fullmatch(self.pooling):
            allowed = "'pooled', 'cls', 'mean' and 'complex', and such as 'mean@8' for a block"
            raise SettingsError(f"POOLING is {self.pooling!r}; allowed are {allowed}")
        if self.games < 0:
            raise SettingsError(f"GAMES is {self.games}; allowed are 0 (all) and positive numbers")
        if not 1 <= self.matches <= 100:
            raise SettingsError(f"MATCHES is {self.matches}; allowed are 1 to 100")
        if self.source == "folder" and self.folder is None:
            raise SettingsError("SOURCE is 'folder' but FOLDER is empty; set FOLDER to a folder of pictures")

    def __str__(self) -> str:
        games = f"{self.games:,} games" if self.games else "all games"
        places = {"steam": "Steam", "sample": "the sample store", "folder": f"the pictures in {self.folder}"}
        return f"{games} of {places[self.source]}, kept in {self.home}"

    @property
    def request(self) -> dict[str, object]:
        """The arguments of `catalogue.fetch_catalogue`."""
        return {
            "limit": self.games,
            "order": self.order,
            "adult": self.adult,
            "keep": self.home / "pages",
            "api_url": self.api_url,
            "assets_url": self.assets_url,
        }

    @property
    def home(self) -> Path:
        """The folder of this source, `data/<source>`; each folder of pictures has one of its own."""
        if self.source != "folder":
            return self.data / self.source
        place = self.folder.resolve()
        return self.data / f"folder-{place.name}-{sha256(str(place).encode()).hexdigest()[:6]}"

    @property
    def catalogue_file(self) -> Path:
        """Where the catalogue is kept."""
        return self.home / "catalogue.parquet"

    @property
    def snapshots(self) -> Path:
        """Where the banners are kept, one folder an update."""
        return self.home / "snapshots"

    @property
    def features(self) -> Path:
        """Where the features of this checkpoint, input and pooling are kept."""
        checkpoint = Path(self.checkpoint).name or "default"
        return self.home / "features" / f"{checkpoint}--{self.image}--{self.pooling}"

    @property
    def matches_folder(self) -> Path:
        """Where all matches are kept, for the gallery and other programs."""
        return self.home / "matches" / self.features.name


def read(**cell_values: object) -> Settings:
    """Return the settings of a notebook's cell, each yielding to `STEAM_BANNERS_<NAME>` in the environment.

    Names may be written in capitals, as the cells do. `STEAM_API_URL` and `STEAM_ASSETS_URL` replace the store's own
    addresses. Raises SettingsError for an unknown name and for a value that is not allowed, naming those that are.
    """
    known = {each.name for each in fields(Settings)} - {"api_url", "assets_url"}
    values = {name.lower(): value for name, value in cell_values.items()}
    values |= {name[len(PREFIX) :].lower(): value for name, value in os.environ.items() if name.startswith(PREFIX)}
    if unknown := sorted(values.keys() - known):
        names = ", ".join(name.upper() for name in unknown)
        raise SettingsError(f"unknown setting {names}; known are {', '.join(sorted(known)).upper()}")
    if values.get("source", "steam") == "steam":
        values["checkpoint"] = values.get("checkpoint") or DEFAULT_CHECKPOINT
    api_url, assets_url = store_urls()
    return Settings(**_typed(values), api_url=api_url, assets_url=assets_url)


def store_urls() -> tuple[str, str]:
    """Return the addresses of the store's services and of its pictures: Steam's own, or the environment's."""
    return os.environ.get("STEAM_API_URL") or API_URL, os.environ.get("STEAM_ASSETS_URL") or ASSETS_URL


def _typed(values: Mapping[str, object]) -> dict[str, object]:
    """Bring each value (text, where it comes from the environment) to the type of its setting."""
    readers = {"games": _count, "matches": _count, "adult": _switch, "data": _path, "folder": _path, "drive": _path}
    readers["dtype"] = _optional
    typed = {name: readers.get(name, _text)(name, value) for name, value in values.items()}
    return {name: value for name, value in typed.items() if not (name == "data" and value is None)}


def _text(name: str, value: object) -> str:
    if not isinstance(value, (str, Path, int)):
        raise SettingsError(f"{name.upper()} is {value!r}; allowed is a text")
    return str(value).strip()


def _optional(name: str, value: object) -> str | None:
    return _text(name, value or "") or None


def _count(name: str, value: object) -> int:
    try:
        return int(str(value).strip())
    except ValueError:
        raise SettingsError(f"{name.upper()} is {value!r}; allowed is a whole number") from None


def _switch(name: str, value: object) -> bool:
    text = str(value).strip().lower()
    if text not in _YES + _NO:
        raise SettingsError(f"{name.upper()} is {value!r}; allowed are 'true' and 'false'")
    return text in _YES


def _path(name: str, value: object) -> Path | None:
    text = "" if value is None else _text(name, value)
    return Path(text).expanduser() if text else None
