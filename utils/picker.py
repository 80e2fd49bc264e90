"""The ipywidgets control: type a name, pick a game, see whose banners look most alike, go on from any of them.

Plain widgets only (Text, Select, HTML, Button, Checkbox, Dropdown, IntSlider, FileUpload), so that it works on
ipywidgets 7.7 and 8, in JupyterLab, Voila, Colab and VS Code. Names are searched here; only a short list is sent.
"""

import base64
import io
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, wraps
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
from PIL import Image
from rapidfuzz import fuzz, process

from utils import banners
from utils.settings import PlainError

if TYPE_CHECKING:
    from utils.encoder import Encoder
    from utils.features import Features

STORE_PAGE = "https://store.steampowered.com/app/{appid}"

_SHORT = 12  # games in the short list
_NEARLY = 75  # rapidfuzz score, of 100, from which a name is taken for what somebody meant to type
_TILE, _LARGE = (160, 240), (220, 330)  # pixels of a match and of the query
_KEPT = 2_000  # pictures kept ready for the browser, some 15 kB each
_VIEWS = {"as it is": {}, "mirrored": {"mirror": True}, "upside down": {"flip": True}}  # words of query_vector
_TURNS = {"as it is": "", "mirrored": "transform:scaleX(-1);", "upside down": "transform:scaleY(-1);"}

Nearest = Callable[["Features", np.ndarray, int], tuple[np.ndarray, np.ndarray]]


class NoGame(PlainError, LookupError):
    """A name or appid that no game has."""


class NoPicture(PlainError):
    """A picture that cannot be had."""


class Index:
    """The games by name, most reviewed first: what a search box over 100,000 of them asks."""

    def __init__(self, appids: Sequence[int], names: Sequence[str], reviews: Sequence[float] | None = None) -> None:
        order = range(len(names)) if reviews is None else np.argsort(-np.asarray(reviews), kind="stable")
        self.names = {int(appids[at]): str(names[at]) for at in order}
        self._keys = [(_key(name), appid) for appid, name in self.names.items()]

    def find(self, text: str, limit: int = _SHORT) -> list[int]:
        """Appids for what somebody typed: the appid itself, names that begin so, that hold it, or are nearly so."""
        key = _key(text)
        itself = [int(text)] if text.strip().isdecimal() and int(text) in self.names else []
        found = itself + [appid for appid in islice(self._holding(key), limit) if appid not in itself]
        return (found or self._nearly(key, limit))[:limit]

    def _holding(self, key: str) -> Iterator[int]:
        yield from (appid for name, appid in self._keys if name.startswith(key))
        yield from (appid for name, appid in self._keys if key in name and not name.startswith(key))

    def _nearly(self, key: str, limit: int) -> list[int]:
        """Names that somebody may have mistyped; those much shorter than what was typed would be part of anything."""
        names = {appid: name for name, appid in self._keys if 4 * len(name) >= 3 * len(key)}
        found = process.extract(key, names, scorer=fuzz.partial_ratio, limit=limit, score_cutoff=_NEARLY)
        return [appid for _, _, appid in found]


def _key(text: str) -> str:
    """What the spellings of a name share: no case, accents, quotes or dots; one kana; a space for other marks."""
    plain = unicodedata.normalize("NFKD", text.replace("™", "")).casefold()
    return " ".join("".join(map(_plain, plain)).split()) or text.strip().casefold()


