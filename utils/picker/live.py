"""The picker answers while other cells run.

A kernel handles what a front end sends in turn: after Run All, a click waits until every cell has run. So the picker's
messages are let past. From ipykernel 7.4 on they go to a subshell, a thread of the kernel made for such messages, and
are handled at once, beside whatever runs. Before ipykernel 7, as on Colab, there is one thread: they are put before
the cells that wait, and are handled as soon as the cell that runs has ended. Both are hooks that ipykernel does not
promise to keep; where they are missing, the picker answers after the cells, as any control does.
"""

import json
from collections import deque
from collections.abc import Iterable
from typing import Any

import ipywidgets as widgets

_DELIMITER = b"<IDS|MSG>"  # of a message's parts; the signature follows it, then the header and two more, the content


def answer_at_once(control: widgets.Widget) -> None:
    """Have the messages to a control, and to all in it, handled before or beside the cells that wait."""
    kernel = getattr(control.comm, "kernel", None)
    if hasattr(kernel, "shell_channel_thread"):
        route = _Subshell(kernel).of_message
        for widget in _all_in(control):
            widget.comm._reply_subshell_for = route  # noqa: SLF001 - ipykernel looks for it by this name
        return
    queue = getattr(kernel, "msg_queue", None)
    if isinstance(getattr(queue, "_queue", None), deque):
        let_past(queue)


class _Subshell:
    """A subshell of a kernel of ipykernel 7, started with the first message."""

    def __init__(self, kernel: Any) -> None:  # noqa: ANN401 - whatever ipykernel there is
        self._kernel = kernel
        self._id: str | None = None

    def of_message(self, _data: object, default: str | None) -> str | None:
        """Return the subshell that handles a message; called in the thread in which subshells are started."""
        manager = self._kernel.shell_channel_thread.manager
        if self._id not in manager.list_subshell():
            self._id = getattr(manager, "_create_subshell", lambda: default)()
        return self._id


def let_past(queue: Any) -> None:  # noqa: ANN401 - tornado's or asyncio's, with _queue and _put
    """Have a queue of messages take those to widgets before those that run cells."""
    waiting = queue._queue  # noqa: SLF001 - both kinds of queue ask to have _put replaced, to order by oneself

    def put(item: tuple) -> None:
        place = len(waiting)
        if _is_to_a_widget(item):
            place = next((at for at, other in enumerate(waiting) if not _is_to_a_widget(other)), place)
        waiting.insert(place, item)

    queue._put = put  # noqa: SLF001


def _is_to_a_widget(item: tuple) -> bool:
    """Return whether a queue's item (number, handler, (parts of the message,)) is a message to a widget."""
    parts = [bytes(part) for part in item[2][0]] if item[2] else []
    if _DELIMITER not in parts:
        return False
    return json.loads(parts[parts.index(_DELIMITER) + 2]).get("msg_type") == "comm_msg"


def _all_in(control: widgets.Widget) -> Iterable[widgets.Widget]:
    yield control
    for child in getattr(control, "children", ()):
        yield from _all_in(child)
