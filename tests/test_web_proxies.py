"""A proxy between us and the web: followed where the environment names one, and never to reach this machine."""

import socket
import ssl

import pytest
import trustme
from hosts import OK, one_line

from utils import http

FOUND = OK + b"Content-Length: 5\r\n\r\nfound"


@pytest.fixture
def asked():
    """What the proxy was sent."""
    return []


@pytest.fixture
def proxy(raw_host, asked, monkeypatch):
    """A proxy that answers every GET by itself, and connects each CONNECT to a TLS host of our own."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.example").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    monkeypatch.setattr(http, "tls_context", lambda: client)

    def talk(connection):
        asked.append(connection.recv(65_536).decode())
        if asked[-1].startswith("CONNECT"):
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with server.wrap_socket(connection, server_side=True) as secure:
                asked.append(secure.recv(65_536).decode())
                secure.sendall(FOUND)
        else:
            connection.sendall(FOUND)

    address = raw_host(talk, reads_first=False).rstrip("/")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, address.replace("http://", "http://me:pa%40ss@"))
    return address


def get(address, **options):
    return http.get(address, **{"limit": 1_000, "deadline": 5.0, "tries": 1} | options)


@pytest.mark.usefixtures("proxy")
def test_plain_http_is_asked_of_the_proxy(asked):
    assert get("http://shop.example:8080/a?b=c").body == b"found"
    assert asked[0].startswith("GET http://shop.example:8080/a?b=c HTTP/1.1\r\n")
    assert "proxy-authorization: basic bwu6cgfac3m=" in asked[0].lower()


@pytest.mark.usefixtures("proxy")
def test_https_goes_through_a_tunnel_and_checks_the_host(asked):
    assert get("https://shop.example/a").body == b"found"
    assert asked[0].startswith("CONNECT shop.example:443 HTTP/1.")
    assert "proxy-authorization: basic bwu6cgfac3m=" in asked[0].lower()
    assert asked[1].startswith("GET /a HTTP/1.1\r\nHost: shop.example\r\n")
    assert "Proxy-Authorization" not in asked[1]  # that is for the proxy alone
    with pytest.raises(http.HttpError, match="does not prove that it is that host"):
        get("https://other.example/a")


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_asked_directly(asked, raw_host, host):
    assert get(raw_host(FOUND).replace("127.0.0.1", host)).body == b"found"
    assert asked == []


@pytest.mark.usefixtures("proxy")
def test_no_proxy_is_followed(asked, monkeypatch):
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "shop.example")
    with pytest.raises(http.HttpError):
        get("http://shop.example/")
    assert asked == []


def test_a_redirect_into_a_private_network_is_not_asked_of_a_proxy(asked, raw_host, monkeypatch):
    def talk(connection):
        asked.append(connection.recv(65_536).decode())
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n")

    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, raw_host(talk, reads_first=False))
    with pytest.raises(http.HttpError, match="not on the public internet"):
        get("http://shop.example/")
    assert len(asked) == 1


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1", "http://", "http://[::1", "x:y"])
def test_a_proxy_of_another_kind_is_one_line(monkeypatch, address):
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, address)
    with pytest.raises(http.HttpError, match="HTTP_PROXY") as caught:
        get("http://shop.example/")
    assert one_line(caught.value)


def test_a_proxy_that_is_not_there_is_named(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    with pytest.raises(http.HttpError, match=r"shop.example \(through HTTP_PROXY\) cannot be reached"):
        get("http://shop.example/")


def test_a_tunnel_that_is_refused_is_one_line(raw_host, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, raw_host(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"))
    with pytest.raises(http.HttpError, match="407") as caught:
        get("https://shop.example/")
    assert one_line(caught.value)
