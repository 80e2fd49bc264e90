"""Where pictures may come from."""

from collections.abc import Sequence

import pandas as pd

from utils import settings

# Hosts of Steam that serve the same files (a fourth, shared.cloudflare, redirects to them).
_MIRRORS = (
    "https://shared.fastly.steamstatic.com/store_item_assets/",
    "https://shared.steamstatic.com/store_item_assets/",
    "https://shared.cloudflare.steamstatic.com/store_item_assets/",
)


def picture_addresses(assets_url: str | None = None) -> tuple[str, ...]:
    """Return what the address of a picture must begin with: the store's address, and for Steam's its mirrors too.

    assets_url: the store's (default: the environment's, or Steam's).
    """
    own = (assets_url or settings.store_urls()[1]).rstrip("/") + "/"
    mirrors = _MIRRORS if own == settings.ASSETS_URL else ()
    return (own, *mirrors)


def lie_under(urls: pd.Series, allowed: Sequence[str]) -> pd.Series:
    """Return for each address (or None) whether it begins with one of those allowed and does not climb out of it."""
    known = urls.fillna("").astype(str)
    return known.str.startswith(tuple(allowed)) & ~known.str.contains(r"(?:^|/)\.\.(?:/|$)")
