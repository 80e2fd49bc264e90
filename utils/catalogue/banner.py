"""The address of a game's vertical banner."""

import re

from utils.catalogue.values import Fields, number

LAST_DATE = 4_102_444_800  # 2100, unix s; what is later is no date

_FILENAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._/-]{0,199}")
_TEMPLATE = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._/-]{0,199}/)\$\{FILENAME\}(?:\?t=([0-9]{1,19}))?")


def banner(assets: Fields, assets_url: str) -> tuple[str | None, int]:
    """Return the address of the vertical banner, None without one, and when the pictures last changed (unix s).

    Raises ValueError for a file name or a template that is not to be believed.
    """
    filename = assets.get("library_capsule") or assets.get("library_capsule_2x")
    template = assets.get("asset_url_format")
    if not filename or not template:
        return None, 0
    place = _TEMPLATE.fullmatch(template) if isinstance(template, str) else None
    if place is None or not isinstance(filename, str) or not _FILENAME.fullmatch(filename):
        raise ValueError("with a file name that is not to be believed")
    folder, changed = place.groups()
    path = f"{folder}{filename}"
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError("with a file name that is not to be believed")
    version = f"?t={changed}" if changed else ""
    return f"{assets_url.rstrip('/')}/{path}{version}", number(changed, LAST_DATE)
