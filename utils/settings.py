"""The notebooks' settings: what each may be, and the environment, which has the last word. Nobody else reads it."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import field, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from utils import http
from utils.errors import HttpError, SettingsError, shown
from utils.names import visible

Source = Literal["steam", "sample", "folder"]
Order = Literal["top sellers", "most played", "newest", "title"]
Pooling = Literal["pooled", "cls", "mean", "complex"]
Image = Literal["squash", "crop", "whole"]
Dtype = Literal["bfloat16", "float16", "float32"]
Preparation = Literal["as they are", "centred", "whitened"]
ORDERS, POOLINGS, IMAGES = get_args(Order), get_args(Pooling), get_args(Image)
DTYPES, PREPARATIONS = get_args(Dtype), get_args(Preparation)
GAMES_LIMIT = 1_000_000  # more than Steam will have for a long time; a larger total is not believed
MATCHES_LIMIT = 100
DEFAULT_CHECKPOINT = "microsoft/beit-base-patch16-224-pt22k-ft22k"
API_URL = "https://api.steampowered.com"
ASSETS_URL = "https://shared.akamai.steamstatic.com/store_item_assets/"
STORE_PAGE = "https://store.steampowered.com/app/{appid}"
PREFIX = "STEAM_BANNERS_"  # of the settings in the environment

_ALLOWED = {  # what an error says of a setting that is no choice from a list
    "games": f"a whole number, 0 (all) to {GAMES_LIMIT:,}",
    "matches": f"a whole number, 1 to {MATCHES_LIMIT}",
    "adult": "'true' and 'false'",
}


def _findable(path: Path) -> Path:
    """Return a path that the system can look up; whether it is there, its user asks."""
    try:
        path = path.expanduser()
        path.resolve()
        path.exists()
    except (OSError, RuntimeError, ValueError):  # a loop of links, an unknown user, a NUL, a name too long
        raise ValueError(", which the system cannot look up; give another folder") from None
    return path


def _writable(path: Path) -> Path:
    """Return a folder that can be made or written to."""
    place = next((each for each in (path, *path.parents) if each.exists()), path)
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
        raise ValueError(f", but {place} cannot be written to; give another folder")
    return path


Place = Annotated[Path, AfterValidator(_findable)]


@dataclass(frozen=True, config=ConfigDict(coerce_numbers_to_str=True))
class Settings:
    """What a run of the notebooks is about. Made by `read`; passed on, never changed."""

    source: Source = "steam"  # where games and banners come from
    folder: Place | None = None  # your own pictures, for the source `folder`
    games: Annotated[int, Field(ge=0, le=GAMES_LIMIT)] = 0  # how many games at most; 0 is all
    order: Order = "top sellers"  # which games come first
    adult: bool = False  # also games whose store page is for adults only
    checkpoint: str = ""  # a network: a name on the hub or a folder; empty is the source's own
    pooling: Pooling = "pooled"  # which tensor is the feature
    image: Image = "squash"  # how a banner becomes the network's input
    dtype: Dtype | None = None  # what the network computes in; None is by device
    query: str = ""  # the game shown first: a name or an appid; empty is the most reviewed
    matches: Annotated[int, Field(ge=1, le=MATCHES_LIMIT)] = 10  # how many matches a grid shows
    data: Annotated[Place, AfterValidator(_writable)] = Path("data")  # where everything is kept
    drive: Place | None = None  # a folder of Google Drive that finished work is copied to, and back
    snapshot: str = ""  # a released snapshot to start from, instead of downloading: an address or a path
    draft: str = ""  # pictures of your own to compare: paths, folders, web addresses, several between `;`
    api_url: str = API_URL
    assets_url: str = ASSETS_URL
    overridden: tuple[str, ...] = field(default=(), compare=False)  # cell values that yielded to the environment

    def __str__(self) -> str:
        """Say what is asked for, which may be more than there is, and which of the cell's values do not count."""
        asked = f"up to {self.games:,} games" if self.games else "every game"
        pictures = f"the pictures in {visible(str(self.folder))}"
        place = {"steam": "Steam", "sample": "the sample store", "folder": pictures}[self.source]
        yielded = f"\nFrom the environment, not the cell: {', '.join(self.overridden)}" if self.overridden else ""
        return f"{asked} of {place}, kept in {visible(str(self.data_dir))}{yielded}"

    @property
    def store_page(self) -> str | None:
        """Where a game's page is, with {appid}; None away from Steam."""
        return STORE_PAGE if self.source == "steam" else None

    @property
    def request(self) -> dict[str, Any]:
        """The arguments of `catalogue.fetch_catalogue`."""
        folder = self.folder if self.source == "folder" else None
        urls = {"api_url": self.api_url, "assets_url": self.assets_url}
        return {"limit": self.games, "order": self.order, "adult": self.adult, "folder": folder, **urls}

    @property
    def data_dir(self) -> Path:
        """The folder of this source, `data/<source>`; each folder of pictures has one of its own."""
        if self.source != "folder" or self.folder is None:
            return self.data / self.source
        place = self.folder.resolve()
        return self.data / f"folder-{place.name}-{sha256(os.fsencode(place)).hexdigest()[:6]}"

    @property
    def catalogue_file(self) -> Path:
        """Where the catalogue is kept."""
        return self.data_dir / "catalogue.parquet"

    @property
    def snapshots(self) -> Path:
        """Where the banners are kept, one folder an update."""
        return self.data_dir / "snapshots"

    @property
    def features(self) -> Path:
        """Where the features of this checkpoint, input and pooling are kept."""
        return self.data_dir / "features" / features_name(self.checkpoint, self.pooling, self.image)

    @property
    def matches_folder(self) -> Path:
        """Where all matches are kept, for the gallery and other programs."""
        return self.data_dir / "matches" / self.features.name

    @property
    def gallery(self) -> Path:
        """Where the page for the web is written."""
        return self.data_dir / "gallery"


