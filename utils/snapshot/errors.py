"""What ends a download, in one line."""

from utils.errors import PlainError


class SnapshotError(PlainError):
    """A download that cannot begin or go on; the message says what is kept and what to do."""


class Stopped(SnapshotError, KeyboardInterrupt):
    """A download that somebody stopped."""
