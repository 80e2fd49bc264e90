"""What can go wrong when finished work moves."""

from utils.errors import PlainError


class TransferError(PlainError):
    """Work that cannot be moved; the message says why and what to do."""


class BadArchive(TransferError):
    """An archive that is not ours, not whole, or not to be trusted."""
