"""The export's error."""

from utils.errors import PlainError


class ExportError(PlainError, ValueError):
    """An export that cannot be made; the message says why and what to do."""
