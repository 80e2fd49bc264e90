"""The control in which a person picks a game and sees whose banners look most alike.

Plain ipywidgets only (7.7 and 8), so that it works in JupyterLab, Voila, Colab and VS Code. Names are searched in the
kernel; only a short list is sent. No file here writes HTML but html.py, and no other matches but finding.py.
"""

from utils.picker.control import Picker
from utils.picker.door import pick
from utils.picker.finding import Eye
from utils.picker.queries import NoGame, NoPicture, find
from utils.picker.world import NoMap, world

__all__ = ["Eye", "NoGame", "NoMap", "NoPicture", "Picker", "find", "pick", "world"]
