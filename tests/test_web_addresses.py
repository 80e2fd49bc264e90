"""Where the HTTP client goes, and how long it waits."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import hypothesis
import pytest
from hosts import endless, one_line
from hypothesis import strategies

from utils import http
from utils import http as addresses
from utils import http as retrying

LIMIT = 100_000  # bytes


def get(address, **options):
    return http.get(address, **{"limit": LIMIT, "deadline": 2.0, "tries": 1} | options)


@pytest.mark.parametrize(
    "address",
    [
        *("http://[::1", "http://[::1/", "file:///etc/passwd", "ftp://host/", "", None, 7, "http://", "http:///x"),
        *("http://me:secret@host/", "http://host:0/", "http://host:99999/", "http://host:\u00b2/", "http://a\0b/"),
        *("http://" + 64 * "a" + ".com/", "http://.../", "http://x y/", "javascript:alert(1)", "host/x"),
    ],
)
def test_addresses_that_are_none(address):
    with pytest.raises(http.HttpError) as caught:
        get(address)
    assert one_line(caught.value)
    assert "secret" not in str(caught.value)


def test_a_name_that_nobody_has_and_a_door_that_nobody_opens():
    with pytest.raises(http.HttpError, match=r"nobody\.invalid cannot be reached"):
        get("http://nobody.invalid/?key=secret")
    with pytest.raises(http.HttpError, match=r"127\.0\.0\.1:9 cannot be reached") as caught:
        get("http://127.0.0.1:9/?key=secret")
    assert "secret" not in str(caught.value)


def test_redirects_are_followed_within_what_is_allowed(httpserver):
    httpserver.expect_request("/old").respond_with_data(status=302, headers={"Location": "/new/x?t=1"})
    httpserver.expect_request("/new/x").respond_with_data("found")
    answer = get(httpserver.url_for("/old"))
    assert (answer.body, answer.address) == (b"found", httpserver.url_for("/new/x?t=1"))
    with pytest.raises(http.HttpError, match="is not where this may be asked for"):
        get(httpserver.url_for("/old"), allowed=[httpserver.url_for("/old")])
    assert get(httpserver.url_for("/old"), allowed=["http://127.0.0.1:1", httpserver.url_for("/")]).status == 200


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("http://[::1/", "not an address"),
        ("file:///etc/passwd", "not an address"),
        ("http://localhost:1/", "not on the public internet"),
        ("http://[::1]:1/", "not on the public internet"),
        ("http://0.0.0.0:1/", "not on the public internet"),
        ("http://169.254.169.254/latest/", "not on the public internet"),
        ("/", "redirects more than 5 times"),
        ("http://me:you@host/", "user name"),
    ],
)
def test_redirects_that_are_not_followed(raw_host, to, words):
    with pytest.raises(http.HttpError, match=words):
        get(raw_host(b"HTTP/1.1 302 Found\r\nLocation: " + to.encode() + b"\r\n\r\n"))


def test_the_endless_body_of_a_redirect_is_not_read(raw_host, httpserver):
    httpserver.expect_request("/").respond_with_data("found")
    target = httpserver.url_for("/")
    begin = b"HTTP/1.1 302 Found\r\nLocation: " + target.encode() + b"\r\n\r\n"
    address = raw_host(endless(begin, bytes(65_536)))
    assert get(address, allowed=[address, target]).body == b"found"


def test_nothing_goes_from_https_to_http():
    start = addresses.checked("https://host/a")
    assert addresses.checked("https://other/b", None, base=start.geturl()).netloc == "other"
    with pytest.raises(http.HttpError, match="from https to http"):
        addresses.checked("http://host/b", None, base=start.geturl())


@pytest.mark.parametrize(
    "address",
    [
        "http://host/in/../out",
        "http://host/in/%2e%2e/out",
        "http://host/inner",
        "http://hosts/in/",
        "http://host:8080/in/",
        "https://host/in/",
    ],
)
def test_what_lies_outside_is_outside(address):
    assert addresses.checked("http://HOST:80/in/x", ["http://host/in/"])
    with pytest.raises(http.HttpError, match="not where this may be asked for"):
        addresses.checked(address, ["http://host/in"])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *(("3", 3), ("0", 0), (" 5 ", 5), ("99999999", 120), ("9" * 5_000, 120)),
        *(("-5", 0), ("\u00b2", 0), ("1e9", 0), ("nan", 0), ("", 0), (None, 0), ("soon", 0)),
        *(("Fri, 31 Dec 1999 23:59:59 GMT", 0), ("Fri, 31 Dec 9999 23:59:59 GMT", 120)),
        ("Fri, 99 Dec 99999 99:99:99 GMT", 0),
    ],
)
def test_retry_after(header, seconds):
    assert retrying.retry_after(header) == seconds


def test_retry_after_as_a_date():
    soon = datetime.now(UTC) + timedelta(seconds=60)
    assert 50 < retrying.retry_after(format_datetime(soon, usegmt=True)) <= 60


@hypothesis.given(strategies.text(max_size=40))
def test_any_retry_after_is_a_wait_or_none(header):
    assert 0 <= retrying.retry_after(header) <= 120


@hypothesis.given(strategies.text(max_size=60), strategies.sampled_from(["", "http://", "https://[", "http://host/"]))
def test_any_text_is_an_address_or_one_line(text, begin):
    try:
        parts = addresses.checked(begin + text)
        addresses.checked(text, None, base=parts.geturl())
    except http.HttpError as error:
        assert one_line(error)  # noqa: PT017
