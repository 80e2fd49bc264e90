"""The HTTP client against real hosts on loopback, polite ones and hostile ones."""

import gzip
import itertools
import time

import hypothesis
import pytest
from hosts import CHUNKED, GZIPPED, OK, bomb, dripping, endless, one_line
from hypothesis import strategies

from utils import http

LIMIT = 100_000  # bytes


def get(address, **options):
    return http.get(address, **{"limit": LIMIT, "deadline": 0.5, "tries": 1} | options)


def test_an_answer_with_its_parameters_and_who_asks(httpserver):
    httpserver.expect_request("/games", query_string={"a": "1", "name": "ü & co"}).respond_with_data(
        "found", headers={"X-Kind": "good"}
    )
    answer = get(httpserver.url_for("/games?a=1"), params={"name": "ü & co"})
    assert (answer.status, answer.body, answer.headers["x-kind"]) == (200, b"found", "good")
    request, _ = httpserver.log[0]
    assert "steam-BEiT" in request.headers["User-Agent"]
    assert request.headers["Accept-Encoding"] == "gzip"


def test_gzip_is_read_and_other_encodings_are_refused(raw_host):
    members = gzip.compress(b"one, ", mtime=0) + gzip.compress(b"two")
    assert get(raw_host(GZIPPED + members)).body == b"one, two"
    with pytest.raises(http.HttpError, match="encoding that was not asked for"):
        get(raw_host(OK + b"Content-Encoding: br\r\n\r\nxx"))


@pytest.mark.parametrize(
    "talk",
    [
        lambda _: time.sleep(5),
        dripping(b"", b"HTTP/1.1 "),
        dripping(OK, b"X: y\r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(OK + b"Content-Length: 1000\r\n\r\n", b"x"),
        dripping(OK + b"\r\n", b"x"),
        dripping(CHUNKED, b"1\r\nx\r\n"),
        dripping(GZIPPED + gzip.compress(b"", mtime=0)[:10], b"\0"),
    ],
    ids=["silence", "status", "headers", "continue", "endless continue", "body", "no length", "chunks", "gzip"],
)
def test_nothing_outlasts_the_deadline(raw_host, talk):
    with pytest.raises(
        http.HttpError, match=r"127\.0\.0\.1:\d+ (does not answer in time|broke off|sent more)"
    ) as caught:
        get(raw_host(talk))
    assert one_line(caught.value)


@pytest.mark.parametrize(
    "talk",
    [
        endless(OK + b"\r\n", bytes(65_536)),
        endless(CHUNKED, b"1000\r\n" + bytes(4_096) + b"\r\n"),
        endless(OK + b"Content-Length: 99999999999999\r\n\r\n", bytes(65_536)),
        GZIPPED + bomb(4),
        endless(GZIPPED, gzip.compress(b"", mtime=0)),
        endless(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(1 << 16), mtime=0)),
    ],
    ids=["no length", "chunked", "announced", "bomb", "empty members", "members"],
)
def test_bytes_are_bounded_after_decompression(raw_host, talk):
    with pytest.raises(http.HttpError, match=r"^too large: 127\.0\.0\.1:\d+ sent more"):
        get(raw_host(talk), deadline=30)


@pytest.mark.parametrize(
    "talk",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 xyz OK\r\n\r\n",
        OK + b"Content-Length: 10\r\n\r\nhalf",
        CHUNKED + b"5\r\nhalf",
        CHUNKED + b"\xb2\r\nhalf",
        GZIPPED + gzip.compress(bytes(50_000), mtime=0)[:40],
        GZIPPED + b"nonsense",
        endless(OK, b"A: b\r\n"),
        endless(OK + b"A: ", b"b" * 65_536),
        endless(CHUNKED, b"5" * 65_536),
    ],
)
def test_what_is_no_answer_is_one_line(raw_host, talk):
    with pytest.raises(http.HttpError, match=r"^127\.0\.0\.1:\d+ (broke off|cannot be reached)") as caught:
        get(raw_host(talk))
    assert one_line(caught.value)


def test_a_length_that_is_none_is_ignored(raw_host):
    assert get(raw_host(OK + b"Content-Length: abc\r\n\r\nfound")).body == b"found"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_asked_again_and_its_last_answer_returned(httpserver, status):
    httpserver.expect_ordered_request("/").respond_with_data(status=status)
    httpserver.expect_ordered_request("/").respond_with_data("found")
    assert get(httpserver.url_for("/"), tries=3).body == b"found"
    for _ in range(2):
        httpserver.expect_ordered_request("/").respond_with_data("busy", status=status)
    answer = get(httpserver.url_for("/"), tries=2)
    assert (answer.status, answer.body) == (status, b"busy")


def test_what_does_not_pass_is_asked_once(httpserver):
    httpserver.expect_oneshot_request("/").respond_with_data("no", status=404)
    assert get(httpserver.url_for("/"), tries=3).status == 404


def test_a_broken_connection_is_tried_again(raw_host):
    tries = itertools.count()

    def talk(connection):
        connection.sendall(OK + b"Content-Length: 5\r\n\r\n" + (b"found" if next(tries) else b"fo"))

    assert get(raw_host(talk), tries=2).body == b"found"


def test_the_server_says_how_long_to_wait(httpserver, monkeypatch):
    waits = []
    monkeypatch.setattr(time, "sleep", waits.append)
    httpserver.expect_request("/").respond_with_data(status=429, headers={"Retry-After": "7"})
    get(httpserver.url_for("/"), tries=3)
    assert [wait for wait in waits if wait >= 1] == [7, 7]


@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(
    strategies.sampled_from([b"", OK, OK + b"\r\n", CHUNKED, GZIPPED, GZIPPED + gzip.compress(b"found", mtime=0)[:12]]),
    strategies.binary(max_size=200),
)
def test_any_bytes_are_an_answer_or_one_line(raw_host, begin, content):
    try:
        assert len(get(raw_host(begin + content), deadline=5).body) <= LIMIT
    except http.HttpError as error:
        assert one_line(error)  # noqa: PT017
