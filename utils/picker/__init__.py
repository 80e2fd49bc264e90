"""The control in which a person picks a game, or a draft, and sees whose banners look most alike.

Names are searched in the kernel, so that only a short list is sent, whatever the number of games.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from utils import show
from utils.banners import Banner
from utils.errors import MatchError, PictureError, PlainError
from utils.picker import drafts, live
from utils.picker.drafts import DraftResult
from utils.picker.queries import Matcher, Query, find, from_address, from_banner, from_store, index_of
from utils.picker.view import CLASS, View
from utils.settings import STORE_PAGE

if TYPE_CHECKING:
    from utils.encoder import Encoder
    from utils.features import Features
    from utils.matching import Matches, Prepared
    from utils.settings import Settings

__all__ = ["Picker", "drafts", "find", "pick"]

_LOG = logging.getLogger(__name__)


def pick(
    prepared: "Prepared",
    encoder: "Encoder | None",
    album: Mapping[int, Banner],
    games: pd.DataFrame | None = None,
    matches: "Matches | None" = None,
    *,
    settings: "Settings | None" = None,
    plain: "Features | None" = None,
    threshold: float = 0.95,
) -> "Picker":
    """Return the control, showing the game of the settings' QUERY, or the most reviewed one.

    encoder: that of the features; without it there are no pictures of one's own, reasons, words or mirroring. album:
    appid -> Banner. games: the catalogue, for reviews, filters and makers. matches: of all games, so that drafts need
    not compute them. settings: to begin with their QUERY and MATCHES, to fetch games that have no features here, and
    to link Steam's pages. plain: the features before they were prepared, for words. threshold: the cosine from which
    two banners are near-duplicates.
    """
    matcher = Matcher(prepared, encoder, games, plain, threshold)
    return Picker(matcher, album, matches, settings)


def _guarded(act: Callable[..., None]) -> Callable[..., None]:
    """Let an event's handler say its errors in the control: a traceback would end where nobody looks.

    One handler runs at a time, in whatever thread its message comes.
    """

    @wraps(act)
    def guarded(self: "Picker", *event: Any) -> None:  # noqa: ANN401 - a button, a change or a message
        with self._lock:
            try:
                act(self, *event)
            except PlainError as error:
                self.view.say(str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must be seen
                _LOG.exception("an event of the picker failed")
                self.view.say(f"That did not work: {error}")

    return guarded


class Picker(widgets.VBox):
    """The control that `pick` returns: `appid` is the game shown, `matches` its matches with their cosines."""

    def __init__(
        self,
        matcher: Matcher,
        album: Mapping[int, Banner],
        matches: "Matches | None",
        settings: "Settings | None",
    ) -> None:
        self._lock = threading.RLock()
        self._matcher = matcher
        self._album = album
        self._all_matches = matches
        self._settings = settings
        self._index = index_of(matcher.features, matcher.games)
        self._query: Query | None = None
        self._history: list[Query] = []
        self.matches: list[tuple[int, float]] = []
        self.results: list[DraftResult] = []  # of the drafts that were given last, the most distinctive first
        self.view = View(matcher, album, self._index.names, self._page_of, self._on_game)
        super().__init__(self.view.whole())
        self.add_class(CLASS)
        self._begin()
        self._listen()
        live.answer_at_once(self)

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
        self._look(Query(name, banner.jpeg, appid, here=True))

    def _ipython_display_(self, **_: Any) -> None:  # noqa: ANN401 - ipywidgets passes what it likes
        """Show the control where a kernel runs, and a still of it elsewhere."""
        from IPython.display import display

        data = {"text/plain": "The picker", "text/html": self._query and self.view.still(self._query, self.matches)}
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        display(data | {"application/vnd.jupyter.widget-view+json": view}, raw=True)

    def _page_of(self, appid: int | None) -> str:
        """Return the address of a game's store page, or nothing away from Steam."""
        has_pages = self._settings is not None and self._settings.source == "steam"
        return STORE_PAGE.format(appid=appid) if has_pages and appid else ""

    def _listen(self) -> None:
        view = self.view
        view.search.observe(self._on_type, "value")
        view.search.on_msg(self._on_enter)
        for at, button in enumerate(view.found):
            button.on_click(lambda _, at=at: self._on_found(at))
        view.random.on_click(self._on_random)
        view.back.on_click(self._on_back)
        view.why.observe(self._on_why, "value")
        view.match.observe(self._on_why, "value")
        view.upload.observe(self._on_upload, "value")
        view.address.observe(self._on_address, "value")
        view.words.observe(self._on_words, "value")
        for option in view.options.values():
            option.observe(self._on_option, "value")

    @_guarded
    def _begin(self) -> None:
        names = self._index.names
        if not names:
            raise MatchError("There are no features yet: nothing to pick from.")
        self.view.offer(self._index.find(""))
        first = str(self._settings.query or "") if self._settings else ""
        if self._settings:
            self.view.options["k"].value = self._settings.matches
        found = self._index.find(first, limit=1)
        self.show(found[0] if found else next(iter(names)))
        if not found:
            self.view.say(f"No game here is called “{first}”; this is the most reviewed one.")

    @_guarded
    def _on_type(self, change: dict) -> None:
        typed = change["new"].strip()
        self.view.offer(self._index.find(typed))
        if self.view.listed:
            self.view.say("")
        elif typed.isdecimal() and self._settings:
            self.view.say(f"No game here has the appid {typed}. Press Enter to fetch it from the store.")
        else:
            self.view.say(f"No game here is called “{typed}”, nor nearly so.")

    @_guarded
    def _on_enter(self, _: widgets.Widget, content: dict, __: list) -> None:
        typed = self.view.search.value.strip()
        if content.get("event") != "submit":
            return
        if self.view.listed:
            self._on_found(0)
        elif typed.isdecimal() and self._settings:
            self.view.say(f"Fetching {typed} from the store ...")
            self._look(from_store(int(typed), self._settings))

    @_guarded
    def _on_found(self, at: int) -> None:
        self.show(self.view.listed[at])

    @_guarded
    def _on_game(self, appid: int) -> None:
        self.show(appid)

    @_guarded
    def _on_random(self, _: widgets.Button) -> None:
        self.show(int(np.random.default_rng().choice(list(self._index.names))))

    @_guarded
    def _on_back(self, _: widgets.Button) -> None:
        before = self._history.pop()
        self._query = None
        self._look(before)

    @_guarded
    def _on_option(self, _: dict) -> None:
        if self._query:
            self._look(self._query)

    @_guarded
    def _on_words(self, change: dict) -> None:
        text = change["new"].strip()
        if text:
            self.view.words.value = ""  # the same words again are a change
            self._look(Query(f"“{text}”", words=text))

    @_guarded
    def _on_address(self, change: dict) -> None:
        address = change["new"].strip()
        if address:
            self.view.address.value = ""
            self.view.say("Fetching the picture ...")
            self._take([from_address(address)], [])

    @_guarded
    def _on_upload(self, change: dict) -> None:
        files = change["new"]
        if isinstance(files, dict):  # ipywidgets 7
            files = [{"name": name, "content": file["content"]} for name, file in files.items()]
        if not files:
            return
        self.view.upload.set_trait("value", type(self.view.upload.value)())  # the same files again are a change
        self._take(*drafts.decoded([(str(file["name"]), bytes(file["content"])) for file in files]))

    def _take(self, given: list[Banner], skipped: list[str]) -> None:
        """Show how drafts stand: one with its matches, several ranked; nothing of those before stays."""
        self.results = []
        self.view.rank([], self._on_draft)
        if given:
            self.view.say("Comparing ...")
            wanted = self.view.query_options().filter
            matcher = self._matcher
            self.results = drafts.compare(
                given,
                matcher.features,
                matcher.require_encoder(),
                self._all_matches,
                matcher.games,
                wanted=wanted,
                threshold=matcher.threshold,
            )
            if len(given) > 1:
                self.view.rank(self.results, self._on_draft)
            self._on_draft(0)
        said = [self._query.note] if given and self._query else []
        self.view.say(" ".join([*said, *skipped]))

    @_guarded
    def _on_draft(self, at: int) -> None:
        self._look(from_banner(self.results[at].draft, self.results[at].sentence))

    @_guarded
    def _on_why(self, _: dict) -> None:
        view, query, appid = self.view, self._query, self.view.match.value
        if not view.why.value or query is None or appid is None:
            return
        view.say("Looking for the reasons ...")
        asked, reason = self._matcher.reason(query, view.query_options(), self._album[appid])
        figure = show.reasons(reason, asked, self._album[appid])
        view.explain(figure.jpeg(), figure.alt, show.reasons_sentence(reason))
        view.say(query.note)

    def _look(self, query: Query) -> None:
        """Find and show the matches of a query."""
        self.view.search.value = ""
        options = self.view.query_options()
        self.matches = self._matcher.matches_of(query, options)
        if self._query and self._query != query:
            self._history.append(self._query)
        self._query = query
        self.view.back.disabled = not self._history
        self.view.show(query, self.matches, options)
