"""Archives from an address: a real server with its moods, on loopback."""

import signal
import subprocess
import sys
import time

import pytest
from archive_host import Host
from homes import finished, tree

from utils import http, transfer


@pytest.fixture
def host(archive):
    server = Host(archive.read_bytes())
    server.open()
    yield server
    server.close()


def test_a_download_that_breaks_off_goes_on_by_itself(finished_home, host, tmp_path):
    host.breaks = [300_000, 400_000, 500_000]
    transfer.fetch(host.url, tmp_path)
    assert tree(tmp_path) == finished(finished_home)
    asked = [int(each.removeprefix("bytes=").removesuffix("-")) for each, _ in host.seen if each]
    assert asked == sorted(asked)
    assert asked[-1] > 0
    assert {condition for each, condition in host.seen if each} == {'"one"'}


@pytest.mark.parametrize("mood", ["without ranges", "small ranges", "refused ranges", "busy"])
def test_moods(finished_home, host, tmp_path, mood):
    host.breaks = [600_000]
    host.ranges = {"without ranges": False, "refused ranges": "refused"}.get(mood, True)
    host.most = 200_000 if mood == "small ranges" else None
    host.busy = 2 if mood == "busy" else 0
    try:
        transfer.fetch(host.url, tmp_path)
    except http.HttpError:  # a server that goes back on its word is asked from the start at the next call
        host.ranges, host.most, host.breaks = True, None, []
        transfer.fetch(host.url, tmp_path)
    assert tree(tmp_path) == finished(finished_home)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}, {"Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"}])
def test_servers_that_know_less_of_versions(finished_home, host, tmp_path, headers):
    host.headers = headers
    host.breaks = [610_000]
    transfer.fetch(host.url, tmp_path)
    assert tree(tmp_path) == finished(finished_home)


def test_of_what_is_there_only_the_manifest_is_read_again(finished_home, archive, host, tmp_path):
    transfer.fetch(archive, tmp_path)
    transfer.fetch(host.url, tmp_path)
    assert host.seen == [(None, None)]
    assert tree(tmp_path) == finished(finished_home)


@pytest.mark.parametrize(("status", "words"), [(404, "answered 404"), (403, "answered 403"), (503, "answered 503")])
def test_a_server_that_says_no(host, tmp_path, status, words):
    host.status = status
    with pytest.raises(http.HttpError, match=rf"127\.0\.0\.1.* {words}") as error:
        transfer.fetch(host.url, tmp_path)
    assert "secret" not in str(error.value)
    assert len(host.seen) == (http.TRIES if status == 503 else 1)
    assert not tree(tmp_path)


@pytest.mark.parametrize(
    "address", ["http://[::1", "ftp://127.0.0.1/a.tar", "file:///etc/passwd", "http://", "http:///a"]
)
def test_an_address_that_is_none(tmp_path, address):
    with pytest.raises(http.HttpError):
        transfer.fetch(address, tmp_path)
    assert not tree(tmp_path)


def test_nobody_answers(host, tmp_path):
    host.close()
    with pytest.raises(http.HttpError, match=r"127\.0\.0\.1"):
        transfer.fetch(host.url, tmp_path)


def test_a_page_instead_of_an_archive(host, tmp_path):
    host.content = b"<html>sign in</html>" * 1_000
    with pytest.raises(transfer.BadArchive, match=r"what 127\.0\.0\.1:[0-9]+ sent is not an archive"):
        transfer.fetch(host.url, tmp_path)
    assert len(host.seen) == 1
    assert not tree(tmp_path)


def test_a_downloaded_archive_that_is_damaged_is_thrown_away(finished_home, host, tmp_path):
    good = host.content
    host.content = good[:500_000] + bytes([good[500_000] ^ 1]) + good[500_001:]
    with pytest.raises(transfer.BadArchive, match="damaged"):
        transfer.fetch(host.url, tmp_path / "home")
    assert not tree(tmp_path)
    host.content = good
    transfer.fetch(host.url, tmp_path / "home")
    assert tree(tmp_path / "home") == finished(finished_home)


@pytest.mark.parametrize("mood", ["endless after the archive", "endless zeros", "length abc", "length -1"])
def test_a_server_that_lies_about_its_length(host, tmp_path, mood):
    if mood.startswith("length"):
        host.length = mood.removeprefix("length ")
    else:
        host.endless = True
        host.content = host.content if "archive" in mood else b""
    line = ""
    try:
        transfer.fetch(host.url, tmp_path / "home")
    except (http.HttpError, transfer.BadArchive) as error:
        line = str(error)
    assert "\n" not in line
    assert not line or not tree(tmp_path)
    assert sum(map(len, tree(tmp_path).values())) <= 2 * len(host.content)


def test_what_was_left_of_another_address_is_removed(finished_home, host, tmp_path):
    host.breaks = [100_000] * http.TRIES
    with pytest.raises(http.HttpError):
        transfer.fetch(host.url, tmp_path)
    assert [file for file in tree(tmp_path) if file.endswith(".part")]
    host.breaks = []
    transfer.fetch(f"{host.url}&other=address", tmp_path)
    assert tree(tmp_path) == finished(finished_home)


@pytest.mark.kill
def test_a_killed_download_goes_on(finished_home, host, tmp_path):
    host.breaks = [600_000]
    host.hangs = True
    words = (
        f"from pathlib import Path; from utils import transfer; transfer.fetch({host.url!r}, Path({str(tmp_path)!r}))"
    )
    child = subprocess.Popen([sys.executable, "-c", words], stderr=subprocess.DEVNULL)
    while not any(part.stat().st_size for part in tmp_path.glob(".*.part")):
        assert child.poll() is None
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    (part,) = tmp_path.glob(".*.part")
    kept = part.stat().st_size
    host.hangs = False
    host.seen.clear()
    transfer.fetch(host.url, tmp_path)
    assert host.seen[-1] == (f"bytes={kept}-", '"one"')
    assert tree(tmp_path) == finished(finished_home)
