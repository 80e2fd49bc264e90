"""The control in which a person picks a game, or a draft, and sees whose banners look most alike.

Names are searched in the kernel, so that only a short list is sent, whatever the number of games.
"""

import threading
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from html import escape
from itertools import zip_longest
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from utils import banners, matching, show
from utils.banners import Banner
from utils.encoder import Encoder
from utils.errors import PictureError, PlainError
from utils.features import Features
from utils.matching import Matches, Prepared
from utils.names import shortened
from utils.picker import drafts, view
from utils.picker.queries import Matcher, Query, find, from_store, index_of
from utils.picker.view import Tile, data_address, named, panel, small
from utils.settings import Settings

__all__ = ["Picker", "drafts", "find", "pick"]

_PRIVATE = (
    "Your pictures stay with this kernel: they are not stored, and not sent anywhere else. On Colab an upload breaks "
    "above 1 MB: put the file into the Files pane, and its path into DRAFT."
)


class Picker(widgets.VBox):
    """The control: `appid` is the game shown, `matches` its matches with their cosines.

    It begins with the game of the settings' QUERY, or the most reviewed one. encoder: that of the features; without it
    there are no pictures of one's own, reasons, words or mirroring. album: appid -> Banner. games: the catalogue, for
    reviews, filters and makers. matches: those of all games, so that drafts need not compute them. settings: to begin
    with their QUERY and MATCHES, to fetch games that have no features here, and to link Steam's pages. plain: the
    features before they were prepared, for words.
    """

    def __init__(
        self,
        prepared: Prepared,
        encoder: Encoder | None,
        album: Mapping[int, Banner],
        games: pd.DataFrame | None = None,
        matches: Matches | None = None,
        *,
        settings: Settings | None = None,
        plain: Features | None = None,
    ) -> None:
        self._lock = threading.RLock()
        of_words = None if plain is None else matching.prepared(plain)
        self._matcher = Matcher(matching.prepared(prepared), encoder, games, of_words)
        self._album = album
        self._all_matches = matches
        self._settings = settings
        self._index = index_of(self._matcher.features, games)
        self._picture = lru_cache(4_000)(lambda appid, size: small(album.get(appid), size))  # of 2 to 10 kB each
        self._query: Query | None = None
        self._history: list[Query] = []
        self._tiles: list[Tile] = []
        self._subshell: str | None = None
        self._on_game = partial(self._handle, self.show)
        self.matches: list[tuple[int, float]] = []
        super().__init__([*self._make_panels(), self._make_body(), named(widgets.HTML, value=view.style_and_script())])
        self.add_class(view.CLASS)
        self._listen()
        self._handle(self._begin)
        self._answer_at_once()

    @property
    def appid(self) -> int | None:
        """The game whose matches are shown; None at a picture of one's own, or words."""
        return self._query.appid if self._query else None

    def show(self, appid: int) -> None:
        """Show the matches of a game; raises PictureError if its banner is not on disk."""
        name = self._index.names.get(appid, str(appid))
        banner = self._album.get(appid)
        if banner is None:
            raise PictureError(f"The banner of {name} is not on disk.")
        self._look(Query(name, banner.jpeg, appid))

    def _ipython_display_(self, **_: Any) -> None:  # noqa: ANN401 - ipywidgets passes what it likes
        """Show the control where a kernel runs, and a still of it elsewhere."""
        from IPython.display import display

        page = None
        if self._query:
            query = (self._query.name, data_address(self._query.jpeg) if self._query.jpeg else "", "")
            page = view.still([query, *(self._parts(*match)[1:] for match in self.matches)])
        live = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        data = {"text/plain": "The picker", "text/html": page, "application/vnd.jupyter.widget-view+json": live}
        display(data, raw=True)

    def _handle(self, act: Callable[..., None], *event: Any) -> None:  # noqa: ANN401 - a button, a change or a message
        """Handle an event, one at a time in whatever thread its message comes, and say its errors in the control.

        A traceback would end where nobody looks.
        """
        with self._lock:
            try:
                act(*event)
            except PlainError as error:
                self._say(str(error))
            except Exception as error:  # whatever it is, it must be seen
                self.log.exception("an event of the picker failed")
                self._say(f"That did not work: {error}")

    def _make_panels(self) -> list[widgets.Widget]:
        """Return what stands above the query: the search, the panels of options and drafts, what is said."""
        hint = f"Search {len(self._index.names):,} games by name or appid"
        self.search = named(widgets.Text, "Search", "Part of a game's name, or its appid", placeholder=hint)
        self.found = [Tile(self._on_game) for _ in range(8)]
        self.listed: list[int] = []  # the appids that these tiles show
        found = widgets.Box([part for tile in self.found for part in tile.children]).add_class("sbp-list")
        self.filters = named(widgets.ToggleButton, "Filters and mirroring")
        search = widgets.Box([self.search, found]).add_class("sbp-search")
        top = widgets.Box([search, self.filters]).add_class("sbp-top")
        self.options = view.option_widgets(self._matcher, self._settings.matches if self._settings else 10)
        self.status = named(widgets.HTML)
        return [top, panel(self.filters, list(self.options.values())), self._make_draft_panel(), self.status]

    def _make_draft_panel(self) -> widgets.Box:
        self.upload = named(widgets.FileUpload, "Upload pictures", "Upload one or more pictures of yours")
        self.upload.accept, self.upload.multiple = "image/*", True
        self.address = named(widgets.Text, "Picture link", "The web address of a picture", placeholder="https://...")
        self.words = named(widgets.Text, "Describe", "Describe a banner in English")
        self.words.placeholder = "a dragon over a burning castle"
        self.address.continuous_update = self.words.continuous_update = False
        self.draft = named(widgets.ToggleButton, "My draft", "Compare pictures of your own")
        self.why = named(widgets.ToggleButton, "Why?", "The reasons for a match")
        self.ranked = widgets.VBox()
        words, said = [self.words], _PRIVATE
        if self._matcher.encoder is None:
            self.draft.layout.display = self.why.layout.display = "none"
        elif not self._matcher.supports_text:
            reason = self._matcher.encoder.text_unsupported_reason or "Words need the features as they were"
            words, said = [], f"{reason}. {_PRIVATE}"
        said = named(widgets.HTML, value=f'<div class="sbp-note">{escape(said)}</div>')
        return panel(self.draft, [self.upload, self.address, *words, said, self.ranked])

    def _make_body(self) -> widgets.Box:
        """Return the query with its buttons, and the matches."""
        self.card, self.about, self.reasons = map(named, [widgets.HTML] * 3)
        self.random = named(widgets.Button, "Random", "A random game")
        self.back = named(widgets.Button, "Back", "Back to what was shown before")
        self.match = named(widgets.Dropdown, "Match", "The match that is explained", options=[])
        self.heading = named(widgets.HTML, value=view.heading(self._matcher))
        self.grid = widgets.Box().add_class("sbp-grid")
        buttons = widgets.Box([self.why, self.draft, self.random, self.back]).add_class("sbp-buttons")
        about = widgets.Box([self.about, buttons]).add_class("sbp-about")
        query = widgets.Box([self.card, about]).add_class("sbp-query")
        reasons = panel(self.why, [self.match, self.reasons])
        results = widgets.Box([reasons, self.heading, self.grid]).add_class("sbp-results")
        return widgets.Box([query, results]).add_class("sbp-body")

    def _listen(self) -> None:
        texts = {self.search: self._on_type, self.address: self._on_address, self.words: self._on_words}
        others = {self.upload: self._on_upload, self.why: self._on_why, self.match: self._on_why}
        for widget, act in (texts | others | dict.fromkeys(self.options.values(), self._on_option)).items():
            widget.observe(partial(self._handle, act), "value")
        self.search.on_msg(partial(self._handle, self._on_enter))
        self.random.on_click(partial(self._handle, self._on_random))
        self.back.on_click(partial(self._handle, self._on_back))

    def _begin(self) -> None:
        self._offer("")
        first = self._settings.query if self._settings else ""
        found = self._index.find(first, limit=1)
        self.show(found[0] if found else self.listed[0])
        if not found:
            self._say(f"No game here is called “{first}”; this is the most reviewed one.")

    def _answer_at_once(self) -> None:
        """Have what the widgets send handled beside the cells that run, where that is possible.

        A kernel handles messages in turn: after Run All, a click waits until every cell has run. From ipykernel 7.4 on
        the picker's go to a subshell, a thread of the kernel made for such messages. The hook is one that ipykernel
        does not promise to keep; where it is missing, as in older kernels (Colab's is 6.17), the picker answers after
        the cells, as any control does: keep those below it short.
        """
        if not hasattr(getattr(self.comm, "kernel", None), "shell_channel_thread"):
            return
        every: list[widgets.Widget] = [self]
        for widget in every:  # it grows by what is in each
            every += getattr(widget, "children", ())
            setattr(widget.comm, "_reply_subshell_for", self._subshell_for)  # noqa: B010 - ipykernel's name for it

    def _subshell_for(self, _data: object, default: str | None) -> str | None:
        """Return the subshell that handles a message; ipykernel asks in the thread in which subshells are started."""
        manager = self.comm.kernel.shell_channel_thread.manager
        if self._subshell not in manager.list_subshell():
            self._subshell = getattr(manager, "_create_subshell", lambda: default)()
        return self._subshell

    def _on_type(self, change: dict) -> None:
        typed = change["new"].strip()
        self._offer(typed)
        if self.listed:
            self._say("")
        elif typed.isdecimal() and self._settings:
            self._say(f"No game here has the appid {typed}. Press Enter to fetch it from the store.")
        else:
            self._say(f"No game here is called “{typed}”, nor nearly so.")

    def _on_enter(self, _: widgets.Widget, content: dict, __: list) -> None:
        typed = self.search.value.strip()
        if content.get("event") != "submit":
            return
        if self.listed:
            self.show(self.listed[0])
        elif typed.isdecimal() and self._settings:
            self._say(f"Fetching {typed} from the store ...")
            self._look(from_store(int(typed), self._settings))

    def _on_random(self, _: widgets.Button) -> None:
        self.show(int(np.random.default_rng().choice(list(self._index.names))))

    def _on_back(self, _: widgets.Button) -> None:
        before = self._history.pop()
        self._query = None  # so that it is not kept
        self._look(before)

    def _on_option(self, _: dict) -> None:
        if self._query:
            self._look(self._query)

    def _on_words(self, change: dict) -> None:
        text = change["new"].strip()
        if text:
            self.words.value = ""  # the same words again are a change
            self._look(Query(f"“{text}”", words=text))

    def _on_address(self, change: dict) -> None:
        address = change["new"].strip()
        if not address:
            return
        self.address.value = ""
        self._say("Fetching the picture ...")
        if not address.lower().startswith(("http://", "https://")):  # others may use it: no files of this machine
            raise PictureError(f"“{address}” is no web address; it must begin with http:// or https://")
        self._take([banners.own(address, "A picture from the web")], [])

    def _on_upload(self, change: dict) -> None:
        files = change["new"]
        if isinstance(files, dict):  # ipywidgets 7
            files = [{"name": name, "content": file["content"]} for name, file in files.items()]
        if not files:
            return
        self.upload.set_trait("value", type(self.upload.value)())  # the same files again are a change
        self._take(*drafts.decoded([(str(file["name"]), bytes(file["content"])) for file in files]))

    def _take(self, given: list[Banner], skipped: list[str]) -> None:
        """Show how drafts stand: one with its matches, several ranked; nothing of those before stays."""
        self.ranked.children = ()
        if given:
            self._say("Comparing ...")
            among = (self._matcher.features, self._matcher.require_encoder(), self._all_matches, self._matcher.games)
            results = drafts.compare(given, *among, wanted=view.query_options(self.options).filter)
            if len(given) > 1:
                self.ranked.children = tuple(map(self._ranked_row, range(len(given)), results))
            self._look(results[0].query)
            skipped = [results[0].query.note, *skipped]
        self._say(" ".join(skipped))

    def _on_why(self, _: dict) -> None:
        query, appid = self._query, self.match.value
        if not self.why.value or query is None or appid is None:
            return
        self._say("Looking for the reasons ...")
        asked, reason = self._matcher.reason(query, view.query_options(self.options), self._album[appid])
        figure = show.reasons(reason, asked, self._album[appid])
        image = f'<img class="sbp-figure" src="{data_address(figure.jpeg())}" alt="{escape(figure.alt)}">'
        self.reasons.value = f"{image}<p>{escape(show.reasons_sentence(reason))}</p>"
        self._say(query.note)

    def _look(self, query: Query) -> None:
        """Find and show the matches of a query; whatever was said or explained about another one goes."""
        self.search.value = ""
        options = view.query_options(self.options)
        self.matches = self._matcher.matches_of(query, options)
        if self._query and self._query != query:
            self._history.append(self._query)
        self._query = query
        self.back.disabled = not self._history
        self._show_query(query, f"scale({1 - 2 * options.mirrored},{1 - 2 * options.upside_down})")
        self._tiles += [Tile(self._on_game) for _ in self.matches[len(self._tiles) :]]
        shown = zip(self._tiles, self.matches, strict=False)
        self.grid.children = tuple(tile.fill(*self._parts(*match)) for tile, match in shown)
        self.why.value = False
        self.reasons.value = ""
        self.match.options = [(shortened(str(each.button.tooltip), 60), each.key) for each in self.grid.children]
        self.match.index = 0 if self.matches else None  # ipywidgets 7 chooses the first by itself, 8 does not
        self._say(query.note if self.matches else "Nothing is left: no other game passes these options.")
        self._answer_at_once()  # by tiles that are new, too

    def _show_query(self, query: Query, turn: str) -> None:
        name = f"<bdi>{escape(query.name)}</bdi>"
        if query.words:
            self.card.value, self.about.value = f'<div class="sbp-words">{name}</div>', ""
            return
        image = f'<img src="{data_address(query.jpeg)}" alt="{escape(query.name)}" style="transform:{turn}">'
        note = self._note(query.appid, "" if query.appid is None else f"appid {query.appid}")
        self.card.value, self.about.value = image, f'<div class="sbp-name" role="status">{name}</div>{note}'

    def _say(self, text: str) -> None:
        """Show a sentence above the matches, or nothing; a screen reader says it when it comes."""
        self.status.value = f'<div class="sbp-said" role="status">{escape(text)}</div>' if text else ""

    def _offer(self, typed: str) -> None:
        """List the games that somebody may mean below the search box."""
        self.listed = self._index.find(typed, limit=len(self.found))
        for tile, appid in zip_longest(self.found, self.listed):
            tile.button.layout.display = "none" if appid is None else None
            if appid is not None:
                tile.fill(appid, self._index.names[appid], self._picture(appid, view.THUMBNAIL))
                tile.button.description = str(tile.button.tooltip)

    def _ranked_row(self, at: int, result: drafts.DraftResult) -> widgets.Box:
        """Return a draft beside its three nearest games."""
        own = Tile(lambda _: self._handle(self._look, result.query))
        own.fill(at, result.draft.name, small(result.draft, view.TILE))
        said = named(widgets.HTML, value=f"<p>{at + 1}. {escape(str(result))}</p>")
        found = zip(result.appids[:3].tolist(), result.cosines, strict=False)
        near = [Tile(self._on_game).fill(*self._parts(*match)) for match in found]
        return widgets.Box([own, said, *near]).add_class("sbp-draft")

    def _parts(self, appid: int, cosine: float) -> tuple[int, str, str, str]:
        """Return what a tile shows of a match: its appid, name, picture and note."""
        return appid, self._index.names[appid], self._picture(appid, view.TILE), self._note(appid, f"{cosine:.2f}")

    def _note(self, appid: int | None, text: str) -> str:
        """Return a number, and a small link to the store where there is one, as HTML."""
        link = ""
        page = self._settings.store_page if self._settings else None
        if appid and page:
            label = escape(f"{self._index.names.get(appid, 'This game')} in the store, in a new tab")
            link = f'<a href="{page.format(appid=appid)}" target="_blank" rel="noopener" aria-label="{label}">Store</a>'
        return f'<div class="sbp-note">{escape(text)} {link}</div>'


pick = Picker  # as the notebooks say it
