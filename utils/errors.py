"""The error that a notebook shows in one line."""


class PlainError(Exception):
    """An error whose message says all that a reader needs, so IPython shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]
