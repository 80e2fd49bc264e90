"""What stands on the sample store's shelves: fictional games, somebody's own pictures, or a big made-up catalogue."""

from __future__ import annotations

import bisect
import csv
import dataclasses
import functools
import hashlib
import io
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from PIL import Image

from utils import sample_art, settings

TAGS = {
    "Action": 19, "Adventure": 21, "Atmospheric": 4166, "Board Game": 1770, "Building": 1643, "Card Game": 1666,
    "Casual": 597, "Chess": 4184, "City Builder": 4328, "Colorful": 4305, "Cozy": 97376, "Cute": 4726,
    "Cyberpunk": 4115, "Detective": 5613, "Dragons": 4046, "Driving": 1644, "Dungeon Crawler": 1720,
    "Exploration": 3834, "Fantasy": 1684, "Farming Sim": 87918, "Horror": 1667, "Indie": 492, "Management": 12472,
    "Match 3": 1665, "Mechs": 4821, "Minimalist": 4094, "Mystery": 5716, "Nature": 30358, "Noir": 6052,
    "Pixel Graphics": 3964, "Puzzle": 1664, "RPG": 122, "Racing": 699, "Relaxing": 1654, "Retro": 4004,
    "Roguelike": 1716, "Sci-fi": 3942, "Simulation": 599, "Space": 1755, "Story Rich": 1742, "Strategy": 9,
    "Survival": 1662, "Trains": 1616, "Turn-Based": 1677,
}  # fmt: skip
_LABELS = ["Mostly Negative", "Mixed", "Mostly Positive", "Very Positive", "Overwhelmingly Positive"]
_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp"}
_DAY = 86_400


