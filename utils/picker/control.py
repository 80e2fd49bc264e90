"""The control itself: what somebody does, and what follows."""

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd

from utils import banners
from utils.errors import PlainError
from utils.picker import keys
from utils.picker.finding import Eye, matches_of
from utils.picker.panel import Panel
from utils.picker.queries import NoPicture, Query, from_bytes, from_store, from_web, index_of
from utils.picker.screen import Screen, Shop

_LOG = logging.getLogger(__name__)


def _guarded(act: Callable[..., None]) -> Callable[..., None]:
    """Let an event's handler say its errors in the control: a traceback would end where nobody looks."""

    @wraps(act)
    def guarded(self: "Picker", *event: Any) -> None:  # noqa: ANN401 - a button, a change or a message
        try:
            act(self, *event)
        except PlainError as error:
            self.say(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must be seen
            _LOG.exception("an event of the picker failed")
            self.say(f"That did not work: {error}")

    return guarded


class Picker(widgets.VBox):
    """The control that `pick` returns: `appid` is the game shown, `matches` its matches with their cosines."""

    def __init__(
        self,
        eyes: Mapping[str, Eye],
        album: Mapping[int, banners.Banner],
        catalogue: pd.DataFrame | None,
        shop: Shop,
        *,
        default: int | str | None,
        k: int,
    ) -> None:
        self._eyes = eyes
        self._album = album
        self._catalogue = catalogue
        self._shop = shop
        self._index = index_of(next(iter(eyes.values())).features, catalogue)
        self._query: Query | None = None
        self._history: list[Query] = []
        self.matches: list[tuple[int, float]] = []
        self.panel = Panel(k, list(eyes), catalogue, encodes=any(eye.encoder for eye in eyes.values()))
        self._screen = Screen(self.panel, album, self._index.names, shop, on_more=self._on_more)
        super().__init__([self.panel.whole()])
        self.add_class(keys.CLASS)
        self._listen()
        self._begin(default)

    @property
    def appid(self) -> int | None:
        """The game whose matches are shown; None at a picture of one's own, or words."""
        return self._query.appid if self._query else None

    def show(self, appid: int) -> None:
        """Show the matches of a game; raises NoPicture if its banner is not on disk."""
        name = self._index.names.get(appid, str(appid))
        banner = self._album.get(appid)
        if banner is None:
            raise NoPicture(f"The banner of {name} is not on disk.")
        self._look(Query(name, banner.jpeg, appid, here=True))

    def say(self, text: str) -> None:
        """Show a sentence above the matches, or nothing."""
        self._screen.say(text)

    def _ipython_display_(self, **_: Any) -> None:  # noqa: ANN401 - ipywidgets passes what it likes
        """Show the control where a kernel runs, and a still of it elsewhere."""
        from IPython.display import display

        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        data = {"text/plain": "The picker", "application/vnd.jupyter.widget-view+json": view}
        display(data | {"text/html": self._screen.still(self._query, self.matches)}, raw=True)

    def _listen(self) -> None:
        panel = self.panel
        panel.search.observe(self._on_type, "value")
        panel.search.on_msg(self._on_enter)
        panel.shortlist.observe(self._on_choose, "index")
        panel.random.on_click(self._on_random)
        panel.back.on_click(self._on_back)
        panel.address.observe(self._on_address, "value")
        panel.upload.observe(self._on_upload, "value")
        panel.words.observe(self._on_words, "value")
        for option in panel.options():
            option.observe(self._on_option, "value")

    @_guarded
    def _begin(self, default: int | str | None) -> None:
        self._screen.introduce(self._eye)
        self._offer(self._index.find(""))
        if not self._index.names:
            raise NoPicture("There are no features yet: nothing to pick from.")
        found = self._index.find(str(default or ""), limit=1)
        self.show(found[0] if found else next(iter(self._index.names)))
        if not found:
            self.say(f"No game here is called “{default}”; this is the most reviewed one.")

    @_guarded
    def _on_type(self, _: dict) -> None:
        typed = self.panel.search.value
        self._offer(self._index.find(typed))
        self.say("" if self.panel.shortlist.options else self._nothing(typed))

    @_guarded
    def _on_enter(self, _: widgets.Widget, content: dict, __: list) -> None:
        if content.get("event") != "submit":
            return
        typed = self.panel.search.value.strip()
        if self.panel.shortlist.options:
            self.show(self.panel.shortlist.options[0][1])
        elif typed.isdecimal() and self._shop.settings:
            self.say(f"Asking the store for {typed} ...")
            self._look(from_store(int(typed), self._shop.settings))

    @_guarded
    def _on_choose(self, change: dict) -> None:
        if change["new"] is not None:
            self.show(self.panel.shortlist.options[change["new"]][1])

    @_guarded
    def _on_random(self, _: widgets.Button) -> None:
        self.show(int(np.random.default_rng().choice(list(self._index.names))))

    @_guarded
    def _on_more(self, appid: int) -> None:
        self.show(appid)

    @_guarded
    def _on_back(self, _: widgets.Button) -> None:
        before = self._history.pop()
        self._query = None
        self._look(before)

    @_guarded
    def _on_address(self, change: dict) -> None:
        if change["new"].strip():
            self._look(from_web(change["new"].strip()))

    @_guarded
    def _on_upload(self, change: dict) -> None:
        files = change["new"].values() if isinstance(change["new"], dict) else change["new"]  # ipywidgets 7, 8
        for file in files:
            self._look(from_bytes(bytes(file["content"]), "Your picture"))

    @_guarded
    def _on_words(self, change: dict) -> None:
        if change["new"].strip():
            text = change["new"].strip()
            self._look(Query(f"“{text}”", words=text))

    @_guarded
    def _on_option(self, _: dict) -> None:
        self._screen.introduce(self._eye)
        if self._query:
            self._look(self._query)

    @property
    def _eye(self) -> Eye:
        return self._eyes[self.panel.eye.value]

    def _offer(self, found: list[int]) -> None:
        # ipywidgets 7 picks the first of new options by itself: nobody chose that
        self.panel.shortlist.unobserve(self._on_choose, "index")
        self._screen.offer(found)
        self.panel.shortlist.observe(self._on_choose, "index")

    def _nothing(self, typed: str) -> str:
        if typed.strip().isdecimal() and self._shop.settings:
            return f"No game here has the appid {typed.strip()}. Press Enter to fetch it from the store."
        return f"No game here is called “{typed}”, nor nearly so."

    def _look(self, query: Query) -> None:
        """Find and show the matches of a query."""
        wishes = self.panel.wishes()
        self.matches = matches_of(self._eye, query, wishes, self._catalogue)
        if self._query and self._query != query:
            self._history.append(self._query)
        self._query = query
        self.panel.back.disabled = not self._history
        self._screen.show(query, self.matches, wishes)
