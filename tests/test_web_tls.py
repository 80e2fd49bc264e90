"""The HTTP client over TLS: whom it trusts, and that its deadline holds there too."""

import ssl
import time

import pytest
import trustme
from hosts import OK, dripping, endless, one_line

from utils import http

LIMIT = 100_000  # bytes


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def tls_host(raw_host, authority):
    """Open hosts as `raw_host` does, that speak TLS with a certificate of our own authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def open_host(talk):
        def talk_tls(connection):
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65_536)
                talk(secure)

        return raw_host(talk_tls, reads_first=False).replace("http:", "https:")

    return open_host


@pytest.fixture
def trusted(authority, monkeypatch):
    """Make the client trust our own authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr(http, "tls_context", lambda: context)


def get(address, **options):
    return http.get(address, **{"limit": LIMIT, "deadline": 1.0, "tries": 1} | options)


def sends(content):
    return lambda connection: connection.sendall(content)


@pytest.mark.usefixtures("trusted")
def test_an_answer_over_tls(tls_host):
    assert get(tls_host(sends(OK + b"Content-Length: 5\r\n\r\nfound"))).body == b"found"


def test_a_host_that_nobody_vouches_for_is_refused(tls_host):
    with pytest.raises(http.HttpError, match=r"does not prove that it is that host .*certificate") as caught:
        get(tls_host(sends(OK + b"\r\n")))
    assert one_line(caught.value)


@pytest.mark.usefixtures("trusted")
def test_another_hosts_certificate_is_refused(tls_host):
    with pytest.raises(http.HttpError, match=r"does not prove that it is that host .*mismatch"):
        get(tls_host(sends(OK + b"\r\n")).replace("127.0.0.1", "localhost"))


@pytest.mark.usefixtures("trusted")
def test_nothing_outlasts_the_deadline(tls_host):
    with pytest.raises(http.HttpError):
        get(tls_host(dripping(OK + b"\r\n", b"x")))


def test_nor_does_a_handshake(raw_host):
    with pytest.raises(http.HttpError):
        get(raw_host(lambda _: time.sleep(5)).replace("http:", "https:"))


@pytest.mark.usefixtures("trusted")
def test_bytes_are_bounded(tls_host):
    with pytest.raises(http.HttpError):
        get(tls_host(endless(OK + b"\r\n", bytes(65_536))), deadline=30)


@pytest.mark.usefixtures("trusted")
def test_nothing_goes_from_https_to_http(tls_host, httpserver):
    target = httpserver.url_for("/").encode()
    with pytest.raises(http.HttpError, match="from https to http"):
        get(tls_host(sends(b"HTTP/1.1 302 Found\r\nLocation: " + target + b"\r\n\r\n")))
    assert httpserver.log == []
