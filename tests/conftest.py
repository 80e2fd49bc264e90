"""What the tests share: a store, hosts that answer or misbehave, short waits, and how long the property tests look."""

import contextlib
import os
import re
import secrets
import socketserver
import threading

import downloads
import faults
import hypothesis
import pytest

import sample
from utils import http

hypothesis.settings.register_profile("short", max_examples=25, derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("long", max_examples=2_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.fixture(scope="session", autouse=True)
def _stores_in_trouble_and_short_waits():
    """Every store that a test opens can be brought into trouble, and the next try comes soon."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sample, "Store", faults.Store)
        patch.setattr(http, "BACK_OFF", 0.01)
        yield


@pytest.fixture
def part_name(monkeypatch):
    """The name that every file of this test is written under, before it is renamed."""
    monkeypatch.setattr(secrets, "token_hex", lambda _: "0")
    return f".{os.getpid()}-0.part"


@pytest.fixture(scope="module")
def fictional():
    """The sample's games and banners."""
    return sample.fictional()


@pytest.fixture(scope="module")
def sample_store(fictional):
    """The sample's store; tests that change a store open one of their own."""
    with sample.Store(fictional) as store:
        yield store


@pytest.fixture
def store():
    """A store of 1,300 made-up games, three pages of them."""
    with faults.Store(sample.many(1_300)) as opened:
        yield opened


@pytest.fixture
def store_of(httpserver):
    """Open a store whose every service answers with these items, as no well-built store does; get its address."""

    def open_store(items):
        ids = [{"appid": place + 1} for place in range(len(items))]
        response = {"metadata": {"total_matching_records": str(len(items))}, "ids": ids, "store_items": items}
        httpserver.clear()
        httpserver.expect_request(re.compile("/I.*")).respond_with_json({"response": response})
        return httpserver.url_for("")

    return open_store


@pytest.fixture
def raw_host():
    """Open hosts on loopback that say, byte for byte, what `talk(connection)` sends to whoever connects.

    Give `talk`, or the bytes to send, and get the address. The request is read first, unless `talk` does so itself.
    """
    opened = []

    def open_host(talk, *, reads_first=True):
        def converse(connection, *_):
            with contextlib.suppress(OSError):  # the client has heard enough
                if reads_first:
                    connection.recv(65_536)
                connection.sendall(talk) if isinstance(talk, bytes) else talk(connection)

        host = socketserver.ThreadingTCPServer(("127.0.0.1", 0), converse)
        host.daemon_threads = True
        opened.append(host)
        threading.Thread(target=host.serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{host.server_address[1]}/"

    yield open_host
    for host in opened:
        host.shutdown()
        host.server_close()


@pytest.fixture(scope="session")
def downloaded(tmp_path_factory):
    """240 games and a folder of their banners in six shards, downloaded once; copy the folder before changing it."""
    folder = tmp_path_factory.mktemp("downloaded") / "snapshots"
    stock = sample.many(240)
    with sample.Store(stock) as store:
        assert downloads.update(store, folder, shard_size=40).count("downloaded") == 240
    return stock, folder


@pytest.fixture(scope="session")
def finished_dir(tmp_path_factory):
    """A data_dir with a catalogue, a verified snapshot, features and the debris of work in progress; not to change."""
    import data_dirs  # brings torch and transformers: half the time of a test that needs neither

    data_dir = tmp_path_factory.mktemp("made") / "sample"
    data_dirs.make(data_dir, sample.checkpoint(tmp_path_factory.mktemp("checkpoint")))
    return data_dir
