"""The notebooks' settings and what each may be; the only room that reads the environment."""

from utils.settings.allowed import (
    DTYPES,
    IMAGES,
    ORDERS,
    POOLINGS,
    PREPARATIONS,
    SOURCES,
    SettingsError,
    features_name,
    split_pooling,
)
from utils.settings.environment import API_URL, ASSETS_URL, PREFIX, STORE_PAGE, store_key, store_urls
from utils.settings.reading import DEFAULT_CHECKPOINT, known, read
from utils.settings.record import Settings

__all__ = [
    "API_URL",
    "ASSETS_URL",
    "DEFAULT_CHECKPOINT",
    "DTYPES",
    "IMAGES",
    "ORDERS",
    "POOLINGS",
    "PREFIX",
    "PREPARATIONS",
    "SOURCES",
    "STORE_PAGE",
    "Settings",
    "SettingsError",
    "features_name",
    "known",
    "read",
    "split_pooling",
    "store_key",
    "store_urls",
]
