"""Another try for what may pass: exponential back-off with jitter, or the time that the server asks for."""

import email.utils
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar

from utils.errors import HttpError

TRIES = 5
BACK_OFF = 0.5  # seconds before the second try, doubled before each further one, with as much again at random

_LONGEST = 120.0  # seconds that a server may ask us to wait
_T = TypeVar("_T")


def retry(attempt: Callable[[], _T], tries: int = TRIES) -> _T:
    """Return what `attempt` returns, called up to `tries` times while it raises a HttpError that is retryable."""
    for number in range(1, tries):
        try:
            return attempt()
        except HttpError as error:
            if not error.retryable:
                raise
            time.sleep(error.wait or _back_off(number))
    return attempt()


def is_retryable(status: int) -> bool:
    """Return whether a status is that of a server that is busy or in trouble: 429 or 5xx."""
    return status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR


def retry_after(header: str | None) -> float:
    """Return the seconds that a Retry-After header asks for, from a number or a date, at most 120; 0 for nonsense."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST)
    try:
        asked = (email.utils.parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
    return min(max(asked, 0.0), _LONGEST)


def _back_off(number: int) -> float:
    return BACK_OFF * 2 ** (number - 1) + random.uniform(0, BACK_OFF)  # noqa: S311 - spreads the tries, hides nothing