@dataclasses.dataclass(frozen=True, slots=True)
class Game:
    """What the store knows of one game; times are unix seconds."""

    appid: int
    name: str
    banner: str | None = "library_600x900.jpg"  # the file below steam/apps/<appid>/; None: the game has no banner
    updated: int = 1_750_000_000  # the picture's version, the `t` of its address
    release_date: int = 1_600_000_000  # 0: not released yet
    franchises: tuple[str, ...] = ()
    developers: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()  # names of TAGS, the weightiest first
    reviews: int = 0
    score: int = 0  # percent of positive reviews
    players: int = 0  # the day's peak; the most-played list holds the games that have one
    descriptors: tuple[int, ...] = ()  # Steam's content descriptors: 3 and 4 are adult only
    type: int = 0  # 0 is a game, 1 a demo, 4 a DLC

    def __post_init__(self) -> None:
        if unknown := set(self.tags) - TAGS.keys():
            raise ValueError(f"game {self.appid} has the tags {sorted(unknown)}; known are {', '.join(TAGS)}")

    def item(self, wanted: dict) -> dict:
        """Return Steam's store item with the parts that `data_request` wants, without what is false or empty."""
        parts = {
            "include_reviews": ("reviews", self._reviews),
            "include_basic_info": ("basic_info", self._basic_info),
            "include_release": ("release", self._release),
            "include_assets": ("assets", self._assets),
        }
        tagids = [TAGS[tag] for tag in self.tags][: int(wanted.get("include_tag_count", 0))]
        item = {
            "item_type": 0,
            "id": self.appid,
            "success": 1,
            "visible": True,
            "name": self.name,
            "store_url_path": f"app/{self.appid}/{re.sub('[^A-Za-z0-9]+', '_', self.name)}",
            "appid": self.appid,
            "type": self.type,
            "content_descriptorids": list(self.descriptors),
            "tagids": tagids,
            "tags": [{"tagid": tagid, "weight": 900 - 50 * place} for place, tagid in enumerate(tagids)],
        }
        return _lean(item | {name: part() for key, (name, part) in parts.items() if wanted.get(key)})

    def _reviews(self) -> dict:
        if not self.reviews:
            return {}
        summary = {
            "review_count": self._loose(self.reviews),
            "percent_positive": self.score,
            "review_score": min(self.score // 10, 9),
            "review_score_label": _LABELS[bisect.bisect([40, 70, 80, 95], self.score)],
        }
        return {"summary_filtered": summary}

    def _basic_info(self) -> dict:
        makers = {"publishers": self.publishers, "developers": self.developers, "franchises": self.franchises}
        named = {
            kind: [{"name": name, "creator_clan_account_id": zlib.crc32(name.encode())} for name in names]
            for kind, names in makers.items()
        }
        return _lean({"short_description": f"{self.name}: a game that does not exist.", **named})

    def _release(self) -> dict:
        return {"steam_release_date": self._loose(self.release_date)} if self.release_date else {"is_coming_soon": True}

    def _assets(self) -> dict:
        template = f"steam/apps/{self.appid}/${{FILENAME}}?t={self.updated}"
        banners = {"library_capsule": self.banner, "library_capsule_2x": self.double} if self.banner else {}
        return {"asset_url_format": template, "header": "header.jpg", **banners}

    @property
    def double(self) -> str:
        """The file of the banner at twice the size."""
        return re.sub(r"(\.\w+)$", r"_2x\1", self.banner or "")

    def _loose(self, number: int) -> int | str:
        """Some of Steam's numbers arrive as strings: here those of every third game."""
        return str(number) if self.appid % 3 == 0 else number


def _lean(fields: dict) -> dict:
    return {name: value for name, value in fields.items() if value not in ([], {}, "", None) and value is not False}


@dataclasses.dataclass(frozen=True)
class Stock:
    """Games, the bytes of each one's banner file (None: the address answers 404), and what is amiss with them."""

    games: Sequence[Game]
    picture: Callable[[int], bytes | None]
    notes: Sequence[str] = ()


def many(count: int) -> Stock:
    """Return `count` made-up games for tests of scale: eight games a series, cheap pictures drawn when asked."""
    games = [
        Game(
            appid=100_000_000 + 10 * number,
            name=f"Synthetic {number:06d}",
            franchises=(f"Synthetic series {number // 8}",),
            developers=(f"Studio {number // 40}",),
            reviews=number % 5000,
            score=number % 101,
        )
        for number in range(count)
    ]
    return Stock(games, lambda appid: sample_art.pattern((appid - 100_000_000) // 80, appid))


# Fictional games


@dataclasses.dataclass(frozen=True)
class _Series:
    art: str  # the art direction of its banners
    title: str  # as lettered on them
    games: str  # subtitles, as lettered on them
    developer: str
    publisher: str
    tags: str
    fans: int  # reviews of the first game
    name: str = ""  # the series' name in the store, where it is not the title
    names: str = ""  # the games' names there, likewise


_SERIES = (
    _Series("mountains", "Alpenrune", "First Rope | Frostline | The Long Col | Whiteout | Summit Song | Last Cairn",
            "Gipfelwerk", "Kestrel & Moss", "Adventure | Exploration | Survival | Nature", 48_210),
    _Series("synthwave", "Voltgrid",
            "Midnight Exit | Neon Boulevard | Laser Avenue | Afterglow | Turbo Dusk | Static Rain",
            "Cathode Twins", "Lantern Press", "Action | Retro | Cyberpunk | Driving", 91_377),
    _Series("papercut", "The Paper Fawn",
            "A Folded Tale | The Inkwell Wood | Scissors & Snow | Lantern Path | Rustling Autumn | The Last Sheet",
            "Foldmoor", "Kestrel & Moss", "Adventure | Story Rich | Cute | Nature", 33_904),
    _Series("deepsea", "Lumen Below",
            "First Descent | The Quiet Trench | Bell of Glass | Hadal Choir | Siphon | Black Smoker",
            "Nine Fathom", "Nine Fathom", "Exploration | Horror | Atmospheric | Survival", 57_640),
    _Series("pixel", "Gloomwick", "Dungeon | II: Slimes | III: Bones | Loot & Rue | Depths | Debug Ed.",
            "Tallow Candle Games", "Lantern Press", "Pixel Graphics | Dungeon Crawler | Roguelike | RPG", 120_455),
    _Series("astrolabe", "ΑΣΤΡΟΛΑΒΟΣ", "Κύκνος | Λύρα | Ουρά | Πήγασος | Τοξότης | Όφις",
            "Εργαστήρι Εννέα", "Lantern Press", "Puzzle | Space | Relaxing | Minimalist", 8_122, "Αστρολάβος"),
    _Series("artdeco", "Gilded Spire",
            "Foundations | The Elevator Boys | Penthouse Waltz | Chrome & Marble | Jazz Years | Topping Out",
            "Ninth Storey", "Ninth Storey", "City Builder | Management | Strategy | Building", 74_518),
    _Series("bauhaus", "Würfel & Kreis",
            "Grundkurs | Zweite Übung | Schräge Töne | Größe Drei | Farblehre | Meisterstück",
            "Gipfelwerk", "Kestrel & Moss", "Puzzle | Minimalist | Casual | Colorful", 15_031),
    _Series("koi", "Sumigoi",
            "Still Water | Two Currents | The Waterfall | Lotus Rain | Autumn Pond | The Ninth Ripple",
            "月庭工房", "月庭工房", "Relaxing | Atmospheric | Casual | Nature", 21_760,
            "墨鯉", "静かな水 | 二つの流れ | 滝登り | 蓮の雨 | 秋の池 | 九つの波紋"),
    _Series("desert", "Caravane d’Étoiles",
            "L’Oasis perdue | Le Vent du Sud | La Cité de sel | Mirages | Le Puits étoilé | L’Éclipse",
            "Atelier Sirocco", "Lantern Press", "Adventure | Story Rich | Strategy | Atmospheric", 29_483),
    _Series("farm", "Turnip & Thatch",
            "Spring Planting | Market Day | Harvest Supper | Duckpond | The Old Mill | First Frost",
            "Mudlark Lane", "Kestrel & Moss", "Farming Sim | Cozy | Building | Relaxing", 210_906),
    _Series("noir", "Baxter Street",
            "A Case of Rain | The Velvet Hour | Nine Alibis | Third Floor, No Light | Blackmail Blues | The Last Cab",
            "Half-Past Noir", "Lantern Press", "Noir | Detective | Mystery | Story Rich", 40_277),
    _Series("candy", "Bonbon Parade",
            "Sugar Waltz | Sour Squad | Toffee Towers | Berry Blitz | Mint Condition | Grand Gala",
            "Pralinette", "Pralinette", "Match 3 | Casual | Colorful | Cute", 18_693, "Bonbon Parade 🍬"),
    _Series("racing", "Torque Lazuli",
            "Season One | Coastal Cup | Night Stint | Gravel & Glory | Endurance 24 | Finish Line",
            "Cathode Twins", "Ninth Storey", "Racing | Driving | Simulation | Retro", 83_112),
    _Series("cabin", "Зимовье", "Первый снег | Долгая ночь | Северное сияние | Следы на льду | Печка и чай | Оттепель",
            "Тихий Лес", "Тихий Лес", "Survival | Cozy | Atmospheric | Building", 36_850),
    _Series("botanical", "Thornwick Herbarium",
            "Fern & Foxglove | Night Bloomers | Poison Garden | The Glass House | Wild Orchids | Seed Vault",
            "Foldmoor", "Kestrel & Moss", "Simulation | Relaxing | Nature | Puzzle", 12_344),
    _Series("mecha", "Brass Colossus",
            "Ignition | Hangar Nine | Cold Start | Siege Protocol | Iron Requiem | Last Rivet",
            "Rivet & Sons", "Ninth Storey", "Mechs | Action | Sci-fi | Strategy", 66_021),
    _Series("chess", "Вечный гамбит",
            "Дебют | Ферзь и пешка | Цугцванг | Ладейный эндшпиль | Ход конём | Юбилейное издание",
            "Тихий Лес", "Lantern Press", "Chess | Board Game | Turn-Based | Strategy", 9_577),
    _Series("volcano", "Isla Obsidiana",
            "La erupción | Mareas de ceniza | El corazón de lava | Náufragos | La niña del volcán | Última señal",
            "Estudio Marea", "Lantern Press", "Survival | Adventure | Exploration | Action", 52_008),
    _Series("rocket", "Star Parcel",
            "Express Delivery | Fragile Cargo | Return to Sender | Last Mile Moon | Signed, Sealed | Zero-G Depot",
            "Pralinette", "Kestrel & Moss", "Space | Management | Casual | Retro", 27_419),
    _Series("tarot", "Wren Hollow", "The Sun | The Moon | The Seer | The Key | The Wheel | The Cup",
            "Half-Past Noir", "Half-Past Noir", "Card Game | Story Rich | Fantasy | Mystery", 44_736),
    _Series("teashop", "Kettle & Clover",
            "Grand Opening | Rainy Tuesday | Autumn Blend | Jasmine Letters | Scones at Six | Winter Spice",
            "Mudlark Lane", "Kestrel & Moss", "Cozy | Simulation | Management | Cute", 102_588),
    _Series("metro", "Línea Circular",
            "Hora punta | Transbordo | Nueva estación | Zona norte | Último tren | Cielo abierto",
            "Estudio Marea", "Ninth Storey", "Trains | Management | Strategy | Minimalist", 24_190),
    _Series("dragon", "Moonwyrm",
            "Ember’s Oath | Court of Scales | The Silver Egg | Wing & Ruin | Nightfall Keep | The Last Rider",
            "Tallow Candle Games", "Lantern Press", "Dragons | Fantasy | RPG | Action", 158_301),
    _Series("samurai", "Shu no Tōge",
            "The Vermilion Pass | Autumn Blade | Seven Lanterns | Snow on the Gate | The Crane’s Debt | The Long Stair",
            "月庭工房", "Lantern Press", "Action | Adventure | Story Rich | Atmospheric", 69_845,
            "朱の峠", "朱色の道 | 秋の刃 | 七つの灯籠 | 雪の門 | 鶴の恩 | 石段の果て"),
)  # fmt: skip

# Trouble: what is odd about single games, by art direction and number within the series.
_ODD_GAMES: dict[tuple[str, int], dict] = {
    ("pixel", 5): {"name": "Gloomwick: <script>alert(\"loot\")</script> | 'Debug' Edition"},
    ("noir", 1): {"descriptors": (1, 3, 5)},
    ("noir", 4): {"descriptors": (4, 5)},
    ("rocket", 5): {"banner": None},
    ("metro", 4): {"banner": "library_capsule.jpg"},
}
_ODD_PICTURES: dict[tuple[str, int], Callable[[Image.Image], bytes | None]] = {
    ("cabin", 5): lambda _: None,  # the address answers 404
    ("noir", 3): lambda picture: sample_art.encode(picture.convert("L")),
    ("bauhaus", 2): lambda picture: sample_art.encode(picture.convert("CMYK")),
    ("pixel", 3): lambda picture: sample_art.encode(picture.quantize(64), "PNG"),
}
_TWINS = {("chess", 5): ("chess", 0)}  # the very same file under two names


def fictional() -> Stock:
    """Return the sample: 150 games in 25 series, and their share of trouble; pictures are drawn when asked."""
    series = [(one, number) for one in _SERIES for number in range(6)]
    games = [_game(90_000_010 + 10 * place, *pair, place // 6) for place, pair in enumerate(series)]
    best = sorted(games[::6], key=lambda game: -game.reviews)[:20]  # of a series the first, so that the chart is varied
    games = [dataclasses.replace(game, players=game.reviews // 9) if game in best else game for game in games]
    drawn = {game.appid: pair for game, pair in zip(games, series, strict=True)}
    others = _others(90_000_010 + 10 * len(games), games[0])
    return Stock([*games, *others], lambda appid: _banner(*drawn[appid]) if appid in drawn else _blank())


def _game(appid: int, series: _Series, number: int, place: int) -> Game:
    name, names = series.name or series.title, (series.names or series.games).split(" | ")
    folder = hashlib.sha1(str(appid).encode(), usedforsecurity=False).hexdigest()
    released = 1_262_304_000 + _DAY * (110 * place + 430 * number)
    unseen = place % 4 == 3 and number == 5
    game = Game(
        appid,
        f"{name}: {names[number]}",
        ("library_600x900.jpg", f"{folder}/library_600x900.jpg", f"{folder}/library_capsule.jpg")[number % 3],
        updated=released + 90 * _DAY,
        release_date=released,
        # Some of Steam's franchises name a publisher.
        franchises=(name, series.publisher) if series.publisher == "Ninth Storey" else (name,),
        developers=(series.developer,),
        publishers=(series.publisher,),
        tags=(*series.tags.split(" | "), "Indie"),
        reviews=0 if unseen else series.fans // (number + 1),
        score=0 if unseen else 97 - place - 4 * number,
        descriptors=(2, 5) if series.art == "mecha" else (),
    )
    return dataclasses.replace(game, **_ODD_GAMES.get((series.art, number), {}))


def _others(appid: int, like: Game) -> list[Game]:
    """A game with a blank banner, and what the store also sells: a demo, a DLC, and a game that is not out yet."""
    return [
        Game(appid, "Untitled (Working Title)", tags=("Indie",), developers=("Nobody Yet",)),
        dataclasses.replace(like, appid=appid + 10, name=f"{like.name} Demo", type=1, players=0),
        dataclasses.replace(like, appid=appid + 20, name=f"{like.name} - Soundtrack", type=4, players=0),
        dataclasses.replace(like, appid=appid + 30, name="Alpenrune: The Next Face", release_date=0, players=0),
    ]


@functools.cache
def _banner(series: _Series, number: int) -> bytes | None:
    """The file of a game's banner, drawn once a process."""
    key = (series.art, number)
    if key in _TWINS:
        art, number = _TWINS[key]
        return _banner(next(one for one in _SERIES if one.art == art), number)
    picture = sample_art.banner(series.art, number, series.title, series.games.split(" | ")[number])
    return _ODD_PICTURES.get(key, sample_art.encode)(picture)


def _blank() -> bytes:
    return sample_art.encode(Image.new("RGB", (600, 900), "#7f7f7f"))


# Somebody's own pictures


def folder(place: Path) -> Stock:
    """Return the pictures in a folder and its sub-folders as games, named by a CSV file that lies there, if any.

    The CSV has a column `appid` or `id`, and may have `file` (a picture's path within the folder; without it, the
    picture whose stem is the id is meant), `name`, `title` or `franchise`, `developer`, `publisher`. A picture without
    a row is named by its file and gets an id made from its path, which it keeps when others come and go. What cannot be
    read is told in `notes`; the rest goes on. Pictures are served as they are. Raises SettingsError where there is no
    such folder, or no picture in it.
    """
    pictures = _pictures(Path(place))
    rows, notes = _rows(Path(place))
    stems = {Path(path).stem: path for path in reversed(pictures)}
    named: dict[str, dict[str, str]] = {}  # the rows by the picture's path
    for row in rows:
        path = row["file"].replace("\\", "/") if row.get("file") else stems.get(row["appid"])
        if path not in pictures or path in named:
            notes.append(f"appid {row['appid']} ({row.get('name') or 'no name'}) in the CSV has no picture of its own")
        else:
            named[path] = row
    nameless = [path for path in pictures if path not in named]
    if rows and nameless:
        notes.append(f"without a row in the CSV, so named by their files: {_listed(nameless)}")
    files = {int(row["appid"]): path for path, row in named.items()}
    for path in nameless:
        files[_path_id(path, files)] = path
    games = [_own_game(appid, named.get(path, {}), pictures[path]) for appid, path in files.items()]
    return Stock(games, lambda appid: _read(pictures[files[appid]]), notes)


def _pictures(place: Path) -> dict[str, Path]:
    """Picture files by their path within the folder, sorted, without what is hidden or a link that leads out of it."""
    if not place.is_dir():
        raise settings.SettingsError(f"FOLDER is {str(place)!r}, which is no folder; give one that holds your pictures")
    root = place.resolve()
    found = {Path(top, name).relative_to(root): Path(top, name) for top, _, names in os.walk(root) for name in names}
    pictures = {
        path.as_posix(): file
        for path, file in sorted(found.items())
        if path.suffix.lower() in _PICTURES
        and not any(part.startswith(".") for part in path.parts)
        and file.resolve().is_relative_to(root)
        and file.is_file()
    }
    if not pictures:
        kinds = ", ".join(sorted(_PICTURES))
        raise settings.SettingsError(f"FOLDER is {str(place)!r}, which holds no picture; it may hold {kinds}")
    return pictures


def _rows(place: Path) -> tuple[list[dict[str, str]], list[str]]:
    """The good rows of the folder's CSV, and what is amiss with the others; the first file with ids in it is taken."""
    good, notes, chosen = [], [], ""
    for file in sorted(place.glob("*.csv")):
        try:
            rows = list(_table(file, place))
        except (OSError, csv.Error, ValueError) as error:
            notes.append(f"{file.name} is not read: {error}")
            continue
        if chosen:
            notes.append(f"{file.name} is not read: {chosen} is")
        else:
            chosen, good = file.name, list(_good_rows(rows, file.name, notes))
    return good, notes


def _table(file: Path, place: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV; column names in small letters, the id as `appid`, its line as `line`."""
    if not file.resolve().is_relative_to(place.resolve()):
        raise ValueError("it is a link that leads out of the folder")
    text = file.read_text("utf-8-sig")
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = ["appid" if name.strip().lower() == "id" else name.strip().lower() for name in next(reader, [])]
    if "appid" not in columns:
        raise ValueError(f"it has no column appid or id, but {', '.join(columns) or 'nothing'}")
    for values in reader:
        if any(values):
            row = {name: value.strip() for name, value in zip(columns, values, strict=False)}
            yield {"appid": "", **row, "line": str(reader.line_num)}


def _good_rows(rows: Iterable[dict[str, str]], table: str, notes: list[str]) -> Iterator[dict[str, str]]:
    seen = {}
    for row in rows:
        where = f"line {row['line']} of {table}"
        if not re.fullmatch(r"[0-9]{1,18}", row["appid"]):
            notes.append(f"{where} is left out: its appid is {row['appid']!r}, not a whole number")
        elif int(row["appid"]) in seen:
            notes.append(f"{where} is left out: appid {row['appid']} stands in line {seen[int(row['appid'])]} already")
        else:
            seen[int(row["appid"])] = row["line"]
            yield row


def _own_game(appid: int, row: dict[str, str], file: Path) -> Game:
    def named(*columns: str) -> tuple[str, ...]:
        return tuple(row[column] for column in columns if row.get(column))[:1]

    return Game(
        appid,
        row.get("name") or file.stem.encode(errors="replace").decode(),  # a file may be named by any bytes
        updated=int(file.stat().st_mtime),
        franchises=named("franchise", "franchises", "title"),
        developers=named("developer", "developers"),
        publishers=named("publisher", "publishers"),
    )


def _path_id(path: str, taken: Mapping[int, str]) -> int:
    appid = 1_000_000_000 + zlib.crc32(os.fsencode(path)) % 1_000_000_000
    while appid in taken:
        appid += 1
    return appid


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]).encode(errors="replace").decode() + more


def _read(file: Path) -> bytes | None:
    """The file as it is now; None where it is gone."""
    try:
        return file.read_bytes()
    except OSError:
        return None
