"""Hosts that misbehave byte by byte, for the tests of whatever asks the web."""

import itertools
import time

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


def in_turn(*answers):
    """Say the next of these to each who connects, and the last to all others."""
    rest = itertools.chain(answers, itertools.repeat(answers[-1]))
    return lambda connection: connection.sendall(next(rest))


def one_line(error):
    """Whether an error can be shown as it is."""
    return str(error) and "\n" not in str(error) and "Traceback" not in str(error) and " object at 0x" not in str(error)


def refusal(kind, call, *arguments, **options):
    """Return the one line that a call is refused with."""
    with pytest.raises(kind) as caught:
        call(*arguments, **options)
    assert one_line(caught.value)
    return str(caught.value)
