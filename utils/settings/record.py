"""The settings of a run, as one frozen record."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from utils.names import visible
from utils.settings.allowed import (
    DTYPES,
    GAMES_LIMIT,
    IMAGES,
    MATCHES_LIMIT,
    ORDERS,
    SOURCES,
    SettingsError,
    features_name,
    require,
    shown,
    split_pooling,
)
from utils.settings.environment import API_URL, ASSETS_URL


@dataclass(frozen=True)
class Settings:
    """What a run of the notebooks is about. Made by `read`; passed on, never changed."""

    source: str = "steam"  # where games and banners come from
    folder: Path | None = None  # your own pictures, for the source `folder`
    games: int = 0  # how many games at most; 0 is all
    order: str = "top sellers"  # which games come first
    adult: bool = False  # also games whose store page is for adults only
    checkpoint: str = ""  # a BEiT checkpoint: a name on the hub or a folder; empty is the source's own
    pooling: str = "pooled"  # which tensor is the feature: one of POOLINGS, or that of a block, mean@8
    image: str = "squash"  # how a banner becomes the network's input
    dtype: str | None = None  # what BEiT computes in; None is by device
    query: str = ""  # the game shown first: a name or an appid; empty is the most played
    matches: int = 10  # how many matches a grid shows
    data: Path = Path("data")  # where everything is kept
    drive: Path | None = None  # a folder of Google Drive that finished work is copied to, and back
    snapshot: str = ""  # a released snapshot to start from, instead of downloading: an address or a path
    study: bool = False  # whether the match notebook also measures how good the matches are
    draft: str = ""  # a picture of your own to compare: a path, a folder, a web address, or several between `;`
    api_url: str = API_URL
    assets_url: str = ASSETS_URL
    overridden: tuple[str, ...] = field(default=(), compare=False)  # cell values that yielded to the environment

    def __post_init__(self) -> None:
        require("SOURCE", self.source, SOURCES)
        require("ORDER", self.order, ORDERS)
        require("IMAGE", self.image, IMAGES)
        require("DTYPE", self.dtype or "", ("", *DTYPES))
        split_pooling(self.pooling)
        if not 0 <= self.games <= GAMES_LIMIT:
            raise SettingsError(f"GAMES is {shown(self.games)}; allowed are 0 (all) to {GAMES_LIMIT:,}")
        if not 1 <= self.matches <= MATCHES_LIMIT:
            raise SettingsError(f"MATCHES is {shown(self.matches)}; allowed are 1 to {MATCHES_LIMIT}")
        if self.source == "folder" and self.folder is None:
            raise SettingsError("SOURCE is 'folder' but FOLDER is empty; set FOLDER to a folder of pictures")

    def __str__(self) -> str:
        """Say what is asked for, which may be more than there is: `found` says what is there."""
        asked = f"up to {self.games:,} games" if self.games else "every game"
        line = f"{asked} of {self.place}, kept in {visible(str(self.home))}"
        if not self.overridden:
            return line
        return f"{line}\nFrom the environment, not the cell: {', '.join(self.overridden)}"

    def found(self, games: int) -> str:
        """Return a line that says how many games the loaded catalogue has."""
        return f"{games:,} game{'' if games == 1 else 's'} of {self.place}"

    @property
    def place(self) -> str:
        """The store, in words."""
        places = {
            "steam": "Steam",
            "sample": "the sample store",
            "folder": f"the pictures in {visible(str(self.folder))}",
        }
        return places[self.source]

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
        if self.source != "folder" or self.folder is None:
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
        return self.home / "features" / features_name(self.checkpoint, self.pooling, self.image)

    @property
    def matches_folder(self) -> Path:
        """Where all matches are kept, for the gallery and other programs."""
        return self.home / "matches" / self.features.name

    @property
    def gallery(self) -> Path:
        """Where the page for the web is written."""
        return self.home / "gallery"
