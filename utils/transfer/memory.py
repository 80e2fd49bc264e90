"""A bound on the memory that it takes to read what somebody else wrote."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from utils.transfer.errors import BadArchive

MOST = 2 << 30  # bytes; Steam's whole catalogue with features takes a quarter of it

_STATUS = Path("/proc/self/status")


@contextmanager
def bounded() -> Iterator[None]:
    """Let this process take at most MOST bytes more within the block; raises BadArchive where that is not enough.

    A parquet file of a kilobyte can unfold into gigabytes, in ways that its own description hides, so no look at the
    file tells. Linux knows such a limit; elsewhere nothing is bounded.
    """
    if not _STATUS.exists():
        yield
        return
    import resource  # not on Windows

    before = resource.getrlimit(resource.RLIMIT_DATA)
    with suppress(ValueError):  # whoever started us allows less
        resource.setrlimit(resource.RLIMIT_DATA, (_taken() + MOST, before[1]))
    try:
        yield
    except MemoryError:
        raise BadArchive(f"it takes more than {MOST:,} bytes of memory to read, more than any of ours") from None
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _taken() -> int:
    """Return the bytes of this process that the limit counts."""
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines["VmData"].split()[0]) << 10
