"""The one HTTP client: urllib3's pooled connections, bounded in time and bytes, and careful about where they lead.

urllib3 bounds the silence between two reads, so a byte a second outlasts any of its time limits. Here every read from
a socket, be it status line, header, chunk size or body, gets the time and the bytes that are left of the whole request.
"""

import functools
import gzip
import http.client
import io
import ipaddress
import os
import random
import socket
import ssl
import time
import urllib.request
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, unquote, urlencode, urljoin, urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection, port_by_scheme
from urllib3.exceptions import HTTPError, ProtocolError

from utils.errors import HttpError, shown

USER_AGENT = "steam-BEiT (+https://github.com/woctezuma/steam-BEiT)"
TRIES = 5
BACK_OFF = 0.5  # seconds before the second try, doubled before each further one, with as much again at random

_LONGEST_WAIT = 120.0  # seconds that a server may ask us to wait
_CONNECT = 10.0  # seconds for one of a host's network addresses, so that a dead one leaves time for the next
_CHUNK = 1 << 16  # bytes
_OVERHEAD = 1 << 20  # bytes of headers and framing beside a body
_REDIRECTS = 5
_LOOPBACK = ("localhost", "127.0.0.1", "::1")  # never asked of a proxy
_UNQUOTED = "%/:=&?~+!$,;'@()*[]"
_T = TypeVar("_T")


class Answer:
    """An answer, whose body is read from the network, decompressed, with at most `limit` bytes."""

    def __init__(self, response: urllib3.BaseHTTPResponse, budget: "_Budget", limit: int, address: str) -> None:
        self.address = address  # where it came from in the end
        self.host = budget.host
        self.status = response.status
        self.headers = response.headers  # names in any case
        self.retry_after = retry_after(self.headers.get("Retry-After"))  # seconds to wait; 0 where it does not say
        self.total = response.length_remaining  # bytes that the body should have; None where the server does not say
        self.body = b""  # the whole of it, of an answer of `get`
        self._budget = budget
        self._left = limit
        encoding = self.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("gzip", "x-gzip", "identity", ""):
            raise HttpError(f"{self.host} answered in an encoding that was not asked for; allowed is gzip")
        # urllib3's own decoder takes a gzip stream that was cut off for a whole one.
        self._content: Any = gzip.GzipFile(fileobj=response) if "gzip" in encoding else response

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, b"" at the end; a negative size is all that is left. Raises HttpError."""
        if size < 0:
            return b"".join(iter(lambda: self.read(_CHUNK), b""))
        with _plain_errors(self._budget):
            piece = self._content.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise HttpError(f"too large: {self.host} sent more bytes than the limit of this answer")
        return piece

    def renew(self) -> None:
        """Start the deadline again: for long downloads, which must only keep coming."""
        self._budget.renew()


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

    limit: the most bytes, decompressed. deadline: seconds for one try, from the first connection to the last byte,
    redirects included. allowed: what the address and every redirect must begin with, such as
    "https://api.steampowered.com/"; None is any, but then no redirect leads from another host into a private network.
    Broken connections, 429 and 5xx are tried again, after the time that the server asks for.

    Raises HttpError; the message of an answer over the limit begins with "too large".
    """
    if params:
        address = f"{address}{'&' if '?' in address else '?'}{urlencode(params)}"
    wanted = {"Accept-Encoding": "gzip", **(headers or {})}

    def once() -> Answer:
        nonlocal tries
        tries -= 1
        with opened(address, headers=wanted, limit=limit, deadline=deadline, allowed=allowed) as answer:
            answer.body = answer.read()
        if tries and is_retryable(answer.status):
            raise HttpError(f"status {answer.status}", retryable=True, wait=answer.retry_after)
        return answer

    return retry(once, tries)


@contextmanager
def opened(
    address: str,
    *,
    headers: Mapping[str, str] | None = None,
    limit: int,
    deadline: float,
    allowed: Collection[str] | None = None,
) -> Iterator[Answer]:
    """Open an address for reading, once, whatever its status; arguments and errors are those of `get`."""
    wanted = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(headers or {})}
    parts = checked(address, allowed)
    budget = _Budget(shown(parts.netloc), deadline, limit + _OVERHEAD)
    budget.renew()
    response, parts = _followed(parts, wanted, budget, allowed)
    try:
        yield Answer(response, budget, limit, parts.geturl())
    finally:
        response.close()  # a connection that is read to its end is back in the pool by now


