"""Finished matches as a read-only JSON API on this machine: `make serve`, or `python -m utils.export.api`."""

from utils.export.api.app import create
from utils.export.api.served import Served, load
from utils.export.api.sight import Sight

__all__ = ["Served", "Sight", "create", "load"]
