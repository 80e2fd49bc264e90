"""The address of a game's vertical banner, and what tells its versions apart."""

import re
from urllib.parse import parse_qs, urlsplit

from utils import settings
from utils.catalogue.values import Fields, number

MIRRORS = (  # serve what Steam's own address serves
    "https://shared.akamai.steamstatic.com/store_item_assets/",
    "https://shared.fastly.steamstatic.com/store_item_assets/",
    "https://shared.cloudflare.steamstatic.com/store_item_assets/",
    "https://shared.steamstatic.com/store_item_assets/",
)
LAST_DATE = 4_102_444_800  # 2100, unix s; what is later is no date

_FILENAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._/-]{0,199}")
_TEMPLATE = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._/-]{0,199}/)\$\{FILENAME\}(?:\?t=([0-9]{1,19}))?")
_HASHED = re.compile(r"/[0-9a-f]{40}/")


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


def picture_key(address: str) -> str:
    """Return what two addresses share as long as the picture is the same; "" for what is no address.

    `?t=` moves with any art of an app, so the path alone counts where it holds a 40-hex directory, which is the
    picture's hash; elsewhere the path and `t`. The host does not count: mirrors serve the same.
    """
    try:
        parts = urlsplit(address)
    except (ValueError, TypeError, AttributeError):
        return ""
    if not parts.netloc:
        return ""
    if _HASHED.search(parts.path):
        return parts.path
    version = parse_qs(parts.query).get("t", [""])[0]
    return f"{parts.path}?t={version}" if version else parts.path


def is_banner_address(address: object, assets_url: str | None = None) -> bool:
    """Return whether an address lies under that of the store's pictures, or under one of its mirrors.

    For tables that came from elsewhere. `assets_url`: the settings'; None is that of the environment, or Steam's.
    """
    if not isinstance(address, str):
        return False
    bases = [assets_url or settings.store_urls()[1], *MIRRORS]
    return any(_lies_under(address, base) for base in bases)


def _lies_under(address: str, base: str) -> bool:
    base = f"{base.rstrip('/')}/"
    path, _, version = address.removeprefix(base).partition("?t=")
    plain = _FILENAME.fullmatch(path) and (not version or number(version) or version == "0")
    return address.startswith(base) and bool(plain) and ".." not in path.split("/")
