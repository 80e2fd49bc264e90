"""Finished matches as a read-only JSON API on this machine: `make serve`, or `python -m share.api`."""

from share.api.app import create
from share.api.served import Served, load
from share.api.sight import Sight

__all__ = ["Served", "Sight", "create", "load"]
