"""A notebook's errors in one line: a cell that was run out of order, and one that was stopped."""

from types import TracebackType
from typing import Any

from utils.errors import PlainError

# What a cell needs, and the heading under which it is made.
MADE_UNDER = {
    "SOURCE": "What to look at",
    "MATCHES": "For the curious",
    "chosen": "Settings",
    "settings": "Settings",
    "games": "The banners",
    "report": "The banners",
    "album": "The banners",
    "eye": "What the network sees",
    "vectors": "What the network sees",
    "prepared": "What the network sees",
    "matches": "What the network sees",
    "popular": "One game, and the ten most like it",
    "query": "One game, and the ten most like it",
    "plane": "Share it",
    "result": "How good are these matches?",
    "ways": "How good are these matches?",
    "compared": "Several networks side by side",
}


class OutOfOrder(PlainError):
    """A cell that needs what another one makes."""


class Stopped(PlainError):
    """A cell that was interrupted."""


def plain_errors() -> None:
    """Let this notebook show an interruption, and a name that an earlier cell makes, in one line each."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.set_custom_exc((NameError, KeyboardInterrupt), _show)


def explained(error: BaseException) -> PlainError | None:
    """Return the error in plain words, or None where there is nothing better to say than Python does."""
    if isinstance(error, KeyboardInterrupt):
        return Stopped("what is finished is kept; run this cell again to go on")
    name = getattr(error, "name", None) or ""
    heading = MADE_UNDER.get(name)
    return OutOfOrder(f"run the cell under “{heading}” first: it makes `{name}`") if heading else None


def _show(
    shell: Any,  # noqa: ANN401 - IPython's shell
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType,
    tb_offset: int | None = None,
) -> None:
    plain = explained(error)
    if plain is None:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    else:
        shell.showtraceback((type(plain), plain, None))
