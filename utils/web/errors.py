"""What can go wrong on the way to an address and back."""

from utils.errors import PlainError


class WebError(PlainError):
    """An address that gave no usable answer; the message names the host, never the query, which may hold a key."""

    retryable = False  # whether another try may go better
    wait = 0.0  # seconds that the server asked us to wait before it


class Unreachable(WebError):
    """No connection, or one that broke off."""

    retryable = True


class TooSlow(WebError):
    """An answer that was not whole at its deadline."""

    retryable = True


class TooLarge(WebError):
    """An answer with more bytes than the limit, on the way or once decompressed."""


class RefusedAddress(WebError, ValueError):
    """An address that is malformed, or that this request must not go to."""
