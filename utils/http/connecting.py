"""Who is connected to: a host of the web, or the proxy between us and it."""

import functools
import http.client
import ipaddress
import socket
import ssl
from contextlib import suppress
from urllib.parse import SplitResult

import certifi

from utils.errors import HttpError
from utils.http import addresses
from utils.http.leash import Leash
from utils.http.proxies import Proxy

_CONNECT = 10.0  # seconds for one of a host's network addresses, so that a dead one leaves time for the next


def connection(parts: SplitResult, leash: Leash, public: bool, proxy: Proxy | None) -> http.client.HTTPConnection:
    """Return what will connect to an address, or to the proxy for it; `public` is that of `ask`."""
    host = str(parts.hostname)
    port = addresses.port(parts)
    if proxy and public:
        _require_public(leash, host)
    to = (proxy.host, proxy.port) if proxy else (host, port)
    if parts.scheme == "https":
        made = http.client.HTTPSConnection(*to, context=tls())
    else:
        made = http.client.HTTPConnection(*to)
    if proxy and parts.scheme == "https":
        made.set_tunnel(host, port, proxy.headers)
    if proxy:
        leash.host += f" (through the proxy {proxy.host}:{proxy.port})"
    connect = functools.partial(_connected, leash, public and not proxy)
    # The standard library's hook for who connects, which has no public name.
    made._create_connection = connect  # noqa: SLF001  # ty: ignore[missing-attribute]
    return made


def _connected(leash: Leash, public: bool, address: tuple[str, int], *_: object) -> socket.socket:
    """Return a socket connected to one of a host's network addresses, tried in turn."""
    failure = OSError("no network address")
    for found in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        number = str(found[4][0])
        if public:
            _check_public(leash, number)
        try:
            connected = socket.create_connection((number, address[1]), timeout=min(_CONNECT, leash.left()))
        except OSError as error:
            failure = error
        else:
            connected.settimeout(leash.left())
            return connected
    raise failure


def _require_public(leash: Leash, host: str) -> None:
    """Refuse a host that this machine knows to be in a private network; a proxy looks names up by itself."""
    with suppress(socket.gaierror):
        for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            _check_public(leash, str(found[4][0]))


def _check_public(leash: Leash, number: str) -> None:
    if not ipaddress.ip_address(number).is_global:
        raise HttpError(f"{leash.host} is not on the public internet; a redirect there is not followed")


@functools.cache
def tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context
