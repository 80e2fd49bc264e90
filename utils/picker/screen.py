"""What the picker shows: the short list, the query, its matches, and a still of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from utils import banners, names
from utils.picker import html
from utils.picker.finding import Eye, Wishes
from utils.picker.panel import Cell, Panel
from utils.picker.queries import Query
from utils.settings import STORE_PAGE

if TYPE_CHECKING:
    from utils.settings import Settings

_KEPT = 2_000  # pictures kept ready for the browser, some 15 kB each
_LINE = 80  # characters of a name in the short list
_TURNS = {(True, False): "scaleX(-1)", (False, True): "scaleY(-1)", (True, True): "scale(-1,-1)"}


@dataclass(frozen=True)
class Shop:
    """The store behind the games."""

    settings: "Settings | None" = None  # to ask it for other games

    def page_of(self, appid: int | None) -> str | None:
        """Return the address of a game's store page, if there is one."""
        has_pages = self.settings is not None and self.settings.source == "steam"
        return STORE_PAGE.format(appid=appid) if has_pages and appid else None


class Screen:
    """Puts queries and matches into a panel's widgets."""

    def __init__(
        self,
        panel: Panel,
        album: Mapping[int, banners.Banner],
        names: Mapping[int, str],
        shop: Shop,
        *,
        on_more: Callable[[int], None],
    ) -> None:
        self._panel = panel
        self._names = names
        self._shop = shop
        self._on_more = on_more
        self._cells: list[Cell] = []
        self._thumbnail = lru_cache(_KEPT)(lambda appid: html.thumbnail(album.get(appid)))

    def say(self, text: str) -> None:
        """Show a sentence above the matches, or nothing."""
        self._panel.status.value = html.message(text)

    def introduce(self, eye: Eye) -> None:
        """Say which network looks, with a warning where it was never trained, and whether it reads."""
        manifest = eye.features.manifest
        how = ", ".join(str(manifest[part]) for part in ("pooling", "image", "preparation") if part in manifest)
        text = f"The eye: {manifest.get('checkpoint', 'unnamed')} ({how})."
        if manifest.get("trained", True):
            self._panel.looking.value = html.message(text, "note")
        else:
            never = "It was never trained: what you see shows how this works, not what looks alike."
            self._panel.looking.value = html.message(f"{text} {never}")
        self._panel.words.layout.display = None if eye.reads else "none"
        self._panel.silence.value = html.message(_silence(eye), "note")

    def offer(self, found: Sequence[int]) -> None:
        """Show games in the short list, none of them chosen."""
        lines = [names.shortened(names.visible(self._names[appid]), _LINE) for appid in found]
        self._panel.shortlist.options = list(zip(lines, found, strict=True))
        self._panel.shortlist.index = None

    def show(self, query: Query, matches: Sequence[tuple[int, float]], wishes: Wishes) -> None:
        """Show a query and its matches."""
        cells = self._cells_for(len(matches))
        for cell, (appid, cosine) in zip(cells, matches, strict=True):
            name = self._names[appid]
            cell.fill(appid, name, self._tile(appid, cosine))
        self._panel.card.value = self._card(query, wishes)
        self.say(query.note if matches else "Nothing is left: no other game passes these options.")

    def still(self, query: Query | None, matches: Sequence[tuple[int, float]]) -> str:
        """Return the query and its matches as a page that needs no kernel."""
        if query is None:
            return ""
        tiles = [self._card(query, Wishes()), *(self._tile(appid, cosine) for appid, cosine in matches)]
        style = "display:inline-block;vertical-align:top;margin:4px 12px 12px 0"
        places = "".join(f'<div style="{style};max-width:{html.LARGE[0]}px">{tile}</div>' for tile in tiles)
        return f"<div><p>A still of the picker, which comes alive where a kernel runs.</p>{places}</div>"

    def _tile(self, appid: int, cosine: float) -> str:
        name = self._names[appid]
        picture = html.picture(self._thumbnail(appid), html.TILE, name)
        return html.linked(picture, self._shop.page_of(appid), name) + html.caption(name, f"{cosine:.2f}")

    def _card(self, query: Query, wishes: Wishes) -> str:
        if query.words:
            return html.quoted(query.words, html.LARGE)
        turn = _TURNS.get((wishes.mirrored, wishes.upside_down))
        style = "outline:2px solid #1a9fff;outline-offset:3px;" + (f"transform:{turn};" if turn else "")
        picture = html.picture(html.data_address(query.jpeg, html.LARGE), html.LARGE, query.name, style)
        picture = html.linked(picture, self._shop.page_of(query.appid), query.name)
        note = "" if query.appid is None else f"appid {query.appid}"
        return f'<div style="margin:10px 5px">{picture}{html.caption(query.name, note, 3)}</div>'

    def _cells_for(self, count: int) -> list[Cell]:
        while len(self._cells) < count:
            self._cells.append(Cell(self._on_more))
        if len(self._panel.grid.children) != count:
            self._panel.grid.children = tuple(self._cells[:count])
        return self._cells[:count]


def _silence(eye: Eye) -> str:
    """Return why this eye takes no words, if it does not."""
    if eye.encoder is None or eye.reads:
        return ""
    return eye.encoder.text_unsupported_reason
