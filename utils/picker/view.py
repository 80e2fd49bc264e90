"""What the picker is made of: tiles, options and boxes, and the HTML in them.

Plain ipywidgets only (7.7 and 8), so that it works in JupyterLab, Voila, Colab and VS Code; picker.css lays them out,
and picker.js adds keys, scrolling and roles for screen readers, none of which is needed to use it. Names are text that
anybody may have written: whatever is in them, it is shown as text.
"""

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from html import escape
from pathlib import Path
from typing import Any, TypeVar

import ipywidgets as widgets
from PIL import Image

from utils import filters, names
from utils.banners import Banner
from utils.errors import PlainError
from utils.filters import Filter
from utils.images import open_picture
from utils.picker.queries import Matcher, QueryOptions

CLASS = "steam-banner-picker"
TILE = (160, 240)  # pixels that are sent of a match, which is shown 110 wide
THUMBNAIL = (56, 84)

# On ipywidgets 8, and 7; a button's is always "tooltip".
_TOOLTIP = "tooltip" if "tooltip" in widgets.Text.class_trait_names() else "description_tooltip"

W = TypeVar("W", bound=widgets.Widget)


class Tile(widgets.VBox):
    """A banner that is a button, and what stands below it; a click is told the key: a game's appid, a draft's place."""

    def __init__(self, on_click: Callable[[int], None]) -> None:
        self.key = 0
        self.button, self.label = named(widgets.Button), named(widgets.HTML)
        super().__init__([self.button, self.label])
        self.button.add_class("sbp-banner").add_class(f"sbp-{self.model_id}")
        self.button.on_click(lambda _: on_click(self.key))
        self.add_class("sbp-tile")

    def fill(self, key: int, name: str, picture: str, note: str = "") -> "Tile":
        """Show a banner, a data: address or nothing, with its name, and a note as HTML; return the tile."""
        self.key = key
        self.button.tooltip = names.visible(name) or str(key)  # no HTML is read there
        rule = f".{CLASS} .sbp-{self.model_id}{{background-image:url({picture})}}" if picture else ""
        self.label.value = f'<style>{rule}</style><div class="sbp-name"><bdi>{escape(name)}</bdi></div>{note}'
        return self


def option_widgets(matcher: Matcher, k: int) -> dict[str, Any]:
    """Return the widgets of what can be chosen, by the names of QueryOptions and Filter."""
    check, whole = partial(named, widgets.Checkbox, indent=False), partial(named, widgets.BoundedIntText)
    options: dict[str, Any] = {
        "k": whole("Matches", min=1, max=100, value=k),
        "distinct": check("Hide near-duplicates"),
        "least": named(widgets.BoundedFloatText, "Similarity at least", min=-1.0, max=1.0, step=0.05, value=-1.0),
    }
    if matcher.encoder is not None:
        options["mirrored"] = check("Mirrored")
        options["upside_down"] = check("Upside down")
        options["mirrored_copies"] = check("Also look for mirrored copies")
    if matcher.games is not None:
        tags = filters.tags(matcher.games)
        years = set(filters.release_years(matcher.games).tolist()) - {0} or {0}
        first, last = min(years), max(years)
        options["exclude_same_studio"] = check("Hide games by the same makers")
        tags = [("any", ""), *zip(tags, tags, strict=True)]
        options["tag"] = named(widgets.Dropdown, "Tag", options=tags, value="")
        options["since"] = whole("Released from", min=first, max=last, value=first)
        options["until"] = whole("Released until", min=first, max=last, value=last)
        options["score"] = whole("Good reviews at least (%)", min=0, max=100, step=5, value=0)
    return options


def query_options(options: Mapping[str, Any]) -> QueryOptions:
    """Return what the widgets of `option_widgets` say."""
    values = {name: option.value for name, option in options.items()}
    for name, bound in (("since", "min"), ("until", "max")):
        if name in values and values[name] == getattr(options[name], bound):
            values[name] = None  # games of an unknown year pass as well
    wanted = {name: values.pop(name) for name in ("tag", "since", "until", "score") if name in values}
    return QueryOptions(**values, filter=Filter(**wanted))


def heading(matcher: Matcher) -> str:
    """Return the line above the matches, as HTML: how they were found stands behind an i."""
    manifest = matcher.features.manifest
    how = ", ".join(str(manifest[part]) for part in ("pooling", "image", "preparation") if part in manifest)
    said = escape(f"The network is {manifest.get('checkpoint', 'unnamed')} ({how}).")
    hidden = f'<details class="sbp-how"><summary aria-label="How they were found">i</summary>{said}</details>'
    untrained = "This network was never trained: what you see shows how this works, not what looks alike."
    warning = "" if manifest.get("trained", True) else f'<div class="sbp-said">{untrained}</div>'
    return f"{warning}<div><b>Most similar.</b> The number is the similarity. {hidden}</div>"


def still(shown: Iterable[tuple[str, str, str]]) -> str:
    """Return banners, each a name, a data: address or nothing, and a note as HTML, as a page that needs no kernel."""
    style = "display:inline-block;vertical-align:top;margin:4px 12px 12px 0;max-width:160px"
    tiles = [
        f'<div style="{style}"><img src="{source}" alt="{escape(name)}" width="160" height="240">'
        f"<div><bdi>{escape(name)}</bdi></div>{note}</div>"
        for name, source, note in shown
    ]
    return f"<div><p>A still of the picker, which comes alive where a kernel runs.</p>{''.join(tiles)}</div>"


def style_and_script() -> str:
    """Return the style sheet, and the script, which runs as the error of a picture that is none, as HTML."""
    style = Path(__file__).with_name("picker.css").read_text()
    script = " ".join(Path(__file__).with_name("picker.js").read_text().split())
    return f'<style>{style}</style><img alt="" hidden src="data:," onerror="{escape(script)}">'


def named(kind: type[W], label: str = "", tooltip: str = "", **traits: Any) -> W:  # noqa: ANN401
    """Return a widget with its label and tooltip; without one, browsers show "null"."""
    is_button = issubclass(kind, widgets.Button | widgets.ToggleButton)
    return kind(**{"description": label, "tooltip" if is_button else _TOOLTIP: tooltip or label}, **traits)


def panel(button: widgets.ToggleButton, children: Sequence[widgets.Widget]) -> widgets.Box:
    """Return a box that is there while a button is pressed."""
    made = widgets.Box(children).add_class("sbp-panel")
    widgets.dlink((button, "value"), (made.layout, "display"), lambda pressed: None if pressed else "none")
    return made


def data_address(jpeg: bytes) -> str:
    """Return a JPEG as a data: address."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def small(banner: Banner | None, size: tuple[int, int]) -> str:
    """Return a banner of `size` pixels as a data: address, or nothing where it is missing or broken."""
    try:
        picture = open_picture(banner.jpeg if banner else b"").convert("RGB")
    except PlainError:
        return ""
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.HAMMING).save(file, "JPEG", quality=80)
    return data_address(file.getvalue())
