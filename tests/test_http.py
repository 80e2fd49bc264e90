"""The HTTP client against real hosts on loopback, polite ones and hostile ones, over TLS and through proxies."""

import gzip
import multiprocessing
import socket
import ssl
import time

import hypothesis
import pytest
import trustme
from hosts import CHUNKED, GZIPPED, OK, dripping, endless, in_turn, one_line
from hypothesis import strategies

from utils import http
from utils.errors import HttpError

FOUND = OK + b"Content-Length: 5\r\n\r\nfound"


def moved(to):
    return b"HTTP/1.1 302 Found\r\nLocation: " + to.encode() + b"\r\n\r\n"


def get(address, **options):
    return http.get(address, **{"limit": 100_000, "deadline": 20.0, "tries": 1} | options)


def refusal(address, **options):
    """Return the error of an address that must not give an answer."""
    with pytest.raises(HttpError) as caught:
        get(address, **options)
    assert one_line(caught.value)
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.fixture
def server_tls(monkeypatch):
    """The TLS of hosts with a certificate of our own authority, which is trusted in this test."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1", "shop.example").configure_cert(server)
    authority.configure_trust(client)
    monkeypatch.setattr(http, "tls_context", lambda: client)
    return server


@pytest.fixture
def tls_host(raw_host, server_tls):
    """Open hosts as `raw_host` does, that speak TLS."""

    def open_host(talk):
        def talk_tls(connection):
            with server_tls.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65_536)
                secure.sendall(talk) if isinstance(talk, bytes) else talk(secure)

        return raw_host(talk_tls, reads_first=False).replace("http:", "https:")

    return open_host


def test_an_answer_with_its_parameters_and_who_asks(httpserver, raw_host):
    expected = httpserver.expect_request("/games", query_string={"a": "1", "name": "ü & co"})
    expected.respond_with_data("found", headers={"X-EResult": "84"})
    answer = get(httpserver.url_for("/games?a=1"), params={"name": "ü & co"})
    assert (answer.status, answer.body, answer.headers["x-eresult"]) == (200, b"found", "84")
    sent = httpserver.log[0][0].headers
    assert ("steam-BEiT" in sent["User-Agent"], sent["Accept-Encoding"]) == (True, "gzip")
    assert get(raw_host(GZIPPED + gzip.compress(b"one, ") + gzip.compress(b"two"))).body == b"one, two"
    assert get(raw_host(OK + b"Content-Length: abc\r\n\r\nfound")).body == b"found"


DRIPS = [
    *(lambda _: time.sleep(2), dripping(b"", b"HTTP/1.1 "), dripping(OK, b"X: y\r\n")),
    *(dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), dripping(OK + b"Content-Length: 1000\r\n\r\n", b"x")),
    *(dripping(OK + b"\r\n", b"x"), dripping(CHUNKED, b"1\r\nx\r\n")),
    dripping(GZIPPED + gzip.compress(b"", mtime=0)[:10], b"\0"),
]
FLOODS = [
    *(endless(OK + b"\r\n", bytes(65_536)), endless(CHUNKED, b"1000\r\n" + bytes(4_096) + b"\r\n")),
    endless(OK + b"Content-Length: 99999999999999\r\n\r\n", bytes(65_536)),
    endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
    *(GZIPPED + gzip.compress(bytes(4 << 20)), endless(GZIPPED, gzip.compress(b"", mtime=0) * 1_000)),
]
BROKEN = [
    *(b"", b"HTTP/1.1 xyz OK\r\n\r\n", OK + b"Content-Length: 10\r\n\r\nhalf", CHUNKED + b"5\r\nhalf"),
    *(CHUNKED + b"\xb2\r\nhalf", endless(CHUNKED, b"5" * 65_536), endless(OK, b"A: b\r\n")),
    *(GZIPPED + gzip.compress(bytes(50_000), mtime=0)[:40], GZIPPED + b"nonsense"),
]
ELSEWHERE = ["http://[::1/", "file:///etc/passwd", "http://localhost:1/", "http://[::1]:1/", "/", "http://me:you@host/"]
REFUSED = [*map(moved, ELSEWHERE), OK + b"Content-Encoding: br\r\n\r\nxx"]


@pytest.mark.parametrize("talk", [*DRIPS, *FLOODS, *BROKEN, *REFUSED])
def test_what_is_slow_too_large_broken_or_leads_elsewhere_is_one_line(raw_host, tls_host, talk):
    """Bytes are bounded before and after decompression; no redirect leads to another host in a private network."""
    for host in (raw_host(talk), tls_host(talk)):
        error = refusal(host, deadline=0.4 if talk in DRIPS else 20.0)
        assert error.retryable == (talk in [*DRIPS, *BROKEN])
        assert ("0.4 s" in str(error)) == (talk in DRIPS)
        assert str(error).startswith("too large: 127.0.0.1:") == (talk in FLOODS)
        assert "127.0.0.1:" in str(error) or talk in REFUSED


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(strategies.sampled_from([b"", OK, OK + b"\r\n", CHUNKED, GZIPPED]), strategies.binary(max_size=200))
def test_any_bytes_are_an_answer_or_one_line(raw_host, begin, content):
    try:
        assert len(get(raw_host(begin + content)).body) <= 100_000
    except HttpError as error:
        assert one_line(error)  # noqa: PT017


def test_a_busy_server_or_a_broken_answer_is_asked_for_again_and_any_other_once(raw_host, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    busy = b"HTTP/1.1 429 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
    short, missing = FOUND[:-1], FOUND.replace(b"200", b"404")
    host = raw_host(in_turn(busy, busy.replace(b"429", b"500"), short, missing, busy))
    assert (get(host, tries=9).status, [wait for wait in waits if wait >= 1]) == (404, [7, 7])
    assert get(host).retry_after == 7  # what comes of the last try is an answer
    nonsense = ("-5", "\u00b2", "nan", "", None, "Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 99 Dec 99999")
    assert [http.retry_after(header) for header in (*nonsense, " 5 ")] == [0] * 7 + [5]
    assert http.retry_after("9" * 4_000) == http.retry_after("Fri, 31 Dec 9999 23:59:59 GMT") == 120


def test_connections_are_kept_those_that_have_gone_replaced_and_a_forked_process_has_its_own(raw_host):
    answered = []  # requests of each connection

    def talk(connection):
        mine = len(answered)
        answered.append(0)
        while connection.recv(65_536) and answered[mine] < 3:  # the fourth request gets no answer
            answered[mine] += 1
            connection.sendall(FOUND)

    host = raw_host(talk, reads_first=False)
    assert [get(host).body for _ in range(4)] == [b"found"] * 4
    child = multiprocessing.get_context("fork").Process(target=get, args=(host,))
    child.start()
    child.join(20)
    assert (child.exitcode, get(host).body) == (0, b"found")
    assert answered == [3, 2, 1]


def test_a_host_that_does_not_prove_itself_is_refused(raw_host, tls_host, monkeypatch):
    assert get(tls_host(FOUND)).body == b"found"
    assert "0.4 s" in str(refusal(raw_host(DRIPS[0]).replace("http", "https"), deadline=0.4))  # no handshake comes
    assert "mismatch" in str(refusal(tls_host(FOUND).replace("127.0.0.1", "localhost")))
    monkeypatch.undo()  # nobody vouches for our authority
    error = refusal(tls_host(FOUND))
    assert ("certificate" in str(error), error.retryable) == (True, False)


NO_ADDRESSES = ["http://[::1", "file:///etc/passwd", "http://", "host/x", "", None, "http://.../", "http://a\0b/"]
NO_ADDRESSES += ["http://me:secret@host/", "http://host:0/", f"http://{64 * 'a'}/"]


@pytest.mark.parametrize("address", [*NO_ADDRESSES, "http://nobody.invalid/?a=secret", "http://127.0.0.1:9/?a=secret"])
def test_an_address_that_is_none_is_refused_and_a_host_that_does_not_answer_named(address):
    error = refusal(address)
    assert error.retryable == (address not in NO_ADDRESSES)
    assert not error.retryable or address.split("/")[2] in str(error)


def test_what_lies_outside_is_outside():
    assert http.checked("http://HOST:80/in/x", ["http://host/in"])
    for rest in (
        "://host/in/../x",
        "://host/in/%2e%2e/x",
        "://host/inner",
        "://hosts/in/",
        "://host:81/in/",
        "s://host/in/",
    ):
        with pytest.raises(HttpError):
            http.checked(f"http{rest}", ["http://host/in"])


@hypothesis.given(strategies.text(max_size=60), strategies.sampled_from(["", "http://", "https://[", "http://host/"]))
def test_any_text_is_an_address_or_one_line(text, begin):
    try:
        http.checked(text, base=http.checked(begin + text).geturl())
    except HttpError as error:
        assert one_line(error)  # noqa: PT017


def test_redirects_are_followed_within_what_is_allowed(httpserver, raw_host, tls_host):
    httpserver.expect_request("/in/old").respond_with_data(status=302, headers={"Location": "/new/x?t=1"})
    httpserver.expect_request("/new/x").respond_with_data("found")
    answer = get(httpserver.url_for("/in/old"))
    assert (answer.body, answer.address) == (b"found", httpserver.url_for("/new/x?t=1"))
    assert "/new/x" in str(refusal(httpserver.url_for("/in/old"), allowed=[httpserver.url_for("/in/")]))
    target = raw_host(FOUND)
    address = raw_host(endless(moved(target), bytes(65_536)))  # its endless body is not read
    assert get(address, allowed=[address, target]).body == b"found"
    secure = tls_host(moved(target))
    assert "from https to http" in str(refusal(secure, allowed=[secure, target]))


def test_a_name_that_becomes_private_while_it_is_asked_is_not_believed(raw_host, httpserver, monkeypatch):
    httpserver.expect_request("/").respond_with_data("private")
    lookup = socket.getaddrinfo

    def rebinding(host, port, *rest):
        number = host if host != "twice.example" else "8.8.8.8" if port is None else "127.0.0.1"
        return lookup(number, port, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    to = httpserver.url_for("/").replace("localhost", "twice.example")
    assert "twice.example" in str(refusal(raw_host(moved(to))))
    assert httpserver.log == []


@pytest.fixture
def set_proxy(monkeypatch):
    """Set the environment's proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    return lambda address: [monkeypatch.setenv(name, address) for name in ("http_proxy", "https_proxy")]


