"""Downloads to the disk: resumed, bounded, whole or not at all."""

import hashlib
import time

import numpy as np
import pytest
from hosts import CHUNKED, OK, dripping, endless, in_turn, refusal

from utils.download import download as download_with
from utils.errors import HttpError, StorageError

FILE = np.random.default_rng(0).bytes(1_000)
WHOLE = OK + b'ETag: "x"\r\nContent-Length: 1000\r\n\r\n' + FILE
BEGIN = WHOLE[:-400]
REST = b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 600-999/1000\r\n\r\n" + FILE[600:]
MISSING, BUSY, NO_RANGE = (b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status for status in (404, 503, 416))


def download(address, file, **options):
    return download_with(address, file, **{"limit": 10_000_000, "deadline": 20.0, "tries": 1} | options)


def test_a_download_that_breaks_off_goes_on_and_a_status_that_is_no_file_ends_it(raw_host, tmp_path):
    asked, answer = [], in_turn(BEGIN, MISSING, BUSY, WHOLE, REST)

    def talk(connection):
        asked.append(connection.recv(65_536))
        answer(connection)

    address, file = raw_host(talk, reads_first=False), tmp_path / "new" / "file.tar"
    for said in ("broke off", "404"):
        assert said in refusal(HttpError, download, address, file)
        assert not file.exists()
    assert download(address, file, tries=2) == file
    assert file.read_bytes() == FILE
    assert [each.name for each in file.parent.iterdir()] == ["file.tar"]
    assert {b"Range: bytes=600-", b'If-Range: "x"'} <= set(asked[-1].split(b"\r\n"))


@pytest.mark.parametrize(
    "answers",
    [
        [WHOLE.replace(b'"x"', b'"y"')],  # another version
        *([WHOLE, WHOLE], [WHOLE, NO_RANGE]),
        *([WHOLE, REST.replace(b"600", b"599")], [WHOLE, REST.replace(b"Content-Range", b"X")]),
    ],
)
def test_what_cannot_go_on_starts_over(raw_host, tmp_path, answers):
    address = raw_host(in_turn(BEGIN.replace(FILE[:600], bytes(600)), *answers, WHOLE))
    assert refusal(HttpError, download, address, tmp_path / "file")
    assert download(address, tmp_path / "file", tries=2).read_bytes() == FILE
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "talk",
    [
        *(endless(OK + b"\r\n", bytes(65_536)), endless(CHUNKED + b"fffffff\r\n", bytes(65_536))),
        OK + b'ETag: "x"\r\nContent-Length: 99999999999\r\n\r\nx',  # refused as it is announced
        in_turn(BEGIN, BEGIN, REST + bytes(1)),  # the rest of a file has the bytes that are left
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


def test_a_rest_that_breaks_off_is_no_whole_file_and_a_full_disk_is_named(raw_host, tmp_path):
    host = raw_host(in_turn(BEGIN, BEGIN, REST[:-300]))  # which does not say how long it is
    assert "what came is kept" in refusal(HttpError, download, host, tmp_path / "file", tries=2)
    version = hashlib.sha256(b'"x" 1000').hexdigest()[:16]
    (tmp_path / f".other.{version}.part").symlink_to("/dev/full")
    assert "full" in refusal(StorageError, download, raw_host(WHOLE), tmp_path / "other")
