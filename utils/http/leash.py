"""What a request may still take."""

import time
from dataclasses import dataclass, field

from utils.errors import HttpError


@dataclass
class Leash:
    """The time and the bytes that a request has left."""

    host: str
    seconds: float
    bytes: int
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start the clock again."""
        self._end = time.monotonic() + self.seconds

    def left(self) -> float:
        """Return the seconds left; raises HttpError if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.too_slow()
        return left

    def too_slow(self) -> HttpError:
        """Return the error of a request that took too long."""
        said = f"{self.host} does not answer in time ({self.seconds:g} s); try again later"
        return HttpError(said, retryable=True)

    def count(self, received: int) -> None:
        """Take received bytes off; raises HttpError when more came than were left."""
        self.bytes -= received
        if self.bytes < 0:
            raise HttpError(f"too large: {self.host} sent more bytes than its answer may have")