@pytest.fixture
def proxy(raw_host, server_tls, set_proxy):
    """What a proxy is asked that answers every GET by itself, and connects each CONNECT to a TLS host of our own."""
    asked = []

    def talk(connection):
        asked.append(connection.recv(65_536).decode())
        if asked[-1].startswith("CONNECT"):
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            connection = server_tls.wrap_socket(connection, server_side=True)
            asked.append(connection.recv(65_536).decode())
        connection.sendall(moved("http://10.0.0.1/") if "/moved" in asked[-1] else FOUND)

    set_proxy(raw_host(talk, reads_first=False).replace("http://", "http://me:pa%40ss@"))
    return asked


def test_what_is_asked_of_a_proxy_and_what_is_not(proxy, raw_host, monkeypatch):
    assert get("http://shop.example:8080/a?b=c").body == get("https://shop.example/a").body == b"found"
    asked = ["GET http://shop.example:8080/a?b=c", "CONNECT shop.example:443", "GET /a"]
    assert [request.partition(" HTTP")[0] for request in proxy] == asked
    assert ["Basic bWU6cGFAc3M=" in asked for asked in proxy] == [True, True, False]  # the password is the proxy's
    assert "mismatch" in str(refusal("https://other.example/a"))  # a tunnel that the proxy cannot read
    proxy.clear()
    assert get(raw_host(FOUND)).body == b"found"  # this machine is asked directly
    assert "10.0.0.1" in str(refusal("http://shop.example/moved"))  # a redirect into a private network
    monkeypatch.setenv("no_proxy", "shop.example")
    refusal("http://shop.example/a")
    assert [line.split()[1] for line in proxy] == ["http://shop.example/moved"]


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1", "http://", "http://[::1", "x:y", "http://127.0.0.1:9"])
def test_a_proxy_that_is_none_is_one_line(set_proxy, raw_host, address):
    set_proxy(address)
    assert "HTTP_PROXY" in str(refusal("http://shop.example/"))
    set_proxy(raw_host(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"))
    assert "407" in str(refusal("https://shop.example/"))
