"""The one polite HTTP client: bounded in time and bytes, careful about where it goes, patient with a busy server."""

from utils.web.addresses import checked
from utils.web.asking import Answer, Body, get, opened
from utils.web.downloading import download, require_ok
from utils.web.errors import RefusedAddress, TooLarge, TooSlow, Unreachable, WebError
from utils.web.retrying import may_pass, tried

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
