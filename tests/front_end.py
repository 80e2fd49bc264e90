"""What a front end does to a widget, through the doors that widgets have for it."""

from IPython.core.formatters import DisplayFormatter
from traitlets import Bunch


def press_enter(text):
    """Submit a text box."""
    data = {"method": "custom", "content": {"event": "submit"}}
    text.comm.handle_msg({"content": {"data": data}, "buffers": []})


def upload(widget, files):
    """Let a FileUpload say that these files came, in the form of ipywidgets 7 or 8, whichever is installed."""
    widget.notify_change(Bunch(name="value", type="change", owner=widget, old=widget.value, new=files))


def model_of(widget):
    """Return what the front end calls a widget, and the module that draws it."""
    state = widget.get_state()
    return state["_model_name"].removesuffix("Model"), state["_model_module"]


def everything_in(widget):
    """Yield a widget and all in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from everything_in(child)


def displayed(widget, monkeypatch):
    """Return what a notebook keeps of a widget, by MIME type."""
    import IPython.display

    sent = []
    monkeypatch.setattr(IPython.display, "display", lambda data, **_: sent.append(data))
    DisplayFormatter().format(widget)
    return sent[0]
