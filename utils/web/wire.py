"""One request under a leash: a deadline over everything, and a bound on the bytes that come in.

Libraries such as requests bound the silence between two reads, so a byte a second outlasts any of their time limits;
they also read a redirect's body whole. Here every read from the socket, be it status line, header, chunk size or body,
gets the time and the bytes that are left of the whole request.
"""

import functools
import gzip
import http.client
import io
import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult

import certifi

from utils.web import addresses
from utils.web.errors import RefusedAddress, TooLarge, TooSlow, Unreachable, WebError

_CONNECT = 10.0  # seconds for one of a host's network addresses, so that a dead one leaves time for the next


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
        """Return the seconds left; raises TooSlow if there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.too_slow()
        return left

    def too_slow(self) -> TooSlow:
        """Return the error of a request that took too long."""
        return TooSlow(f"{self.host} does not answer in time ({self.seconds:g} s); try again later")

    def count(self, received: int) -> None:
        """Take received bytes off; raises TooLarge when more came than were left."""
        self.bytes -= received
        if self.bytes < 0:
            raise TooLarge(f"{self.host} sent more bytes than its answer may have")


class _Wire(io.RawIOBase):
    """What a connection receives, each read on the leash."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, leash: Leash) -> None:
        self._sock = sock
        self._raw = raw
        self._leash = leash

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - what io hands in: a buffer has no type before Python 3.12
        self._sock.settimeout(self._leash.left())
        received = self._raw.readinto(buffer) or 0
        self._leash.count(received)
        return received

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response that reads on the leash; closing it ends the connection."""

    def __init__(self, sock: socket.socket, *, leash: Leash, **options: Any) -> None:  # noqa: ANN401 - its parent's own
        super().__init__(sock, **options)
        self.fp = io.BufferedReader(_Wire(sock, self.fp.detach(), leash))
        self._sock = sock

    def close(self) -> None:
        super().close()
        self._sock.close()


def ask(parts: SplitResult, headers: Mapping[str, str], leash: Leash, *, public: bool) -> http.client.HTTPResponse:
    """Send a GET and return the response with its headers read; closing it ends the connection.

    public: whether only addresses of the public internet are connected to. Raises Unreachable, TooSlow, TooLarge and
    RefusedAddress.
    """
    target = parts._replace(scheme="", netloc="").geturl()
    with naming(leash):
        connection = _connection(parts, leash, public)
        try:
            connection.request("GET", target, headers={**headers, "Connection": "close"})
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise


@contextmanager
def naming(leash: Leash) -> Iterator[None]:
    """Turn what the network raises in the block into one line that names the host."""
    try:
        yield
    except WebError:
        raise
    except TimeoutError:
        raise leash.too_slow() from None
    except ssl.SSLCertVerificationError as error:
        raise WebError(f"{leash.host} does not prove that it is that host ({error.verify_message})") from None
    except http.client.InvalidURL:
        raise _malformed(leash) from None
    except (http.client.HTTPException, EOFError, zlib.error, gzip.BadGzipFile):
        raise Unreachable(f"{leash.host} broke off in the middle of an answer; try again later") from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise Unreachable(f"{leash.host} cannot be reached ({why}); check the address and the network") from None
    except ValueError:  # among them what is no name of a host
        raise _malformed(leash) from None


def _malformed(leash: Leash) -> RefusedAddress:
    return RefusedAddress(f"{leash.host} is not the name of a host, or its address is malformed")


def _connection(parts: SplitResult, leash: Leash, public: bool) -> http.client.HTTPConnection:
    host = str(parts.hostname)
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, addresses.port(parts), context=_tls())
    else:
        connection = http.client.HTTPConnection(host, addresses.port(parts))
    connect = functools.partial(_connected, leash, public)
    # The standard library's hook for who connects, which has no public name.
    connection._create_connection = connect  # noqa: SLF001  # ty: ignore[missing-attribute]
    response_class = functools.partial(_Response, leash=leash)
    connection.response_class = response_class  # ty: ignore[invalid-assignment] - whatever makes a response will do
    return connection


def _connected(leash: Leash, public: bool, address: tuple[str, int], *_: object) -> socket.socket:
    """Return a socket connected to one of a host's network addresses, tried in turn."""
    failure = OSError("no network address")
    for found in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        number = str(found[4][0])
        if public and not ipaddress.ip_address(number).is_global:
            raise RefusedAddress(f"{leash.host} is not on the public internet; a redirect there is not followed")
        try:
            connected = socket.create_connection((number, address[1]), timeout=min(_CONNECT, leash.left()))
        except OSError as error:
            failure = error
        else:
            connected.settimeout(leash.left())
            return connected
    raise failure


@functools.cache
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
