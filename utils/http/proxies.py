"""The proxy that a machine's network wants between us and the web: HTTP_PROXY, HTTPS_PROXY and NO_PROXY."""

import base64
import ipaddress
import urllib.request
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from utils.errors import HttpError


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy."""

    host: str
    port: int
    headers: dict[str, str]  # what lets us in, where it asks for a name and a password


def proxy_for(parts: SplitResult) -> Proxy | None:
    """Return the proxy for an address; None where it is asked directly, as this machine itself always is.

    Raises HttpError for a proxy of another kind.
    """
    host = str(parts.hostname)
    address = urllib.request.getproxies().get(parts.scheme)
    if not address or _is_here(host) or urllib.request.proxy_bypass(host):
        return None
    try:
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        port = proxy.port or 80
    except ValueError:
        proxy = urlsplit("")
        port = 0
    if proxy.scheme != "http" or not proxy.hostname:
        name = f"{parts.scheme.upper()}_PROXY"
        raise HttpError(f"{name} is not the address of a proxy that we can use; allowed is http://host:port")
    return Proxy(proxy.hostname, port, _admission(proxy))


def _is_here(host: str) -> bool:
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _admission(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(words.encode()).decode()}"}
