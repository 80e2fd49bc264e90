"""Downloads to the disk: resumed, bounded, whole or not at all."""

import hashlib
import time

import numpy as np
import pytest
from hosts import CHUNKED, OK, dripping, endless
from werkzeug import Request, Response

from utils import http
from utils.download import download as to_disk
from utils.errors import StorageError


def a_file(size=1_000_000):
    return np.random.default_rng(0).bytes(size)


def serving(content, *, tag='"one"', ranges=True, cut=None):
    """A handler that serves a file, its rest where a range is asked for, and breaks off after `cut` bytes."""

    def serve(request: Request) -> Response:
        start = 0
        if ranges and request.range and request.headers.get("If-Range") == tag:
            start = request.range.ranges[0][0]
        body = content[start:]
        headers = {"ETag": tag, "Content-Length": str(len(body))}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Response(iter([body[:cut]]), 206 if start else 200, headers)

    return serve


def asked_ranges(httpserver):
    return [request.headers.get("Range") for request, _ in httpserver.log]


def download(address, file, **options):
    return to_disk(address, file, **{"limit": 10_000_000, "deadline": 5.0, "tries": 1} | options)


def test_a_download_is_there_whole(httpserver, tmp_path):
    httpserver.expect_request("/").respond_with_handler(serving(a_file()))
    file = tmp_path / "new" / "file.tar"
    assert download(httpserver.url_for("/"), file) == file
    assert file.read_bytes() == a_file()
    assert [each.name for each in file.parent.iterdir()] == ["file.tar"]


def test_a_download_that_breaks_off_goes_on(httpserver, tmp_path):
    httpserver.expect_ordered_request("/").respond_with_handler(serving(a_file(), cut=600_000))
    for _ in range(2):
        httpserver.expect_ordered_request("/").respond_with_handler(serving(a_file()))
    file = tmp_path / "file"
    with pytest.raises(http.HttpError, match="broke off"):
        download(httpserver.url_for("/"), file)
    assert not file.exists()
    assert download(httpserver.url_for("/"), file).read_bytes() == a_file()
    have = int(asked_ranges(httpserver)[2].removeprefix("bytes=").removesuffix("-"))
    assert 500_000 <= have <= 600_000


def test_a_download_goes_on_by_itself(httpserver, tmp_path):
    httpserver.expect_request("/").respond_with_handler(serving(a_file(), cut=400_000))
    assert download(httpserver.url_for("/"), tmp_path / "file", tries=5).read_bytes() == a_file()


@pytest.mark.parametrize("ranges", [True, False])
def test_another_version_is_downloaded_from_its_start(httpserver, tmp_path, ranges):
    httpserver.expect_ordered_request("/").respond_with_handler(serving(bytes(1_000_000), cut=600_000))
    for _ in range(2):
        new = serving(a_file(), tag='"two"' if ranges else '"one"', ranges=ranges)
        httpserver.expect_ordered_request("/").respond_with_handler(new)
    with pytest.raises(http.HttpError):
        download(httpserver.url_for("/"), tmp_path / "file")
    assert download(httpserver.url_for("/"), tmp_path / "file").read_bytes() == a_file()
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "answer",
    [Response("no", 416), Response(b"x" * 9, 206, {"Content-Range": "bytes 7-15/16"}), Response(b"x" * 9, 206)],
)
def test_a_range_that_is_refused_or_another_starts_over(httpserver, tmp_path, answer):
    httpserver.expect_ordered_request("/").respond_with_handler(serving(a_file(), cut=600_000))
    httpserver.expect_ordered_request("/").respond_with_handler(serving(a_file()))
    httpserver.expect_ordered_request("/").respond_with_response(answer)
    httpserver.expect_ordered_request("/").respond_with_handler(serving(a_file()))
    assert download(httpserver.url_for("/"), tmp_path / "file", tries=3).read_bytes() == a_file()


def test_a_status_that_is_no_file(httpserver, tmp_path):
    httpserver.expect_oneshot_request("/").respond_with_data("none", status=404)
    with pytest.raises(http.HttpError, match="answered 404; check the address"):
        download(httpserver.url_for("/"), tmp_path / "file", tries=3)
    httpserver.expect_ordered_request("/").respond_with_data("none", status=503)
    httpserver.expect_ordered_request("/").respond_with_handler(serving(a_file()))
    assert download(httpserver.url_for("/"), tmp_path / "file", tries=2).read_bytes() == a_file()


@pytest.mark.parametrize(
    "begin", [OK + b"\r\n", OK + b'ETag: "x"\r\nContent-Length: 99999999999\r\n\r\n', CHUNKED + b"fffffff\r\n"]
)
def test_an_endless_file_does_not_fill_the_disk(raw_host, tmp_path, begin):
    with pytest.raises(http.HttpError, match=r"more (than|bytes)"):
        download(raw_host(endless(begin, bytes(65_536))), tmp_path / "file", tries=3)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_drips_is_given_up_and_one_that_keeps_coming_is_not(raw_host, tmp_path):
    with pytest.raises(http.HttpError):
        download(raw_host(dripping(OK + b"Content-Length: 1000\r\n\r\n", b"x")), tmp_path / "file", deadline=0.5)

    def steady(connection):
        connection.sendall(OK + b"Content-Length: 2097152\r\n\r\n")
        for _ in range(8):
            connection.sendall(bytes(1 << 18))
            time.sleep(0.1)

    assert download(raw_host(steady), tmp_path / "file", deadline=0.5).stat().st_size == 1 << 21


def test_a_full_disk_is_named(httpserver, tmp_path):
    httpserver.expect_request("/").respond_with_handler(serving(a_file()))
    version = hashlib.sha256(b'"one" 1000000').hexdigest()[:16]
    part = tmp_path / f".file.{version}.part"
    part.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="make room"):
        download(httpserver.url_for("/"), tmp_path / "file")
