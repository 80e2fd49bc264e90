"""The kinds of error that a reader of a notebook sees, each in a line: what was found, what is allowed, the remedy."""

import re
import traceback
from types import TracebackType
from typing import Any

from utils.names import shortened, visible


class PlainError(Exception):
    """An error whose message says all that a reader needs, so IPython shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class SettingsError(PlainError, ValueError):
    """A setting or an argument that cannot be followed."""


class HttpError(PlainError):
    """An address that gave no usable answer; the message names the host, never the query, which may hold a key."""

    def __init__(self, message: str, *, retryable: bool = False, wait: float = 0.0) -> None:
        super().__init__(message)
        self.retryable = retryable  # whether another try may go better
        self.wait = wait  # seconds that the server asked us to wait before it; 0 is as we like


class StoreError(HttpError):
    """An answer of the store that does not say what was asked."""


class StorageError(PlainError, OSError):
    """A disk, a mount or a lock that does not let us read or write."""


class DamagedError(PlainError):
    """A file or an archive that is not whole, or not what it says it is."""


class PictureError(PlainError, ValueError):
    """A picture that cannot be used."""


class CheckpointError(PlainError, ValueError):
    """A checkpoint that cannot be loaded or that lacks what was asked of it."""


class DownloadError(PlainError):
    """A download of banners that cannot go on."""


class MatchError(PlainError, ValueError):
    """A game, a query or a pair that cannot be found or compared."""


class CellError(PlainError):
    """A cell that was stopped, or that needs what another one makes."""


def shown(text: object, limit: int = 120) -> str:
    """Return what a message may quote of a text from anywhere: one line of at most `limit` characters."""
    return shortened(visible(str(text)), limit)


def plain_errors() -> None:
    """Let this notebook show an interruption, and a name that its cells have not made yet, in one line each.

    Names with `$...$` or a backslash stay as they are in its tables: Jupyter takes text between such marks for a
    formula, whatever classes the table has; an element between ends it.
    """
    import pandas as pd
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((NameError, KeyboardInterrupt), _show)
        html = shell.display_formatter.formatters["text/html"]
        html.for_type(pd.DataFrame, lambda table: re.sub(r"[$\\]", r"<span>\g<0></span>", table._repr_html_()))


def _show(shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: int | None = None) -> None:  # noqa: ANN401
    *_, (frame, _) = traceback.walk_tb(trace)
    if isinstance(error, KeyboardInterrupt):
        said = "what is finished is kept; run this cell again to go on"
    elif isinstance(error, NameError) and frame.f_globals is shell.user_ns:
        said = f"no cell has made `{error.name}` yet; run the cells above this one, or correct the name"
    else:  # a mistake of the package's own
        return shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    return shell.showtraceback((CellError, CellError(said), None))
