"""The one polite HTTP client: bounded in time and bytes, careful about where it goes, patient with a busy server."""

from utils.errors import HttpError
from utils.http.addresses import checked
from utils.http.asking import Answer, Body, get, opened, require_ok
from utils.http.retrying import TRIES, is_retryable, retry

__all__ = ["TRIES", "Answer", "Body", "HttpError", "checked", "get", "is_retryable", "opened", "require_ok", "retry"]