def read(**cell_values: object) -> Settings:
    """Return the settings of a notebook's cell, each yielding to `STEAM_BANNERS_<NAME>` in the environment.

    Names may be written in capitals, as the cells do; what is blank keeps its default. `STEAM_API_URL` and
    `STEAM_ASSETS_URL` replace the store's own addresses; the pictures of a folder come from no store.

    Raises SettingsError, with a line for each unknown name or for each value that is not allowed.
    """
    cell = _given(cell_values)
    outside = _given({name.removeprefix(PREFIX): text for name, text in os.environ.items() if name.startswith(PREFIX)})
    values = cell | outside
    if values.get("source", "steam") == "steam":
        values.setdefault("checkpoint", DEFAULT_CHECKPOINT)
    asked, chosen = _validated(cell), _validated(values)
    yielded = []
    for name in known():
        here, counts = (str(getattr(each, name.lower())) for each in (asked, chosen))
        if here != counts and name.lower() in cell.keys() & outside.keys():
            yielded.append(f"{name} {shown(repr(counts), 100)} (the cell: {shown(repr(here), 100)})")
    api_url, assets_url = store_urls()
    if chosen.source == "folder":
        if chosen.folder is None:
            raise SettingsError("SOURCE is 'folder' but FOLDER is empty; set FOLDER to a folder of pictures")
        api_url, assets_url = "", chosen.folder.resolve().as_uri().rstrip("/") + "/"
    return replace(chosen, api_url=api_url, assets_url=assets_url, overridden=tuple(yielded))


def known() -> list[str]:
    """Return the names of all settings, in capitals."""
    return [each.name.upper() for each in fields(Settings) if each.name not in ("api_url", "assets_url", "overridden")]


def features_name(checkpoint: str, pooling: str, image: str) -> str:
    """Return the name of the folder that has the features of a checkpoint, pooling and input."""
    return f"{Path(checkpoint).name or 'default'}--{image}--{pooling}"


def store_urls() -> tuple[str, str]:
    """Return the addresses of the store's services and of its pictures: Steam's own, or the environment's.

    Those are STEAM_API_URL and STEAM_ASSETS_URL. Raises SettingsError for what is no http(s) address.
    """
    return _address("STEAM_API_URL", API_URL), _address("STEAM_ASSETS_URL", ASSETS_URL)


def store_key(api_url: str) -> str | None:
    """Return STEAM_API_KEY, if it is set and the address is that of Steam's own host over https: no other gets it."""
    is_steams = api_url.rstrip("/") == API_URL
    return os.environ.get("STEAM_API_KEY") or None if is_steams else None


def _given(values: Mapping[str, object]) -> dict[str, Any]:
    """Return values by their names in lower case, without the blank ones; raises SettingsError for unknown names."""
    if unknown := sorted({name.upper() for name in values} - set(known())):
        raise SettingsError(f"unknown setting {shown(', '.join(unknown))!r}; known are {', '.join(known())}")
    given = {}
    for name, value in values.items():
        stripped = value.strip() if isinstance(value, str) else value
        if stripped not in ("", None):
            given[name.lower()] = stripped
    return given


def _validated(values: Mapping[str, Any]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as invalid:
        raise SettingsError("\n".join(map(_line, invalid.errors()))) from None


def _line(error: Any) -> str:  # noqa: ANN401 - pydantic's record of what is wrong with one value
    name, context = error["loc"][0], error.get("ctx", {})
    allowed = f"; allowed: {_ALLOWED.get(name) or context.get('expected') or 'a text'}"
    return f"{name.upper()} is {shown(repr(error['input']), 100)}{context.get('error', allowed)}"  # the first is ours


def _address(name: str, default: str) -> str:
    address = os.environ.get(name, "").strip() or default
    with suppress(HttpError):
        http.checked(address)
        if not re.search(r"[\s\x00-\x1f?#]", address):
            return address
    raise SettingsError(f"{name} is {shown(address)!r}; allowed is an http(s) address such as {default}")