def require_ok(answer: Answer) -> None:
    """Raise HttpError for a status that is not 200, retryable where another try may go better."""
    if answer.status == http.HTTPStatus.OK:
        return
    said = f"{shown(urlsplit(answer.address).netloc)} answered {answer.status}; check the address"
    raise HttpError(said, retryable=is_retryable(answer.status), wait=answer.retry_after)


def retry(attempt: Callable[[], _T], tries: int = TRIES) -> _T:
    """Return what `attempt` returns, called up to `tries` times while it raises an HttpError that is retryable."""
    for number in range(1, tries):
        try:
            return attempt()
        except HttpError as error:
            if not error.retryable:
                raise
            back_off = BACK_OFF * 2 ** (number - 1) + random.uniform(0, BACK_OFF)  # noqa: S311 - spreads the tries
            time.sleep(error.wait or back_off)
    return attempt()


def is_retryable(status: int) -> bool:
    """Return whether a status is that of a server that is busy or in trouble: 429 or 5xx."""
    return status == http.HTTPStatus.TOO_MANY_REQUESTS or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR


def retry_after(header: str | None) -> float:
    """Return the seconds that a Retry-After header asks for, from a number or a date, at most 120; 0 for nonsense."""
    try:
        return float(min(urllib3.Retry().parse_retry_after(header or ""), _LONGEST_WAIT))
    except (HTTPError, ValueError, TypeError, OverflowError, IndexError):
        return 0.0


def checked(address: str, allowed: Collection[str] | None = None, *, base: str = "") -> SplitResult:
    """Return an http(s) address in its parts, quoted; raises HttpError for one that must not be asked.

    allowed: the addresses that it may begin with, such as "https://api.steampowered.com/"; None is any. base: where
    the address was found, if it is a redirect's.
    """
    try:
        parts = urlsplit(urljoin(base, address.strip()))
        is_usable = parts.scheme in port_by_scheme and parts.hostname and parts.port != 0
    except (ValueError, AttributeError):
        is_usable = False
    if not is_usable:
        raise HttpError(f"{shown(str(address).split('?')[0])!r} is not an address; allowed are http:// and https://")
    if base.startswith("https:") and parts.scheme == "http":
        raise HttpError(f"a redirect leads from https to http, to {shown(parts.netloc)}; this is not followed")
    if parts.username is not None:
        raise HttpError("the address holds a user name or a password; give it without them")
    if allowed is not None and not any(_lies_under(parts, checked(each)) for each in allowed):
        where = shown(parts.netloc + parts.path)
        raise HttpError(f"{where} is not where this may be asked for; allowed is {', '.join(sorted(allowed))}")
    return parts._replace(path=quote(parts.path, _UNQUOTED) or "/", query=quote(parts.query, _UNQUOTED), fragment="")


def _lies_under(parts: SplitResult, base: SplitResult) -> bool:
    here, there = ((each.scheme, each.hostname, each.port or port_by_scheme[each.scheme]) for each in (parts, base))
    path = unquote(parts.path) or "/"
    return here == there and path.startswith(unquote(base.path).rstrip("/") + "/") and ".." not in path.split("/")


@dataclass
class _Budget:
    """The time and the bytes that a request has left, and what is known of its connection."""

    host: str
    seconds: float
    bytes: int
    public: bool = False  # whether only addresses of the public internet may be connected to
    fresh: bool = False  # whether the connection was made for this request
    end: float = 0.0

    def renew(self) -> None:
        self.end = time.monotonic() + self.seconds

    def left(self) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise self.too_slow()
        return left

    def too_slow(self) -> HttpError:
        return HttpError(f"{self.host} does not answer in time ({self.seconds:g} s); try again later", retryable=True)

    def require_public(self, number: str) -> None:
        if not ipaddress.ip_address(number).is_global:
            raise HttpError(f"{self.host} is not on the public internet; a redirect there is not followed")


_BUDGET: ContextVar[_Budget] = ContextVar("budget")  # of the request that is being sent


