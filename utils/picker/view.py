"""What the picker shows: its widgets, and how games, queries and drafts are put into them.

Plain ipywidgets only (7.7 and 8), so that it works in JupyterLab, Voila, Colab and VS Code; picker.css lays them out,
and picker.js adds keys, scrolling and roles for screen readers, none of which is needed to use it. Names are text that
anybody may have written: whatever is in them, it is shown as text.
"""

import base64
import io
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets as widgets
import pandas as pd
from PIL import Image

from utils import filters, names
from utils.banners import Banner
from utils.errors import PlainError
from utils.filters import Filter
from utils.images import open_picture
from utils.picker.drafts import BESIDE, DraftResult
from utils.picker.queries import Matcher, Query, QueryOptions

CLASS = "steam-banner-picker"

_FOUND = 8  # games in the list below the search box
_MOST = 100  # matches that can be asked for
_TILE = (160, 240)  # pixels that are sent of a match, which is shown 110 wide
_THUMBNAIL = (56, 84)
_CACHED = 4_000  # pictures kept ready for the browser, 2 to 10 kB each
_PRIVATE = (
    "Your pictures stay with this kernel: they are not stored, and not sent anywhere else. On Colab an upload breaks "
    "above 1 MB: put the file into the Files pane, and its path into DRAFT."
)
_UNTRAINED = "This network was never trained: what you see shows how this works, not what looks alike."
_STILL = "A still of the picker, which comes alive where a kernel runs."
_TURNS = {(True, False): "scaleX(-1)", (False, True): "scaleY(-1)", (True, True): "scale(-1,-1)"}
# On ipywidgets 8, and 7; a button's is always "tooltip".
_TOOLTIP = "tooltip" if "tooltip" in widgets.Text.class_trait_names() else "description_tooltip"

W = TypeVar("W", bound=widgets.Widget)


class Tile(widgets.VBox):
    """A banner that is a button, and what stands below it."""

    def __init__(self, on_click: Callable[[int], None]) -> None:
        self.key = 0  # what a click is told: a game's appid, or a draft's number
        self.button = _named(widgets.Button)
        self.label = widgets.HTML(**{_TOOLTIP: ""})
        self._name = _unique_class(self.button)
        self.button.add_class("sbp-banner")
        self.button.on_click(lambda _: on_click(self.key))
        super().__init__([self.button, self.label])
        self.add_class("sbp-tile")

    def fill(self, key: int, name: str, picture: str, note: str) -> None:
        """Show a banner, a data: address or nothing, with its name, and a note as HTML."""
        self.key = key
        self.button.tooltip = names.visible(name) or str(key)
        style = _style({self._name: picture})
        self.label.value = f'{style}<div class="sbp-name"><bdi>{escape(name)}</bdi></div>{note}'


