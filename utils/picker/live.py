"""The picker answers while other cells run.

A kernel handles what a front end sends in turn: after Run All, a click waits until every cell has run. From ipykernel
7.4 on the picker's messages go to a subshell instead, a thread of the kernel made for such messages, and are handled at
once, beside whatever runs. The hook is one that ipykernel does not promise to keep; where it is missing, as in older
kernels (Colab's is 6.17), the picker answers after the cells, as any control does: keep the cells below it short.
"""

from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets


class _Subshell:
    """A subshell of a kernel, started with the first message."""

    def __init__(self, kernel: Any) -> None:  # noqa: ANN401 - whatever ipykernel there is
        self._kernel = kernel
        self._id: str | None = None

    def of_message(self, _data: object, default: str | None) -> str | None:
        """Return the subshell that handles a message; called in the thread in which subshells are started."""
        manager = self._kernel.shell_channel_thread.manager
        if self._id not in manager.list_subshell():
            self._id = getattr(manager, "_create_subshell", lambda: default)()
        return self._id


def answer_at_once(control: widgets.Widget) -> None:
    """Have the messages to a control, and to all in it, handled beside the cells that run, where that is possible."""
    kernel = getattr(control.comm, "kernel", None)
    if hasattr(kernel, "shell_channel_thread"):
        route = _Subshell(kernel).of_message
        for widget in _all_in(control):
            setattr(widget.comm, "_reply_subshell_for", route)  # noqa: B010 - ipykernel looks for it by this name


def _all_in(control: widgets.Widget) -> Iterator[widgets.Widget]:
    yield control
    for child in getattr(control, "children", ()):
        yield from _all_in(child)
