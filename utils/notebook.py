"""Hands on `errors.plain_errors` until the notebooks' cells call it there."""

from utils.errors import plain_errors

__all__ = ["plain_errors"]