class View:
    """The picker's widgets by name, and what they show."""

    def __init__(
        self,
        matcher: Matcher,
        album: Mapping[int, Banner],
        game_names: Mapping[int, str],
        page_of: Callable[[int | None], str],
        on_game: Callable[[int], None],
    ) -> None:
        self._names = game_names
        self._page_of = page_of
        self._on_game = on_game
        self._tiles: list[Tile] = []
        self._picture = lru_cache(_CACHED)(lambda appid, size: _small(album.get(appid), size))
        self._make_search()
        self._make_query()
        self._make_own(matcher)
        self._make_options(matcher.games, encodes=matcher.encoder is not None)
        self.heading.value = _heading(matcher)

    def _make_search(self) -> None:
        placeholder = f"Search {len(self._names):,} games by name or appid"
        self.search = _named(widgets.Text, "Search", "Part of a game's name, or its appid", placeholder=placeholder)
        self.found = [_named(widgets.Button) for _ in range(_FOUND)]
        self.listed: list[int] = []  # the appids that these buttons show
        self._found_classes = [_unique_class(button) for button in self.found]
        self._found_pictures = widgets.HTML(**{_TOOLTIP: ""})

    def _make_query(self) -> None:
        self.card, self.about, self.heading, self.status, self.reasons = (
            widgets.HTML(**{_TOOLTIP: ""}) for _ in range(5)
        )
        self.why = _named(widgets.ToggleButton, "Why?", "The reasons for a match")
        self.draft = _named(widgets.ToggleButton, "My draft", "Compare pictures of your own")
        self.random = _named(widgets.Button, "Random", "A random game")
        self.back = _named(widgets.Button, "Back", "Back to what was shown before")
        self.match = _named(widgets.Dropdown, "Match", "The match that is explained", options=[])
        self.grid = _box("sbp-grid", [])
        self.ranked = widgets.VBox()
        self.why_panel = _box("sbp-panel", [self.match, self.reasons])

    def _make_own(self, matcher: Matcher) -> None:
        uploaded = "Upload one or more pictures of yours"
        self.upload = _named(widgets.FileUpload, "Upload pictures", uploaded, accept="image/*", multiple=True)
        self.address = _named(widgets.Text, "Picture link", "The web address of a picture", placeholder="https://...")
        example = "a dragon over a burning castle"
        self.words = _named(widgets.Text, "Describe", "Describe a banner in English", placeholder=example)
        self.address.continuous_update = self.words.continuous_update = False
        words, said = [self.words], _PRIVATE
        if matcher.encoder is not None and not matcher.supports_text:
            reason = matcher.encoder.text_unsupported_reason or "Words need the features as they were"
            words, said = [], f"{reason}. {_PRIVATE}"
        hint = widgets.HTML(**{"value": f'<div class="sbp-note">{escape(said)}</div>', _TOOLTIP: ""})
        self.draft_panel = _box("sbp-panel", [self.upload, self.address, *words, hint, self.ranked])
        if matcher.encoder is None:
            self.draft.layout.display = self.why.layout.display = "none"

    def _make_options(self, games: pd.DataFrame | None, *, encodes: bool) -> None:
        years = [] if games is None else [year for year in filters.release_years(games).tolist() if year]
        tags = [] if games is None else filters.tags(games)
        first, last = min(years, default=0), max(years, default=0)
        whole, check = widgets.BoundedIntText, widgets.Checkbox
        turns = {
            "mirrored": _named(check, "Mirrored"),
            "upside_down": _named(check, "Upside down"),
            "mirrored_copies": _named(check, "Also look for mirrored copies"),
        }
        of_games = {
            "exclude_same_studio": _named(check, "Hide games by the same makers"),
            "tag": _named(widgets.Dropdown, "Tag", options=[("any", ""), *zip(tags, tags, strict=True)], value=""),
            "since": _named(whole, "Released from", min=first, max=last, value=first),
            "until": _named(whole, "Released until", min=first, max=last, value=last),
            "score": _named(whole, "Good reviews at least (%)", min=0, max=100, step=5, value=0),
        }
        self.options: dict[str, Any] = {  # by the names of QueryOptions and Filter
            "k": _named(whole, "Matches", min=1, max=_MOST, value=10),
            "distinct": _named(check, "Hide near-duplicates"),
            "least": _named(widgets.BoundedFloatText, "Similarity at least", min=-1.0, max=1.0, step=0.05, value=-1.0),
            **(turns if encodes else {}),
            **(of_games if games is not None else {}),
        }
        self.filters = _named(widgets.ToggleButton, "Filters and mirroring")
        self.options_panel = _box("sbp-panel", list(self.options.values()))

    def whole(self) -> list[widgets.Widget]:
        """Return all of it, from top to bottom."""
        toggled = {self.filters: self.options_panel, self.draft: self.draft_panel, self.why: self.why_panel}
        for button, panel in toggled.items():
            panel.layout.display = "none"
            button.observe(lambda change, panel=panel: _show_or_hide(panel, shown=change["new"]), "value")
        search = _box("sbp-search", [self.search, _box("sbp-list", [*self.found, self._found_pictures])])
        buttons = _box("sbp-buttons", [self.why, self.draft, self.random, self.back])
        query = _box("sbp-query", [self.card, _box("sbp-about", [self.about, buttons])])
        body = _box("sbp-body", [query, _box("sbp-results", [self.why_panel, self.heading, self.grid])])
        style = Path(__file__).with_name("picker.css").read_text()
        script = " ".join(Path(__file__).with_name("picker.js").read_text().split())
        loads = f'<style>{style}</style><img alt="" hidden src="data:," onerror="{escape(script)}">'
        extras = widgets.HTML(**{"value": loads, _TOOLTIP: ""})
        top = _box("sbp-top", [search, self.filters])
        return [top, self.options_panel, self.draft_panel, self.status, body, extras]

    def query_options(self) -> QueryOptions:
        """Return what the widgets say."""
        values = {name: option.value for name, option in self.options.items()}
        for name, bound in (("since", "min"), ("until", "max")):
            if name in values and values[name] == getattr(self.options[name], bound):
                values[name] = None  # games of an unknown year pass as well
        wanted = {name: values.pop(name) for name in ("tag", "since", "until", "score") if name in values}
        return QueryOptions(**values, filter=Filter(**wanted))

    def say(self, text: str) -> None:
        """Show a sentence above the matches, or nothing; a screen reader says it when it comes."""
        self.status.value = f'<div class="sbp-said" role="status">{escape(text)}</div>' if text else ""

    def offer(self, found: Sequence[int]) -> None:
        """Show games below the search box."""
        self.listed = list(found[:_FOUND])
        for button, appid in zip(self.found, self.listed, strict=False):
            button.description = button.tooltip = names.visible(self._names[appid]) or str(appid)
        for at, button in enumerate(self.found):
            button.layout.display = None if at < len(self.listed) else "none"
        pictures = [self._picture(appid, _THUMBNAIL) for appid in self.listed]
        self._found_pictures.value = _style(dict(zip(self._found_classes, pictures, strict=False)))

    def show(self, query: Query, matches: Sequence[tuple[int, float]], options: QueryOptions) -> None:
        """Show a query and its matches; whatever was said or explained about another one goes."""
        self.card.value, self.about.value = self._query(query, options)
        while len(self._tiles) < len(matches):
            self._tiles.append(Tile(self._on_game))
        for tile, (appid, cosine) in zip(self._tiles, matches, strict=False):
            self._fill(tile, appid, cosine)
        self.grid.children = tuple(self._tiles[: len(matches)])
        self.why.value = False
        self.reasons.value = ""
        self.match.options = [(self._line(appid), appid) for appid, _ in matches]
        self.match.index = 0 if matches else None  # ipywidgets 7 chooses the first by itself, 8 does not
        self.say(query.note if matches else "Nothing is left: no other game passes these options.")

    def explain(self, figure: bytes, alt: str, sentence: str) -> None:
        """Show the reasons for a match: a JPEG, what it shows in words, and a sentence."""
        image = f'<img class="sbp-figure" src="{_data_address(figure)}" alt="{escape(alt)}">'
        self.reasons.value = f"{image}<p>{escape(sentence)}</p>"

    def rank(self, results: Sequence[DraftResult], on_draft: Callable[[int], None]) -> None:
        """Show drafts in their order, each beside its nearest games; a click on one is told its place."""
        rows = []
        for at, result in enumerate(results):
            own = Tile(on_draft)
            own.fill(at, result.draft.name, _small(result.draft, _TILE), "")
            said = widgets.HTML(**{"value": f"<p>{at + 1}. {escape(str(result))}</p>", _TOOLTIP: ""})
            near = []
            for appid, cosine in zip(result.stand.appids[:BESIDE].tolist(), result.stand.cosines, strict=False):
                near.append(Tile(self._on_game))
                self._fill(near[-1], appid, cosine)
            rows.append(_box("sbp-draft", [own, said, *near]))
        self.ranked.children = tuple(rows)

    def still(self, query: Query, matches: Sequence[tuple[int, float]]) -> str:
        """Return the query and its matches as a page that needs no kernel."""
        style = "display:inline-block;vertical-align:top;margin:4px 12px 12px 0;max-width:160px"
        shown = [(query.name, _data_address(query.jpeg) if query.jpeg else "", "")]
        for appid, cosine in matches:
            shown.append((self._names[appid], self._picture(appid, _TILE), self._note(appid, f"{cosine:.2f}")))
        tiles = [
            f'<div style="{style}"><img src="{source}" alt="{escape(name)}" width="160" height="240">'
            f"<div><bdi>{escape(name)}</bdi></div>{note}</div>"
            for name, source, note in shown
        ]
        return f"<div><p>{_STILL}</p>{''.join(tiles)}</div>"

    def _fill(self, tile: Tile, appid: int, cosine: float) -> None:
        tile.fill(appid, self._names[appid], self._picture(appid, _TILE), self._note(appid, f"{cosine:.2f}"))

    def _query(self, query: Query, options: QueryOptions) -> tuple[str, str]:
        """Return a query's picture, or its words, and what stands beside it, as HTML."""
        name = f'<div class="sbp-name" role="status"><bdi>{escape(query.name)}</bdi></div>'
        if query.words:
            return f'<div class="sbp-words"><bdi>{escape(query.name)}</bdi></div>', ""
        turn = _TURNS.get((options.mirrored, options.upside_down), "none")
        image = f'<img src="{_data_address(query.jpeg)}" alt="{escape(query.name)}" style="transform:{turn}">'
        appid = "" if query.appid is None else f"appid {query.appid}"
        return image, name + self._note(query.appid, appid)

    def _note(self, appid: int | None, text: str) -> str:
        """Return a number, and a small link to the store where there is one, as HTML."""
        address = self._page_of(appid)
        label = f"{self._names.get(appid or 0, 'This game')} in the store, in a new tab"
        link = f'<a href="{escape(address)}" target="_blank" rel="noopener" aria-label="{escape(label)}">Store</a>'
        return f'<div class="sbp-note">{escape(text)} {link if address else ""}</div>'

    def _line(self, appid: int) -> str:
        return names.shortened(names.visible(self._names[appid]) or str(appid), 60)


