"""The picker's HTML. Names are text that anybody may have written: whatever is in them, it is shown as text."""

import base64
import io
from html import escape

from PIL import Image

from utils.banners import Banner, open_picture

TILE = (160, 240)  # pixels of a match
LARGE = (220, 330)  # pixels of the query

_QUALITY = 80
_CLAMP = "display:-webkit-box;-webkit-box-orient:vertical;overflow:hidden;overflow-wrap:anywhere"
_SIDES = {"note": "#66c0f4", "warning": "#d9a441"}


def data_address(jpeg: bytes, size: tuple[int, int]) -> str:
    """Return a picture of `size` pixels as a data: address that an <img> takes."""
    small = io.BytesIO()
    open_picture(jpeg).convert("RGB").resize(size, Image.Resampling.HAMMING).save(small, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(small.getvalue()).decode()


def picture(source: str, size: tuple[int, int], name: str, style: str = "") -> str:
    """Return a picture, or a grey place where there is none, named for those who cannot see it."""
    width, height = size
    style += f"display:block;width:{width}px;height:{height}px;border-radius:4px;background:#8884"
    if not source:
        return f'<div role="img" aria-label="{escape(name)}, no picture" style="{style}"></div>'
    return f'<img src="{source}" alt="{escape(name)}" title="{escape(name)}" style="{style}">'


def linked(inner: str, address: str | None, name: str) -> str:
    """Return something that leads to a store page in a new tab, if there is an address."""
    if not address:
        return inner
    label = f"{name}: store page, in a new tab"
    return f'<a href="{escape(address)}" target="_blank" rel="noopener" aria-label="{escape(label)}">{inner}</a>'


def caption(name: str, note: str, lines: int = 2) -> str:
    """Return a name in `lines` lines, the rest cut, and a note in small type below it."""
    height = 18 * lines
    return (
        f'<div style="height:{height}px;margin-top:6px;line-height:18px;{_CLAMP};-webkit-line-clamp:{lines}">'
        f'<bdi>{escape(name)}</bdi></div><div style="line-height:16px;font-size:85%;opacity:.75">{escape(note)}</div>'
    )


def message(text: str, kind: str = "warning") -> str:
    """Return a sentence with a line at its side; a screen reader says it when it comes."""
    style = f"line-height:1.4;padding:4px 10px;margin:4px;border-left:3px solid {_SIDES[kind]}"
    return f'<div role="status" style="{style}">{escape(text)}</div>' if text else ""


def quoted(text: str, size: tuple[int, int]) -> str:
    """Return words in the place where the query's banner stands otherwise."""
    style = f"width:{size[0]}px;padding:20px 12px;box-sizing:border-box;border-radius:4px;background:#8883"
    return f'<div style="{style};font-size:120%;overflow-wrap:anywhere">“<bdi>{escape(text)}</bdi>”</div>'


def thumbnail(banner: Banner | None) -> str:
    """Return a match's banner as a data: address, or nothing where it is missing or broken."""
    try:
        return data_address(banner.jpeg, TILE) if banner else ""
    except (OSError, ValueError):  # a broken picture: its place stays grey
        return ""
