"""What can go wrong on the way to an address and back."""

from utils.errors import PlainError


class WebError(PlainError):
    """An address that gave no usable answer; the message names the host, never the query, which may hold a key."""

    def __init__(self, message: str, *, retryable: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.retryable = retryable  # whether another try may go better
        self.wait = wait  # seconds that the server asked us to wait before it; 0 is as we like


class Unreachable(WebError):
    """No connection, or one that broke off; retryable."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class TooSlow(WebError):
    """An answer that was not whole at its deadline; retryable."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


class TooLarge(WebError):
    """An answer with more bytes than the limit, on the way or once decompressed."""


class RefusedAddress(WebError, ValueError):
    """An address that is malformed, or that this request must not go to."""
