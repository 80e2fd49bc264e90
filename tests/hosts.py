"""Hosts that misbehave byte by byte, for the tests of whatever asks the web."""

import itertools
import time
import zlib

import pytest

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
GZIPPED = OK + b"Content-Encoding: gzip\r\n\r\n"


def dripping(begin, drop):
    """Say `begin`, then `drop` again and again, a byte every 20 ms."""

    def talk(connection):
        connection.sendall(begin)
        for byte in itertools.cycle(drop):
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    return talk


def endless(begin, piece):
    """Say `begin`, then `piece` for ever."""

    def talk(connection):
        connection.sendall(begin)
        while True:
            connection.sendall(piece)

    return talk


def bomb(mebibytes):
    """Return zeros, gzipped to a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(mebibytes)) + packer.flush()


def one_line(error):
    """Whether an error can be shown as it is."""
    return str(error) and "\n" not in str(error) and "Traceback" not in str(error) and " object at 0x" not in str(error)


def refusal(kind, call, *arguments, **options):
    """Return the one line that a call is refused with."""
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    assert one_line(caught.value)
    return str(caught.value)
