"""The environment variables that the project reads, all of them here."""

import os
import re
from urllib.parse import urlsplit

from utils.settings.allowed import SettingsError, shown

API_URL = "https://api.steampowered.com"
STORE_PAGE = "https://store.steampowered.com/app/{appid}"
ASSETS_URL = "https://shared.akamai.steamstatic.com/store_item_assets/"
PREFIX = "STEAM_BANNERS_"


def given() -> dict[str, str]:
    """Return the settings in the environment: `STEAM_BANNERS_GAMES=7` is games -> "7"."""
    return {name[len(PREFIX) :].lower(): value for name, value in os.environ.items() if name.startswith(PREFIX)}


def store_urls() -> tuple[str, str]:
    """Return the addresses of the store's services and of its pictures: Steam's own, or the environment's.

    Those are STEAM_API_URL and STEAM_ASSETS_URL. Raises SettingsError for what is no http(s) address.
    """
    return _address("STEAM_API_URL", API_URL), _address("STEAM_ASSETS_URL", ASSETS_URL)


def store_key(api_url: str) -> str | None:
    """Return STEAM_API_KEY, if it is set and the address is that of Steam's own host over https: no other gets it."""
    asked = urlsplit(api_url)
    steam = urlsplit(API_URL)
    if (asked.scheme, asked.netloc) != (steam.scheme, steam.netloc):
        return None
    return os.environ.get("STEAM_API_KEY") or None


def _address(name: str, default: str) -> str:
    address = os.environ.get(name, "").strip() or default
    if not _is_http(address):
        raise SettingsError(f"{name} is {shown(address)}; allowed is an http(s) address such as {default}")
    return address


def _is_http(address: str) -> bool:
    try:
        parts = urlsplit(address)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # half a bracket, a port that is no number
        return False
    return named and parts.scheme in ("http", "https") and not re.search(r"[\s\x00-\x1f?#]", address)
