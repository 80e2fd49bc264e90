"""The picker's widgets and where they stand; what they do is control.py's."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import ipywidgets as widgets
import numpy as np
import pandas as pd

from utils import filters, names
from utils.filters import Filter
from utils.picker import html, keys
from utils.picker.finding import Wishes

ANY_TAG = "any"

_ROWS = 8  # of the short list
_MOST = 40  # matches that can be asked for
_LABEL = 17  # characters on the button below a match
# On ipywidgets 8, and 7; a button's is always "tooltip".
_TOOLTIP = "tooltip" if "tooltip" in widgets.Text.class_trait_names() else "description_tooltip"

W = TypeVar("W", bound=widgets.Widget)


class Panel:
    """All widgets, made for the eyes, tags and years that there are. A widget that makes no sense is not shown."""

    def __init__(self, k: int, eyes: Sequence[str], catalogue: pd.DataFrame | None, *, encodes: bool) -> None:
        self._make_search()
        self._make_own()
        self._make_options(k, eyes)
        self._make_filters(catalogue)
        self.looking = _html()
        self.status = _html()
        self.grid = widgets.Box(layout=widgets.Layout(flex_flow="row wrap"))
        self._turns = [self.mirrored, self.upside_down, self.mirrored_copies] if encodes else []
        self._filters = [self.tag, self.years, self.score] if catalogue is not None else []
        self._own = [self.address, self.upload, self.words, self.silence] if encodes else []

    def _make_search(self) -> None:
        self.search = _text("Search", "Part of a name, or an appid", "Type a part of a game's name, or its appid")
        self.search.add_class(f"{keys.CLASS}-search")
        self.shortlist = _labelled(widgets.Select, "Games", "Games found", options=[], rows=_ROWS)
        self.random = _button("A random game", "random")
        self.back = _button("Back", "arrow-left", "Back to what was shown before")
        self.back.disabled = True
        self.card = _html()

    def _make_own(self) -> None:
        self.address = _text("Address", "https://... a picture of yours", "The web address of a picture")
        self.address.continuous_update = False
        self.upload = widgets.FileUpload(accept="image/*", description="Upload a picture", layout=_wide())
        setattr(self.upload, _TOOLTIP, "Upload a picture of yours")
        self.words = _text("Describe", "a dragon over a burning castle", "Describe a banner in English")
        self.words.continuous_update = False
        self.silence = _html()

    def _make_options(self, k: int, eyes: Sequence[str]) -> None:
        self.number = _option(widgets.IntSlider, "Matches", 260, value=k, min=1, max=max(_MOST, k))
        self.eye = _option(widgets.Dropdown, "Eye", 300, options=list(eyes))
        self.others = _check("Only other people's games")
        self.distinct = _check("Hide near-duplicates")
        self.mirrored = _check("Mirrored")
        self.upside_down = _check("Upside down")
        self.mirrored_copies = _check("Also look for mirrored copies")
        self.least = _option(widgets.FloatSlider, "Cosine at least", 260, value=-1.0, min=-1, max=1, step=0.05)

    def _make_filters(self, catalogue: pd.DataFrame | None) -> None:
        tags = [] if catalogue is None else filters.tags(catalogue)
        self.tag = _option(widgets.Dropdown, "Tag", 220, options=[ANY_TAG, *tags])
        self.years = _option(widgets.IntRangeSlider, "Released", 260, **_years(catalogue))
        self.score = _option(widgets.IntSlider, "Reviews at least (%)", 260, value=0, min=0, max=100, step=5)

    def whole(self) -> widgets.Widget:
        """Return all of it: two columns, one below the other where the page is narrow."""
        left = widgets.VBox(
            [self.search, self.shortlist, _row([self.random, self.back]), self.card, *self._own],
            layout=widgets.Layout(flex="1 1 280px", min_width="0", margin="0 20px 0 0"),
        )
        right = widgets.VBox(
            [self.looking, self._first_options(), self._more(), self.status, self.grid],
            layout=widgets.Layout(flex="999 1 360px", min_width="0"),
        )
        return _row([left, right, _html(keys.html(), display="none")])

    def options(self) -> list[widgets.Widget]:
        """Return the widgets whose value changes what is found."""
        shown = [self.number, self.eye, self.others, self.distinct, self.least]
        return [*shown, *self._turns, *self._filters]

    def wishes(self) -> Wishes:
        """Return what the widgets say."""
        return Wishes(
            k=self.number.value,
            mirrored=self.mirrored.value,
            upside_down=self.upside_down.value,
            mirrored_copies=self.mirrored_copies.value,
            others=self.others.value,
            distinct=self.distinct.value,
            least=self.least.value,
            filter=self._filter(),
        )

    def _filter(self) -> Filter:
        tag = "" if self.tag.value == ANY_TAG else self.tag.value
        since, until = self.years.value
        return Filter(
            tag=tag,
            since=None if since == self.years.min else since,
            until=None if until == self.years.max else until,
            score=self.score.value,
        )

    def _first_options(self) -> widgets.Widget:
        others = [self.others] if self._filters else []
        eyes = [self.eye] if len(self.eye.options) > 1 else []
        return _row([self.number, *eyes, *others, self.distinct])

    def _more(self) -> widgets.Widget:
        folded = widgets.Accordion([_row([*self._turns, self.least, *self._filters])], selected_index=None)
        folded.set_title(0, "Turn the query, and filter")
        return folded


class Cell(widgets.VBox):
    """A match: its banner and name, and the button that makes it the next query."""

    def __init__(self, on_more: Callable[[int], None]) -> None:
        self.appid = 0
        self.label = _html(margin="0")
        self.more = _button("More like this")
        self.more.layout.margin = "4px 0 0 0"
        self.more.on_click(lambda _: on_more(self.appid))
        layout = widgets.Layout(width=f"{html.TILE[0]}px", margin="4px 16px 16px 4px")
        super().__init__([self.label, self.more], layout=layout)

    def fill(self, appid: int, name: str, content: str) -> None:
        """Show a game here, from its HTML."""
        self.label.value = content
        self.appid = appid
        line = names.visible(name) or str(appid)
        self.more.description = f"More like {names.shortened(line, _LABEL)}"
        self.more.tooltip = f"More like {line}"


def _html(content: str = "", **layout: str) -> widgets.HTML:
    """Return a place for HTML, with an empty tooltip: without one, browsers show "null"."""
    return widgets.HTML(**{"value": content, "layout": widgets.Layout(**layout), _TOOLTIP: ""})


def _wide() -> widgets.Layout:
    return widgets.Layout(width="auto", min_width="0")


def _row(children: Sequence[widgets.Widget]) -> widgets.Box:
    return widgets.Box(children, layout=widgets.Layout(flex_flow="row wrap"))


def _labelled(kind: type[W], label: str, tooltip: str, **values: Any) -> W:  # noqa: ANN401 - traits
    """Return a widget as wide as its column, with its label above it for the eye and for screen readers."""
    named = {"description": label, _TOOLTIP: tooltip, "layout": _wide()}
    return kind(**named, style={"description_width": "64px"}, **values)


def _text(label: str, placeholder: str, tooltip: str) -> widgets.Text:
    return _labelled(widgets.Text, label, tooltip, placeholder=placeholder)


def _button(label: str, icon: str = "", tooltip: str = "") -> widgets.Button:
    button = widgets.Button(description=label, icon=icon, layout=_wide())
    button.tooltip = tooltip or label
    return button


def _option(kind: type[W], label: str, width: int, **values: Any) -> W:  # noqa: ANN401 - traits
    layout = widgets.Layout(width=f"{width}px", margin="2px 16px 2px 4px")
    if "continuous_update" in kind.class_trait_names():
        values["continuous_update"] = False
    named = {"description": label, _TOOLTIP: label}
    return kind(**named, layout=layout, style={"description_width": "initial"}, **values)


def _check(label: str) -> widgets.Checkbox:
    layout = widgets.Layout(width="auto", margin="2px 16px 2px 4px")
    return widgets.Checkbox(**{"description": label, "indent": False, "layout": layout, _TOOLTIP: label})


def _years(catalogue: pd.DataFrame | None) -> dict[str, Any]:
    """Return the range of release years, from the first to the last."""
    years = np.array([]) if catalogue is None else filters.release_years(catalogue)
    years = years[years > 0]
    first, last = (int(years.min()), int(years.max())) if len(years) else (0, 0)
    return {"value": (first, last), "min": first, "max": last}