@cache
def _plain(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Mn", "Cf"} or character in "'’.®©":
        return ""
    if "ぁ" <= character <= "ゖ":
        return chr(ord(character) + 0x60)  # hiragana as katakana
    return " " if category[0] in "PZC" else character


def pick(
    features: "Features | Mapping[str, Features]",
    album: Mapping[int, banners.Banner],
    catalogue: pd.DataFrame | None = None,
    *,
    encoder: "Encoder | Mapping[str, Encoder] | None" = None,
    default: int | str | None = None,
    k: int = 10,
    threshold: float = 0.95,
    store_page: str | None = STORE_PAGE,
    nearest: Nearest | None = None,
) -> "Picker":
    """Return the control, showing the matches of `default` (an appid or part of a name; else the most reviewed game).

    features: of one kind or, by label, of several to choose from; prepared, if how they are matched matters.
    album: appid -> Banner. catalogue: reviews order the short list, developers and franchises tell other people's
    games. encoder: the features' own (or one a label), for mirrored queries and pictures of one's own. k: how many
    matches at first. threshold: cosine from which two banners count as near-duplicates. store_page: where a banner
    leads, with {appid}, or None. nearest: stands in for matching.nearest.
    """
    kinds = features if isinstance(features, Mapping) else {"": features}
    encoders = encoder if isinstance(encoder, Mapping) else {"": encoder} if encoder is not None else {}
    if nearest is None:
        from utils import matching  # brings torch, which the control itself can do without

        nearest = matching.nearest
        kinds = {
            label: each if isinstance(each, matching.Prepared) else matching.prepare(each, "as they are")
            for label, each in kinds.items()
        }
    return Picker(kinds, encoders, album, catalogue, store_page, nearest, threshold, default, k)


def find(features: "Features", text: str | int, catalogue: pd.DataFrame | None = None) -> int:
    """Return the appid of the game that somebody means by an appid or part of a name; raises NoGame."""
    found = _index(features, catalogue).find(str(text), limit=1)
    if not found:
        raise NoGame(f"no game here is called {text!r}, nor nearly so; write part of another name, or an appid")
    return found[0]


@dataclass(frozen=True)
class _Query:
    """What is looked for: a game or, without an appid, somebody's own picture."""

    name: str
    jpeg: bytes
    appid: int | None = None


def _guarded(act: Callable[..., None]) -> Callable[..., None]:
    """Let an event's handler tell its errors in the control: a traceback would end where nobody looks."""

    @wraps(act)
    def guarded(self: "Picker", *event: Any) -> None:  # noqa: ANN401 - a button, a change or a message
        try:
            act(self, *event)
        except PlainError as error:
            self._say(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be seen
            self._say(f"{type(error).__name__}: {error}")

    return guarded


class Picker(widgets.VBox):
    """The control that `pick` returns: `appid` is the game shown, `matches` its matches with their cosines."""

    def __init__(
        self,
        kinds: Mapping[str, "Features"],
        encoders: Mapping[str, "Encoder"],
        album: Mapping[int, banners.Banner],
        catalogue: pd.DataFrame | None,
        store_page: str | None,
        nearest: Nearest,
        threshold: float,
        default: int | str | None,
        k: int,
    ) -> None:
        self._kinds, self._encoders, self._album, self._catalogue = kinds, encoders, album, catalogue
        self._store_page, self._nearest, self._threshold = store_page, nearest, threshold
        self._rows = {label: pd.Index(each.appids) for label, each in kinds.items()}
        self._index = _index(next(iter(kinds.values())), catalogue)
        self._thumbnail = lru_cache(_KEPT)(self._make_thumbnail)
        self._query: _Query | None = None
        self.matches: list[tuple[int, float]] = []
        super().__init__([self._build(k)])
        self._listen()
        self._begin(default)

    @property
    def appid(self) -> int | None:
        """The game whose matches are shown; None at a picture of one's own."""
        return self._query.appid if self._query else None

    def show(self, appid: int) -> None:
        """Show the matches of a game; raises NoPicture if its banner is not on disk."""
        banner, name = self._album.get(appid), self._index.names.get(appid, str(appid))
        if banner is None:
            raise NoPicture(f"the banner of {name} is not on disk")
        self._look(_Query(name, banner.jpeg, appid))

    # ------------------------------------------------------------ widgets

    def _build(self, k: int) -> widgets.Widget:
        wide = widgets.Layout(width="auto")
        self.search = widgets.Text(placeholder="Part of a name, or an appid", layout=wide)
        self.shortlist = widgets.Select(options=[], rows=8, layout=wide)
        self.random = widgets.Button(description="A random game", icon="random", layout=wide)
        self.card = widgets.HTML()
        self.address = widgets.Text(placeholder="https://... a picture of yours", continuous_update=False, layout=wide)
        self.upload = widgets.FileUpload(accept="image/*", description="Upload a picture", layout=wide)
        self.number = widgets.IntSlider(
            k, 1, max(40, k), description="Matches", continuous_update=False, **_beside(250)
        )
        self.view = widgets.Dropdown(options=list(_VIEWS), description="Query", **_beside(170))
        self.kind = widgets.Dropdown(options=list(self._kinds), description="Features", **_beside(250))
        self.others = widgets.Checkbox(description="Only other people's games", indent=False, **_beside(220))
        self.distinct = widgets.Checkbox(description="Hide near-duplicates", indent=False, **_beside(180))
        self.status = widgets.HTML()
        self.grid = widgets.Box(layout=widgets.Layout(flex_flow="row wrap"))
        self._cells: list[_Cell] = []
        return widgets.HBox([self._left(), self._right()])

    def _left(self) -> widgets.Widget:
        own = [self.address, self.upload] if self._encoders else []
        column = [self.search, self.shortlist, self.random, self.card, *own]
        return widgets.VBox(column, layout=widgets.Layout(width="250px", flex="0 0 auto", margin="0 20px 0 0"))

    def _right(self) -> widgets.Widget:
        options = [self.number]
        options += [self.kind] * (len(self._kinds) > 1) + [self.view] * bool(self._encoders)
        options += [self.others] * (self._catalogue is not None) + [self.distinct]
        row = widgets.Box(options, layout=widgets.Layout(flex_flow="row wrap"))
        return widgets.VBox([row, self.status, self.grid], layout=widgets.Layout(flex="1 1 0%", min_width="0"))

    def _listen(self) -> None:
        self.search.observe(self._on_type, "value")
        self.search.on_msg(self._on_enter)
        self.shortlist.observe(self._on_choose, "index")
        self.random.on_click(self._on_random)
        self.address.observe(self._on_address, "value")
        self.upload.observe(self._on_upload, "value")
        for option in (self.number, self.view, self.kind, self.others, self.distinct):
            option.observe(self._on_option, "value")

    @_guarded
    def _begin(self, default: int | str | None) -> None:
        self._offer("")
        if not self._index.names:
            raise NoPicture("There are no features yet: nothing to pick from.")
        found = self._index.find(str(default or ""), limit=1)
        self.show(found[0] if found else next(iter(self._index.names)))
        if not found:
            self._say(f"No game is called {default!r}, nor nearly so; this is the most reviewed one.")

    # ------------------------------------------------------------ what somebody does

    @_guarded
    def _on_type(self, _: dict) -> None:
        self._offer(self.search.value)

    @_guarded
    def _on_enter(self, _: widgets.Widget, content: dict, __: list) -> None:
        if content.get("event") == "submit" and self.shortlist.options:
            self.show(self.shortlist.options[0][1])

    @_guarded
    def _on_choose(self, change: dict) -> None:
        if change["new"] is not None:
            self.show(self.shortlist.options[change["new"]][1])

    @_guarded
    def _on_random(self, _: widgets.Button) -> None:
        self.show(int(np.random.default_rng().choice(list(self._index.names))))

    @_guarded
    def _on_more(self, button: widgets.Button) -> None:
        self.show(button.appid)

    @_guarded
    def _on_address(self, change: dict) -> None:
        if address := change["new"].strip():
            if not address.lower().startswith(("http://", "https://")):  # where others use the control, not our files
                raise NoPicture(f"{address!r} is not an address of the web; it must begin with http:// or https://")
            self._look(_Query("A picture from the web", banners.own(address, "").jpeg))

    @_guarded
    def _on_upload(self, change: dict) -> None:
        files = change["new"].values() if isinstance(change["new"], dict) else change["new"]  # ipywidgets 7, 8
        for file in files:
            self._look(_Query("Your picture", banners.own(bytes(file["content"]), "").jpeg))

    @_guarded
    def _on_option(self, _: dict) -> None:
        if self._query:
            self._look(self._query)

    # ------------------------------------------------------------ what is shown

    def _offer(self, text: str) -> None:
        found = self._index.find(text)
        self.shortlist.unobserve(self._on_choose, "index")  # ipywidgets 7 picks the first of new options by itself
        self.shortlist.options = [(_line(self._index.names[appid]), appid) for appid in found]
        self.shortlist.index = None
        self.shortlist.observe(self._on_choose, "index")
        self._say("" if found else f"No game is called {text!r}, nor nearly so.")

    def _say(self, text: str) -> None:
        style = "line-height:1.4;padding:4px 10px;margin:4px;border-left:3px solid #d9a441"
        self.status.value = f'<div style="{style}">{escape(text)}</div>' if text else ""

    def _look(self, query: _Query) -> None:
        """Find and draw the matches of a query."""
        self.matches = self._find(query, self.number.value)
        self._query = query
        for cell, (appid, cosine) in zip(self._cells_for(len(self.matches)), self.matches, strict=True):
            self._fill(cell, appid, cosine)
        self.card.value = self._card(query)
        self._say("" if self.matches else "Nothing is left: no other game passes these options.")

    def _cells_for(self, count: int) -> list["_Cell"]:
        while len(self._cells) < count:
            self._cells.append(_Cell(self._on_more))
        if len(self.grid.children) != count:
            self.grid.children = tuple(self._cells[:count])
        return self._cells[:count]

    def _fill(self, cell: "_Cell", appid: int, cosine: float) -> None:
        name = self._index.names[appid]
        picture = self._linked(_picture(self._thumbnail(appid), _TILE, name), appid)
        cell.label.value = f"{picture}{_caption(name, f'{cosine:.2f}')}"
        cell.more.appid = appid

    def _card(self, query: _Query) -> str:
        style = f"outline:2px solid #1a9fff;outline-offset:3px;{_TURNS[self.view.value]}"
        picture = _picture(_data_address(query.jpeg, _LARGE), _LARGE, query.name, style)
        note = "" if query.appid is None else f"appid {query.appid}"
        return f'<div style="margin:10px 5px">{self._linked(picture, query.appid)}{_caption(query.name, note, 3)}</div>'

    def _linked(self, picture: str, appid: int | None) -> str:
        if appid is None or not self._store_page:
            return picture
        page = escape(self._store_page.format(appid=appid))
        return f'<a href="{page}" target="_blank" rel="noopener">{picture}</a>'

    def _make_thumbnail(self, appid: int) -> str:
        try:
            return _data_address(self._album[appid].jpeg, _TILE)
        except (KeyError, OSError):  # not there, or broken: its place stays grey
            return ""

    # ------------------------------------------------------------ what is found

    def _find(self, query: _Query, k: int) -> list[tuple[int, float]]:
        """The k matches of a query that pass the options: more are asked for until enough pass or there are no more."""
        features = self._kinds[self.kind.value]
        asked, most = self._asked(query), len(features.appids) - 1
        depth = min(most, 4 * k + 20 if self.others.value or self.distinct.value else k + 1)
        while depth:
            appids, cosines = (each[0] for each in self._nearest(features, asked, depth))
            passing = self._passing(query, appids, cosines, k)
            if len(passing) == k or depth == most:
                return [(int(appids[at]), float(cosines[at])) for at in passing]
            depth = min(most, 4 * depth)
        return []

    def _asked(self, query: _Query) -> np.ndarray:
        """What to ask matching for: the game's appid or, for any other picture, its vector."""
        if query.appid is not None and not _VIEWS[self.view.value]:
            return np.array([query.appid])
        if self.kind.value not in self._encoders:
            raise NoPicture("These features came without their encoder, so no other picture can be compared with them.")
        from utils import matching

        encoder, pixels = self._encoders[self.kind.value], banners.decode(query.jpeg)
        return matching.query_vector(encoder, pixels, **_VIEWS[self.view.value])

    def _passing(self, query: _Query, appids: np.ndarray, cosines: np.ndarray, k: int) -> np.ndarray:
        """Positions of the first k matches that pass the options."""
        passing = np.flatnonzero(appids != query.appid)
        if self.others.value and query.appid is not None:
            from utils import matching

            passing = passing[matching.by_others(appids[passing], query.appid, self._catalogue)]
        if self.distinct.value:
            passing = passing[self._one_of_each(appids[passing], cosines[passing], k)]
        return passing[:k]

    def _one_of_each(self, appids: np.ndarray, cosines: np.ndarray, k: int) -> list[int]:
        """Positions of the first k matches that are no copy of the query, nor of a better match."""
        rows = self._rows[self.kind.value].get_indexer(appids)
        vectors = self._kinds[self.kind.value].vectors[rows].astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        kept: list[int] = []
        for at in np.flatnonzero(cosines < self._threshold):
            if len(kept) < k and not (vectors[kept] @ vectors[at] >= self._threshold).any():
                kept.append(at)
        return kept


class _Cell(widgets.VBox):
    """A match: its banner and name, and the button that makes it the next query."""

    def __init__(self, on_more: Callable[[widgets.Button], None]) -> None:
        self.label = widgets.HTML(layout=widgets.Layout(margin="0"))
        self.more = widgets.Button(
            description="More like this", layout=widgets.Layout(width="auto", margin="4px 0 0 0")
        )
        self.more.on_click(on_more)
        super().__init__(
            [self.label, self.more], layout=widgets.Layout(width=f"{_TILE[0]}px", margin="4px 16px 16px 4px")
        )


def _beside(width: int) -> dict[str, Any]:
    """The looks of an option of so many pixels in a row of options."""
    return {
        "layout": widgets.Layout(width=f"{width}px", margin="2px 16px 2px 4px"),
        "style": {"description_width": "initial"},
    }


def _index(features: "Features", catalogue: pd.DataFrame | None) -> Index:
    if catalogue is None:
        return Index(features.appids, features.names)
    reviews = catalogue.set_index("appid")["review_count"].reindex(features.appids).fillna(-1)
    return Index(features.appids, features.names, reviews.to_numpy())


def _line(name: str) -> str:
    """A name as one line of a list: no control characters, not too long."""
    line = " ".join("".join(" " if unicodedata.category(c) in {"Cc", "Cf"} else c for c in name).split())
    return line if len(line) <= 80 else line[:79] + "…"


def _caption(name: str, note: str, lines: int = 2) -> str:
    clamp = f"display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:{lines};overflow:hidden"
    return (
        f'<div style="height:{18 * lines}px;margin-top:6px;line-height:18px;overflow-wrap:anywhere;{clamp}">'
        f'<bdi>{escape(name)}</bdi></div><div style="line-height:16px;font-size:85%;opacity:.6">{escape(note)}</div>'
    )


def _picture(source: str, size: tuple[int, int], name: str, style: str = "") -> str:
    width, height = size
    style += f"display:block;width:{width}px;height:{height}px;border-radius:4px;background:#8884"
    if not source:
        return f'<div title="{escape(name)}" style="{style}"></div>'
    return f'<img src="{source}" alt="{escape(name)}" title="{escape(name)}" style="{style}">'


def _data_address(jpeg: bytes, size: tuple[int, int]) -> str:
    """A picture of `size` pixels as a data: address that an <img> takes."""
    small = io.BytesIO()
    image = banners.open_picture(jpeg)
    image.convert("RGB").resize(size, Image.Resampling.HAMMING).save(small, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(small.getvalue()).decode()
