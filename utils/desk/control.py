"""The desk as a control: upload drafts, choose a tag, and see how they stand."""

from collections.abc import Callable, Mapping
from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets
import pandas as pd

from utils import banners, filters, matching
from utils.banners import Banner
from utils.desk.verdict import RELATIVE, Verdict, compare
from utils.errors import PlainError

if TYPE_CHECKING:
    from utils.encoder import Encoder

_ALL = "all games"
_WIDTH = "900px"
_HOW = (
    "Drafts stay with this kernel: they are not stored, and not sent anywhere else. On Colab an upload breaks above "
    "1 MB: put the file into the Files pane at the left instead, and its path into DRAFT."
)


def open_desk(
    prepared: matching.Prepared,
    encoder: "Encoder",
    album: Mapping[int, Banner],
    matches: matching.Matches | None = None,
    catalogue: pd.DataFrame | None = None,
) -> "Desk":
    """Return a control that compares the drafts that are uploaded to it with all games, or with those of a tag."""
    return Desk(prepared, encoder, album, matches, catalogue)


class Desk(widgets.VBox):
    """The control that `open_desk` returns: `verdicts` are those of the drafts uploaded last."""

    def __init__(
        self,
        prepared: matching.Prepared,
        encoder: "Encoder",
        album: Mapping[int, Banner],
        matches: matching.Matches | None,
        catalogue: pd.DataFrame | None,
    ) -> None:
        self._games = (prepared, encoder, matches, catalogue)
        self._album = album
        self._drafts: list[Banner] = []
        self.verdicts: list[Verdict] = []
        tags = [] if catalogue is None else filters.tags(catalogue)
        self.upload = widgets.FileUpload(accept="image/*", multiple=True, description="Upload drafts")
        self.tag = widgets.Dropdown(options=[_ALL, *tags], description="Among")
        self.status = widgets.HTML()
        self.results = widgets.VBox()
        choices = widgets.Box([self.upload, self.tag], layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([widgets.HTML(escape(_HOW)), choices, self.status, self.results])
        self.upload.observe(self._on_upload, "value")
        self.tag.observe(self._on_tag, "value")

    def _on_upload(self, change: dict) -> None:
        files = change["new"]
        if isinstance(files, dict):  # ipywidgets 7
            files = [{"name": name, "content": file["content"]} for name, file in files.items()]
        self._try(lambda: [banners.own(bytes(file["content"]), str(file["name"])) for file in files])

    def _on_tag(self, _: dict) -> None:
        self._try(lambda: self._drafts)

    def _try(self, take: Callable[[], list[Banner]]) -> None:
        """Take drafts and show how they stand, or say why not."""
        self.status.value = ""
        try:
            self._drafts = take()
            self._show_verdicts()
        except PlainError as error:
            self.status.value = escape(str(error))

    def _show_verdicts(self) -> None:
        tag = "" if self.tag.value == _ALL else self.tag.value
        prepared, encoder, matches, catalogue = self._games
        self.verdicts = []
        shown = []
        for draft in self._drafts:
            verdict = compare(draft, prepared, encoder, matches=matches, catalogue=catalogue, tag=tag)
            self.verdicts.append(verdict)
            figure = verdict.figure(self._album)
            shown.append(widgets.HTML(f"<p>{escape(str(verdict))} {escape(RELATIVE)}</p>"))
            shown.append(widgets.Image(value=figure.jpeg(), format="jpeg", layout=widgets.Layout(max_width=_WIDTH)))
        self.results.children = tuple(shown)
