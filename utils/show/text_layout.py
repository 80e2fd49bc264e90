"""How text is laid out in figures: which font has a character, what can be drawn, and where lines break."""

import importlib.util
import re
import unicodedata
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

_FONTS = (  # those installed follow DejaVu Sans, which matplotlib brings, for the glyphs it lacks
    *("IPAexGothic", "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans", "Hiragino Sans", "Yu Gothic"),
    *("Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Microsoft YaHei", "PingFang SC"),
    *("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo"),
    *("Noto Sans Thai", "Noto Sans Devanagari", "Noto Sans Symbols2", "Noto Emoji", "Symbola", "Arial Unicode MS"),
)
_PACKAGES = ("matplotlib_fontja", "paperang_p2_fonts_cjk")  # Japanese; simplified Chinese and Hangul
_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]|[^\s\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]+|\s+")


@cache
def fonts() -> dict[str, FT2Font]:
    """Return the fonts by family, in the order in which matplotlib should try them."""
    for package in filter(None, map(importlib.util.find_spec, _PACKAGES)):
        for folder in package.submodule_search_locations or ():
            for path in Path(folder).glob("fonts/*.tt[fc]"):  # read as files: an import would change settings
                font_manager.fontManager.addfont(path)
    paths = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    paths["DejaVu Sans"] = f"{mpl.get_data_path()}/fonts/ttf/DejaVuSans.ttf"
    return {name: FT2Font(paths[name]) for name in ("DejaVu Sans", *_FONTS) if name in paths}


def wrapped(text: str, width: float, lines: int) -> list[str]:
    """Return what can be drawn of a text, in at most `lines` lines of `width` type sizes, cut with an ellipsis."""
    broken = [""]
    for word in _WORD.findall(_drawable(text)):
        if broken[-1] and len(broken) < lines and _length(broken[-1] + word.rstrip()) > width:
            broken.append("")
        broken[-1] += word if broken[-1] else word.lstrip()
    return [_cut(line.strip(), width) for line in broken]


def _drawable(text: str) -> str:
    """Return text without controls and joiners, one mark in place of characters that no font has."""
    drawn = ""
    for character in unicodedata.normalize("NFC", " ".join(text.split())):
        is_invisible = unicodedata.category(character) in ("Cc", "Cf", "Cs") or "\ufe00" <= character <= "\ufe0f"
        if not is_invisible:
            drawn += "\0" if _advance(character) is None else character
    return re.sub("\0+", "▫", drawn).strip()


@cache
def _advance(character: str) -> float | None:
    """Return the width of a character as a share of the type size; None if no font has it."""
    for font in fonts().values():
        if font.get_char_index(ord(character)):
            font.set_size(100, 72)
            return font.load_char(ord(character)).linearHoriAdvance / 65536 / 100
    return None


def _length(line: str) -> float:
    return sum(_advance(character) or 0 for character in line)


def _cut(line: str, width: float) -> str:
    if _length(line) <= width:
        return line
    while line and _length(line + "…") > width:
        line = line[:-1]
    return line.rstrip(" -–—:,(") + "…"
