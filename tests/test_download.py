"""Downloads to the disk: resumed, bounded, whole or not at all."""

import hashlib
import time

import numpy as np
import pytest
from hosts import CHUNKED, OK, dripping, endless, in_turn, refusal
from werkzeug import Response

from utils.download import download as download_with
from utils.errors import HttpError, StorageError

FILE = np.random.default_rng(0).bytes(1_000_000)


def download(address, file, **options):
    return download_with(address, file, **{"limit": 10_000_000, "deadline": 20.0, "tries": 1} | options)


def serving(content, *, tag='"one"', ranges=True):
    """A handler that serves a file, or the rest of it where a range is asked for."""

    def serve(request):
        whole = Response(content, headers={"ETag": tag})
        return whole.make_conditional(request, accept_ranges=ranges, complete_length=len(content))

    return serve


def answering(*answer):
    return lambda _: Response(*answer)


def breaking_off(content):
    """A handler that serves a file, but not all of it."""
    return lambda _: Response(iter([content[:600_000]]), headers={"ETag": '"one"', "Content-Length": str(len(content))})


@pytest.fixture
def serve(httpserver):
    """Let the host answer its requests in this order, the last answer being for all others; get its address."""

    def set_to(*answers):
        for answer in answers[:-1]:
            httpserver.expect_oneshot_request("/").respond_with_handler(answer)
        httpserver.expect_request("/").respond_with_handler(answers[-1])
        return httpserver.url_for("/")

    return set_to


def test_a_download_that_breaks_off_goes_on_and_a_status_that_is_no_file_ends_it(serve, httpserver, tmp_path):
    missing, busy = answering("none", 404), answering("none", 503)
    address = serve(breaking_off(FILE), missing, busy, serving(FILE))
    file = tmp_path / "new" / "file.tar"
    for said in ("broke off", "404"):
        assert said in refusal(HttpError, download, address, file)
        assert not file.exists()
    assert download(address, file, tries=2) == file
    assert file.read_bytes() == FILE
    assert [each.name for each in file.parent.iterdir()] == ["file.tar"]
    have = int(httpserver.log[4][0].headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 500_000 <= have <= 600_000


ELSE = {
    "another version": [serving(FILE, tag='"two"')] * 2,
    "no ranges": [serving(FILE, ranges=False)] * 2,
    "a range refused": [serving(FILE), answering("no", 416)],
    "another range": [serving(FILE), answering(b"x" * 9, 206, {"Content-Range": "bytes 7-15/16"})],
    "no range": [serving(FILE), answering(b"x" * 9, 206)],
}


@pytest.mark.parametrize("kind", ELSE)
def test_what_cannot_go_on_starts_over(serve, tmp_path, kind):
    address = serve(breaking_off(bytes(1_000_000)), *ELSE[kind], serving(FILE))
    assert refusal(HttpError, download, address, tmp_path / "file")
    assert download(address, tmp_path / "file", tries=2).read_bytes() == FILE
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


BEGIN = OK + b'ETag: "x"\r\nContent-Length: 1000\r\n\r\n' + bytes(600)
REST = b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 600-999/1000\r\n\r\n" + bytes(700)


@pytest.mark.parametrize(
    "talk",
    [
        *(endless(OK + b"\r\n", bytes(65_536)), endless(CHUNKED + b"fffffff\r\n", bytes(65_536))),
        OK + b'ETag: "x"\r\nContent-Length: 99999999999\r\n\r\nx',  # refused as it is announced
        in_turn(BEGIN, BEGIN, REST),  # the rest of a file has the bytes that are left
    ],
)
def test_a_file_that_is_too_large_does_not_fill_the_disk(raw_host, tmp_path, talk):
    line = refusal(HttpError, download, raw_host(talk), tmp_path / "file", tries=3, limit=1_000)
    assert (line.startswith("too large"), list(tmp_path.iterdir())) == (True, [])


def test_a_file_that_drips_is_given_up_and_one_that_keeps_coming_is_not(raw_host, tmp_path):
    def steady(connection):
        connection.sendall(OK + b"Content-Length: 1048576\r\n\r\n")
        for _ in range(4):
            connection.sendall(bytes(1 << 18))
            time.sleep(0.2)

    assert download(raw_host(steady), tmp_path / "file", deadline=0.6).stat().st_size == 1 << 20
    drips = raw_host(dripping(OK + b"Content-Length: 1000\r\n\r\n", b"x"))
    assert refusal(HttpError, download, drips, tmp_path / "file", deadline=0.6)


def test_a_rest_that_breaks_off_is_no_whole_file_and_a_full_disk_is_named(raw_host, serve, tmp_path):
    host = raw_host(in_turn(BEGIN, BEGIN, REST[:-600]))  # which did not say how long it is
    assert "what came is kept" in refusal(HttpError, download, host, tmp_path / "file", tries=2)
    version = hashlib.sha256(b'"one" 1000000').hexdigest()[:16]
    (tmp_path / f".file.{version}.part").symlink_to("/dev/full")
    assert "full" in refusal(StorageError, download, serve(serving(FILE)), tmp_path / "file")