class _Wire(io.RawIOBase):
    """What a socket receives, each read on the budget of the request that it serves."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._budget = _BUDGET.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a buffer has no type before Python 3.12
        self._sock.settimeout(self._budget.left())
        received = self._raw.readinto(buffer) or 0
        self._budget.bytes -= received
        if self._budget.bytes < 0:
            raise HttpError(f"too large: {self._budget.host} sent more bytes than its answer may have")
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Connection(HTTPConnection):
    """A connection on the budget of the request that it is made for."""

    @staticmethod
    def response_class(sock: socket.socket, **options: Any) -> http.client.HTTPResponse:  # noqa: ANN401 # ty: ignore
        response = http.client.HTTPResponse(sock, **options)
        response.fp = io.BufferedReader(_Wire(sock, response.fp.detach()))
        return response

    def _new_conn(self) -> socket.socket:
        budget = _BUDGET.get()
        budget.fresh = True
        self.timeout = min(_CONNECT, budget.left())
        sock = super()._new_conn()
        try:
            sock.settimeout(budget.left())  # also of a TLS handshake, which reads by itself
            if budget.public and not self.proxy:
                budget.require_public(sock.getpeername()[0])
        except HttpError:
            sock.close()
            raise
        return sock


class _TlsConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection  # ty: ignore[invalid-assignment]


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection  # ty: ignore[invalid-assignment]


@functools.cache
def _pools(_process: int, proxy: str, context: ssl.SSLContext) -> urllib3.PoolManager:
    """Return the connections of a process; a forked one must not speak on those of its parent."""
    kept: dict[str, Any] = {"maxsize": 256, "ssl_context": context}  # threads beyond these connect for each request
    pools = urllib3.PoolManager(**kept)
    if proxy:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        user = unquote(f"{parts.username}:{parts.password or ''}") if parts.username else None
        pools = urllib3.ProxyManager(parts.geturl(), proxy_headers=urllib3.make_headers(proxy_basic_auth=user), **kept)
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}  # ty: ignore[invalid-assignment]
    return pools


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Return whom we trust: the system's authorities and certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _followed(
    parts: SplitResult, headers: Mapping[str, str], budget: _Budget, allowed: Collection[str] | None
) -> tuple[urllib3.BaseHTTPResponse, SplitResult]:
    """Return the first response that is no redirect, and where it came from."""
    start = parts.netloc
    for _ in range(_REDIRECTS + 1):
        budget.public = allowed is None and parts.netloc != start
        response = _asked(parts, headers, budget)
        location = response.get_redirect_location()
        if not location:
            return response, parts
        response.close()  # unread: its body may be endless
        parts = checked(location, allowed, base=parts.geturl())
        budget.host = shown(parts.netloc)
    raise HttpError(f"{budget.host} redirects more than {_REDIRECTS} times")


def _asked(parts: SplitResult, headers: Mapping[str, str], budget: _Budget) -> urllib3.BaseHTTPResponse:
    """Send a GET and return the response with its headers read; this machine is asked directly, without a proxy."""
    host = str(parts.hostname)
    is_direct = host in _LOOPBACK or urllib.request.proxy_bypass(host)
    proxy = "" if is_direct else urllib.request.getproxies().get(parts.scheme, "")
    if proxy:
        budget.host += f" (through {parts.scheme.upper()}_PROXY)"
    options: dict[str, Any] = {"redirect": False, "retries": False, "preload_content": False, "decode_content": False}
    with _plain_errors(budget):
        if budget.public:
            with suppress(socket.gaierror):  # a proxy may know names that this machine does not
                for found in socket.getaddrinfo(host, None):
                    budget.require_public(str(found[4][0]))
        _BUDGET.set(budget)
        while True:
            budget.fresh = False
            try:
                pools = _pools(os.getpid(), proxy, tls_context())
                return pools.urlopen("GET", parts.geturl(), headers=headers, **options)
            except ProtocolError:  # a kept connection may have been closed at the other end while we were asking
                if budget.fresh:
                    raise


@contextmanager
def _plain_errors(budget: _Budget) -> Iterator[None]:
    """Turn what the network raises in the block into one line that names the host."""
    try:
        yield
    except (HTTPError, http.client.HTTPException, OSError, EOFError, ValueError, zlib.error) as error:
        raise _plain(error, budget) from None


def _plain(error: BaseException, budget: _Budget) -> HttpError:
    inner = next((each for each in (error.__cause__, *error.args) if isinstance(each, Exception)), None)
    match error:
        case _ if inner:  # urllib3 wraps what it meets
            return _plain(inner, budget)
        case TimeoutError():
            return budget.too_slow()
        case ssl.SSLCertVerificationError():
            return HttpError(f"{budget.host} does not prove that it is that host ({error.verify_message})")
        case ValueError() | http.client.InvalidURL():
            return HttpError(f"{budget.host} cannot be asked: an address is malformed")
        case OSError() if not isinstance(error, http.client.HTTPException | gzip.BadGzipFile):
            why = error.strerror or shown(str(error)) or type(error).__name__
            said = f"{budget.host} cannot be reached ({why}); check the address and the network"
        case _:
            said = f"{budget.host} broke off in the middle of an answer; try again later"
    return HttpError(said, retryable=True)
