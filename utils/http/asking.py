"""A GET, whole in memory or read piece by piece."""

import gzip
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPMessage, HTTPResponse, IncompleteRead
from urllib.parse import SplitResult

from utils.errors import HttpError
from utils.http import addresses
from utils.http.leash import Leash
from utils.http.retrying import TRIES, is_retryable, retry, retry_after
from utils.http.wire import ask, naming

USER_AGENT = "steam-BEiT (+https://github.com/woctezuma/steam-BEiT)"

_CHUNK = 1 << 16  # bytes
_OVERHEAD = 1 << 20  # bytes of headers and framing beside a body
_REDIRECTS = 5
_FORWARDS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    address: str  # where it came from in the end
    status: int
    headers: HTTPMessage  # a mapping; names in any case
    body: bytes  # decompressed

    @property
    def retry_after(self) -> float:
        """The seconds that the server asks to wait, at most 120; 0 where it does not."""
        return retry_after(self.headers.get("Retry-After"))


class Body:
    """An answer that is being read, decompressed, with at most `limit` bytes."""

    def __init__(self, response: HTTPResponse, leash: Leash, limit: int, address: str) -> None:
        self.address = address
        self.host = leash.host
        self.status = response.status
        self.headers = response.headers
        self.total = response.length  # bytes that the body should have; None where the server does not say
        self._response = response
        self._leash = leash
        self._left = limit
        self._content = gzip.GzipFile(fileobj=response) if self._is_gzip() else response

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, b"" at the end; a negative size is all that is left.

        Raises HttpError.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK), b""))
        with naming(self._leash):
            piece = self._content.read(size)
            if size and not piece and self._response.length:
                raise IncompleteRead(b"", self._response.length)
        self._left -= len(piece)
        if self._left < 0:
            raise HttpError(f"too large: {self.host} sent more bytes than the limit of this answer")
        return piece

    def renew(self) -> None:
        """Start the deadline again: for long downloads, which must only keep coming."""
        self._leash.renew()

    def _is_gzip(self) -> bool:
        encoding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("gzip", "x-gzip", "identity", ""):
            raise HttpError(f"{self.host} answered in an encoding that was not asked for; allowed is gzip")
        return "gzip" in encoding


def get(
    address: str,
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    limit: int,
    deadline: float,
    allowed: Collection[str] | None = None,
    tries: int = TRIES,
) -> Answer:
    """Return what an address answers, whatever its status.

    limit: the most bytes, decompressed. deadline: seconds for one try, from the name lookup to the last byte, redirects
    included. allowed: what the address and every redirect must begin with, such as "https://api.steampowered.com/";
    None is any, but then no redirect leads from another host into a private network. Broken connections, 429 and 5xx
    are tried again, after the time that the server asks for.

    Raises HttpError.
    """

    def once() -> Answer:
        wanted = {"Accept-Encoding": "gzip", **(headers or {})}
        address_asked = addresses.with_params(address, params)
        with opened(address_asked, headers=wanted, limit=limit, deadline=deadline, allowed=allowed) as body:
            answer = Answer(body.address, body.status, body.headers, body.read())
        if is_retryable(answer.status):
            raise _Busy(answer)
        return answer

    try:
        return retry(once, tries)
    except _Busy as busy:
        return busy.answer


def require_ok(answer: Answer | Body) -> None:
    """Raise HttpError for a status that is not 200, retryable where another try may go better."""
    if answer.status == HTTPStatus.OK:
        return
    host = addresses.host(addresses.checked(answer.address))
    wait = retry_after(answer.headers.get("Retry-After"))
    said = f"{host} answered {answer.status}; check the address"
    raise HttpError(said, retryable=is_retryable(answer.status), wait=wait)


@contextmanager
def opened(
    address: str,
    *,
    headers: Mapping[str, str] | None = None,
    limit: int,
    deadline: float,
    allowed: Collection[str] | None = None,
) -> Iterator[Body]:
    """Open an address for reading, once, whatever its status; arguments and errors are those of `get`."""
    wanted = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
    parts = addresses.checked(address, allowed)
    leash = Leash(addresses.host(parts), deadline, limit + _OVERHEAD)
    response, parts = _followed(parts, wanted, leash, allowed)
    with response:
        yield Body(response, leash, limit, parts.geturl())


class _Busy(HttpError):
    """An answer that may be another at the next try."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}", retryable=True, wait=answer.retry_after)
        self.answer = answer


def _followed(
    parts: SplitResult, headers: Mapping[str, str], leash: Leash, allowed: Collection[str] | None
) -> tuple[HTTPResponse, SplitResult]:
    """Return the first response that is no redirect, and where it came from."""
    start = parts.netloc
    for _ in range(_REDIRECTS + 1):
        public = allowed is None and parts.netloc != start
        response = ask(parts, headers, leash, public=public)
        location = response.headers.get("Location")
        if response.status not in _FORWARDS or location is None:
            return response, parts
        response.close()
        parts = addresses.redirected(parts, location, allowed)
        leash.host = addresses.host(parts)
    raise HttpError(f"{leash.host} redirects more than {_REDIRECTS} times")