def _heading(matcher: Matcher) -> str:
    """Return the line above the matches, as HTML: how they were found stands behind an i."""
    manifest = matcher.features.manifest
    how = ", ".join(str(manifest[part]) for part in ("pooling", "image", "preparation") if part in manifest)
    said = f"The network is {manifest.get('checkpoint', 'unnamed')} ({how})."
    hidden = f'<details class="sbp-how"><summary aria-label="How they were found">i</summary>{escape(said)}</details>'
    warning = "" if manifest.get("trained", True) else f'<div class="sbp-said">{_UNTRAINED}</div>'
    return f"{warning}<div><b>Most similar.</b> The number is the similarity. {hidden}</div>"


def _show_or_hide(panel: widgets.DOMWidget, *, shown: bool) -> None:
    panel.layout.display = None if shown else "none"


def _named(kind: type[W], label: str = "", tooltip: str = "", **traits: Any) -> W:  # noqa: ANN401 - traits
    """Return a widget with its label and tooltip: without one, browsers show "null"."""
    if issubclass(kind, widgets.Checkbox):
        traits["indent"] = False
    is_button = issubclass(kind, widgets.Button | widgets.ToggleButton)
    return kind(**{"description": label, "tooltip" if is_button else _TOOLTIP: tooltip or label}, **traits)


def _box(name: str, children: Sequence[widgets.Widget]) -> widgets.Box:
    box = widgets.Box(children)
    box.add_class(name)
    return box


def _unique_class(widget: widgets.DOMWidget) -> str:
    """Give a widget a CSS class of its own and return it."""
    name = f"sbp-{uuid.uuid4().hex[:12]}"
    widget.add_class(name)
    return name


def _style(pictures: Mapping[str, str]) -> str:
    """Return a style sheet that puts pictures, data: addresses, onto the widgets of some classes."""
    rules = [f".{CLASS} .{name}{{background-image:url({source})}}" for name, source in pictures.items() if source]
    return f"<style>{''.join(rules)}</style>"


def _data_address(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _small(banner: Banner | None, size: tuple[int, int]) -> str:
    """Return a banner of `size` pixels as a data: address, or nothing where it is missing or broken."""
    if banner is None:
        return ""
    small = io.BytesIO()
    try:
        picture = open_picture(banner.jpeg).convert("RGB")
    except PlainError:
        return ""
    picture.resize(size, Image.Resampling.HAMMING).save(small, "JPEG", quality=80)
    return _data_address(small.getvalue())
