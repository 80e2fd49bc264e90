"""Which addresses a request may go to, at first and by redirect."""

from collections.abc import Collection, Mapping
from urllib.parse import SplitResult, quote, unquote, urlencode, urljoin, urlsplit

from utils.errors import HttpError
from utils.names import shortened, visible

_PORTS = {"http": 80, "https": 443}
_KEPT = "%/:=&?~+!$,;'@()*[]"  # what an address may hold unquoted


def checked(address: str, allowed: Collection[str] | None = None) -> SplitResult:
    """Return an http(s) address in its parts, quoted; raises HttpError.

    allowed: the addresses that it may begin with, such as "https://api.steampowered.com/"; None is any.
    """
    parts = _parts(address)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise HttpError(f"{_shown(address)} is not an address of the web; allowed are http:// and https://")
    if parts.username is not None:
        raise HttpError("the address holds a user name or a password; give it without them")
    if allowed is not None and not any(_lies_under(parts, _parts(each)) for each in allowed):
        places = ", ".join(sorted(allowed))
        raise HttpError(f"{host(parts)}{_cut(parts.path)} is not where this may be asked for; allowed is {places}")
    return parts._replace(path=quote(parts.path, _KEPT) or "/", query=quote(parts.query, _KEPT), fragment="")


def redirected(start: SplitResult, location: str, allowed: Collection[str] | None) -> SplitResult:
    """Return where a redirect leads; raises HttpError for one that must not be followed.

    Nothing goes from https to http, and what `allowed` says of the first address holds for every other.
    """
    try:
        target = urljoin(start.geturl(), location)
    except ValueError:
        raise HttpError(f"{host(start)} redirects to {_shown(location)}, which is not an address") from None
    parts = checked(target, allowed)
    if start.scheme == "https" and parts.scheme == "http":
        raise HttpError(f"{host(start)} redirects from https to http, to {host(parts)}; this is not followed")
    return parts


def with_params(address: str, params: Mapping[str, str] | None) -> str:
    """Return an address with parameters added to its query."""
    if not params:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode(params)}"


def port(parts: SplitResult) -> int:
    """Return the port of an address: its own, or that of http or https."""
    return parts.port or _PORTS[parts.scheme]


def host(parts: SplitResult) -> str:
    """Return host and port as a message may show them."""
    return shortened(visible(parts.netloc), 120)


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address.strip())
        return parts if parts.port is None or parts.port else parts._replace(scheme="")  # port 0 is none
    except (ValueError, AttributeError):
        raise HttpError(f"{_shown(address)} is not an address; allowed are http:// and https://") from None


def _lies_under(parts: SplitResult, base: SplitResult) -> bool:
    same = (parts.scheme, parts.hostname, port(parts)) == (base.scheme, base.hostname, port(base))
    path = unquote(parts.path) or "/"
    return same and path.startswith(unquote(base.path).rstrip("/") + "/") and ".." not in path.split("/")


def _shown(address: object) -> str:
    return repr(_cut(str(address).partition("?")[0]))


def _cut(text: str) -> str:
    return shortened(visible(text), 120)
