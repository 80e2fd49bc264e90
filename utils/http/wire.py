"""One request under a leash: a deadline over everything, and a bound on the bytes that come in.

Libraries such as requests bound the silence between two reads, so a byte a second outlasts any of their time limits;
they also read a redirect's body whole. Here every read from the socket, be it status line, header, chunk size or body,
gets the time and the bytes that are left of the whole request.
"""

import functools
import gzip
import http.client
import io
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult

from utils.errors import HttpError
from utils.http import connecting
from utils.http.leash import Leash
from utils.http.proxies import proxy_for
from utils.names import shortened, visible


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

    public: whether only addresses of the public internet are connected to. Raises HttpError.
    """
    proxy = proxy_for(parts)
    through = proxy.headers if proxy and parts.scheme == "http" else {}
    target = parts if proxy and parts.scheme == "http" else parts._replace(scheme="", netloc="")
    with naming(leash):
        connection = connecting.connection(parts, leash, public, proxy)
        try:
            connection.connect()
            response_class = functools.partial(_Response, leash=leash)
            connection.response_class = response_class  # ty: ignore[invalid-assignment] - what makes a response will do
            connection.request("GET", target.geturl(), headers={**headers, **through, "Connection": "close"})
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise


@contextmanager
def naming(leash: Leash) -> Iterator[None]:
    """Turn what the network raises in the block into one line that names the host."""
    try:
        yield
    except HttpError:
        raise
    except TimeoutError:
        raise leash.too_slow() from None
    except ssl.SSLCertVerificationError as error:
        raise HttpError(f"{leash.host} does not prove that it is that host ({error.verify_message})") from None
    except http.client.InvalidURL:
        raise _malformed(leash) from None
    except (http.client.HTTPException, EOFError, zlib.error, gzip.BadGzipFile):
        said = f"{leash.host} broke off in the middle of an answer; try again later"
        raise HttpError(said, retryable=True) from None
    except OSError as error:
        why = error.strerror or shortened(visible(str(error)), 100) or type(error).__name__
        said = f"{leash.host} cannot be reached ({why}); check the address and the network"
        raise HttpError(said, retryable=True) from None
    except ValueError:  # among them what is no name of a host
        raise _malformed(leash) from None


def _malformed(leash: Leash) -> HttpError:
    return HttpError(f"{leash.host} is not the name of a host, or its address is malformed")
