"""The one polite HTTP client: bounded in time and bytes, careful about where it goes, patient with a busy server."""

from utils.http.addresses import checked
from utils.http.asking import Answer, Body, get, opened
from utils.http.downloading import download, require_ok
from utils.http.errors import RefusedAddress, TooLarge, TooSlow, Unreachable, WebError
from utils.http.retrying import may_pass, tried

__all__ = [
    "Answer",
    "Body",
    "RefusedAddress",
    "TooLarge",
    "TooSlow",
    "Unreachable",
    "WebError",
    "checked",
    "download",
    "get",
    "may_pass",
    "opened",
    "require_ok",
    "tried",
]
