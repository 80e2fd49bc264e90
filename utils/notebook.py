"""A notebook's errors in one line: a name that no cell has made yet, and a cell that was stopped."""

from types import FrameType, TracebackType
from typing import Any

from utils.errors import PlainError


class OutOfOrder(PlainError):
    """A cell that needs what another one makes."""


class Stopped(PlainError):
    """A cell that was interrupted."""


def plain_errors() -> None:
    """Let this notebook show an interruption, and a name that its cells have not made yet, in one line each."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((NameError, KeyboardInterrupt), _show)


def _show(
    shell: Any,  # noqa: ANN401 - IPython's shell
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    plain = None
    if isinstance(error, KeyboardInterrupt):
        plain = Stopped("what is finished is kept; run this cell again to go on")
    elif isinstance(error, NameError) and _innermost(trace).f_globals is shell.user_ns:
        plain = OutOfOrder(f"no cell has made `{error.name}` yet; run the cells above this one, or correct the name")
    if plain is None:  # a mistake of the package's own
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    else:
        shell.showtraceback((type(plain), plain, None))


def _innermost(trace: TracebackType) -> FrameType:
    """Return the frame in which an error was raised."""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame
